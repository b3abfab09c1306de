"""The reset domains: what can be reset, how, and how long it takes. What is held now the board knows."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from nodes.firmware.platform.described import Described, Microseconds, ResourceId, ResourceName, says

ImplementationState = Annotated[int, msgspec.Meta(ge=0, le=0x7FFF_FFFF)]


class ResetDomain(Described, frozen=True):
    """A reset domain."""

    id: ResourceId
    name: ResourceName
    latency_us: Annotated[Microseconds | None, says("how long a reset takes; absent: not known")] = None
    autonomous: Annotated[bool, says("it can assert and release by itself")] = True
    explicit: Annotated[bool, says("agents can assert and release its line")] = True
    async_reset: Annotated[bool, says("autonomous resets can be asked for asynchronously")] = False
    reset_notify: Annotated[bool, says("RESET_ISSUED is sent")] = False
    asserted: Annotated[bool, says("its line is held at boot")] = False
    states: Annotated[
        tuple[ImplementationState, ...],
        says("the implementation's own resets, beside the cold one (bit 31 set)"),
    ] = ()
    sharing: Annotated[
        Literal["refused", "anyone", "exclusive"],
        says("when several agents may use it: nobody resets it, everybody, or only the first who asserts it"),
    ] = "refused"


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    for at, domain in enumerate(platform.reset_domain):
        if not domain.autonomous and not domain.explicit:
            yield f"reset_domain[{at}]: it cannot be reset at all; set autonomous or explicit"
        if domain.async_reset and not domain.autonomous:
            yield f"reset_domain[{at}].async_reset: goes with autonomous only; set that as well"
        if len(set(domain.states)) != len(domain.states):
            yield f"reset_domain[{at}].states: a state is there twice; give each once"
