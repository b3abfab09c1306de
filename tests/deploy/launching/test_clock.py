"""The supervisor's time on another machine: it never goes back, and leaps only when it must."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.launching.clock import AHEAD_MAX_NS, SLEW_PPM, NodeClock

SECOND_NS = 1_000_000_000


class Own:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_ns = 5_000

    def __call__(self) -> int:
        return self.now_ns


@pytest.mark.parametrize("offset_ns", [0, 7, -100_000 * SECOND_NS])
def test_it_begins_with_what_was_measured(offset_ns: int) -> None:
    own = Own()
    clock = NodeClock(offset_ns, own)
    own.now_ns += SECOND_NS
    assert clock.now_ns() == own.now_ns + offset_ns


@pytest.mark.parametrize("way_ns", [300_000, -300_000])
def test_a_better_measurement_is_approached_slowly_and_reached(way_ns: int) -> None:
    own = Own()
    clock = NodeClock(1000, own)
    clock.aim(1000 + way_ns)
    assert clock.now_ns() == own.now_ns + 1000
    own.now_ns += SECOND_NS // 10
    reached_ns = SLEW_PPM * 100 * (1 if way_ns > 0 else -1)
    assert clock.now_ns() == own.now_ns + 1000 + reached_ns
    own.now_ns += SECOND_NS
    assert clock.now_ns() == own.now_ns + 1000 + way_ns


@given(
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=2 * SECOND_NS),
            st.one_of(st.none(), st.integers(min_value=-SECOND_NS, max_value=SECOND_NS)),
        ),
        max_size=40,
    )
)
def test_whatever_is_measured_it_keeps_nearly_the_same_speed(
    steps: list[tuple[int, int | None]],
) -> None:
    own = Own()
    clock = NodeClock(0, own)
    before_ns = clock.now_ns()
    for passed_ns, aim_ns in steps:
        own.now_ns += passed_ns
        if aim_ns is not None:
            clock.aim(aim_ns)
        now_ns = clock.now_ns()
        assert abs(now_ns - before_ns - passed_ns) <= passed_ns * SLEW_PPM // 1_000_000 + 1
        before_ns = now_ns


def test_a_message_of_later_moves_it_on_and_it_comes_back_slowly() -> None:
    own = Own()
    clock = NodeClock(1000, own)
    clock.at_least(clock.now_ns() - 1)
    assert clock.now_ns() == own.now_ns + 1000, "that was known"
    sent_ns = clock.now_ns() + 40_000
    clock.at_least(sent_ns)
    assert clock.now_ns() == sent_ns + 1
    own.now_ns += SECOND_NS
    assert clock.now_ns() == own.now_ns + 1000


def test_who_lies_about_the_time_moves_nobody_far() -> None:
    own = Own()
    clock = NodeClock(1000, own)
    for _ in range(5):
        clock.at_least(own.now_ns + 1000 + AHEAD_MAX_NS - 1)
    assert clock.now_ns() == own.now_ns + 1000 + AHEAD_MAX_NS
    for later_ns in (1, 3600 * SECOND_NS, (1 << 63) - 1):
        clock.at_least(min(clock.now_ns() + later_ns, (1 << 63) - 1))
        assert clock.now_ns() == own.now_ns + 1000 + AHEAD_MAX_NS
    clock.at_least(-(1 << 63))
    assert clock.now_ns() == own.now_ns + 1000 + AHEAD_MAX_NS
