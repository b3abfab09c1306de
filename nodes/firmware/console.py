"""What an operator may ask of EL3 through Xen's console relay, as msgpack: ledgers, tallies,
broken hardware, misbehaviour on purpose.

Both ends use these tables: the firmware core and the toolstack. Xen never reads them. A ledger may be longer
than one answer takes: it is asked for in pieces.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from bus.frames import U32, U64
from nodes.firmware.hardware import Board
from nodes.firmware.ledger import Entry
from nodes.firmware.misbehaving import Behave, Misbehave
from nodes.firmware.platform import Platform

TALLIES_MAX: Final = 128  # agents of one answer: each takes at most 80 bytes
ENTRIES_MAX: Final = 48  # of one answer: each takes at most 300 bytes of the 16 KiB that a reply may have
VOTES: Final = ("vote", "hold")  # kinds of entries that keep something as the agent wants it
Part = Literal["now", "before", "after", "leaks"]


class Ledger(msgspec.Struct, frozen=True, tag="ledger"):
    """What an agent holds now, or what it held before and after its last reset; ``skip`` entries in."""

    agent: U32
    part: Part = "now"
    skip: U32 = 0


class Agents(msgspec.Struct, frozen=True, tag="agents"):
    """Which agents there are; ``skip`` of them in."""

    skip: U32 = 0


class Tally(msgspec.Struct, frozen=True, tag="tally"):
    """How much each of these agents holds; beyond TALLIES_MAX nobody is counted."""

    agents: tuple[U32, ...]


class Inject(msgspec.Struct, frozen=True, tag="inject"):
    """Break a sensor (it gives no value) or a reset line (it does not move), or mend it."""

    what: Literal["sensor", "reset"]
    id: U32
    broken: bool = True


Request = Ledger | Agents | Tally | Inject | Misbehave | Behave


class Answer(msgspec.Struct, frozen=True):
    """``error`` says why there is nothing. ``total`` is how many entries the part, or the list, has in all.

    ``now_ns`` is EL3's time, ``reset_ns`` that of the agent's last reset. ``applied``: how often a
    misbehaviour was. ``tallies``: agent, votes and holds, all entries of its ledger.
    """

    error: str = ""
    total: U32 = 0
    entries: tuple[Entry, ...] = ()
    agents: tuple[tuple[int, str], ...] = ()
    now_ns: U64 = 0
    reset_ns: U64 | None = None
    firmware: str = ""
    applied: U32 = 0
    tallies: tuple[tuple[int, int, int], ...] = ()


encode_request = msgspec.msgpack.Encoder().encode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Request).decode


class Reset(Protocol):
    """The record of an agent's last reset."""

    @property
    def at_ns(self) -> int: ...

    @property
    def before(self) -> Sequence[Entry]: ...

    @property
    def after(self) -> Sequence[Entry]: ...

    @property
    def leaks(self) -> Sequence[Entry]: ...


class Misbehaviour(Protocol):
    """EL3's misbehaviour on purpose; both raise ValueError with a sentence."""

    def misbehave(self, spec: Misbehave) -> None: ...

    def behave(self, number: int) -> int: ...


class Asked(Protocol):
    """The core as it is needed here."""

    @property
    def platform(self) -> Platform: ...

    @property
    def profile(self) -> Any: ...

    @property
    def board(self) -> Board: ...

    @property
    def last_reset(self) -> Mapping[int, Reset]: ...

    @property
    def faults(self) -> Misbehaviour: ...

    def ledger(self, agent_id: int) -> list[Entry]: ...


def answer(core: Asked, body: bytes, now_ns: int) -> bytes:
    """The body of the reply to a console request, whatever that was."""
    try:
        request = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _encode(Answer(f"not a request: {error}"))
    if isinstance(request, Agents):
        return _encode(_agents(core, request, now_ns))
    if isinstance(request, Tally):
        return _encode(_tally(core, request, now_ns))
    if isinstance(request, Inject):
        return _encode(_inject(core, request, now_ns))
    if isinstance(request, Misbehave | Behave):
        return _encode(_misbehave(core, request, now_ns))
    return _encode(_ledger(core, request, now_ns))


def _inject(core: Asked, request: Inject, now_ns: int) -> Answer:
    board = core.board
    known = board.sensors.sensors if request.what == "sensor" else board.resets.domains
    if request.id not in known:
        there = ", ".join(map(str, sorted(known)[:8])) or "none"
        return Answer(f"there is no {request.what} {request.id}; there are {there}")
    if request.what == "sensor":
        board.sensors.fail(request.id, request.broken)
    else:
        board.resets.fail(request.id, request.broken)
    return Answer(now_ns=now_ns, firmware=core.profile.name)


def _misbehave(core: Asked, request: Misbehave | Behave, now_ns: int) -> Answer:
    applied = 0
    try:
        if isinstance(request, Misbehave):
            core.faults.misbehave(request)
        else:
            applied = core.faults.behave(request.number)
    except ValueError as error:
        return Answer(str(error))
    return Answer(now_ns=now_ns, firmware=core.profile.name, applied=applied)


def _agents(core: Asked, request: Agents, now_ns: int) -> Answer:
    every = core.platform.agent
    page = tuple((one.id, one.name) for one in every[request.skip : request.skip + ENTRIES_MAX])
    return Answer(total=len(every), agents=page, now_ns=now_ns, firmware=core.profile.name)


def _tally(core: Asked, request: Tally, now_ns: int) -> Answer:
    known = {agent.id for agent in core.platform.agent}
    found = []
    for agent in request.agents[:TALLIES_MAX]:
        if agent in known:
            entries = core.ledger(agent)
            votes = sum(one.kind in VOTES for one in entries)
            found.append((agent, votes, len(entries)))
    return Answer(total=len(found), tallies=tuple(found), now_ns=now_ns, firmware=core.profile.name)


def _ledger(core: Asked, request: Ledger, now_ns: int) -> Answer:
    if all(agent.id != request.agent for agent in core.platform.agent):
        return Answer(f"there is no agent {request.agent}")
    record = core.last_reset.get(request.agent)
    if request.part == "now":
        entries: Sequence[Entry] = core.ledger(request.agent)
    else:
        entries = getattr(record, request.part, ())
    page = tuple(entries[request.skip : request.skip + ENTRIES_MAX])
    at_ns = None if record is None else record.at_ns
    return Answer("", len(entries), page, (), now_ns, at_ns, core.profile.name)
