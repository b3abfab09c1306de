"""A handle's question for numbers: one at a time, and again only where it can get lost."""

import math
import time
from typing import Any

import pytest

from deploy.launching.child import Child
from deploy.launching.launcher import Handle
from deploy.launching.registered import ANSWERED_S, RegisteredHandle


class Noting(Handle):
    """Takes orders, and does nothing."""

    def __init__(self) -> None:
        super().__init__("ivi")
        self.orders: list[tuple[Any, ...]] = []

    def order(self, *message: Any) -> bool:
        self.orders.append(message)
        return True

    def wait_ready(self) -> None: ...
    def signal(self, number: int) -> bool:
        return True

    def end(self, hard: bool = False) -> None: ...
    def join(self) -> None: ...
    def is_alive(self) -> bool:
        return True

    def how_it_ended(self) -> str:
        return ""


@pytest.mark.parametrize(("lost_s", "times"), [(math.inf, 1), (60.0, 1), (0.5, 2)])
def test_a_question_without_an_answer_is_asked_again_when_it_must_have_been_lost(
    lost_s: float, times: int
) -> None:
    handle = Noting()
    handle.lost_s = lost_s
    handle.ask_stats()
    handle.asked_at = time.monotonic() - 1.0
    handle.ask_stats()
    assert handle.orders == [("stats",)] * times


def test_an_answered_question_is_asked_again_at_once() -> None:
    handle = Noting()
    for _ in range(2):
        handle.ask_stats()
        handle.take("stats", {"counters": {}}, {}, 3)
    assert handle.orders == [("stats",)] * 2
    assert (handle.asked, handle.outstanding) == (False, 3)


def test_nothing_is_lost_over_a_pipe() -> None:
    assert Child.lost_s == math.inf
    assert RegisteredHandle.lost_s == ANSWERED_S
