"""The space-time diagram around a violation: events as arrows between nodes.

A row tells when a message arrived; when it left is when its sender had what made it send, as far as the
events shown tell, else when it arrived.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from bus.scmi import header
from bus.scmi.tables import STANDARD
from deploy.experiments.checkers import Violation
from deploy.experiments.judging.tally import STATUS_NAMES
from deploy.experiments.result import Arrow
from deploy.recording import events
from deploy.recording.events import Event

AROUND: Final = 48  # events that are kept
AFTER: Final = 12  # of them after the violation was seen
XEN, EL3 = "xen", "firmware"


def draw(around: Sequence[Event], violation: Violation) -> tuple[Arrow, ...]:
    """An arrow for each message among the events; those that show the violation are highlighted."""
    shown = frozenset(violation.events)
    return tuple(_arrows(around, shown))


def _arrows(around: Sequence[Event], shown: frozenset[int]) -> Iterator[Arrow]:
    trapped: dict[tuple[str, int], int] = {}
    forwarded: dict[int, int] = {}
    executed: dict[str, int] = {}
    owner: dict[int, str] = {}
    for event in around:
        lit = event.number in shown
        if isinstance(event, events.Trapped):
            trapped[event.domain, event.request] = event.at_ns
            yield Arrow(event.at_ns, event.at_ns, event.domain, XEN, f"trap {_name(event.head)}", lit)
        elif isinstance(event, events.Forwarded):
            forwarded[event.request], owner[event.request] = event.at_ns, event.domain
            left_ns = trapped.get((event.domain, event.cause), event.at_ns)
            yield Arrow(left_ns, event.at_ns, XEN, EL3, f"SMC {_name(event.head)}", lit)
        elif isinstance(event, events.Executed):
            left_ns = forwarded.get(event.request, event.at_ns)
            executed[owner.get(event.request, "")] = event.at_ns
            yield Arrow(left_ns, event.at_ns, EL3, XEN, f"return {_status(event.status)}", lit)
        elif isinstance(event, events.Returned):
            left_ns = executed.get(event.domain, trapped.get((event.domain, event.request), event.at_ns))
            what = event.code or (event.kind if event.kind != "return" else _status(event.status))
            yield Arrow(left_ns, event.at_ns, XEN, event.domain, what, lit)
        elif isinstance(event, events.Missed):
            yield Arrow(event.at_ns, None, event.node, event.peer, f"{event.kind} {event.how}", lit)
        elif isinstance(event, events.Interrupted):
            sender = (EL3 if not event.end else event.node) if event.node == XEN else XEN
            what = "end of interrupt" if event.end else "interrupt"
            yield Arrow(event.at_ns, event.at_ns, sender, event.node, f"{what} {event.intid}", lit)
        elif isinstance(event, events.Asked):
            yield Arrow(event.at_ns, event.at_ns, "toolstack", XEN, f"{event.op} {event.fields}".strip(), lit)
        elif isinstance(event, events.Lived):
            yield Arrow(event.at_ns, event.at_ns, XEN, "toolstack", f"{event.name} {event.event}", lit)


def _name(head: int) -> str:
    if head < 0:
        return ""
    command = STANDARD.command(head)
    token = header.token(head)
    if command is None:
        return f"{header.protocol_id(head):#x}/{header.message_id(head):#x} token {token}"
    return f"{command.name} token {token}"


def _status(status: int | None) -> str:
    return "without a status" if status is None else STATUS_NAMES.get(status, str(status))
