"""Who of a platform's nodes is who, pure: events in, effects out, no socket, no clock.

A node's key says which role and name it may have; the supervisor says which incarnation of that name is
expected. Whoever registers as anything else is refused with one word of ``messages.REFUSALS``. A member whose
renewals stay away for as long as its lease has lapsed, and is never heard again.

It does not know what the words of a node mean, nor who starts processes.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from deploy.launching import messages as m
from deploy.launching.identity import Identity

MAILBOX: Final = 64  # orders that wait for a node to register
Who = tuple[str, str]  # a role and a name

# ---- events -----------------------------------------------------------------------------------


class Expect(msgspec.Struct, frozen=True):
    """A process of that identity is being started; whoever had the name before is over."""

    identity: Identity
    spec: bytes


class Over(msgspec.Struct, frozen=True):
    """That process has ended, as whoever started it knows."""

    identity: Identity


class Tell(msgspec.Struct, frozen=True):
    """Say that to it."""

    identity: Identity
    order: m.Order


class Heard(msgspec.Struct, frozen=True):
    """``link`` says it, and holds ``key``; None: it does not parse."""

    link: bytes
    key: bytes
    message: m.FromNode | None


class Tick(msgspec.Struct, frozen=True):
    """The deadline has passed."""


Event = Expect | Over | Tell | Heard | Tick

# ---- effects ----------------------------------------------------------------------------------


class Give(msgspec.Struct, frozen=True):
    """Send it; what cannot be sent is dropped and counted."""

    link: bytes
    message: m.ToNode


class Said(msgspec.Struct, frozen=True):
    """A member says something, for whoever holds its handle."""

    identity: Identity
    message: m.FromNode


class Lapsed(msgspec.Struct, frozen=True):
    """A member has not renewed its lease."""

    identity: Identity
    silent_ns: int


class Counted(msgspec.Struct, frozen=True):
    """Somebody was refused with that word, or something was dropped."""

    what: str
    detail: str


class Asks(msgspec.Struct, frozen=True):
    """A process of that role and name waits on ``host`` to be expected; said again while it does. ``taken``:
    another one of that name is a member.
    """

    role: str
    name: str
    host: str
    taken: bool


Effect = Give | Said | Lapsed | Counted | Asks


class Member:
    """What is known of the newest process of a name. ``link`` is empty until it has registered."""

    def __init__(self, identity: Identity, spec: bytes) -> None:
        self.identity = identity
        self.spec = spec
        self.link = b""
        self.over = False
        self.heard_ns = 0
        self.waiting: deque[m.Order] = deque()
        self.said: set[type] = set()  # of what is said once


ONCE: Final = (m.Ready, m.Failed, m.Exit)


class Registry:
    """``step`` is the only method that changes it. ``who`` tells whose a public key is; ``shared``: nodes see
    the supervisor's files. ``machine``: the supervisor's. ``refused`` counts by word.
    """

    def __init__(
        self,
        cluster: str,
        who: Callable[[bytes], Who | None],
        lease_ns: int,
        shared: bool = False,
        machine: str = "",
    ) -> None:
        self.refused: Counter[str] = Counter()
        self._cluster = cluster
        self._who = who
        self._lease_ns = lease_ns
        self._shared = shared
        self._machine = machine
        self._members: dict[str, Member] = {}
        self._links: dict[bytes, Member] = {}
        self._steps: dict[type, Callable[[Any, int], Sequence[Effect]]] = {
            Expect: self._expect,
            Over: self._over,
            Tell: self._tell,
            Heard: self._heard,
            Tick: self._tick,
        }
        self._messages: dict[type, Callable[[Member, Any, int], Sequence[Effect]]] = {
            m.Renew: self._renew,
            m.Rows: self._rows,
            m.Leave: self._leave,
        }

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """One event at a time, at ``now_ns`` of the supervisor's clock."""
        return self._steps[type(event)](event, now_ns)

    def deadline_ns(self) -> int | None:
        """When the next lease lapses."""
        return min((one.heard_ns + self._lease_ns for one in self._links.values()), default=None)

    # ---- what the supervisor says -------------------------------------------------------------

    def _expect(self, event: Expect, _now_ns: int) -> Sequence[Effect]:
        before = self._members.get(event.identity.name)
        if before is not None:
            self._end(before)
        self._members[event.identity.name] = Member(event.identity, event.spec)
        return ()

    def _over(self, event: Over, _now_ns: int) -> Sequence[Effect]:
        member = self._members.get(event.identity.name)
        if member is not None and member.identity == event.identity:
            self._end(member)
        return ()

    def _end(self, member: Member) -> None:
        """Never to be heard again. What is left of it tells later comers that they are late."""
        self._links.pop(member.link, None)
        member.link, member.spec, member.over = b"", b"", True
        member.waiting.clear()

    def _tell(self, event: Tell, _now_ns: int) -> Sequence[Effect]:
        member = self._members.get(event.identity.name)
        if member is None or member.over or member.identity != event.identity:
            return (Counted("order", f"{event.order.word} for {event.identity}, which is over"),)
        if member.link:
            return (Give(member.link, event.order),)
        if len(member.waiting) >= MAILBOX:
            return (Counted("order", f"{event.order.word}: {event.identity} has {MAILBOX} waiting"),)
        member.waiting.append(event.order)
        return ()

    def _tick(self, _event: Tick, now_ns: int) -> Sequence[Effect]:
        late = [one for one in self._links.values() if one.heard_ns + self._lease_ns <= now_ns]
        for member in late:
            self._end(member)
        return [Lapsed(member.identity, now_ns - member.heard_ns) for member in late]

    # ---- what nodes say -----------------------------------------------------------------------

    def _heard(self, event: Heard, now_ns: int) -> Sequence[Effect]:
        who = self._who(event.key)
        message = event.message
        if message is None:
            return self._refuse(event.link, "malformed", f"from the key of {_told(who)}")
        if isinstance(message, m.Register):
            return self._register(event.link, who, message, now_ns)
        member = self._links.get(event.link)
        if member is None or (member.identity.role, member.identity.name) != who:
            newest = self._members.get(who[1]) if who is not None else None
            word = "old" if newest is not None and newest.over else "stranger"
            return self._refuse(event.link, word, f"from the key of {_told(who)}")
        kind = type(message)
        if kind in ONCE:
            if kind in member.said:
                return self._refuse(event.link, "again", f"{kind.__name__.lower()} of {member.identity}")
            member.said.add(kind)
        handle = self._messages.get(kind)
        return handle(member, message, now_ns) if handle else (Said(member.identity, message),)

    def _refuse(self, link: bytes, word: str, detail: str) -> Sequence[Effect]:
        self.refused[word] += 1
        return Give(link, m.Refused(word, detail)), Counted(word, detail)

    def _register(self, link: bytes, who: Who | None, asked: m.Register, now_ns: int) -> Sequence[Effect]:
        member = self._members.get(asked.name)
        word = self._wrong(link, who, asked, member)
        if word in m.LATER and not asked.incarnation:
            return Give(link, m.Refused(word, "")), Asks(asked.role, asked.name, asked.host, word == "taken")
        if word or member is None:
            detail = f"{asked.name[:64]}#{asked.incarnation}, pid {asked.pid} on {asked.host[:64]}"
            return self._refuse(link, word, detail)
        effects: list[Effect] = []
        if not member.link:
            effects.append(Said(member.identity, asked))
        member.link, member.heard_ns = link, now_ns
        self._links[link] = member
        number = member.identity.incarnation
        known = (self._lease_ns, member.spec, self._shared, self._machine)
        effects.append(Give(link, m.Accepted(asked.number, number, *known)))
        effects.extend(Give(link, order) for order in member.waiting)
        member.waiting.clear()
        return effects

    def _wrong(self, link: bytes, who: Who | None, asked: m.Register, member: Member | None) -> str:
        """The first word that applies; empty if all is well."""
        if asked.version != m.VERSION:
            return "version"
        if asked.cluster != self._cluster and (asked.cluster or asked.incarnation):
            return "cluster"
        if who != (asked.role, asked.name):
            return "role"
        if member is None or member.identity.role != asked.role:
            return "unknown"
        newest = member.identity.incarnation
        if asked.incarnation > newest or (not asked.incarnation and member.over):
            return "unknown"
        if member.over or (asked.incarnation and asked.incarnation < newest):
            return "old"
        return "taken" if member.link not in (b"", link) else ""

    def _renew(self, member: Member, message: m.Renew, now_ns: int) -> Sequence[Effect]:
        member.heard_ns = now_ns
        return Give(member.link, m.Renewed(message.number, now_ns)), Said(member.identity, message)

    def _rows(self, member: Member, message: m.Rows, _now_ns: int) -> Sequence[Effect]:
        """Kept first, and then the next piece may come."""
        return Said(member.identity, message), Give(member.link, m.Took(message.file, message.at))

    def _leave(self, member: Member, message: m.Leave, _now_ns: int) -> Sequence[Effect]:
        link = member.link
        self._end(member)
        return Give(link, m.Parted()), Said(member.identity, message)


def _told(who: Who | None) -> str:
    return "nobody" if who is None else f"{who[0]} {who[1]}"
