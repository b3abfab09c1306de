"""The end of a domain against a call in flight, in every order in which their messages can arrive.

For each operation a small platform boots on virtual time, one guest rings its doorbell, and from there on
each schedule of ``schedules`` is played: toolstack, Xen and EL3 are the shipped cores. The history of each
run goes past every checker, and what is left at the end is looked at: no half-dead domain, an agent as at
boot, a successor that can work. It knows no random numbers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bus import frames
from bus.fields import encode
from bus.links.faulty import kind_of
from bus.scmi import clock
from bus.scmi.status import Status
from deploy import generated
from deploy.engines.simulated import TOOLSTACK, SimulatedEngine
from deploy.engines.simulated_node import SimNode
from deploy.engines.worlds import Times, World
from deploy.experiments.checkers import Context, Violation
from deploy.experiments.checkers.registry import judge, make
from deploy.experiments.describing.boards import boards_of
from deploy.experiments.describing.scenario import PlatformChoice, Scenario
from deploy.experiments.searching.schedules import ChoosingTimeline, Explorer, Pruned, explore
from deploy.recording.decode import Decoder
from deploy.recording.record import Record
from deploy.recording.rows import NOTE, Row
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Guest, Topology
from nodes.contract import Note
from nodes.firmware import console as el3
from nodes.firmware.ledger import Entry
from nodes.firmware.misbehaving import Misbehave
from nodes.guest import console
from nodes.guest.core import GuestConfig

GUESTS: Final = 2
PLATFORM: Final = PlatformChoice(guests=GUESTS)
VICTIM: Final = 0  # the number of the guest that ends, of its agent, its clock and its device
OTHER_RATE: Final = 200
SCHEDULES_MAX: Final = 20_000  # of one race: more is told as "not all"
SETTLE_NS: Final = 20_000_000
PLAIN: Final = "fast"
SLOW: Final = "slow"
FAILING: Final = "reset-fails"
EL3: Final = (PLAIN, SLOW, FAILING)
SUCCESSOR: Final = "successor"


Prepare = Callable[[SimulatedEngine], None]


def untouched(engine: SimulatedEngine) -> None:
    """What is done to a platform before it is raced, unless somebody plants a bug: nothing."""


class Start(msgspec.Struct, frozen=True):
    """What is raced, and on what."""

    topology: Topology
    operation: str
    el3: str = PLAIN
    neighbour: bool = False
    prepare: Prepare = untouched


class Race(msgspec.Struct, frozen=True):
    """All schedules of one operation under one EL3. ``complete``: there was no bound in the way.

    ``violations`` are those of the first schedule that has any, ``trail`` its deliveries in order, and
    ``rows`` its history.
    """

    operation: str
    el3: str
    schedules: int
    pruned: int
    complete: bool
    violations: tuple[Violation, ...] = ()
    trail: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


class Stand:
    """One platform, booted, with a call of the victim on its way to Xen."""

    def __init__(self, topology: Topology, el3_is: str, prepare: Prepare) -> None:
        self.rows: list[Row] = []
        self.timeline = ChoosingTimeline(1)
        world = World(self.timeline, Record(self.rows))
        self.engine = SimulatedEngine(topology, 1, lambda *_: None, Times(hop_ns=1, jitter_ns=0), world=world)
        self.engine.on_guest_start = self._note_start
        self.toolstack = Toolstack(self.engine, topology, Work(record=True))
        prepare(self.engine)
        self.boot_ledger = self.ledger()
        self.toolstack.start()
        self.name = topology.guests[VICTIM].name
        self.domid = self.toolstack.find(self.name).domid
        self.el3_is = el3_is
        self.found: list[str] = []
        if el3_is == FAILING:
            self.ask(Misbehave(1, "refuse_reset", agents=(VICTIM,), count=1))

    def _note_start(self, info: frames.DomainInfo, _config: GuestConfig, node: SimNode) -> None:
        numbers = (info.domid, info.incarnation, info.agent_id or 0, info.smc_id or 0)
        note = frames.encode(Note("domain", 0, numbers, info.name))
        self.rows.append((self.engine.now_ns, "run", "", NOTE, note, b""))

    def ask(self, request: el3.Request) -> el3.Answer:
        return self.toolstack.ask_firmware(request)

    def ledger(self) -> tuple[Entry, ...]:
        """All that the victim's agent holds."""
        return self.ask(el3.Ledger(VICTIM)).entries

    def ring(self, guests: int) -> None:
        """Let so many guests set their clocks, and stop when their traps are on their way."""
        infos = {info.name: info.domid for info in self.toolstack.list()}
        for at, guest in enumerate(self.toolstack.topology.guests[:guests]):
            call = console.Call(clock.PROTOCOL.id, clock.CLOCK_RATE_SET.id, SET_RATE[at])
            self.engine.tell_console(infos[guest.name], console.encode(call))
        while sum(_is_trap(entry) for entry in self.timeline.due) < guests:
            if not self.engine.step():
                raise ToolstackError("the calls did not begin")

    def do(self, name: str, operation: Callable[["Stand"], None]) -> None:
        """Carry out the operation; one that EL3 refuses is tried again, as an operator would."""
        try:
            operation(self)
        except ToolstackError as error:
            if self.el3_is != FAILING:
                self.found.append(f"{name}: {error}")
        while self.engine.step():
            pass

    def state(self, name: str) -> str | None:
        return next((info.state for info in self.toolstack.list() if info.name == name), None)

    def works(self, name: str) -> bool:
        """Whether a call of that domain on its own clock succeeds."""
        call = console.Call(clock.PROTOCOL.id, clock.CLOCK_RATE_GET.id, GET_RATE[name != self.name])
        answer = self.toolstack.ask(name, call)
        return not answer.code and answer.status == Status.SUCCESS


SET_RATE: Final = tuple(encode(clock.RateSet(0, at, OTHER_RATE)) for at in range(GUESTS))
GET_RATE: Final = tuple(encode(clock.RateGet(at)) for at in range(GUESTS))


def _is_trap(entry: tuple[Any, ...]) -> bool:
    return entry[2] is not None and entry[3] is not None and kind_of(entry[3][1]) == "trap"


# ---- operations ---------------------------------------------------------------------------------


def _destroy(stand: Stand) -> None:
    """xl destroy: its process ends, then Xen is asked."""
    stand.engine.stop_guest(stand.name)
    reply = stand.engine.domctl(frames.DestroyDomain(stand.domid))
    if reply.rc:
        raise ToolstackError(reply.detail)


def _reboot(stand: Stand) -> None:
    _destroy(stand)
    stand.toolstack.create(stand.toolstack.guests[stand.name])


def _assign(stand: Stand) -> None:
    """The device is assigned while a call on it is in flight, and the domain ends meanwhile."""
    stand.engine.tell(frames.AssignDevice(stand.domid, generated.device_path(VICTIM)))
    _destroy(stand)


def _create(stand: Stand) -> None:
    """Somebody else creates a domain with the same agent at the moment in which its owner dies."""
    stand.engine.tell(frames.CreateDomain(SUCCESSOR, 2, VICTIM, iommu=True))
    _destroy(stand)


OPERATIONS: Final[Mapping[str, Callable[[Stand], None]]] = {
    "destroy": _destroy,
    "reboot": _reboot,
    "assign": _assign,
    "create": _create,
}
WITHOUT_DEVICES: Final = frozenset({"assign"})  # the victim has its device only once it is assigned


def run(
    operations: Sequence[str],
    el3: Sequence[str],
    neighbour: bool = False,
    platform: PlatformChoice = PLATFORM,
) -> Iterator[Race]:
    """Each race, one after the other. ``neighbour``: the other guest has a call in flight too."""
    for operation in operations:
        topology = topology_for(operation, platform)
        for kind in el3:
            yield race(Start(topology, operation, kind, neighbour))


def topology_for(operation: str, platform: PlatformChoice = PLATFORM) -> Topology:
    """Two guests, with the firmware and the Xen of ``platform``; without its device for who gets it later."""
    choice = msgspec.structs.replace(platform, guests=GUESTS, boards=1)
    (made,) = boards_of(Scenario("race", platform=choice), Path())
    tuning = msgspec.structs.replace(made.tuning, record=True)
    if operation not in WITHOUT_DEVICES:
        return msgspec.structs.replace(made, tuning=tuning)
    guests = [_bare(guest) if at == VICTIM else guest for at, guest in enumerate(made.guests)]
    return msgspec.structs.replace(made, tuning=tuning, guests=tuple(guests))


def _bare(guest: Guest) -> Guest:
    return msgspec.structs.replace(guest, devices=())


def race(start: Start, schedules_max: int = SCHEDULES_MAX) -> Race:
    """All schedules, up to the first that violates something."""
    explorer = Explorer(meddlers=frozenset({TOOLSTACK.decode()}))
    kinds = frozenset({"el3.refuse_reset"} if start.el3 == FAILING else ())
    context = Context(start.topology, kinds)
    stands: list[Stand] = []

    def play() -> None:
        stands[:] = [_play(start, explorer)]

    schedules = pruned = 0
    for gone in explore(explorer, play, schedules_max):
        schedules += not gone
        pruned += gone
        wrong = () if gone else _judged(stands[0], context)
        if wrong:
            trail, rows = tuple(stands[0].timeline.trail), tuple(stands[0].rows)
            return Race(start.operation, start.el3, schedules, pruned, False, wrong, trail, rows)
    return Race(start.operation, start.el3, schedules, pruned, not explorer.choices)


def _play(start: Start, explorer: Explorer) -> Stand:
    """One schedule, and what has to be so afterwards."""
    stand = Stand(start.topology, start.el3, start.prepare)
    stand.ring(GUESTS if start.neighbour else 1)
    timeline = stand.timeline
    timeline.idle = lambda delivery: kind_of(delivery[1]) == "lifecycle"  # nobody acts on what is told
    timeline.reluctant = frozenset({"firmware"} if start.el3 == SLOW else ())
    timeline.explorer = explorer
    try:
        stand.do(start.operation, OPERATIONS[start.operation])
    finally:
        timeline.explorer = None
    try:
        _aftermath(stand, start.operation)
    except ToolstackError as error:
        stand.found.append(f"afterwards: {error}")
    return stand


def _aftermath(stand: Stand, operation: str) -> None:
    """What an operator would do next, and what has to come of it."""
    say = stand.found.append
    engine, toolstack = stand.engine, stand.toolstack
    engine.run(SETTLE_NS)
    for name in (stand.name, SUCCESSOR):
        if stand.state(name) is not None and not (operation == "reboot" and stand.state(name) == "running"):
            toolstack.destroy(name)
    if stand.state(stand.name) is None:
        left = [one for one in stand.ledger() if one not in stand.boot_ledger]
        if left:
            say(f"the agent of {stand.name} still holds {left[0].thing or left[0].kind} after its end")
        device = (generated.device_path(VICTIM),)
        toolstack.create(msgspec.structs.replace(toolstack.guests[stand.name], devices=device))
    if not stand.works(stand.name):
        say(f"the next {stand.name} cannot use its clock")
    neighbour = toolstack.topology.guests[1 - VICTIM].name
    if not stand.works(neighbour):
        say(f"{neighbour} cannot use its clock any more")


def _judged(stand: Stand, context: Context) -> tuple[Violation, ...]:
    results = judge(Decoder().events(stand.rows), make(("all",), context))
    wrong = [violation for one in results for violation in one.violations]
    wrong += [Violation("aftermath", stand.engine.now_ns, text, (stand.name,)) for text in stand.found]
    return tuple(wrong)


__all__ = ["EL3", "OPERATIONS", "Pruned", "Race", "Start", "race", "run"]
