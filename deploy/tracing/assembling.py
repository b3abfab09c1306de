"""Events to stories: which trap, SMC, return and note belong to one call, and what is told beside the calls.

A guest's note on a call follows its return, in the guest's own rows; a guest that makes none (raw traps) has
its call told by the next thing that it does, or HOLD_NS later. Calls under way have a bound, and so has all
the rest.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from bus.scmi import header
from bus.scmi import status as scmi_status
from bus.scmi.header import MessageType
from bus.scmi.tables import STANDARD, Tables
from deploy.recording.decode import FIRMWARE, FUNCTION
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
from deploy.recording.notes import NOTES
from deploy.recording.rows import domain_of, incarnate, incarnation_of, is_domain
from deploy.tracing.calls import NONE, XEN, Call, Happening, Story
from deploy.tracing.words import Reader
from nodes.limits import TRACE_OPEN, TRACE_TOLD

HOLD_NS: Final = 20_000_000  # that a call which has returned waits for its guest's note
LOST_NS: Final = 1_000_000_000  # ... that one which EL3 has answered waits for its return: it was overwritten
QUIET: Final = frozenset({"getdomaininfolist"})  # domctls that change nothing, asked all the time
ABOUT_CALLS: Final[dict[str, tuple[str, Callable[[Noted], Any]]]] = {
    # note: the field of the call that it fills, and with what
    "metered": ("metered", lambda note: note.text),
    "refused_at": ("grounds", lambda note: note.text),
    "trap_refused": ("judged", lambda note: note.text),
    "waited": ("queued_ns", lambda note: note.numbers[1] if len(note.numbers) > 1 else 0),
}
SILENT_NOTES: Final = frozenset({"call", "domain", "welcomed"})
ENDED: Final = "ended-with-domain"  # the code of a call whose domain was gone before it returned
Key = tuple[str, int]


class Assembler:
    """``see`` every event once, in order of time; ``take`` gives what is whole by now.

    ``forgotten``: calls under way that had no room; ``partial``: ends whose beginnings were not recorded.
    """

    def __init__(self, tables: Tables = STANDARD) -> None:
        self.forgotten = 0
        self.partial = 0
        self._reader = Reader(tables)
        self._ready: list[Story] = []
        self._open: OrderedDict[Key, dict[str, Any]] = OrderedDict()
        self._returned: deque[tuple[int, Key]] = deque()  # that wait for the guest's note
        self._answered: deque[tuple[int, Key]] = deque()  # by EL3; most have returned long since
        self._newest: dict[str, int] = {}  # what a domain has asked last
        self._smcs: OrderedDict[int, Key] = OrderedDict()
        self._told: OrderedDict[Key, None] = OrderedDict()
        self._domctls: OrderedDict[int, Asked] = OrderedDict()
        self._agents: OrderedDict[str, int] = OrderedDict()
        self._owners: dict[int, str] = {}
        self._xen_since: int | None = None
        self._xen_began = False
        self._see: dict[type, Any] = {
            Trapped: self._trapped,
            Forwarded: self._forwarded,
            Executed: self._executed,
            Returned: self._came_back,
            Ended: self._ended,
            Asked: self._asked,
            Replied: self._replied,
            Lived: self._lived,
            Interrupted: self._interrupted,
            Missed: self._missed,
            Began: self._began,
            Noted: self._noted,
        }

    def see(self, event: Event) -> None:
        self._see[type(event)](event)
        if self._returned or self._answered:
            self.idle(event.at_ns)

    def idle(self, now_ns: int) -> None:
        """Nothing came until then: what has waited for HOLD_NS is whole."""
        while self._returned and self._returned[0][0] + HOLD_NS < now_ns:
            _, key = self._returned.popleft()
            self._close(key)
        while self._answered and self._answered[0][0] + LOST_NS < now_ns:
            _, key = self._answered.popleft()
            self._close(key)

    def take(self) -> list[Story]:
        """What is whole, in the order in which it ended."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> list[Story]:
        """Nothing more comes: what is still under way is told as such, but for that whose end was
        overwritten, as its domain has asked something else since.
        """
        while self._returned:
            self._close(self._returned.popleft()[1])
        for domain, request in list(self._open):
            call = self._open[domain, request]
            over = "el3_out_ns" in call or self._newest.get(domain, request) != request
            over = over or (domain == XEN and self._before_xen(call))
            self._close((domain, request), over=over)
        return self.take()

    def _before_xen(self, call: dict[str, Any]) -> bool:
        """Whether Xen's rows of that time are overwritten: then nobody knows what it was answered."""
        since = self._xen_since
        return not self._xen_began and since is not None and call["el3_in_ns"] < since

    # ---- whose --------------------------------------------------------------------------------

    def _who(self, node: str) -> dict[str, Any]:
        return {
            "domain": domain_of(node),
            "incarnation": incarnation_of(node),
            "agent": self._agents.get(node, NONE),
        }

    def _begin(self, key: Key, call: dict[str, Any]) -> None:
        if len(self._open) >= TRACE_OPEN:
            self._open.popitem(last=False)
            self.forgotten += 1
        self._open[key] = call

    def _close(self, key: Key, **more: Any) -> None:
        call = self._open.pop(key, None)
        if call is None:
            return
        call.update(more)
        if call["domain"] != XEN:
            self._told[key] = None
            if len(self._told) > TRACE_TOLD:
                self._told.popitem(last=False)
        self._ready.append(Call(**call))

    def _tell(self, event: Event, what: str, node: str, **more: Any) -> None:
        told = {**self._who(node), **more}
        self._ready.append(Happening(number=event.number, at_ns=event.at_ns, what=what, **told))

    # ---- calls --------------------------------------------------------------------------------

    def _trapped(self, event: Trapped) -> None:
        if self._xen_since is None:
            self._xen_since = event.at_ns
        self._settle(event.domain, event.request)
        self._newest[event.domain] = event.request
        if len(self._newest) > TRACE_TOLD:
            del self._newest[next(iter(self._newest))]
        function = event.x[0] & FUNCTION
        call = {
            "number": event.number,
            **self._who(event.domain),
            "request": event.request,
            "cause": event.request,
            "function": function,
            "whose": self._owners.get(function, ""),
            "xen_in_ns": event.at_ns,
        }
        self._begin((event.domain, event.request), call | self._request(event.head, event.payload))

    def _request(self, head: int, payload: bytes) -> dict[str, Any]:
        if head < 0:
            return {}
        words = self._reader.request(head, payload)
        return {
            "protocol": words.protocol,
            "message": words.message,
            "token": header.token(head),
            "asked": words.fields,
            "resource": words.resource,
            "changes": words.changes,
        }

    def _forwarded(self, event: Forwarded) -> None:
        key = (event.domain, event.cause)
        call = self._open.get(key) if event.domain else None
        if call is None:
            if event.cause:  # its trap was not recorded
                self.partial += 1
                return
            key = (XEN, event.request)
            call = {"number": event.number, "domain": XEN, "request": event.request}
            self._begin(key, call | self._request(event.head, event.payload))
            call = self._open[key]
        call.update(smc=event.request, el3_in_ns=event.at_ns, function=event.function)
        call["whose"] = self._owners.get(event.function, "")
        if len(self._smcs) >= TRACE_OPEN:
            self._smcs.popitem(last=False)
        self._smcs[event.request] = key

    def _executed(self, event: Executed) -> None:
        key = self._smcs.pop(event.request, None)
        call = self._open.get(key) if key is not None else None
        if key is None or call is None:
            return
        call.update(el3_out_ns=event.at_ns)
        if event.head >= 0:
            words = self._reader.reply(event.head, event.payload)
            call.update(answered=words.fields, status=words.status)
        if key[0] == XEN:
            self._close(key, x0=event.x0)
            return
        self._answered.append((event.at_ns, key))
        if len(self._answered) > TRACE_OPEN:
            self._answered.popleft()

    def _came_back(self, event: Returned) -> None:
        key = (event.domain, event.request)
        call = self._open.get(key)
        if call is None:
            self.partial += 1
            return
        call["returned_ns"] = event.at_ns
        if event.kind == "return":
            call["x0"] = event.x0
        else:
            call.update(code=event.code or event.kind, definite=event.definite)
        if event.head >= 0 and call.get("smc") and event.kind == "return":
            words = self._reader.reply(event.head, event.payload)
            call.update(answered=words.fields, status=words.status)
        self._returned.append((event.at_ns, key))

    def _settle(self, domain: str, request: int) -> None:
        """The domain goes on: of its calls that have returned no note follows any more."""
        if self._returned and any(key[0] == domain for _, key in self._returned):
            left: deque[tuple[int, Key]] = deque()
            for at_ns, key in self._returned:
                if key[0] == domain and key[1] != request:
                    self._close(key)
                else:
                    left.append((at_ns, key))
            self._returned = left

    def _ended(self, event: Ended) -> None:
        key = (event.domain, event.request)
        call = self._open.get(key)
        if call is None:
            if key in self._told or self._xen_since is None or event.started_ns < self._xen_since:
                self.partial += key not in self._told
                return
            who = self._who(event.domain)
            self._begin(key, {"number": event.number, **who, "request": event.request})
            call = self._open[key]
        if not call.get("message") and event.head > 0:  # 0: it could not even ring
            words = self._reader.name(event.head)
            call.update(protocol=words.protocol, message=words.message, token=header.token(event.head))
        call.update(intended_ns=event.intended_ns, started_ns=event.started_ns)
        call.setdefault("returned_ns", event.at_ns)
        if event.code:
            call.update(code=event.code, definite=event.definite)
        elif not call.get("status"):
            call["status"] = scmi_status.name(event.status)
        self._returned = deque(one for one in self._returned if one[1] != key)
        self._close(key)

    # ---- everything else ----------------------------------------------------------------------

    def _asked(self, event: Asked) -> None:
        if event.op in QUIET:
            return
        if len(self._domctls) >= TRACE_TOLD:
            self._domctls.popitem(last=False)
        self._domctls[event.request] = event

    def _replied(self, event: Replied) -> None:
        asked = self._domctls.pop(event.request, None)
        if asked is not None:
            whom = f"domid={asked.domid}" if asked.domid >= 0 else f"domid={event.domid}"
            fields = " ".join(part for part in (whom, asked.fields) if part)
            self._tell(
                asked,
                "domctl",
                "toolstack",
                message=asked.op,
                text=fields,
                status="SUCCESS" if not event.rc else f"{event.rc} {event.detail}".rstrip(),
                took_ns=event.at_ns - asked.at_ns,
            )

    def _lived(self, event: Lived) -> None:
        if event.event == "dead":
            for key in [key for key in self._open if domain_of(key[0]) == event.name]:
                self._close(key, code=ENDED)
        text = f"{event.event}: {event.detail}" if event.detail else event.event
        self._tell(event, "life", event.name, text=text)

    def _interrupted(self, event: Interrupted) -> None:
        if event.end or event.node == XEN:
            return
        if event.head < 0:
            self._tell(event, "interrupt", event.node, text=str(event.intid))
            return
        words = self._reader.reply(event.head, event.payload)
        is_event = header.message_type(event.head) == MessageType.NOTIFICATION
        what = "notification" if is_event else "delayed"
        self._tell(
            event,
            what,
            event.node,
            protocol=words.protocol,
            message=words.message,
            status=words.status,
            text=words.fields,
        )

    def _missed(self, event: Missed) -> None:
        if event.node == XEN and event.kind in ("return", "error", "undef"):
            self._close((event.peer, event.request), code=event.how)
        text = f"{event.how}: {event.kind or 'all'} to {event.peer}"
        self._tell(event, "missed", event.node, text=text)

    def _began(self, event: Began) -> None:
        name = domain_of(event.node)
        self._xen_began |= name == XEN
        for key in [key for key in self._open if domain_of(key[0]) == name and key[0] != event.node]:
            self._close(key, code=ENDED)
        self._tell(event, "began", event.node)

    def _noted(self, event: Noted) -> None:
        if event.what == "domain" and len(event.numbers) == 4:
            _, life, agent, smc_id = event.numbers
            node = event.text if is_domain(event.text) else incarnate(event.text, life)
            self._agents[node] = agent
            if len(self._agents) > TRACE_TOLD:
                self._agents.popitem(last=False)
            if smc_id != NONE:
                self._owners[smc_id & FUNCTION] = node
        if event.what in ABOUT_CALLS:
            call = self._noted_call(event)
            if call is not None:
                field, of = ABOUT_CALLS[event.what]
                call[field] = of(event)
            return
        if event.what in SILENT_NOTES:
            return
        _, names, _ = NOTES.get(event.what, ("", (), ""))
        numbers = [f"{name}={number}" for name, number in zip(names, event.numbers, strict=False)]
        whom = [n for name, n in zip(names, event.numbers, strict=False) if name == "agent"]
        told: dict[str, Any] = {"agent": whom[0]} if whom else {}
        self._tell(event, event.what, event.node, text=" ".join([*numbers, event.text]).strip(), **told)

    def _noted_call(self, event: Noted) -> dict[str, Any] | None:
        """The call under way that a note is about: EL3 knows it by Xen's number, Xen by the domain's."""
        if event.node == FIRMWARE:
            key = self._smcs.get(event.request)
            return self._open.get(key) if key is not None else None
        for key in reversed(self._open):
            call = self._open[key]
            if key[1] == event.request:
                agent = event.numbers[0] if event.what in ("waited", "metered") and event.numbers else None
                if call.get("xen_in_ns") == event.at_ns or call["agent"] == agent:
                    return call
        return None


def stories(events: Iterable[Event], tables: Tables = STANDARD) -> Iterator[Story]:
    """All that a recording tells, calls in the order in which they ended."""
    assembler = Assembler(tables)
    for event in events:
        assembler.see(event)
        yield from assembler.take()
    yield from assembler.finish()
