"""Epochs, core by core: what EL3, a guest and Xen refuse of those that were replaced, counted and noted."""

from typing import Any

import pytest

from bus import frames
from bus.links import XEN
from bus.shmem import PrivateMemory
from nodes import limits
from nodes.contract import REPLACED, Boot, Effect, Epoch, Halt, Note, Received, Send, Tick
from nodes.firmware.core import FirmwareCore
from nodes.guest.config import GuestConfig
from nodes.guest.core import GuestCore
from nodes.limits import HELLO_AGAIN_NS
from nodes.xen import retired
from nodes.xen.config import Tuning, XenEpoch
from tests.nodes.el3 import FID as EL3_FID
from tests.nodes.el3 import PLATFORM, TWO
from tests.nodes.trees import FID
from tests.nodes.xen import FIRMWARE, TOOLSTACK, Bench, status

HERE, ELSEWHERE = bytes(16), bytes([7] * 16)
X = (EL3_FID[TWO], 0, 0, 0, 0, 0, 0, 0)


class El3:
    """EL3 in an epoch of its own, which notes."""

    def __init__(self, cluster: bytes = HERE) -> None:
        epoch = Epoch(cluster, 3)
        self.core = FirmwareCore(PLATFORM, PrivateMemory(), XEN, record=True, epoch=epoch)
        self.now_ns = 0
        (hello,) = self.core.step(Boot(), 0)
        assert isinstance(hello, Send)
        assert hello.frame == frames.Hello(1, 0, 0, "firmware", cluster, 3)

    def give(self, frame: Any) -> list[Effect]:
        self.now_ns += 1
        return list(self.core.step(Received(XEN, frame, b""), self.now_ns))

    def welcome(self, incarnation: int, cluster: bytes = HERE) -> list[Effect]:
        return self.give(frames.Welcome(1, 0, 0, 0, "firmware", cluster, incarnation))

    def smc(self, incarnation: int, number: int) -> bool:
        """Whether it was done."""
        request = frames.first_request(incarnation) + number
        return any(isinstance(one, Send) for one in self.give(frames.Smc(1, request, 9, X, 0)))

    def dropped(self) -> dict[tuple[str, ...], int]:
        return {
            key: count
            for key, count in self.core.meters.counter("trapline_bus_dropped_total").items()
            if count
        }


def test_el3_serves_the_newest_xen_that_welcomed_it() -> None:
    el3 = El3()
    assert el3.welcome(1) == []
    assert [el3.smc(1, number) for number in (1, 2, 3)] == [True] * 3
    assert el3.smc(1, 4), "until a newer one has welcomed it: on a board EL3 has it already"
    assert el3.smc(2, 1), "a newer one's SMC may overtake its Welcome"
    assert el3.welcome(2) == []
    assert not el3.smc(1, 5), "the number that would be next of the old one"
    assert [el3.smc(2, number) for number in (2, 3, 4, 2)] == [True, True, True, False]
    refused = el3.give(frames.Smc(1, 6, 9, X, 0))
    (note,) = (one for one in refused if isinstance(one, Note))
    assert (note.what, note.request, note.numbers) == ("stale", 6, (1, 0, EL3_FID[TWO]))
    assert note.text == "an SMC of xen#1, after xen#2 welcomed this node"
    assert el3.dropped() == {("stale",): 2, ("duplicate",): 1}
    assert el3.core.meters.counter("trapline_smc_stale_total")[()] == 2


def test_el3_answers_no_console_of_an_old_xen_and_takes_no_old_welcome() -> None:
    el3 = El3()
    el3.welcome(3)
    told = el3.give(frames.Console(1, frames.first_request(2) + 1, 0, frames.EL3_DOMID, b""))
    assert not any(isinstance(one, Send) for one in told)
    assert any(isinstance(one, Note) for one in el3.welcome(2))
    assert el3.smc(3, 1)
    assert not el3.smc(2, 1)


@pytest.mark.parametrize("code", ["stale", "other-cluster"])
def test_an_el3_that_hears_that_it_was_replaced_ends_itself(code: str) -> None:
    (halt,) = El3().give(frames.Error(1, 5, 5, code, True, "firmware#3 was replaced"))
    assert halt == Halt(REPLACED, "this node ends itself: firmware#3 was replaced")


def test_an_el3_ends_itself_where_another_cluster_is() -> None:
    (halt,) = El3().welcome(1, ELSEWHERE)
    assert isinstance(halt, Halt)
    assert halt.code == REPLACED
    assert El3(b"").welcome(1, ELSEWHERE) == [], "who names none claims nothing"


def test_an_el3_that_xen_does_not_know_yet_says_hello_again() -> None:
    el3 = El3()
    el3.give(frames.Error(1, 0, 0, "refused", True, "this link belongs to no domain"))
    due = el3.core.deadline_ns()
    assert due == el3.now_ns + HELLO_AGAIN_NS
    (again,) = el3.core.step(Tick(), due)
    assert isinstance(again, Send)
    assert isinstance(again.frame, frames.Hello)
    el3.welcome(1)
    el3.give(frames.Error(1, 0, 0, "refused", True, "this link may not send Smc"))
    assert el3.core.deadline_ns() is None


# ---- a guest ----------------------------------------------------------------------------------


def guest() -> GuestCore:
    core = GuestCore(GuestConfig("domu", "2", None, record=True), None, XEN, epoch=Epoch(HERE, 2))
    (hello,) = core.step(Boot(), 0)
    assert isinstance(hello, Send)
    assert hello.frame == frames.Hello(1, 0, 0, "guest", HERE, 2)
    return core


def welcome(core: GuestCore, incarnation: int, cluster: bytes = HERE) -> list[Effect]:
    frame = frames.Welcome(1, 0, 0, 3, "domu", cluster, incarnation)
    return list(core.step(Received(XEN, frame, b""), 1))


def test_a_guest_refuses_the_welcome_of_an_older_xen() -> None:
    core = guest()
    assert welcome(core, 2) == []
    note = welcome(core, 1)[-1]
    assert isinstance(note, Note)
    assert (note.what, note.numbers) == ("stale", (1, 0, 0))
    assert core.meters.counter("trapline_bus_dropped_total")[("stale",)] == 1


def test_a_guest_that_was_replaced_ends_itself() -> None:
    core = guest()
    welcome(core, 1)
    error = frames.Error(1, 1, 1, "stale", True, "domu#2 was destroyed; its link is retired")
    (halt,) = core.step(Received(XEN, error, b""), 2)
    assert halt == Halt(REPLACED, "this node ends itself: domu#2 was destroyed; its link is retired")
    assert isinstance(welcome(guest(), 1, ELSEWHERE)[0], Halt)


# ---- Xen --------------------------------------------------------------------------------------


def ring(bench: Bench, link: bytes, request: int) -> frames.Error:
    bench.give(link, frames.Trap(1, request, request, 0x17, 0, (FID[2], 0, 0, 0, 0, 0, 0, 0), 0))
    answer = bench.sent[link][-1]
    assert isinstance(answer, frames.Error)
    return answer


def test_xen_counts_and_tells_of_who_speaks_through_a_retired_link() -> None:
    bench = Bench(tuning=Tuning(record=True))
    old = bench.create("domu", 2)
    assert bench.rc(frames.DestroyDomain(old.domid, "crash")) == 0
    new = bench.create("domu", 2)
    detail = "domu#1 was destroyed (crash); its link is retired"
    for request in (1, 1, 2):
        answer = ring(bench, old.link, request)
        assert (answer.code, answer.definite, answer.detail) == ("stale", True, detail)
    assert bench.counted("trapline_bus_dropped_total") == {("stale",): 3}
    assert bench.counted("trapline_trap_ledger_total") == {("refused",): 3, ("error",): 3}
    assert bench.lifecycle("domu").count("stale") == 1
    assert isinstance(bench.trapped(new, FID[2]), frames.Return)


def test_as_many_links_as_the_limit_are_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert retired.RETIRED_LINKS == limits.RETIRED_LINKS
    monkeypatch.setattr(retired, "RETIRED_LINKS", 2)
    bench = Bench()
    links: list[bytes] = []
    forgotten: list[bytes] = []
    bench.core.retired.on_forgotten = forgotten.append
    for _ in range(3):
        domain = bench.create("domu", 2)
        links.append(domain.link)
        assert bench.rc(frames.DestroyDomain(domain.domid)) == 0
    assert [ring(bench, link, 1).code for link in links] == ["refused", "stale", "stale"]
    assert forgotten == links[:1]


def test_a_new_xen_goes_on_counting_and_says_which_one_it_is() -> None:
    tuning = Tuning(first_request=frames.first_request(4))
    bench = Bench(tuning=tuning, epoch=XenEpoch(HERE, 1, {"domu": 5}))
    assert bench.create("domu", 2).incarnation == 6
    welcomed = [one for one in bench.sent[FIRMWARE] if isinstance(one, frames.Welcome)]
    assert [(one.cluster, one.incarnation) for one in welcomed] == [(HERE, 4)]
    assert {frames.incarnation_of(smc.request) for smc in bench.seen} == {4}


def test_a_replaced_el3_is_not_asked_and_not_heard() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    request = bench.trap(domain, FID[2])
    ((smc, _),) = bench.smcs
    assert bench.rc(frames.NodeExpected("firmware", 2), status(0)) == 0
    lost = bench.answer(domain.link, request)
    assert (lost.code, lost.definite) == ("el3-lost", False)
    before = len(bench.sent[domain.link])
    bench.give(FIRMWARE, frames.SmcReturn(1, smc.request, smc.cause, (0, 0, 0, 0)))
    assert bench.sent[FIRMWARE][-1].code == "stale"
    assert len(bench.sent[domain.link]) == before
    assert [one.name for one in bench.sent[TOOLSTACK] if getattr(one, "event", "") == "stale"] == ["EL3"]
    bench.give(FIRMWARE + b"#2", frames.Hello(1, 0, 0, "firmware", b"", 2))
    bench.trap(domain, FID[2])
    assert isinstance(bench.sent[FIRMWARE + b"#2"][-1], frames.Smc)
