"""What an operator may ask of a guest through Xen's console relay, as msgpack.

Both ends use these tables: the guest core and the toolstack. Xen never reads them.
"""

from typing import Annotated

import msgspec

from bus.frames import U32, U64, Registers, TrapClass
from nodes.guest.blows import Kind
from nodes.guest.load import WorkPlan
from nodes.limits import FOREIGN_DOORBELLS, STORM_TRAPS

Byte = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]


class Call(msgspec.Struct, frozen=True, tag="call"):
    """Send one SCMI message on the guest's own channel."""

    protocol_id: Byte
    message_id: Byte
    payload: bytes


class Message(msgspec.Struct, frozen=True, tag="message"):
    """Send one message with a header word of the caller's own; the guest judges nothing of the answer.

    ``wait_delayed``: answer with the delayed response instead, once a SUCCESS promised one. Without it
    a delayed response goes to the inbox.
    """

    header: U32
    payload: bytes
    wait_delayed: bool = False


class Take(msgspec.Struct, frozen=True, tag="take"):
    """Take what waits in the inbox, oldest first, as much as fits an answer."""


class RawTrap(msgspec.Struct, frozen=True, tag="trap"):
    """Execute one SMC or HVC with these registers, message or not."""

    ec: TrapClass
    immediate: U32
    x: Registers


class Work(msgspec.Struct, frozen=True, tag="work"):
    """Start the workload: ``plan``, or without one a Linux-like life with ``think_ns`` between calls. Or stop
    it: the call under way ends first, arrivals that wait are dropped.
    """

    run: bool
    think_ns: U64 = 0
    plan: WorkPlan | None = None


class Hostile(msgspec.Struct, frozen=True, tag="hostile"):
    """Start being hostile in one way, or stop it: ``run``. The ordinary work goes on beside it.

    ``rate``: how often a second, 0: as fast as it goes. ``likelihood``: that an occasion is used; with
    ``seed`` it and what is sent are drawn. ``foreign``: function ids that are not this guest's, for
    foreign_flood. ``vcpus``: traps under way at once, for trap_storm. What changes memory under EL3's eyes
    (header_flip, rewrite_page) is only said to the engine.
    """

    kind: Kind
    run: bool = True
    rate: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    likelihood: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    seed: U64 = 0
    foreign: Annotated[tuple[U32, ...], msgspec.Meta(max_length=FOREIGN_DOORBELLS)] = ()
    vcpus: Annotated[int, msgspec.Meta(ge=1, le=STORM_TRAPS)] = 8


class Poweroff(msgspec.Struct, frozen=True, tag="poweroff"):
    """Shut the guest down with PSCI SYSTEM_OFF, or SYSTEM_RESET."""

    reboot: bool = False


Request = Call | Message | Take | RawTrap | Work | Hostile | Poweroff


class Answer(msgspec.Struct, frozen=True):
    """How it ended; for a raw trap ``x`` holds x0..x3 after it.

    For a Message ``header`` is the answer's header word, and ``payload`` all that follows it: the status
    too, if there is one. For a Take ``messages`` are (header, payload), and ``status`` counts those left.
    """

    code: str
    definite: bool
    status: int
    payload: bytes
    detail: str
    elapsed_ns: int
    x: tuple[U64, ...] = ()
    header: U32 = 0
    messages: tuple[tuple[U32, bytes], ...] = ()


encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
