"""What an operator does when the faults are over: reboots whoever they hit for good, or who does not go on.

The table of faults says what each needs; a domain that makes no progress is rebooted only if some fault may
have cost it a frame, else its silence is a finding.
"""

from typing import Final

from deploy.experiments.describing.faults import BY_NAME
from deploy.experiments.describing.plan import Plan
from deploy.experiments.stages.stage import Numbers, Stage
from deploy.toolstack import Toolstack, ToolstackError

STUCK: Final = frozenset(
    {
        "link.lose", "link.partition", "link.duplicate", "link.reorder", "process.kill", "process.pause",
        "el3.restart", "el3.lost_completion", "el3.refuse_reset", "xen.restart", "toolstack.dies_creating",
        "toolstack.dies_destroying", "toolstack.destroy", "toolstack.reboot",
        # what takes longer than Xen waits costs the answer: the guest's page is never given back
        "el3.late", "el3.stall", "link.delay", "process.slow",
    }
)  # fmt: skip
SELF: Final = "guest."  # what a hostile guest does to itself
CALLS_MIN: Final = 3  # that should have come between two looks, else silence says nothing


class Healer:
    """``done``: what was done, in words.

    A domain is measured against what it had when it was last seen to get on: what failed while others were
    rebooted must not be forgotten at the next look.
    """

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.done: list[str] = []
        self._stage = stage
        self._plan = plan
        self._seen: dict[str, tuple[Numbers, int]] = {}  # of each domain, and when: as it last got on
        self._silenced = self._may_be_silent()

    def _may_be_silent(self) -> frozenset[str]:
        """The domains that a fault may have cost a frame."""
        found: set[str] = set()
        for fault in self._plan.faults:
            if fault.kind in STUCK or fault.kind.startswith(SELF):
                hit = [name for name in (*fault.where, fault.to) if name in self._plan.loads]
                found.update(hit or self._plan.loads)
        return frozenset(found)

    def repair(self) -> None:
        """What the faults of the plan ask for, and whoever is not there any more."""
        wanted: dict[str, str] = {}
        for fault in self._plan.faults:
            heals = BY_NAME[fault.kind].heals
            if heals == "reboot-all":
                wanted.update(dict.fromkeys(self._guests(), fault.kind))
            elif heals == "reboot":
                hit = [name for name in (*fault.where, fault.to) if name in self._plan.loads]
                wanted.update(dict.fromkeys(hit, fault.kind))
        for name in self._guests():
            if name in wanted:
                self._reboot(name, wanted[name])
        for name in self._missing():
            self._reboot(name, "it was gone")
        self._remember()

    def look(self) -> None:
        """Reboot whoever made no progress since the last look and may have lost a frame."""
        now_ns = self._stage.now_ns()
        for row in self._numbers():
            name = row.domain
            if name not in self._seen or name not in self._silenced or name not in self._guests():
                continue
            before, seen_ns = self._seen[name]
            if _got_on(before, row):
                continue
            if _failed(row) > _failed(before) or self._should_have_called(name, now_ns - seen_ns):
                self._reboot(name, "it made no progress")
        for name in self._missing():
            self._reboot(name, "it was gone")
        self._remember()

    def _should_have_called(self, name: str, since_ns: int) -> bool:
        load = self._plan.loads[name]
        start_ns = self._plan.phases[0].end_ns + int(load.start_ms * 1e6)
        stop_ns = self._plan.phases[0].end_ns + int(load.stop_ms * 1e6) if load.stop_ms else None
        now_ns = self._stage.now_ns()
        if load.kind == "idle" or now_ns - since_ns < start_ns or (stop_ns is not None and now_ns > stop_ns):
            return False
        if load.kind == "open":
            rate = max(_number(load.rate), _number(load.rate_end))
            return rate * since_ns / 1e9 >= CALLS_MIN
        return load.kind != "replay" and _number(load.think_us) * 1e3 * CALLS_MIN < since_ns

    def _guests(self) -> list[str]:
        known = {name for toolstack in self._stage.toolstacks() for name in toolstack.guests}
        return [name for name in self._plan.loads if name in known]

    def _missing(self) -> list[str]:
        there: set[str] = set()
        for toolstack in self._stage.toolstacks():
            try:
                there |= {info.name for info in toolstack.list() if info.state == "running"}
            except ToolstackError:
                there |= set(toolstack.guests)  # nobody answers: to reboot would not help
        return [name for name in self._guests() if name not in there]

    def _numbers(self) -> list[Numbers]:
        self._stage.outstanding()  # asks real processes, whose numbers are some time old otherwise
        return self._stage.numbers()

    def _remember(self) -> None:
        now_ns = self._stage.now_ns()
        for row in self._numbers():
            before = self._seen.get(row.domain)
            if before is None or _got_on(before[0], row):
                self._seen[row.domain] = row, now_ns

    def _reboot(self, name: str, why: str) -> None:
        """xl destroy, if there is such a domain, and xl create; a refusal is noted, never the run's end."""

        def reboot(toolstack: Toolstack) -> None:
            text = f"reboot {name}: {why}"
            try:
                if any(info.name == name for info in toolstack.list()):
                    toolstack.destroy(name)
                toolstack.create(toolstack.guests[name])
            except ToolstackError as error:
                text = f"{text}; {error}"
            self._stage.mark("heal", 0, (), text)
            self.done.append(text)

        self._stage.operate(name, reboot)


def _got_on(before: Numbers, row: Numbers) -> bool:
    return (before.incarnation, before.answered) != (row.incarnation, row.answered)


def _failed(row: Numbers) -> int:
    return row.definite + row.indefinite


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
