"""What limits would have done, in words; the runs that say what a domain has alone."""

import msgspec
import pytest

from deploy.experiments.describing.scenario import Names, Scenario, Threshold, WhatIf
from deploy.experiments.judging import whatif
from tests.deploy.experiments.results import passing


@pytest.mark.parametrize(
    ("under", "says"),
    [
        (None, "A limit of 2 000/s on adas would have kept ivi's p99 at 262 us, 811 calls refused."),
        (262.0, "A limit of 2 000/s on adas would have kept ivi's p99 under 262 us: 262 us, 811 calls"),
        (261.9, "A limit of 1 000/s on adas would have kept ivi's p99 under 261.9 us: 204 us, 3 120"),
        (170.9, "No limit of those tried on adas would have kept ivi's p99 under 170.9 us; 500/s: 171 us"),
    ],
)
def test_the_mildest_limit_that_keeps_the_bound_is_told(under: float | None, says: str) -> None:
    told = whatif.told(msgspec.structs.replace(passing(), what_if_bound=under))
    assert told.startswith(says)
    assert told.endswith("As it was, it had 289 us.")


def test_without_rows_there_is_nothing_to_tell() -> None:
    assert not whatif.told(msgspec.structs.replace(passing(), what_if=()))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("ivi", "ivi"),
        ("guests", "each guest"),
        (("ivi",), "ivi"),
        (("ivi", "tcu"), "each of ivi and tcu"),
        (("a", "b", "c", "d"), "each of a to d"),
    ],
)
def test_who_is_limited(names: Names, told: str) -> None:
    assert whatif.limited(names) == told


def test_the_bound_is_as_it_says_or_a_multiple_of_what_the_victim_has_alone() -> None:
    asked = WhatIf("guests", (1.0,), "a", at_most=5.0)
    assert whatif.bound(Scenario("A try"), {}) is None
    assert whatif.bound(Scenario("A try", what_if=asked), {}) == 5.0
    times = msgspec.structs.replace(asked, times_solo=True)
    assert whatif.bound(Scenario("A try", what_if=times, threshold=(Threshold("rate", "a"),)), {}) is None
