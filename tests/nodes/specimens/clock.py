"""Clocks with everything they can do."""

from bus.scmi import clock
from nodes.firmware.platform import Clock, RateRange

TABLES = {
    "clock": (
        Clock(0, "specimen-crystal", (24_000_000,), 24_000_000, enabled=True),
        Clock(
            1,
            "specimen-with-a-very-long-name",
            (100, 200, 400),
            100,
            parents=(0, 2),
            enable_delay_us=5,
            set_us=10,
            async_set=True,
            duty_cycle=50,
            phase=90,
        ),
        Clock(2, "specimen-pll", RateRange(1_000_000_000, 2_000_000_000, 1_000_000), 1_000_000_000),
        Clock(3, "specimen-half", parents=(1,), divide=2),
        Clock(4, "specimen-of-others", (1000, 2000), 1000),
    ),
}
DEVICE = {"clocks": (1, 3)}
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "CLOCK_ATTRIBUTES": clock.ClockAttributes(1),
    "CLOCK_DESCRIBE_RATES": clock.DescribeRates(1, 0),
    "CLOCK_RATE_SET": clock.RateSet(0, 1, 200),
    "CLOCK_RATE_GET": clock.RateGet(1),
    "CLOCK_CONFIG_SET": clock.ConfigSet(1, clock.STATE_ENABLE, 0),
    "CLOCK_NAME_GET": clock.ClockNameGet(1),
    "CLOCK_RATE_NOTIFY": clock.RateNotify(1, 1),
    "CLOCK_RATE_CHANGE_REQUESTED_NOTIFY": clock.RateChangeRequestedNotify(1, 1),
    "CLOCK_CONFIG_GET": clock.ConfigGet(1, clock.DUTY_CYCLE),
    "CLOCK_POSSIBLE_PARENTS_GET": clock.PossibleParentsGet(1, 0),
    "CLOCK_PARENT_SET": clock.ParentSet(1, 2),
    "CLOCK_PARENT_GET": clock.ParentGet(1),
    "CLOCK_GET_PERMISSIONS": clock.GetPermissions(1),
}
