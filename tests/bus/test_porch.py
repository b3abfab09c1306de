"""Who may stand before the door: budgets of addresses and of keys, and what is counted."""

from bus.links.porch import (
    BUDGET,
    BUDGET_NS,
    HANDSHAKE_NS,
    HANDSHAKES,
    OTHERS,
    REOPEN,
    SOURCES_MAX,
    Porch,
)

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
HERE, THERE = b"\x7f\0\0\x01", b"\x0a\0\0\x02"


def test_a_source_is_kept_out_when_its_budget_is_used_up_and_let_in_when_it_has_grown() -> None:
    porch = Porch(1)
    for fd in range(BUDGET):
        porch.accepted(fd, THERE, 0)
    porch.accepted(9999, HERE, 0)
    assert porch.kept_out(0) == ()
    assert porch.deadline_ns() is None
    porch.accepted(BUDGET, THERE, 0)
    assert porch.kept_out(0) == (THERE,)
    deadline_ns = porch.deadline_ns()
    assert deadline_ns == REOPEN * BUDGET_NS
    assert porch.kept_out(deadline_ns - 1) == (THERE,)
    assert porch.kept_out(deadline_ns) == ()


def test_where_there_are_few_descriptors_a_budget_is_smaller() -> None:
    porch = Porch(1, strangers_max=10)
    for fd in range(8):
        porch.accepted(fd, THERE, 0)
    assert porch.kept_out(0) == ()
    porch.accepted(8, THERE, 0)
    assert porch.kept_out(0) == (THERE,)
    deadline_ns = porch.deadline_ns()
    assert deadline_ns == 8 * BUDGET_NS
    assert porch.kept_out(deadline_ns - 1) == (THERE,)
    assert porch.kept_out(deadline_ns) == (), "it is let in when it has all of it"


def test_who_speaks_costs_nothing() -> None:
    porch = Porch(1)
    for fd in range(4 * BUDGET):
        porch.accepted(fd, HERE, 0)
        porch.shaken()
        assert porch.spoke(fd, f"user {fd}", fd.to_bytes(32))
    assert porch.kept_out(0) == ()
    assert porch.open == 4 * BUDGET
    assert not porch.to_shut


def test_there_is_room_for_so_many_strangers_and_the_oldest_goes() -> None:
    porch = Porch(1, strangers_max=3)
    for fd in (1, 2, 3):
        porch.accepted(fd, bytes([fd] * 4), 0)
    porch.spoke(1, "user", KEY)
    porch.accepted(4, HERE, 0)
    assert not porch.to_shut
    porch.accepted(5, HERE, 0)
    assert porch.to_shut == [2]
    assert porch.refused == {"crowd": 1}
    assert porch.closed(2) == ""
    assert porch.closed(1) == "user"


def test_who_is_shut_out_is_counted_once() -> None:
    porch = Porch(1, strangers_max=1)
    porch.accepted(1, HERE, 0)
    porch.accepted(2, HERE, 0)
    porch.failed()
    porch.closed(1)
    assert porch.refused["crowd"] == 1
    assert porch.refused["handshake"] == 0


def test_beyond_so_many_sources_all_others_share_one_budget() -> None:
    porch = Porch(1, strangers_max=10**6)
    for number in range(SOURCES_MAX):
        porch.accepted(number, bytes([10, 0, 0, number]), 0)
    for number in range(BUDGET + 1):
        porch.accepted(1000 + number, bytes([10, 1, number >> 8, number & 255]), 0)
    assert porch.kept_out(0) == (OTHERS,)
    again_ns = BUDGET_NS * (BUDGET + 1)
    assert porch.kept_out(again_ns) == ()
    porch.accepted(99_999, bytes([10, 2, 0, 1]), again_ns)
    assert porch.kept_out(again_ns) == ()


def test_a_key_in_use_does_not_shake_hands_again() -> None:
    porch = Porch(1)
    assert porch.admits(KEY, 0)
    porch.accepted(1, HERE, 0)
    porch.shaken()
    porch.spoke(1, "user", KEY)
    assert not porch.admits(KEY, 0)
    assert porch.admits(OTHER_KEY, 0)
    porch.failed()
    assert porch.refused == {"second_link": 1, "handshake": 0}
    porch.closed(1)
    assert porch.admits(KEY, 0)


def test_a_key_may_have_as_many_as_it_may_have() -> None:
    porch = Porch(2)
    for fd in (1, 2):
        assert porch.admits(KEY, 0)
        porch.accepted(fd, HERE, 0)
        porch.spoke(fd, f"user {fd}", KEY)
    assert not porch.admits(KEY, 0)
    assert porch.closed(1) == "user 1"
    assert porch.admits(KEY, 0)


def test_a_key_shakes_hands_so_often_and_no_more() -> None:
    porch = Porch(1)
    assert [porch.admits(KEY, 0) for _ in range(HANDSHAKES + 1)] == [True] * HANDSHAKES + [False]
    assert not porch.admits(KEY, HANDSHAKE_NS - 1)
    assert porch.admits(KEY, HANDSHAKE_NS)


def test_keys_are_remembered_within_bounds() -> None:
    porch = Porch(1, keys_max=2)
    for number in range(1000):
        assert porch.admits(bytes([number & 255] * 32), 0) or number
    assert len(porch._handshakes) == 2


def test_junk_is_counted_and_a_peer_that_leaves_without_a_word_is_not() -> None:
    porch = Porch(1)
    porch.accepted(1, HERE, 0)
    porch.closed(1)
    assert porch.refused["handshake"] == 1
    porch.accepted(2, HERE, 0)
    porch.shaken()
    porch.closed(2)
    assert porch.refused["handshake"] == 1


def test_a_descriptor_that_came_again_is_another_connection() -> None:
    porch = Porch(1)
    porch.accepted(1, HERE, 0)
    porch.spoke(1, "user", KEY)
    porch.accepted(1, HERE, 0)
    assert porch.admits(KEY, 0), "the end of the first was not told"
    assert porch.spoke(1, "other", OTHER_KEY)
    assert porch.closed(1) == "other"
    assert not porch.spoke(1, "late", KEY)
    assert porch.open == 0
