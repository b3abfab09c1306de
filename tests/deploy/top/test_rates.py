"""Rates and latest latencies from counts since the start."""

from deploy.top.rates import LEAST_S, Rates, Recent


def test_a_rate_is_of_the_window_not_of_all_time() -> None:
    rates = Rates(1.0)
    assert rates.update("a", 0.0, 1000) == 0.0
    assert rates.update("a", 0.5, 1050) == 100.0
    assert rates.update("a", 1.0, 1100) == 100.0
    assert rates.update("a", 1.5, 1100) == 50.0
    assert rates.update("a", 2.0, 1100) == 0.0
    assert rates.update("b", 2.0, 7) == 0.0


def test_the_same_numbers_told_again_change_nothing() -> None:
    rates = Rates(1.0)
    rates.update("a", 0.0, 0)
    assert rates.update("a", 1.0, 100) == 100.0
    assert rates.update("a", 1.0, 100) == 100.0
    assert rates.update("a", 2.0, 300) == 200.0


def test_over_too_short_a_time_there_is_no_rate() -> None:
    rates = Rates(1.0)
    rates.update("a", 0.0, 0)
    assert rates.update("a", LEAST_S, 100) == 0.0
    assert rates.update("a", LEAST_S + 0.05, 100) == 400.0


def test_a_count_that_went_back_began_anew() -> None:
    rates = Rates(1.0)
    rates.update("a", 0.0, 500)
    assert rates.update("a", 1.0, 30) == 30.0
    assert rates.update("a", 2.0, 130) == 100.0


def test_who_is_gone_is_forgotten() -> None:
    rates, recent = Rates(1.0), Recent(1.0)
    for at_s in (0.0, 1.0):
        rates.update("a", at_s, int(at_s))
        recent.update("a", at_s, [int(at_s)])
    rates.keep(["b"])
    recent.keep(["b"])
    assert rates.update("a", 2.0, 2) == 0.0
    assert recent.update("a", 2.0, [2]) == [0]


def test_buckets_are_of_the_window_and_begin_anew() -> None:
    recent = Recent(1.0)
    assert recent.update("a", 0.0, [5, 5]) == [0, 0]
    assert recent.update("a", 0.5, [6, 5]) == [1, 0]
    assert recent.update("a", 1.0, [6, 7]) == [1, 2]
    assert recent.update("a", 1.5, [6, 7]) == [0, 2]
    assert recent.update("a", 2.0, [1, 7]) == [1, 7], "one count went back: its process is another"
