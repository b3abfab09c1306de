"""Windows of request numbers, against a set that forgets nothing."""

import random

import pytest

from nodes.limits import REQUEST_WINDOW
from nodes.window import NOTHING, Window

SPAN = REQUEST_WINDOW


def take(window: Window, number: int) -> bool:
    """As the hot paths do."""
    if number == window.ordinary:
        window.ordinary += 1
        return True
    return window.admit(number)


def test_rising_numbers_are_one_comparison() -> None:
    window = Window()
    assert take(window, 0)
    for number in range(1, 100):
        assert window.ordinary == number
        assert take(window, number)
        assert not take(window, number)


def test_zero_is_not_owed_for_ever() -> None:
    window = Window()
    assert all(take(window, number) for number in range(1, SPAN + 1))
    assert window.ordinary == SPAN + 1


@pytest.mark.parametrize("first", [1, 2, 101, SPAN, SPAN + 1, 1 << 40, (1 << 64) - 1])
def test_a_link_may_begin_anywhere(first: int) -> None:
    window = Window()
    assert take(window, first)
    assert not take(window, first)
    assert take(window, first - 1), "it was overtaken"
    assert not take(window, first - 1)


def test_the_edge_of_what_is_remembered() -> None:
    newest = 10 * SPAN
    for behind, fresh in ((SPAN - 1, True), (SPAN, False), (SPAN + 1, False)):
        window = Window()
        assert take(window, newest)
        assert take(window, newest - behind) is fresh
        assert not take(window, newest - behind)


def test_a_jump_and_back_again() -> None:
    window = Window()
    for number in (1, 2, 5):
        assert take(window, number)
    assert window.ordinary == NOTHING
    assert [take(window, number) for number in (3, 3, 4, 4, 5, 2, 1)] == [True, False, True] + [False] * 4
    assert take(window, 0)
    assert window.ordinary == 6
    assert take(window, 6)


@pytest.mark.parametrize("seed", range(30))
def test_like_a_set(seed: int) -> None:
    """Never the same twice; always one that is new and not too far behind."""
    dice = random.Random(seed)
    window, seen, newest = Window(), set[int](), 0
    reach = dice.choice((2, 5, 40, SPAN // 2, 2 * SPAN))
    for _ in range(1500):
        step = dice.random()
        if step < 0.6:
            number = newest + 1
        elif step < 0.7:
            number = newest + dice.randrange(1, reach)
        else:
            number = max(0, newest - dice.randrange(reach))
        fresh = take(window, number)
        if number in seen:
            assert not fresh, number
        elif newest - number < SPAN:
            assert fresh, (number, newest)
        seen.add(number)
        newest = max(newest, number)
