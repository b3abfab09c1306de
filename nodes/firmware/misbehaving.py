"""What can be asked of EL3's misbehaviour: the table of actions, and the request that begins one.

Both ends use it; what each action does to an answer is in ``faults.py``.
"""

from typing import Annotated, Final

import msgspec

from bus.frames import U32, U64

ACTIONS: Final = {
    "busy": "the answer is BUSY, nothing is done",
    "hardware_error": "the answer is HARDWARE_ERROR, nothing is done",
    "late": "it is done at once, the answer is given delay_ns later",
    "wrong_token": "the answer's header has another token",
    "torn_page": "FREE is set, the second half of the payload is not written",
    "corrupt_page": "one bit of the answer's payload is flipped",
    "lost_completion": "the answer is in the page, its completion interrupt is not raised",
    "refuse_reset": "a reset of these agents is answered GENERIC_ERROR, nothing is done",
}


class Misbehave(msgspec.Struct, frozen=True, tag="misbehave"):
    """Begin one of ACTIONS under a ``number`` of the asker's choice.

    ``agents``: whose messages it concerns; none named: all but the trusted ones, among which Xen's own is.
    For "refuse_reset": the agents that are to be reset; none named: any. ``messages``: "clock.CLOCK_RATE_SET"
    and so on, empty for all. ``likelihood`` 0..1 of each message; ``count``: at most so often, 0 for no
    limit.
    """

    number: U32
    action: str
    agents: tuple[U32, ...] = ()
    messages: tuple[str, ...] = ()
    likelihood: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    count: U32 = 0
    delay_ns: U64 = 0
    seed: U64 = 0


class Behave(msgspec.Struct, frozen=True, tag="behave"):
    """End the misbehaviour of that number; the answer says how often it was applied."""

    number: U32
