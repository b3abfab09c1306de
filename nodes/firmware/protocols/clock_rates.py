"""Which of a clock's rates a wish means: arithmetic on lists and ranges, without clocks or agents."""

from bus.scmi import clock
from nodes.firmware.platform.choices import Choices, neighbours


def reachable(rates: Choices, wanted: int, flags: int) -> int | None:
    """The rate that ``wanted`` is rounded to, in Hz; None outside of ``rates``.

    Rounding is down, up, or (platform's choice) to the nearest, the lower one of two as near.
    """
    lower, upper = neighbours(rates, wanted)
    if lower is None or upper is None:
        return None
    if not flags:
        return lower
    if clock.RATE_SET_FLAGS.get(flags, "round_auto"):
        return lower if wanted - lower <= upper - wanted else upper
    return upper if clock.RATE_SET_FLAGS.get(flags, "round_up") else lower
