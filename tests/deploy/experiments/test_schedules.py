"""Every order of arrival is played once, but for orders that commute."""

import pytest

from bus.links.simulated import Network, SimulatedLink
from deploy.experiments.searching.schedules import ChoosingTimeline, Explorer, explore

Story = tuple[str, ...]


def play(
    ways: list[tuple[str, str, int]], meddlers: frozenset[str] = frozenset(), reluctant: str = ""
) -> tuple[list[Story], int]:
    """All schedules of (sender, receiver, messages), and how many were pruned."""
    explorer = Explorer(meddlers)
    stories: list[Story] = []
    told: list[str] = []

    def run() -> None:
        told.clear()
        timeline = ChoosingTimeline(1)
        timeline.reluctant = frozenset({reluctant} - {""})
        network = Network(1, timeline=timeline)
        ends: dict[str, SimulatedLink] = {}
        for name in {one for sender, receiver, _ in ways for one in (sender, receiver)}:
            ends[name] = network.open(name.encode(), name)
        for sender, receiver, number in ways:
            for at in range(number):
                assert ends[sender].send(receiver.encode(), b"%d" % at, b"")
        timeline.explorer = explorer
        while (found := timeline.take()) is not None:
            end, delivery = found
            assert end is not None
            told.append(f"{delivery[0].decode()}{delivery[1].decode()}>{end.name}")

    pruned = 0
    for gone in explore(explorer, run, 10_000):
        pruned += gone
        if not gone:
            stories.append(tuple(told))
    return stories, pruned


def test_all_orders_at_one_node() -> None:
    stories, pruned = play([("a", "x", 2), ("b", "x", 2)])
    assert len(stories) == len(set(stories)) == 6
    assert pruned == 0
    for story in stories:
        for sender in "ab":
            assert [one for one in story if one[0] == sender] == [f"{sender}0>x", f"{sender}1>x"]


def test_three_ways_to_one_node() -> None:
    stories, _ = play([("a", "x", 1), ("b", "x", 1), ("c", "x", 2)])
    assert len(set(stories)) == 12


def test_what_arrives_at_different_nodes_is_played_in_one_order() -> None:
    stories, _ = play([("a", "x", 2), ("b", "y", 2)])
    assert len(stories) == 1


def test_unless_one_of_them_reaches_into_the_other() -> None:
    stories, _ = play([("a", "x", 2), ("b", "y", 2)], frozenset({"y"}))
    assert len(set(stories)) == 6


def test_a_slow_node_is_served_last() -> None:
    stories, _ = play([("a", "x", 1), ("b", "x", 1), ("c", "slow", 1)], reluctant="slow")
    assert {story[-1] for story in stories} == {"c0>slow"}


@pytest.mark.parametrize("most", [1, 3])
def test_the_number_of_schedules_is_bounded(most: int) -> None:
    explorer = Explorer()
    assert len(list(explore(explorer, lambda: explorer.choose([("x", "a", 1), ("x", "b", 1)]), most))) == min(
        most, 2
    )
