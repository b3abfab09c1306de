"""From looks at a platform to the rows of the table."""

import pytest

from deploy.resets import AgentReset
from deploy.summary import Buckets
from deploy.top.model import HISTORY_MAX, LATENCY_S, SILENT_S, Model, Row, matches
from tests.deploy.top.scripted import counts, look, row


def rows_of(model: Model, *looks: object) -> dict[str, Row]:
    for one in looks:
        board = model.look(one)  # type: ignore[arg-type]
    return {found.domain: found for found in board.rows}


def test_rates_are_of_the_last_second_as_el3_counts() -> None:
    model = Model()
    found = rows_of(
        model,
        look(10.0, row("ivi", 3, 1000, denied=10), row("tcu", 4, 5)),
        look(11.0, row("ivi", 3, 1200, denied=12), row("tcu", 4, 5)),
    )
    assert (found["ivi"].rate, found["ivi"].denied_rate) == (200.0, 2.0)
    assert (found["tcu"].rate, found["tcu"].denied_rate) == (0.0, 0.0)
    assert found["ivi"].history == (0.0, 200.0)
    board = model.look(look(12.0, row("ivi", 3, 1500), row("tcu", 4, 105)))
    assert board.rate == 400.0


def test_time_is_when_el3_told_not_when_it_was_asked() -> None:
    first = look(10.0, row("ivi", 3, 0), told={"firmware": 9.9})
    found = rows_of(Model(), first, look(11.0, row("ivi", 3, 50), told={"firmware": 10.4}))
    assert found["ivi"].rate == pytest.approx(100.0)


def test_who_is_silent_and_what_is_not_known_then() -> None:
    before = look(10.0, row("ivi", 3, 100), votes={3: 4})
    edge = look(20.0, row("ivi", 3, 100), told={"firmware": 20.0 - SILENT_S})
    assert Model().look(edge).silent == {}
    model = Model()
    model.look(before)
    told = {"firmware": 10.0, "xen": 10.0, "ivi": 10.0}
    board = model.look(look(20.0, row("ivi", 3, 100), told=told, votes=None))
    assert board.silent == {"firmware": 10.0, "xen": 10.0, "ivi": 10.0}
    (found,) = board.rows
    assert (found.rate, found.denied_rate, found.votes) == (None, None, None)
    assert (found.in_flight, found.waiting) == (None, None)
    assert found.state == "silent"
    assert board.rate is None


def test_latencies_are_of_the_last_seconds_only() -> None:
    """A thousand slow calls of long ago do not hide that the latest are fast."""
    model = Model()
    old, new = counts(b9=1000), counts(b0=10, b9=1000)
    model.look(look(0.0, row("ivi", 3), buckets={"ivi": Buckets(old, old, old)}))
    board = model.look(look(LATENCY_S / 2, row("ivi", 3), buckets={"ivi": Buckets(new, old, new)}))
    (found,) = board.rows
    assert found.p50_us == pytest.approx(25.0)
    assert found.p99_us == pytest.approx(49.5)
    assert found.service_p99_us is None
    assert found.queue_p99_us == pytest.approx(49.5)


def test_in_flight_votes_and_the_last_reset() -> None:
    reset = {"ivi": AgentReset(7.5, "ivi", "crash")}
    (found,) = (
        Model()
        .look(look(10.0, row("ivi", 3, in_flight=1, waiting=2, resets=1), votes={3: 6}, resets=reset))
        .rows
    )
    assert (found.in_flight, found.waiting, found.votes, found.resets) == (1, 2, 6, 1)
    assert (found.last_reset, found.reset_age_s) == (AgentReset(7.5, "ivi", "crash"), 2.5)


def test_a_domain_without_agent_has_no_numbers_of_el3() -> None:
    found = rows_of(Model(), look(1.0, row("plain", None)), look(2.0, row("plain", None), votes={}))["plain"]
    assert (found.agent, found.rate, found.votes, found.in_flight) == (None, None, None, None)


def test_a_platform_that_began_anew_is_begun_anew() -> None:
    model = Model()
    rows_of(model, look(100.0, row("ivi", 3, 1000)), look(101.0, row("ivi", 3, 2000)))
    found = rows_of(model, look(1.0, row("ivi", 3, 2500)))["ivi"]
    assert (found.rate, found.history) == (0.0, (0.0,))


def test_a_domain_that_came_back_has_a_new_history_and_history_is_bounded() -> None:
    model = Model()
    for at in range(HISTORY_MAX + 5):
        board = model.look(look(float(at), row("ivi", 3, at * 10)))
    assert len(board.rows[0].history) == HISTORY_MAX
    model.look(look(1000.0))
    assert rows_of(model, look(1001.0, row("ivi", 3, 5)))["ivi"].history == (0.0,)


@pytest.mark.parametrize(
    ("words", "matched"),
    [
        ("", True),
        ("IV", True),
        ("iv run", True),
        ("3", True),
        ("33", False),
        ("ivi dead", False),
        ("tcu", False),
    ],
)
def test_a_filter_matches_all_words(words: str, matched: bool) -> None:
    (found,) = Model().look(look(1.0, row("ivi", 3))).rows
    assert matches(found, words) is matched
