"""``linearizable``: what each kind of shared resource does with the wishes of several agents."""

import pytest
from msgspec.structs import replace

from deploy.experiments.checkers.registers import Registers
from tests.deploy.experiments.checkers.histories import Told, asked, automotive, found, word
from tests.deploy.experiments.checkers.wishes import BOOT, CLOCK, HIGH, LOW, NAME, explained, with_platform


def answered(story: Told, domain: str, protocol: str, command: str, *answer: int, **values: int) -> None:
    story.call(domain, asked(protocol, command, **values), word(0, *answer))


ON, OFF = 0, 1 << 30


def test_a_power_domain_is_on_while_anyone_wants_it() -> None:
    story = Told()
    answered(story, "ivi#1", "power", "POWER_STATE_SET", domain_id=3, power_state=ON)
    answered(story, "tcu#1", "power", "POWER_STATE_SET", domain_id=3, power_state=OFF)
    answered(story, "tcu#1", "power", "POWER_STATE_GET", ON, domain_id=3)
    assert explained(story)
    answered(story, "tcu#1", "power", "POWER_STATE_GET", OFF, domain_id=3)
    assert not explained(story)


def test_a_clock_runs_while_anyone_wants_it() -> None:
    story = Told()
    answered(story, "ivi#1", "clock", "CLOCK_CONFIG_SET", clock_id=CLOCK, attributes=1)
    answered(story, "tcu#1", "clock", "CLOCK_CONFIG_SET", clock_id=CLOCK, attributes=0)
    answered(story, "tcu#1", "clock", "CLOCK_CONFIG_GET", 0, 1, 0, clock_id=CLOCK)
    assert explained(story)
    answered(story, "tcu#1", "clock", "CLOCK_CONFIG_GET", 0, 0, 0, clock_id=CLOCK)
    assert not explained(story)


def test_a_rail_is_at_the_highest_level_in_the_newest_mode() -> None:
    rail = replace(automotive().platform.voltage_domain[0], modes=(2,))
    topology = with_platform(voltage_domain=(rail,), perf_domain=(), powercap_domain=())
    story = Told()
    answered(story, "ivi#1", "voltage", "VOLTAGE_LEVEL_SET", domain_id=1, voltage_level=800_000)
    answered(story, "tcu#1", "voltage", "VOLTAGE_LEVEL_SET", domain_id=1, voltage_level=750_000)
    answered(story, "ivi#1", "voltage", "VOLTAGE_CONFIG_SET", domain_id=1, config=0xA)
    answered(story, "tcu#1", "voltage", "VOLTAGE_CONFIG_SET", domain_id=1, config=7)
    answered(story, "ivi#1", "voltage", "VOLTAGE_LEVEL_GET", 800_000, domain_id=1)
    answered(story, "ivi#1", "voltage", "VOLTAGE_CONFIG_GET", 7, domain_id=1)
    assert explained(story, topology=topology)
    answered(story, "ivi#1", "voltage", "VOLTAGE_LEVEL_GET", 750_000, domain_id=1)
    answered(story, "ivi#1", "voltage", "VOLTAGE_CONFIG_GET", 0xA, domain_id=1)
    assert len(found(story, NAME, topology=topology)) == 2


def test_performance_within_the_limits_in_force() -> None:
    topology = with_platform(powercap_domain=())
    story = Told()
    answered(story, "ivi#1", "perf", "PERFORMANCE_LEVEL_SET", domain_id=1, performance_level=4)
    answered(story, "tcu#1", "perf", "PERFORMANCE_LIMITS_SET", domain_id=1, range_max=3, range_min=2)
    answered(story, "ivi#1", "perf", "PERFORMANCE_LEVEL_GET", 3, domain_id=1)
    answered(story, "ivi#1", "perf", "PERFORMANCE_LIMITS_GET", 3, 2, domain_id=1)
    answered(story, "ivi#1", "perf", "PERFORMANCE_LIMITS_SET", domain_id=1, range_max=1, range_min=0)
    answered(story, "ivi#1", "perf", "PERFORMANCE_LIMITS_GET", 1, 1, domain_id=1)
    story.reset("tcu")
    answered(story, "dom0#1", "perf", "PERFORMANCE_LEVEL_GET", 1, domain_id=1)
    assert explained(story, topology=topology)
    answered(story, "dom0#1", "perf", "PERFORMANCE_LEVEL_GET", 4, domain_id=1)
    assert not explained(story, topology=topology)


@pytest.mark.parametrize(
    ("clock", "wanted", "flags", "rate"),
    [
        (CLOCK, 40_000_000, 0, BOOT),
        (CLOCK, 40_000_000, 4, HIGH),
        (CLOCK, 40_000_000, 8, BOOT),
        (CLOCK, 60_000_000, 8, HIGH),
        (CLOCK, LOW, 4, LOW),
        (CLOCK, LOW - 1, 0, None),
        (CLOCK, HIGH + 1, 0, None),
        (6, 230_000_000, 0, 200_000_000),
        (6, 230_000_000, 4, 250_000_000),
        (6, 225_000_000, 8, 200_000_000),
        (6, 800_000_001, 0, None),
    ],
)
def test_which_rate_a_wish_means(clock: int, wanted: int, flags: int, rate: int | None) -> None:
    assert Registers(automotive()).rounded(clock, wanted, flags) == rate
