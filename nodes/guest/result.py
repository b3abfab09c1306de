"""How a typed call ended: its reply, or why there is none and whether it surely did not happen."""

from typing import Generic, TypeVar

import msgspec

from bus.fields import Message
from bus.scmi.status import Status, name
from nodes.guest.calls import Outcome

R = TypeVar("R", bound=Message)
T = TypeVar("T")

# What a platform gives before it has done anything. The other errors may leave something behind.
REFUSALS = frozenset(
    (
        Status.NOT_SUPPORTED,
        Status.INVALID_PARAMETERS,
        Status.DENIED,
        Status.NOT_FOUND,
        Status.OUT_OF_RANGE,
        Status.BUSY,
        Status.PROTOCOL_ERROR,
        Status.IN_USE,
    )
)
PASSING = frozenset(("channel-busy", "queue-full", "token-in-use", "overflow"))


class Result(msgspec.Struct, Generic[R], frozen=True):
    """``value`` is the reply of a call that succeeded, else None.

    ``status`` is what the platform said, if it said anything: None with a ``code``. The codes are those of
    ``Outcome``, "malformed" for a SUCCESS whose payload is not as its table says, "not-in-version" for what
    the negotiated version does not have (nothing was sent), "endless-list". ``definite``: it surely did not
    happen.
    """

    value: R | None
    status: int | None
    code: str
    definite: bool
    detail: str

    @property
    def ok(self) -> bool:
        return self.value is not None

    @property
    def reply(self) -> R:
        """The reply; raises LookupError, with how the call ended, when there is none."""
        if self.value is None:
            raise LookupError(f"there is no reply: {self.text}")
        return self.value

    @property
    def text(self) -> str:
        """``SUCCESS``, ``DENIED``, ``timeout (it may have happened): no answer in time``."""
        what = self.code or name(self.status or 0)
        if self.ok or not self.code:
            return what
        sure = "it surely did not happen" if self.definite else "it may have happened"
        return f"{what} ({sure}): {self.detail}"

    @property
    def passing(self) -> bool:
        """Whether it surely did not happen only because somebody was busy: a later try may do better."""
        return self.definite and (self.status == Status.BUSY or self.code in PASSING)


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """A list that came in pages. ``failure`` is None when it is complete, else how its last page ended.

    ``triplet``: the items are lowest, highest and step of a range.
    """

    items: tuple[T, ...]
    failure: Result[Message] | None = None
    triplet: bool = False

    @property
    def complete(self) -> bool:
        return self.failure is None


def succeeded(reply: R) -> Result[R]:
    return Result(reply, Status.SUCCESS, "", False, "")


def refused(status: int) -> Result[R]:
    """The platform answered with an error."""
    return Result(None, status, "", status in REFUSALS, "")


def unanswered(outcome: Outcome) -> Result[R]:
    return Result(None, None, outcome.code, outcome.definite, outcome.detail)


def malformed(detail: str) -> Result[R]:
    """SUCCESS, with a payload that nobody can read: it happened."""
    return Result(None, None, "malformed", False, detail)


def not_in_version(detail: str) -> Result[R]:
    return Result(None, None, "not-in-version", True, detail)
