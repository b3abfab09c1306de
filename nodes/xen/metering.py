"""Metering in the mediator: how much of EL3 a domain may use, as a pure account of its calls.

Who is asked, when, and what a refused trap is answered with is in ``core.py``; the numbers are explained in
METERING.md.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

Mode = Literal["off", "observe", "enforce"]


class Limit(msgspec.Struct, frozen=True):
    """What one domain may use; 0: no limit of that kind.

    ``rate``: calls per second; ``burst``: the bucket's size in calls. ``in_flight``: calls held by EL3 or
    waiting for the channel. ``el3_us_per_s``: microseconds of EL3's time, from an SMC to its return, in a
    second.
    """

    rate: float = 0.0
    burst: int = 16
    in_flight: int = 0
    el3_us_per_s: float = 0.0


class MeterConfig(msgspec.Struct, frozen=True):
    """``limits``: by the domain's name, or "guests" for all but dom0, or "*"; the first that fits counts.

    ``mode``: "off", "observe" (count what would be refused, forward it) or "enforce". ``answer``: what
    becomes of a refused trap, "refuse" or "wait"; "" is what the profile says.
    """

    mode: Mode = "off"
    limits: Mapping[str, Limit] = {}
    answer: Literal["", "refuse", "wait"] = ""
