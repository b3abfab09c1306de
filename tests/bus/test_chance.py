"""Chance without state: the same again for equal arguments, and nothing in common for others."""

from bus.chance import begun, below, further, mixed, unit


def test_equal_arguments_give_equal_draws() -> None:
    assert mixed(7, 1, 2) == mixed(7, 1, 2) == 0x16E639E2C7AAE6E3


def test_who_keeps_a_seed_s_beginning_draws_the_same() -> None:
    for seed in (-1, 0, 7, 1 << 64):
        assert further(begun(seed), 5) == mixed(seed, 5)
        assert further(further(begun(seed), 5), 6) == mixed(seed, 5, 6)


def test_no_two_short_lists_of_arguments_meet() -> None:
    """Small seeds and small numbers are what everybody uses."""
    seen = {mixed(seed, *more) for seed in range(64) for more in ((), *((one,) for one in range(64)))}
    assert len(seen) == 64 * 65
    assert len({mixed(1, one, two) for one in range(64) for two in range(64)}) == 64 * 64


def test_draws_are_spread_evenly() -> None:
    for argument in range(2):
        draws = [unit(*((one, 3) if argument else (3, one))) for one in range(4000)]
        assert 0 <= min(draws) < max(draws) < 1
        for part in range(10):
            assert 320 < sum(part <= 10 * draw < part + 1 for draw in draws) < 480
    counts = [0] * 7
    for one in range(7000):
        counts[below(7, one, 5)] += 1
    assert all(880 < count < 1120 for count in counts)
