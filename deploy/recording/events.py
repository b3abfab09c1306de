"""What happened, as checkers see it: decoded from rows, in order of time, each with the row's number.

Domains are named with their incarnation ("ivi#2"). Headers, payloads and statuses are those of the bytes that
travelled, not what a node says of itself; only Ended and Noted are a node's own word.
"""

import msgspec


class Base(msgspec.Struct, frozen=True, gc=False):
    """``number`` orders all events; ``at_ns`` is when, on the run's clock."""

    number: int
    at_ns: int


class Trapped(Base, frozen=True, gc=False):
    """Xen received a domain's trap. ``head``: the message header word in the page, -1 if no page came."""

    domain: str
    request: int
    ec: int
    immediate: int
    x: tuple[int, ...]
    channel_status: int
    length: int
    head: int
    payload: bytes


class Forwarded(Base, frozen=True, gc=False):
    """EL3 received an SMC. ``request`` is Xen's number; ``cause`` the domain's request, 0 for Xen's own.

    ``domain``: whose trap it was, as request and cause tell; "" for Xen's own.
    """

    request: int
    cause: int
    function: int
    domain: str
    head: int
    payload: bytes


class Executed(Base, frozen=True, gc=False):
    """Xen received EL3's return of ``request``. ``status``: the first word of the payload, None without
    one.
    """

    request: int
    x0: int
    channel_status: int
    head: int
    payload: bytes
    status: int | None


class Returned(Base, frozen=True, gc=False):
    """A domain received what ends its trap. ``kind``: return, undef or error; ``code``, ``definite`` of an
    error.
    """

    domain: str
    request: int
    kind: str
    x0: int
    code: str
    definite: bool
    channel_status: int
    head: int
    payload: bytes
    status: int | None


class Ended(Base, frozen=True, gc=False):
    """A guest's own account of a call that is over: the note "call"."""

    domain: str
    request: int
    head: int
    intended_ns: int
    started_ns: int
    code: str
    definite: bool
    status: int


class Asked(Base, frozen=True, gc=False):
    """Xen received a domctl: ``op`` is its name, ``domid`` whom it is about (-1 if it says none)."""

    request: int
    op: str
    domid: int
    fields: str


class Replied(Base, frozen=True, gc=False):
    """The toolstack received the answer to a domctl."""

    request: int
    rc: int
    domid: int
    detail: str


class Lived(Base, frozen=True, gc=False):
    """The toolstack heard of a domain: created, link_up, running, shutdown, dying, refused, reset, dead."""

    domid: int
    name: str
    event: str
    detail: str


class Interrupted(Base, frozen=True, gc=False):
    """``node`` received an interrupt (``end`` false) or its end; ``head`` of the message in the P2A page,
    or -1.
    """

    node: str
    intid: int
    end: bool
    head: int
    payload: bytes


class Missed(Base, frozen=True, gc=False):
    """A message that reached nobody: ``how`` is "undelivered" or "lost". ``kind`` "": the peer is gone."""

    node: str
    peer: str
    how: str
    kind: str
    request: int


class Began(Base, frozen=True, gc=False):
    """A node's first event."""

    node: str


class Noted(Base, frozen=True, gc=False):
    """Any other note: a phase, a fault, a metering decision, a reset's ledger."""

    node: str
    what: str
    request: int
    numbers: tuple[int, ...]
    text: str


Event = (
    Trapped
    | Forwarded
    | Executed
    | Returned
    | Ended
    | Asked
    | Replied
    | Lived
    | Interrupted
    | Missed
    | Began
    | Noted
)
