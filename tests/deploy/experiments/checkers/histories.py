"""Hand-made histories: calls told event by event, so that any one of them can be told wrongly."""

from collections.abc import Sequence
from functools import cache

import msgspec

from bus import fields
from bus.fields import Message
from bus.scmi import header
from bus.scmi.tables import STANDARD
from bus.shmem import ERROR, FREE
from deploy.experiments.checkers import Context, Violation
from deploy.experiments.checkers.registry import judge, make
from deploy.experiments.describing.plan import Planned
from deploy.experiments.result import CheckerResult
from deploy.recording.events import (
    Asked,
    Began,
    Ended,
    Event,
    Executed,
    Forwarded,
    Interrupted,
    Lived,
    Missed,
    Noted,
    Replied,
    Returned,
    Trapped,
)
from deploy.recording.rows import domain_of, incarnation_of
from deploy.topology import Topology, load_shipped

STEP_NS = 1000
PATIENCE_NS = 1_000_000
AGENTS = {"dom0": 0, "xen": 1, "cluster": 2, "ivi": 3, "tcu": 4}  # of the automotive platform
SMC_IDS = {name: 0x8200_0002 + agent for name, agent in AGENTS.items()}
SUCCESS = bytes(4)


@cache
def automotive() -> Topology:
    return load_shipped()


def word(*values: int) -> bytes:
    return b"".join((value & 0xFFFF_FFFF).to_bytes(4, "little") for value in values)


def asked(protocol: str, command: str, **values: int) -> tuple[int, bytes]:
    """(header without a token, payload) of a command of the tables; what is not given is 0."""
    table = STANDARD.by_key(protocol)
    assert table is not None
    row = table.command(command)
    assert row is not None
    request: Message = row.request(**{name: values.get(name, 0) for name in row.request.__struct_fields__})
    return header.pack(table.id, row.id), fields.encode(request)


class Told:
    """A history under way. Each method appends the next event, a microsecond later, and gives it."""

    def __init__(self, *domains: str) -> None:
        self.events: list[Event] = []
        self.now_ns = 0
        self._smc = 0
        self._requests: dict[str, int] = {}
        self.add(Began, "xen")
        self.add(Began, "firmware")
        for domid, domain in enumerate(domains or ("dom0#1", "ivi#1", "tcu#1"), start=0):
            self.start(domain, domid)

    def add(self, kind: type[Event], *values: object) -> Event:
        self.now_ns += STEP_NS
        event = kind(len(self.events), self.now_ns, *values)  # type: ignore[call-arg,arg-type]
        self.events.append(event)
        return event

    def wait(self, ns: int) -> None:
        self.now_ns += ns

    # ---- lives --------------------------------------------------------------------------------

    def start(self, domain: str, domid: int) -> None:
        name, incarnation = domain_of(domain), incarnation_of(domain)
        agent = AGENTS[name]
        self.lived(domid, name, "created", f"agent {agent}")
        self.note("run", "domain", 0, (domid, incarnation, agent, SMC_IDS[name]), name)
        self.add(Began, domain)

    def lived(self, domid: int, name: str, event: str, detail: str = "") -> None:
        self.add(Lived, domid, name, event, detail)

    def note(self, node: str, what: str, request: int, numbers: Sequence[int], text: str) -> None:
        self.add(Noted, node, what, request, tuple(numbers), text)

    def begin(self, number: int, kind: str, *where: str) -> None:
        planned = Planned(number, kind, where, self.now_ns, self.now_ns)
        self.note("run", "fault_begins", 0, (number,), msgspec.json.encode(planned).decode())

    def end(self, number: int) -> None:
        self.note("run", "fault_ends", 0, (number, 1), "")

    def missed(self, node: str, peer: str, kind: str, request: int, how: str = "lost") -> None:
        self.add(Missed, node, peer, how, kind, request)

    # ---- calls --------------------------------------------------------------------------------

    def trap(
        self, domain: str, head: int = 0x4003, payload: bytes = b"", *, request: int = 0, function: int = 0
    ) -> Trapped:
        request = request or self._requests.get(domain, 0) + 1
        self._requests[domain] = max(request, self._requests.get(domain, 0))
        x = (function or SMC_IDS[domain_of(domain)], 0, 0, 0, 0, 0, 0, 0)
        head = head if head < 0 or header.token(head) else head | request << 18
        found = self.add(Trapped, domain, request, 0x17, 0, x, 0, 4 + len(payload), head, payload)
        assert isinstance(found, Trapped)
        return found

    def smc(self, trap: Trapped, **changed: object) -> Forwarded:
        self._smc += 1
        values = {
            "request": self._smc,
            "cause": trap.request,
            "function": trap.x[0],
            "domain": trap.domain,
            "head": trap.head,
            "payload": trap.payload,
        }
        found = self.add(Forwarded, *(values | changed).values())
        assert isinstance(found, Forwarded)
        return found

    def own(self, message: tuple[int, bytes], function: int = SMC_IDS["xen"]) -> Forwarded:
        """An SMC of Xen's own."""
        self._smc += 1
        found = self.add(Forwarded, self._smc, 0, function, "", *message)
        assert isinstance(found, Forwarded)
        return found

    def executed(self, smc: Forwarded, payload: bytes = SUCCESS, **changed: object) -> Executed:
        values = {"request": smc.request, "x0": 0, "channel_status": FREE, "head": smc.head}
        values |= {"payload": payload, "status": None}
        values |= changed
        told = values["payload"]
        assert isinstance(told, bytes)
        values["status"] = int.from_bytes(told[:4], "little", signed=True) if len(told) >= 4 else None
        found = self.add(Executed, *values.values())
        assert isinstance(found, Executed)
        return found

    def returned(self, trap: Trapped, executed: Executed, **changed: object) -> Returned:
        values = {"domain": trap.domain, "request": trap.request, "kind": "return", "x0": executed.x0}
        values |= {"code": "", "definite": False, "channel_status": executed.channel_status}
        values |= {"head": executed.head, "payload": executed.payload, "status": executed.status}
        found = self.add(Returned, *(values | changed).values())
        assert isinstance(found, Returned)
        return found

    def failed(self, trap: Trapped, code: str, *, definite: bool = False) -> None:
        self.add(Returned, trap.domain, trap.request, "error", 0, code, definite, 0, -1, b"", None)

    def call(self, domain: str, message: tuple[int, bytes] = (0x4003, b""), payload: bytes = SUCCESS) -> None:
        """A whole call as it should be."""
        trap = self.trap(domain, *message)
        self.returned(trap, self.executed(self.smc(trap), payload))

    def xen(self, message: tuple[int, bytes], payload: bytes = SUCCESS) -> None:
        """A whole exchange of Xen's own."""
        self.executed(self.own(message), payload)

    def grant(self, agent: str, device: int, *, allow: bool = True) -> None:
        self.xen(
            asked(
                "base",
                "BASE_SET_DEVICE_PERMISSIONS",
                agent_id=AGENTS[agent],
                device_id=device,
                flags=int(allow),
            )
        )

    def reset(self, agent: str, status: int = 0, flags: int = 1) -> None:
        self.xen(
            asked("base", "BASE_RESET_AGENT_CONFIGURATION", agent_id=AGENTS[agent], flags=flags), word(status)
        )

    def ended(self, domain: str, code: str = "", *, request: int = 0, definite: bool = True) -> None:
        self.add(Ended, domain, request, 0, self.now_ns, self.now_ns, code, definite, 0)

    def interrupt(self, node: str, intid: int, head: int, payload: bytes, *, end: bool = False) -> None:
        self.add(Interrupted, node, intid, end, head, payload)

    def asked(self, request: int, op: str, domid: int = -1, text: str = "") -> None:
        self.add(Asked, request, op, domid, text)

    def replied(self, request: int, rc: int = 0) -> None:
        self.add(Replied, request, rc, 0, "")


def results(
    told: Told,
    *names: str,
    faults: Sequence[str] = (),
    complete: bool = True,
    topology: Topology | None = None,
) -> tuple[CheckerResult, ...]:
    """What checkers say of a history."""
    context = Context(topology or automotive(), frozenset(faults), complete, PATIENCE_NS)
    return judge(told.events, make(names or ("all",), context))


def found(told: Told, name: str, **rest: object) -> tuple[Violation, ...]:
    """The violations that one checker finds."""
    (result,) = results(told, name, **rest)  # type: ignore[arg-type]
    return result.violations


__all__ = ["ERROR", "FREE", "Told", "asked", "found", "results", "word"]
