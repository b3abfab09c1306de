"""Which of a clock's rates a wish means: arithmetic on lists and ranges, without clocks or agents."""

from bisect import bisect_left

from bus.scmi import clock
from nodes.firmware.platform import RateRange
from nodes.firmware.platform.described import last

Rates = tuple[int, ...] | RateRange


def reachable(rates: Rates, wanted: int, flags: int) -> int | None:
    """The rate that ``wanted`` is rounded to, in Hz; None outside of ``rates``.

    Rounding is down, up, or (platform's choice) to the nearest, the lower one of two as near.
    """
    lower, upper = _neighbours(rates, wanted)
    if lower is None or upper is None:
        return None
    if clock.RATE_SET_FLAGS.get(flags, "round_auto"):
        return lower if wanted - lower <= upper - wanted else upper
    return upper if clock.RATE_SET_FLAGS.get(flags, "round_up") else lower


def _neighbours(rates: Rates, wanted: int) -> tuple[int | None, int | None]:
    """The nearest rates not above and not below ``wanted``; None where there is none."""
    if isinstance(rates, RateRange):
        if not rates.min <= wanted <= last(rates):
            return None, None
        lower = rates.min + (wanted - rates.min) // rates.step * rates.step
        return lower, lower if lower == wanted else lower + rates.step
    at = bisect_left(rates, wanted)
    if at < len(rates) and rates[at] == wanted:
        return rates[at], rates[at]
    return (rates[at - 1] if at else None), (rates[at] if at < len(rates) else None)
