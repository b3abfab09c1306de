"""The reset domains."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from nodes.firmware.platform.described import Described, Id, Microseconds, Name

ImplementationState = Annotated[int, msgspec.Meta(ge=0, le=0x7FFF_FFFF)]


class ResetDomain(Described, frozen=True):
    """A reset domain. ``latency_us``: how long a reset takes, absent: not known.

    ``autonomous``, ``explicit``, ``async_reset``: the ways of resetting that it has; ``asserted``: whether
    its line is held at boot. ``states``: the implementation's own kinds of reset, beside the cold one.
    ``reset_notify``: whether RESET_ISSUED is sent. ``sharing``, for a domain that several agents may use:
    nobody may reset it ("refused"), everybody ("anyone"), or only the first who asserts it ("exclusive").
    """

    id: Id
    name: Name
    latency_us: Microseconds | None = None
    autonomous: bool = True
    explicit: bool = True
    async_reset: bool = False
    reset_notify: bool = False
    asserted: bool = False
    states: tuple[ImplementationState, ...] = ()
    sharing: Literal["refused", "anyone", "exclusive"] = "refused"


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    for at, domain in enumerate(platform.reset_domain):
        if not domain.autonomous and not domain.explicit:
            yield f"reset_domain[{at}]: it cannot be reset at all; set autonomous or explicit"
        if domain.async_reset and not domain.autonomous:
            yield f"reset_domain[{at}].async_reset: goes with autonomous only; set that as well"
        if len(set(domain.states)) != len(domain.states):
            yield f"reset_domain[{at}].states: a state is there twice; give each once"
