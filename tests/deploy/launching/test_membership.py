"""A node's membership: it asks until it is answered, keeps its lease, knows the clock, and ends in time."""

from collections.abc import Sequence

import msgspec
import pytest

from deploy.launching import messages as m
from deploy.launching.membership import (
    DRIFT_PPM,
    LAPSED,
    REFUSED,
    RENEW_NS,
    SAMPLES,
    UNKNOWN_NS,
    Begin,
    Boot,
    Effect,
    Event,
    Give,
    Halt,
    Heard,
    Measured,
    Membership,
    Obey,
    Tick,
)

LEASE_NS = 3_000_000_000
DRIFT_NS = RENEW_NS * DRIFT_PPM // 1_000_000
PATIENCE_NS = 20_000_000_000
ASKED = m.Register(0, m.VERSION, "ab" * 16, "guest", "ivi", 1, "boot", "lab3", 77)
ACCEPTED = m.Accepted(1, 1, LEASE_NS, b"spec", False, "boot")


class Rig:
    """A membership that has asked once, at 0."""

    def __init__(self, incarnation: int = 1) -> None:
        self.now_ns = 0
        asked = msgspec.structs.replace(ASKED, incarnation=incarnation)
        self.core = Membership(asked, PATIENCE_NS)
        assert self.step(Boot()) == (Give(msgspec.structs.replace(asked, number=1)),)

    def step(self, event: Event) -> Sequence[Effect]:
        return tuple(self.core.step(event, self.now_ns))

    def hear(self, message: m.ToNode | None, at_ns: int = 0) -> Sequence[Effect]:
        self.now_ns = at_ns or self.now_ns
        return self.step(Heard(message))

    def tick(self, at_ns: int) -> Sequence[Effect]:
        self.now_ns = at_ns
        return self.step(Tick(0))

    def member(self) -> "Rig":
        """Accepted, with the clock measured: exchanges of 100 us, none of them open."""
        number = 2
        assert self.hear(ACCEPTED) == (Begin(ACCEPTED), Give(m.Renew(number, 0, UNKNOWN_NS, 0)))
        for _ in range(SAMPLES + 1):
            self.hear(m.Renewed(number, self.now_ns + 50_000), self.now_ns + 100_000)
            number += 1
        self.number = number - 1
        return self


def test_it_asks_again_until_it_is_answered() -> None:
    rig = Rig()
    assert rig.core.deadline_ns() == RENEW_NS
    assert rig.tick(RENEW_NS - 1) == ()
    assert rig.tick(RENEW_NS) == (Give(msgspec.structs.replace(ASKED, number=2)),)
    late = msgspec.structs.replace(ACCEPTED, number=2)
    assert rig.hear(late)[0] == Begin(late)


def test_nobody_waits_for_ever() -> None:
    rig = Rig()
    assert [type(one) for one in rig.tick(PATIENCE_NS)] == [Halt]
    assert rig.core.deadline_ns() is None
    assert rig.step(Tick(0)) == ()


def test_an_answer_to_nothing_or_from_long_ago_begins_no_lease() -> None:
    rig = Rig()
    assert rig.hear(msgspec.structs.replace(ACCEPTED, number=9)) == ()
    assert rig.hear(ACCEPTED, LEASE_NS) == ()
    assert not rig.core.member
    assert rig.hear(m.Order("end", [])) == (), "orders are for members"


@pytest.mark.parametrize("word", [word for word in m.REFUSALS if word not in ("again", "malformed")])
def test_who_is_refused_ends(word: str) -> None:
    (end,) = Rig().hear(m.Refused(word, ""))
    assert isinstance(end, Halt)
    assert end.code == REFUSED
    assert word in end.why


def test_who_was_given_no_incarnation_waits_until_one_is_expected() -> None:
    rig = Rig(incarnation=0)
    for number, word in enumerate(m.LATER, start=1):
        assert rig.hear(m.Refused(word, "")) == ()
        assert [type(one) for one in rig.tick(number * RENEW_NS)] == [Give]
    assert [type(one) for one in rig.hear(m.Refused("old", ""))] == [Halt]


def test_a_message_that_was_refused_does_not_end_a_member() -> None:
    rig = Rig().member()
    assert rig.hear(m.Refused("again", "")) == ()
    assert rig.hear(None) == ()


def test_the_lease_runs_from_when_the_answered_renewal_was_sent() -> None:
    rig = Rig().member()
    sent_ns = rig.now_ns + RENEW_NS
    (renew,) = rig.tick(sent_ns)
    assert isinstance(renew, Give)
    assert isinstance(renew.message, m.Renew)
    answered = m.Renewed(renew.message.number, sent_ns + 1)
    assert rig.hear(answered, sent_ns + 400_000_000) == ()
    for at_ns in range(sent_ns + RENEW_NS, sent_ns + LEASE_NS, RENEW_NS):
        assert [type(one) for one in rig.tick(at_ns)] == [Give]
    assert rig.tick(sent_ns + LEASE_NS - 1) == ()
    (end,) = rig.tick(sent_ns + LEASE_NS)
    assert isinstance(end, Halt)
    assert end.code == LAPSED
    assert "lease" in end.why


def test_one_that_was_stopped_for_too_long_ends_though_an_old_answer_waits() -> None:
    rig = Rig().member()
    sent_ns = rig.now_ns + RENEW_NS
    (renew,) = rig.tick(sent_ns)
    assert isinstance(renew, Give)
    assert isinstance(renew.message, m.Renew)
    later_ns = sent_ns + LEASE_NS + 1
    assert rig.hear(m.Renewed(renew.message.number, sent_ns), later_ns) == ()
    assert [type(one) for one in rig.tick(later_ns)] == [Halt]


def test_the_clock_is_the_exchange_with_the_smallest_round_trip() -> None:
    rig = Rig()
    rig.hear(ACCEPTED, 1000)
    ahead_ns = 5_000_000
    rig.hear(m.Renewed(2, 1000 + 900 + ahead_ns), 1000 + 1000)  # 900 out, 100 back
    assert (rig.core.offset_ns, rig.core.uncertainty_ns) == (ahead_ns + 400, 500)
    rig.hear(m.Renewed(3, 2000 + 100 + ahead_ns), 2000 + 200)
    assert (rig.core.offset_ns, rig.core.uncertainty_ns) == (ahead_ns, 100)
    rig.hear(m.Renewed(4, 2200 + 4000 + ahead_ns), 2200 + 4000)
    assert (rig.core.offset_ns, rig.core.uncertainty_ns) == (ahead_ns, 100)
    rig.now_ns += RENEW_NS
    assert rig.step(Tick(3)) == (Give(m.Renew(6, ahead_ns, 100, 3)),)


def test_the_clock_is_told_when_it_is_measured_and_whenever_it_is_known_better() -> None:
    rig = Rig()
    rig.hear(ACCEPTED)
    for number in range(2, SAMPLES + 2):
        told = rig.hear(m.Renewed(number, rig.now_ns + 50_000 + 7), rig.now_ns + 100_000)
        assert [type(one) for one in told] == [Give], "asked again at once"
    assert rig.hear(m.Renewed(SAMPLES + 2, rig.now_ns + 90_000), rig.now_ns + 180_000) == (Measured(7),)

    def exchange(took_ns: int, ahead_ns: int) -> Sequence[Effect]:
        """The next one, RENEW_NS later."""
        (renew,) = rig.tick(rig.now_ns + RENEW_NS)
        assert isinstance(renew, Give)
        assert isinstance(renew.message, m.Renew)
        heard_ns = rig.now_ns + took_ns // 2 + ahead_ns
        return rig.hear(m.Renewed(renew.message.number, heard_ns), rig.now_ns + took_ns)

    assert exchange(100_000 + 2 * DRIFT_NS + 2_000, 9) == (), "no better, however old the other is"
    assert exchange(100_000 + 2 * DRIFT_NS + 2_000, 9) == (Measured(9),), (
        "the other is older now than this is coarse"
    )
    assert exchange(80_000, 11) == (Measured(11),)


def test_the_clock_is_measured_at_once_and_then_with_each_renewal() -> None:
    rig = Rig().member()
    assert rig.number == SAMPLES + 2
    assert rig.core.deadline_ns() is not None
    assert rig.hear(m.Renewed(rig.number, 1)) == (), "answered already"


def test_members_are_told_what_others_know_the_meaning_of() -> None:
    rig = Rig().member()
    for message in (m.Order("relink", ["tcp://x"]), m.Took("file", 0), m.Parted()):
        assert rig.hear(message) == (Obey(message),)
