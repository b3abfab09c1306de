"""Leads a platform through the phases of a plan: load, faults, heal, drain. The same on every stage.

It decides when; what a fault is, is the stage's business. Whatever breaks in a core is the run's ``failure``.
"""

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.errors import UserError
from deploy.experiments.describing.plan import Phase, Plan, Planned
from deploy.experiments.healing import Healer
from deploy.experiments.memory import Memory
from deploy.experiments.stages.stage import Numbers, Stage
from deploy.recording.rows import incarnate
from deploy.toolstack import ToolstackError

STEPS: Final = 100  # of a run: for progress, --watch, and to see that the platform still stands
DRAIN_STEPS: Final = 20
LOOKS: Final = 3  # at everybody's progress while the run heals
Progress = Callable[[str, float], None]  # (what is going on, how much of the run is done: 0 to 1)
Watch = Callable[[int, Sequence[Numbers]], None]  # (now_ns, what each domain did so far)


class Lead:
    """``failure``: why the platform is over before its time, or None; ``crash``: where a core broke.

    ``phases``: as they were. ``stats``: every node's counters at the end; ``living``: the domains that ran
    then, with their incarnations.
    """

    def __init__(
        self, stage: Stage, plan: Plan, progress: Progress | None = None, watch: Watch | None = None
    ) -> None:
        self.stage = stage
        self.plan = plan
        self.failure: str | None = None
        self.crash: tuple[str, ...] = ()
        self.phases: list[Phase] = []
        self.applied: dict[int, int | None] = {}
        self.duration_ns = 0
        self.outstanding = 0
        self.stats: dict[str, dict[str, Any]] = {}
        self.living: frozenset[str] = frozenset()
        self.healer = Healer(stage, plan)
        self.memory = Memory()
        self._progress = progress
        self._watch = watch
        self._broken: dict[int, Planned] = {}
        self._step_ns = max(1, plan.phases[-1].end_ns // STEPS)

    def run(self) -> None:
        """Everything from boot to stop. Raises UserError for a fault that the stage cannot play."""
        try:
            self._all()
        except UserError:
            raise
        except ToolstackError as error:
            self.failure = self.stage.failure or str(error)
        except Exception as error:  # an invariant of a core broke: that is what the run found out
            self.failure = _told(error)
            self.crash = tuple(traceback.format_exception(error)[-8:])
        finally:
            self.duration_ns = self.stage.now_ns()
            self.living = frozenset(incarnate(one.domain, one.incarnation) for one in self.stage.numbers())
            self.stats = self.stage.stats()
            self.stage.stop()

    def _all(self) -> None:
        stage = self.stage
        boot, warm_up, faults, heal, drain = self.plan.phases
        self._say("boot")
        stage.start()
        for fault in self.plan.faults:
            self._arrange(fault)
        self._phase(boot)
        self._phase(warm_up)
        self.memory.see(stage.memory())
        self._phase(faults)
        for fault in list(self._broken.values()):
            self._end(fault)
        self._heal(heal)
        self._drain(drain)
        self.memory.see(stage.memory())

    def _arrange(self, fault: Planned) -> None:
        self.stage.at(fault.begin_ns, lambda: self._begin(fault))
        if fault.end_ns > fault.begin_ns:
            self.stage.at(fault.end_ns, lambda: self._end(fault))

    def _begin(self, fault: Planned) -> None:
        self._broken[fault.number] = fault
        self.stage.mark("fault_begins", 0, (fault.number,), msgspec.json.encode(fault).decode())
        self._say("faults")
        self.stage.begin(fault)
        if fault.end_ns <= fault.begin_ns:
            self._end(fault)

    def _end(self, fault: Planned) -> None:
        if self._broken.pop(fault.number, None) is None:
            return
        self.stage.end(fault)
        applied = self.stage.applied(fault)
        self.applied[fault.number] = applied
        self.stage.mark("fault_ends", 0, (fault.number, -1 if applied is None else applied), "")

    # ---- the phases ---------------------------------------------------------------------------

    def _phase(self, phase: Phase) -> None:
        if self._over():
            return
        self._enter(phase)
        self._until(phase.end_ns)
        self._leave()

    def _heal(self, phase: Phase) -> None:
        """Nothing is broken any more; who still cannot go on is helped, as an operator would."""
        if self._over():
            return
        self._enter(phase)
        self.healer.repair()
        length_ns = phase.end_ns - phase.begin_ns
        for look in range(1, LOOKS + 1):
            self._until(phase.begin_ns + length_ns * look // LOOKS)
            if look < LOOKS and not self._over():
                self.healer.look()
        self._leave()

    def _drain(self, phase: Phase) -> None:
        if self._over():
            return
        self._enter(phase)
        length_ns = phase.end_ns - phase.begin_ns
        for step in range(1, DRAIN_STEPS + 1):
            self.outstanding = self.stage.outstanding()
            if self._over() or not self.outstanding:
                break
            self._until(phase.begin_ns + length_ns * step // DRAIN_STEPS)
        else:
            self.outstanding = self.stage.outstanding()
        self._leave()

    def _enter(self, phase: Phase) -> None:
        self.stage.mark("phase", 0, (phase.begin_ns, phase.end_ns), phase.name)
        self.phases.append(phase)
        self._say(phase.name)

    def _leave(self) -> None:
        """A phase that took longer or was cut short ends where it ended."""
        last = self.phases[-1]
        now_ns = self.stage.now_ns()
        if last.name == "drain" or now_ns < last.end_ns:
            self.phases[-1] = msgspec.structs.replace(last, end_ns=now_ns)

    def _until(self, until_ns: int) -> None:
        stage = self.stage
        while not self._over() and (now_ns := stage.now_ns()) < until_ns:
            stage.advance(min(until_ns, now_ns + self._step_ns))
            if self.memory.first:
                self.memory.see(stage.memory())
            self._say(self.phases[-1].name)
            if self._watch is not None:
                self._watch(stage.now_ns(), stage.numbers())

    def _over(self) -> bool:
        self.failure = self.failure or self.stage.failure
        return self.failure is not None

    def _say(self, phase: str) -> None:
        if self._progress is None:
            return
        names = list(dict.fromkeys(fault.kind for fault in self._broken.values()))
        text = f"{phase}: {', '.join(names[:3])}" if names else phase
        self._progress(text, min(1.0, self.stage.now_ns() / max(1, self.plan.phases[-1].end_ns)))


def _told(error: Exception) -> str:
    """A broken invariant in one line: what, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    where = next(
        (one for one in reversed(frames) if "/nodes/" in one.filename), frames[-1] if frames else None
    )
    place = f" in {Path(where.filename).name}:{where.lineno} ({where.name})" if where else ""
    said = f": {error}" if str(error) else ""
    return f"a core broke an invariant, {type(error).__name__}{said}{place}"
