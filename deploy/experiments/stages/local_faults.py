"""What each kind of fault does on real processes. Kinds that cores carry out are passed on to them.

It knows the engine and plans; when a fault begins and ends is the conductor's decision.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from bus.faults import Rule
from deploy.engines.local import FIRMWARE
from deploy.errors import UserError
from deploy.experiments.describing.plan import Planned
from deploy.experiments.stages import asking, links
from deploy.experiments.stages.operations import BEGINS
from deploy.toolstack import ToolstackError

if TYPE_CHECKING:
    from deploy.experiments.stages.local import LocalStage

SCRIBBLING: Final = ("guest.header_flip", "guest.rewrite_page")
FIXED: Final = ("xen", "firmware")


class LocalFaults:
    """Begins and ends faults on the processes of a stage."""

    def __init__(self, stage: "LocalStage") -> None:
        self._stage = stage
        self._breaker = stage.breaker
        self._rules: dict[int, tuple[Rule, ...]] = {}
        self._applied: dict[int, int] = {}  # of EL3's misbehaviour that is over

    def begin(self, fault: Planned) -> None:
        """Raises UserError for a kind that real processes do not play."""
        self._perform(0, fault)

    def end(self, fault: Planned) -> None:
        self._perform(1, fault)

    def _perform(self, which: int, fault: Planned) -> None:
        row = KINDS.get(fault.kind) or KINDS.get(fault.kind.partition(".")[0])
        if row is None:
            raise UserError(f"{fault.kind}: real processes do not play it; leave it out, or use --engine sim")
        action = row[which]
        if action is not None:
            action(self, fault)

    def applied(self, fault: Planned) -> int | None:
        """How often it had an effect, as far as nodes have told; None if nobody counts."""
        if not fault.kind.startswith("link."):
            return self._applied.get(fault.number)
        self._stage.refresh()
        engine = self._stage.engine
        counts = Counter(engine.applied)
        for child in engine.children.values():
            counts.update(child.applied)
        return links.applied(fault, counts.items())

    # ---- links --------------------------------------------------------------------------------

    def _link(self, fault: Planned) -> None:
        self._rules[fault.number] = links.rules_of(fault)
        self._obey()

    def _link_heals(self, fault: Planned) -> None:
        self._rules.pop(fault.number, None)
        self._obey()

    def _obey(self) -> None:
        self._breaker.obey(tuple(rule for some in self._rules.values() for rule in some))

    # ---- processes ----------------------------------------------------------------------------

    def _kill(self, fault: Planned) -> None:
        for name in fault.where:
            if name in FIXED:
                raise UserError(f"{fault.kind} of {name}: the platform would be over; use {name}.restart")
        self._breaker.kill(fault.where)

    def _pause(self, fault: Planned) -> None:
        self._breaker.pause(fault.number, fault.where)

    def _stall(self, fault: Planned) -> None:
        self._breaker.pause(fault.number, (FIRMWARE,))

    def _resume(self, fault: Planned) -> None:
        self._breaker.resume(fault.number)

    def _slow(self, fault: Planned) -> None:
        self._breaker.slow(fault.number, fault.where, fault.step)

    def _usual_speed(self, fault: Planned) -> None:
        self._breaker.usual(fault.number)

    def _restart_el3(self, fault: Planned) -> None:
        self._breaker.restart_firmware()

    def _restart_xen(self, fault: Planned) -> None:
        stage = self._stage
        self._breaker.restart_xen(lambda start: stage.errand(lambda: stage.bring_back(start)))

    # ---- what cores do ------------------------------------------------------------------------

    def _ask(self, name: str, request: Callable[[], object]) -> None:
        """Through a console; a refusal is noted, as an operator would see it."""

        def ask() -> None:
            try:
                request()
            except ToolstackError as error:
                self._stage.note_failure(name, str(error))

        self._stage.errand(ask)

    def _misbehave(self, fault: Planned) -> None:
        request = asking.misbehave(fault, self._stage.topology)
        if request.agents or not fault.where:
            self._ask(FIRMWARE, lambda: self._stage.toolstack.ask_firmware(request))

    def _behave(self, fault: Planned) -> None:
        def behave() -> None:
            self._applied[fault.number] = self._stage.toolstack.ask_firmware(asking.behave(fault)).applied

        self._ask(FIRMWARE, behave)

    def _hostile(self, fault: Planned) -> None:
        for name in fault.where:
            self._hostility(fault, name, True)

    def _peaceful(self, fault: Planned) -> None:
        for name in fault.where:
            self._hostility(fault, name, False)

    def _hostility(self, fault: Planned, name: str, run: bool) -> None:
        request = asking.hostile(fault, name, self._stage.topology, run)
        self._ask(name, lambda: self._stage.toolstack.ask(name, request))

    def _scribble(self, fault: Planned) -> None:
        """The guest is told what is done to it, its process has a second thread do it."""
        if self._stage.engine.options.carried:
            raise UserError(f'{fault.kind}: pages must be shared for that; set pages = "mapped"')
        self._hostile(fault)
        for name in fault.where:
            self._breaker.scribble(name, fault.kind.removeprefix("guest."), fault.likelihood, fault.seed)

    def _no_scribbling(self, fault: Planned) -> None:
        for name in fault.where:
            self._breaker.scribble(name)
        self._peaceful(fault)

    # ---- the toolstack ------------------------------------------------------------------------

    def _operate(self, fault: Planned) -> None:
        self._stage.errand(lambda: self._stage.operations.begin(fault))

    def _operate_back(self, fault: Planned) -> None:
        self._stage.errand(lambda: self._stage.operations.end(fault))


Action = Callable[[LocalFaults, Planned], None]
KINDS: Final[dict[str, tuple[Action | None, Action | None]]] = {
    "link": (LocalFaults._link, LocalFaults._link_heals),
    "process.kill": (LocalFaults._kill, None),
    "process.pause": (LocalFaults._pause, LocalFaults._resume),
    "process.slow": (LocalFaults._slow, LocalFaults._usual_speed),
    "el3.stall": (LocalFaults._stall, LocalFaults._resume),
    "el3.restart": (LocalFaults._restart_el3, None),
    "xen.restart": (LocalFaults._restart_xen, None),
    **dict.fromkeys(asking.EL3_KINDS, (LocalFaults._misbehave, LocalFaults._behave)),
    **dict.fromkeys(asking.GUEST_KINDS, (LocalFaults._hostile, LocalFaults._peaceful)),
    **dict.fromkeys(SCRIBBLING, (LocalFaults._scribble, LocalFaults._no_scribbling)),
    **dict.fromkeys(BEGINS, (LocalFaults._operate, LocalFaults._operate_back)),
}
