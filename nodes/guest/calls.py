"""One SCMI call as an agent sees it: what is asked, and the ways it can end.

``definite`` is the honest part: an error says whether the call surely did not happen.
"""

from typing import Final

import msgspec

from bus import frames

HOSTILE = -1  # who asked for a call that was made in bad faith
EL3_LOST: Final = "el3-lost"
XEN_LOST: Final = frames.Error(frames.PROTOCOL_VERSION, 0, 0, "xen-lost", False, "Xen is gone")
NO_INTERRUPT: Final = "no-interrupt"  # Xen's, to the end of an interrupt that is not in flight


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A message to send: protocol, message, payload; ``key`` labels it in counts.

    ``header``: send this word instead, and give the answer back as it is. ``delayed``: the call ends with
    its delayed response.
    """

    protocol_id: int
    message_id: int
    payload: bytes
    key: str = ""
    header: int | None = None
    delayed: bool = False


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a call ended.

    ``code`` is "" for an answer (``status`` and ``payload`` hold it). Otherwise nothing was answered:
    smc-refused, undef, too-long, channel-busy, channel-error, bad-response, timeout, no-scmi, no-p2a,
    queue-full, token-in-use, delayed-timeout or a code of the bus. ``definite``: it surely did not happen.
    ``elapsed_ns`` counts from the trap; ``header`` is the answer's header word.
    """

    code: str
    definite: bool
    status: int
    payload: bytes
    detail: str
    elapsed_ns: int
    header: int = 0

    @property
    def answered(self) -> bool:
        return not self.code


class Flight(msgspec.Struct, frozen=True, gc=False):
    """The SMC in flight. ``ask`` is None for a raw trap; ``console`` is the request to answer, 0 for
    the guest's own work, or HOSTILE.

    ``intended_ns`` is when it was meant to begin, ``started_ns`` when it did.
    """

    request: int
    head: int
    ask: Ask | None
    console: int
    started_ns: int
    intended_ns: int


def platform_lost(frame: frames.Frame) -> bool:
    """Whether this frame says that EL3 is gone, whatever became of the call."""
    return isinstance(frame, frames.Error) and frame.code == EL3_LOST


def of_interrupt(frame: frames.Frame) -> bool:
    """Whether this frame is about the end of an interrupt: its number is EL3's, and no call's."""
    return isinstance(frame, frames.Error) and frame.code == NO_INTERRUPT


def surely_not_done(frame: frames.Frame) -> bool:
    """Whether this frame ends a call that nobody has seen the page of."""
    return isinstance(frame, frames.Undef) or (isinstance(frame, frames.Error) and frame.definite)


def refused(frame: frames.Frame, elapsed_ns: int) -> Outcome | None:
    """How a call ended that this frame ends instead of a return; None for any other frame."""
    if isinstance(frame, frames.Undef):
        return Outcome("undef", True, 0, b"", "undefined instruction", elapsed_ns)
    if isinstance(frame, frames.Error):
        return Outcome(frame.code, frame.definite, 0, b"", frame.detail, elapsed_ns)
    return None
