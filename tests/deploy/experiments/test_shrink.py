"""Shrinking finds what is needed for a failure, and asks no more often than it may."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from deploy.experiments.searching.shrink import shrink


def needs(culprits: frozenset[int]) -> Callable[[tuple[int, ...]], bool]:
    return lambda items: culprits <= set(items)


@given(st.sets(st.integers(0, 40), min_size=1, max_size=5), st.integers(41, 60))
def test_exactly_the_culprits_are_left(culprits: set[int], size: int) -> None:
    assert set(shrink(range(size), needs(frozenset(culprits)), 10_000)) == culprits


def test_nothing_is_left_if_nothing_is_needed() -> None:
    assert shrink(range(9), needs(frozenset()), 100) == ()


def test_order_is_kept() -> None:
    assert shrink((5, 3, 9, 1), needs(frozenset((9, 5))), 100) == (5, 9)


def test_the_tries_are_bounded_and_what_is_given_still_fails() -> None:
    asked: list[tuple[int, ...]] = []
    culprits = frozenset((3, 30))

    def fails(items: tuple[int, ...]) -> bool:
        asked.append(items)
        return culprits <= set(items)

    left = shrink(range(64), fails, 6)
    assert len(asked) <= 6
    assert culprits <= set(left)


def test_without_tries_all_is_left() -> None:
    assert shrink((1, 2), needs(frozenset()), 0) == (1, 2)
