"""The registry's core: who is taken for whom, what is refused with which word, when a lease lapses."""

from collections.abc import Sequence

import msgspec
import pytest

from deploy.launching import messages as m
from deploy.launching.identity import Identity
from deploy.launching.registry import (
    MAILBOX,
    Asks,
    Counted,
    Effect,
    Event,
    Expect,
    Give,
    Heard,
    Lapsed,
    Over,
    Registry,
    Said,
    Tell,
    Tick,
)

CLUSTER = "ab" * 16
LEASE_NS = 3_000_000_000
KEYS = {b"key of ivi": ("guest", "ivi"), b"key of tcu": ("guest", "tcu"), b"key of xen": ("xen", "xen")}
IVI = Identity(CLUSTER, "guest", "ivi", 1)
ASKED = m.Register(1, m.VERSION, CLUSTER, "guest", "ivi", 1, "boot", "lab3", 77)
NUMBERS = m.Numbers({}, {})


class Rig:
    """A registry that expects ivi#1; every event happens at ``now_ns``."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.registry = Registry(CLUSTER, KEYS.get, LEASE_NS)
        self.step(Expect(IVI, b"spec"))

    def step(self, event: Event) -> Sequence[Effect]:
        return tuple(self.registry.step(event, self.now_ns))

    def hear(
        self, message: m.FromNode | None, link: bytes = b"link", key: bytes = b"key of ivi"
    ) -> Sequence[Effect]:
        return self.step(Heard(link, key, message))

    def refused(self, effects: Sequence[Effect]) -> str:
        """The word that was said; it was counted once, and logged."""
        assert len(effects) == 2
        given, counted = effects
        assert isinstance(given, Give)
        assert isinstance(given.message, m.Refused)
        assert isinstance(counted, Counted)
        assert counted.what == given.message.word
        assert self.registry.refused[given.message.word] == 1
        return given.message.word


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_who_is_expected_gets_its_specification_and_is_heard_of_once(rig: Rig) -> None:
    accepted = Give(b"link", m.Accepted(1, 1, LEASE_NS, b"spec", False, ""))
    assert rig.hear(ASKED) == (Said(IVI, ASKED), accepted)
    again = msgspec.structs.replace(ASKED, number=2)
    assert rig.hear(again) == (Give(b"link", m.Accepted(2, 1, LEASE_NS, b"spec", False, "")),)


def test_who_knows_no_cluster_may_know_no_incarnation_either(rig: Rig) -> None:
    anybody = msgspec.structs.replace(ASKED, cluster="")
    assert rig.refused(rig.hear(anybody)) == "cluster"
    effects = rig.hear(msgspec.structs.replace(anybody, incarnation=0))
    assert effects[1] == Give(b"link", m.Accepted(1, 1, LEASE_NS, b"spec", False, ""))


def test_who_knows_no_incarnation_is_told(rig: Rig) -> None:
    rig.step(Over(IVI))
    rig.step(Expect(msgspec.structs.replace(IVI, incarnation=4), b"later"))
    effects = rig.hear(msgspec.structs.replace(ASKED, incarnation=0))
    assert effects[1] == Give(b"link", m.Accepted(1, 4, LEASE_NS, b"later", False, ""))


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("version", {"version": m.VERSION + 1}),
        ("cluster", {"cluster": "cd" * 16}),
        ("role", {"role": "xen"}),
        ("role", {"name": "tcu"}),
        ("unknown", {"incarnation": 2}),
    ],
)
def test_who_is_somebody_else_is_refused(rig: Rig, word: str, changes: dict[str, object]) -> None:
    assert rig.refused(rig.hear(msgspec.structs.replace(ASKED, **changes))) == word
    assert rig.registry.deadline_ns() is None


def test_a_key_opens_its_own_name_only(rig: Rig) -> None:
    assert rig.refused(rig.hear(ASKED, key=b"key of tcu")) == "role"
    assert rig.refused(rig.hear(msgspec.structs.replace(ASKED, name="tcu"), key=b"key of tcu")) == "unknown"


def test_an_earlier_incarnation_is_old(rig: Rig) -> None:
    rig.step(Expect(msgspec.structs.replace(IVI, incarnation=2), b"spec"))
    assert rig.refused(rig.hear(ASKED)) == "old"


def test_one_that_has_ended_is_old_and_the_next_is_not_there_yet(rig: Rig) -> None:
    rig.hear(ASKED)
    rig.step(Over(IVI))
    assert rig.refused(rig.hear(ASKED, link=b"other")) == "old"
    coming = msgspec.structs.replace(ASKED, incarnation=0)
    assert rig.hear(coming) == (
        Give(b"link", m.Refused("unknown", "")),
        Asks("guest", "ivi", "lab3", False),
    )


@pytest.mark.parametrize("incarnation", [0, 1])
def test_a_live_incarnation_is_there_once(rig: Rig, incarnation: int) -> None:
    rig.hear(ASKED)
    twice = msgspec.structs.replace(ASKED, incarnation=incarnation)
    effects = rig.hear(twice, link=b"other")
    if incarnation:
        assert rig.refused(effects) == "taken"
    else:
        waits = Asks("guest", "ivi", "lab3", True)
        assert effects == (Give(b"other", m.Refused("taken", "")), waits), "it may be the next one"
    assert rig.hear(m.Renew(2, 0, -1, 0))[0] == Give(b"link", m.Renewed(2, 0)), "the first goes on"


def test_a_replaced_process_is_not_heard_any_more(rig: Rig) -> None:
    rig.hear(ASKED)
    second = msgspec.structs.replace(IVI, incarnation=2)
    rig.step(Expect(second, b"spec"))
    assert rig.refused(rig.hear(m.Renew(2, 0, -1, 0))) == "stranger"
    rig.hear(msgspec.structs.replace(ASKED, incarnation=2), link=b"new")
    rig.registry.refused.clear()
    assert rig.refused(rig.hear(m.Exit(0, "", NUMBERS))) == "stranger"
    assert rig.hear(m.Failed("no"), link=b"new") == (Said(second, m.Failed("no")),)


def test_another_key_on_a_members_link_is_a_stranger(rig: Rig) -> None:
    rig.hear(ASKED)
    assert rig.refused(rig.hear(m.Failed("no"), key=b"key of xen")) == "stranger"
    assert rig.refused(rig.hear(None, key=b"no key")) == "malformed"


def test_what_is_said_once_is_heard_once(rig: Rig) -> None:
    rig.hear(ASKED)
    assert rig.hear(m.Ready({"pid": 1})) == (Said(IVI, m.Ready({"pid": 1})),)
    assert rig.refused(rig.hear(m.Ready({"pid": 2}))) == "again"


def test_orders_wait_for_the_node_and_then_go_at_once(rig: Rig) -> None:
    order = m.Order("log_level", ["debug"])
    for _ in range(MAILBOX):
        assert rig.step(Tell(IVI, order)) == ()
    (full,) = rig.step(Tell(IVI, order))
    assert isinstance(full, Counted)
    effects = rig.hear(ASKED)
    assert effects[2:] == (Give(b"link", order),) * MAILBOX
    assert rig.step(Tell(IVI, order)) == (Give(b"link", order),)


def test_an_order_for_one_that_is_over_is_counted(rig: Rig) -> None:
    rig.step(Over(IVI))
    (lost,) = rig.step(Tell(IVI, m.Order("end", [])))
    assert isinstance(lost, Counted)


def test_a_lease_that_is_renewed_goes_on_and_one_that_is_not_lapses(rig: Rig) -> None:
    rig.hear(ASKED)
    assert rig.registry.deadline_ns() == LEASE_NS
    rig.now_ns = LEASE_NS - 1
    renew = m.Renew(2, 5, 7, 0)
    assert rig.hear(renew) == (Give(b"link", m.Renewed(2, LEASE_NS - 1)), Said(IVI, renew))
    assert rig.registry.deadline_ns() == 2 * LEASE_NS - 1
    rig.now_ns = 2 * LEASE_NS - 2
    assert rig.step(Tick()) == ()
    rig.now_ns += 1
    assert rig.step(Tick()) == (Lapsed(IVI, LEASE_NS),)
    assert rig.registry.deadline_ns() is None
    assert rig.refused(rig.hear(renew)) == "old"


def test_before_it_has_registered_nobody_has_a_lease(rig: Rig) -> None:
    rig.now_ns = 10 * LEASE_NS
    assert rig.registry.deadline_ns() is None
    assert rig.step(Tick()) == ()


def test_rows_are_kept_before_the_next_are_asked_for(rig: Rig) -> None:
    rig.hear(ASKED)
    rows = m.Rows("ivi#1.0000.000000000.rows", 64, b"row")
    assert rig.hear(rows) == (Said(IVI, rows), Give(b"link", m.Took(rows.file, 64)))


def test_who_leaves_is_told_and_has_no_lease_any_more(rig: Rig) -> None:
    rig.hear(ASKED)
    assert rig.hear(m.Leave()) == (Give(b"link", m.Parted()), Said(IVI, m.Leave()))
    assert rig.registry.deadline_ns() is None


def test_every_refusal_has_its_words() -> None:
    assert set(m.REFUSALS) == {
        *("version", "cluster", "role", "unknown", "old", "taken", "stranger", "again", "malformed"),
    }
