"""What EL3 does later: in order of time, then of planning; what was cancelled is not done."""

from nodes.firmware.schedule import SWEEP_MIN, Schedule


def test_in_order_of_time_then_of_planning() -> None:
    schedule, done = Schedule(), []
    for due, name in ((20, "c"), (10, "a"), (10, "b"), (30, "d")):
        schedule.at(due, lambda name=name: done.append(name))
    assert schedule.deadline_ns() == 10
    schedule.run(9)
    assert done == []
    schedule.run(20)
    assert done == ["a", "b", "c"]
    assert schedule.deadline_ns() == 30


def test_what_is_cancelled_is_not_done_and_no_deadline() -> None:
    schedule, done = Schedule(), []
    first = schedule.at(10, lambda: done.append("first"))
    schedule.at(20, lambda: done.append("second"))
    first.cancel()
    assert schedule.deadline_ns() == 20
    schedule.run(100)
    assert done == ["second"]
    assert schedule.deadline_ns() is None


def test_what_an_action_plans_for_now_is_done_too() -> None:
    schedule, done = Schedule(), []
    schedule.at(10, lambda: schedule.at(10, lambda: done.append("inner")))
    schedule.run(10)
    assert done == ["inner"]


def test_an_action_may_cancel_another_of_the_same_time() -> None:
    schedule, done = Schedule(), []
    schedule.at(10, lambda: second.cancel())
    second = schedule.at(10, lambda: done.append("second"))
    schedule.run(10)
    assert done == []


def test_what_is_cancelled_does_not_pile_up() -> None:
    schedule, done = Schedule(), []
    for number in range(1000):
        schedule.at(2_000_000 + number, lambda number=number: done.append(number))
    for _ in range(50_000):
        schedule.at(1_000_000, lambda: done.append(-1)).cancel()
        assert len(schedule) <= 2 * 1000 + SWEEP_MIN
    assert schedule.deadline_ns() == 2_000_000
    schedule.run(3_000_000)
    assert done == list(range(1000)), "what is planned stays, in its order"
    assert len(schedule) == 0
