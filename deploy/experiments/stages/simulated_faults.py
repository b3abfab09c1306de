"""What each kind of fault does on virtual time. Kinds that cores or links carry out are passed on to them.

It knows engines and plans; when a fault begins and ends is the conductor's decision.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bus import frames
from bus.faults import Rule
from deploy.errors import UserError
from deploy.experiments.describing.plan import Planned
from deploy.experiments.stages import asking, links
from deploy.experiments.stages.operations import BEGINS
from nodes.firmware import console as el3
from nodes.guest import console

if TYPE_CHECKING:
    from deploy.experiments.stages.simulated import SimulatedStage, StagedBoard

EL3_BOOT_NS: Final = 2_000_000  # from the end of EL3 to its Hello
LEAST_WORK_NS: Final = 10_000  # of a node whose work takes no time, to be slowed down
TELLINGS: Final = 4  # of what must be heard
TELL_NS: Final = 15_000_000  # ... from one to the next
FIXED: Final = ("xen", "firmware")
MAPPED: Final = ("guest.header_flip", "guest.rewrite_page")


class SimulatedFaults:
    """Begins and ends faults on the boards of a stage."""

    def __init__(self, stage: "SimulatedStage") -> None:
        self._stage = stage
        self._rules: dict[int, tuple[Rule, ...]] = {}

    def begin(self, fault: Planned) -> None:
        """Raises UserError for a kind that this engine does not play."""
        self._perform(0, fault)

    def end(self, fault: Planned) -> None:
        self._perform(1, fault)

    def _perform(self, which: int, fault: Planned) -> None:
        layer = fault.kind.partition(".")[0]
        row = KINDS.get(fault.kind) or KINDS.get(layer)
        if row is None:
            raise UserError(f"{fault.kind}: the simulated engine does not play it; leave it out")
        action = row[which]
        if action is not None:
            action(self, fault)

    def applied(self, fault: Planned) -> int | None:
        """How often it had an effect; None if nobody counts."""
        if fault.kind in asking.EL3_KINDS:
            return sum(board.engine.firmware.faults.applied(fault.number) for board in self._stage.boards)
        if not fault.kind.startswith("link."):
            return None
        counts = [one for board in self._stage.boards for one in board.engine.network.applied.items()]
        return links.applied(fault, counts)

    # ---- links --------------------------------------------------------------------------------

    def _link(self, fault: Planned) -> None:
        self._rules[fault.number] = links.rules_of(fault)
        self._obey()

    def _link_heals(self, fault: Planned) -> None:
        self._rules.pop(fault.number, None)
        self._obey()

    def _obey(self) -> None:
        rules = [rule for some in self._rules.values() for rule in some]
        for board in self._stage.boards:
            board.engine.network.obey(rules)

    # ---- nodes --------------------------------------------------------------------------------

    def _each(self, fault: Planned, action: "Callable[[StagedBoard, str], None]") -> None:
        for name in fault.where:
            action(self._stage.board_of(name), name)

    def _kill(self, fault: Planned) -> None:
        for name in fault.where:
            if name in FIXED:
                raise UserError(f"{fault.kind} of {name}: the platform would be over; use {name}.restart")
        self._each(fault, _kill)

    def _pause(self, fault: Planned) -> None:
        self._each(fault, lambda board, name: _with(board, name, lambda link: link.pause(fault.number)))

    def _resume(self, fault: Planned) -> None:
        self._each(fault, lambda board, name: _with(board, name, lambda link: link.resume(fault.number)))

    def _slow(self, fault: Planned) -> None:
        def slow(link: Any) -> None:
            link.work_ns = max(link.work_ns, LEAST_WORK_NS) * max(1, fault.step)

        self._each(fault, lambda board, name: _with(board, name, slow))

    def _usual_speed(self, fault: Planned) -> None:
        def usual(board: "StagedBoard", name: str) -> None:
            times = board.engine.times
            work_ns = {"xen": times.xen_ns, "firmware": times.el3_ns}.get(name, times.guest_ns)
            _with(board, name, lambda link: setattr(link, "work_ns", work_ns))

        self._each(fault, usual)

    # ---- EL3 and Xen --------------------------------------------------------------------------

    def _stall(self, fault: Planned) -> None:
        for board in self._stage.boards:
            _with(board, "firmware", lambda link: link.pause(fault.number))

    def _go_on(self, fault: Planned) -> None:
        for board in self._stage.boards:
            _with(board, "firmware", lambda link: link.resume(fault.number))

    def _restart_el3(self, fault: Planned) -> None:
        for board in self._stage.boards:
            if "firmware" in board.engine.nodes:
                board.engine.end_firmware()
                self._stage.at(self._stage.now_ns() + EL3_BOOT_NS, board.engine.start_firmware)

    def _restart_xen(self, fault: Planned) -> None:
        first_request = frames.first_request(len(self._stage.first_requests) + 1)
        self._stage.first_requests.append(first_request)
        start = len(self._stage.first_requests)
        for board in self._stage.boards:
            board.engine.restart_xen(first_request)
            board.errand(partial(board.bring_back, start))

    # ---- what cores do when they are told to ---------------------------------------------------

    def _misbehave(self, fault: Planned) -> None:
        for board in self._stage.boards:
            request = asking.misbehave(fault, board.topology)
            if request.agents or not fault.where:
                board.tell_firmware(el3.encode_request(request))

    def _behave(self, fault: Planned) -> None:
        """Again and again: the message may be lost, and what EL3 does must end all the same."""
        body = el3.encode_request(asking.behave(fault))
        for board in self._stage.boards:
            self._again(partial(board.tell_firmware, body))

    def _hostile(self, fault: Planned) -> None:
        for name in fault.where:
            board = self._stage.board_of(name)
            if fault.kind in MAPPED and board.engine.carried:
                raise UserError(f'{fault.kind}: pages travel in frames here; set pages = "mapped"')
            board.tell(name, console.encode(asking.hostile(fault, name, board.topology, True)))

    def _peaceful(self, fault: Planned) -> None:
        def stop(board: "StagedBoard", name: str) -> None:
            body = console.encode(asking.hostile(fault, name, board.topology, False))
            self._again(partial(board.tell, name, body))

        self._each(fault, stop)

    def _again(self, action: Callable[[], None]) -> None:
        for number in range(TELLINGS):
            self._stage.at(self._stage.now_ns() + number * TELL_NS, action)

    # ---- the toolstack ------------------------------------------------------------------------

    def _operate(self, fault: Planned) -> None:
        board = self._stage.board_of(fault.where[0])
        board.errand(lambda: board.operations.begin(fault))

    def _operate_back(self, fault: Planned) -> None:
        board = self._stage.board_of(fault.where[0])
        board.errand(lambda: board.operations.end(fault))


def _with(board: "StagedBoard", name: str, action: Callable[[Any], None]) -> None:
    """Do it to a node's end of the network, if it runs."""
    node = board.engine.nodes.get(name)
    if node is not None:
        action(node.link)


def _kill(board: "StagedBoard", name: str) -> None:
    if name in board.engine.nodes:
        board.ended(name)


Action = Callable[[SimulatedFaults, Planned], None]
KINDS: Final[dict[str, tuple[Action | None, Action | None]]] = {
    "link": (SimulatedFaults._link, SimulatedFaults._link_heals),
    "process.kill": (SimulatedFaults._kill, None),
    "process.pause": (SimulatedFaults._pause, SimulatedFaults._resume),
    "process.slow": (SimulatedFaults._slow, SimulatedFaults._usual_speed),
    "el3.stall": (SimulatedFaults._stall, SimulatedFaults._go_on),
    "el3.restart": (SimulatedFaults._restart_el3, None),
    "xen.restart": (SimulatedFaults._restart_xen, None),
    **dict.fromkeys(asking.EL3_KINDS, (SimulatedFaults._misbehave, SimulatedFaults._behave)),
    **dict.fromkeys(asking.GUEST_KINDS, (SimulatedFaults._hostile, SimulatedFaults._peaceful)),
    **dict.fromkeys(BEGINS, (SimulatedFaults._operate, SimulatedFaults._operate_back)),
}
