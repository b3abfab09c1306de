"""Trapped instructions: which go where, and what comes back; channels, their queues and bounds."""

import pytest

from bus import frames, smccc
from bus.smccc import ExceptionClass
from nodes.contract import Note, Undelivered
from nodes.limits import CHANNEL_WAITERS
from nodes.xen import vsmc
from nodes.xen.config import Tuning
from nodes.xen.vsmc import Kind
from tests.nodes.trees import FID, PHANDLE, container_of, described, tree
from tests.nodes.xen import FIRMWARE, TOOLSTACK, Bench

SMC64, HVC64, SMC32, HVC32 = 0x17, 0x16, 0x13, 0x12
MINUS_ONE = 2**64 - 1


@pytest.mark.parametrize(
    ("ec", "immediate", "x0", "aarch32", "kind"),
    [
        (SMC64, 0, 0x8200_0002, False, Kind.SIP),
        (HVC64, 0, 0x8200_0002, False, Kind.SIP),
        (SMC32, 0, 0x8200_0002, True, Kind.SIP),
        (SMC64, 1, 0x8200_0002, False, Kind.UNDEF),
        (SMC32, 1, 0x8200_0002, True, Kind.SIP),
        (HVC64, 1, 0x8200_0002, False, Kind.HYPERCALL),
        (HVC32, 0xEA1, 0x8200_0002, True, Kind.HYPERCALL),
        (SMC64, 0, 0xC200_0002, False, Kind.SIP),
        (SMC32, 0, 0xC200_0002, True, Kind.UNKNOWN),
        (SMC64, 0, 0xABCD_0000_8200_0002, False, Kind.SIP),
        (SMC64, 0, 0, False, Kind.LEGACY_PSCI),
        (SMC64, 0, 0x0100_FFFF, False, Kind.LEGACY_PSCI),
        (SMC64, 0, 0x0101_0000, False, Kind.UNKNOWN),
        (SMC64, 0, 0x8000_0000, False, Kind.ARCH),
        (SMC64, 0, 0x8100_0000, False, Kind.UNKNOWN),
        (SMC64, 0, 0x8300_0001, False, Kind.UNKNOWN),
        (SMC64, 0, 0x8400_0000, False, Kind.PSCI),
        (SMC64, 0, 0x8400_0008, False, Kind.PSCI),
        (SMC64, 0, 0x8400_0009, False, Kind.PSCI),
        (SMC64, 0, 0x8400_000A, False, Kind.PSCI),
        (SMC64, 0, 0x8400_0001, False, Kind.STANDARD),
        (SMC64, 0, 0x8500_FF01, False, Kind.HYPERVISOR),
        (SMC64, 0, 0xB000_0000, False, Kind.UNKNOWN),
        (SMC64, 0, 0xB200_0000, False, Kind.UNKNOWN),
        (SMC64, 0, 0xBF00_0000, False, Kind.UNKNOWN),
    ],
)
def test_classification(ec: int, immediate: int, x0: int, aarch32: bool, kind: Kind) -> None:
    assert vsmc.classify(ec, immediate, x0, aarch32) is kind


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("x", "x0"),
    [
        ((smccc.VERSION,), smccc.VERSION_1_1),
        ((smccc.ARCH_FEATURES, smccc.VERSION), MINUS_ONE),
        ((smccc.PSCI_VERSION,), smccc.PSCI_1_1),
        ((smccc.PSCI_FEATURES, smccc.PSCI_SYSTEM_OFF), 0),
        ((smccc.PSCI_FEATURES, smccc.VERSION), 0),
        ((smccc.PSCI_FEATURES, 0x8400_0001), MINUS_ONE),
        ((0x8000_7FFF,), MINUS_ONE),
        ((0x8400_0001,), MINUS_ONE),
        ((0x8500_FF01,), MINUS_ONE),
        ((0x9500_0000,), MINUS_ONE),
        ((0x0000_0001,), MINUS_ONE),
    ],
)
def test_what_xen_answers_itself(bench: Bench, x: tuple[int, ...], x0: int) -> None:
    domain = bench.create("domu", 2)
    frame = bench.trapped(domain, *x, 0x1111, 0x2222, 0x3333)
    assert isinstance(frame, frames.Return)
    registers = (*x, 0x1111, 0x2222, 0x3333)
    assert frame.x == (x0, *registers[1:4]), "the other registers stay"
    assert len(bench.seen) == 2


@pytest.mark.parametrize(
    ("function", "event"), [(smccc.PSCI_SYSTEM_OFF, "poweroff"), (smccc.PSCI_SYSTEM_RESET, "reboot")]
)
def test_psci_ends_a_domain(bench: Bench, function: int, event: str) -> None:
    domain = bench.create("domu", 2)
    frame = bench.trapped(domain, function)
    assert isinstance(frame, frames.Error)
    assert (frame.code, frame.definite) == ("shutdown", False)
    told = [one for one in bench.sent[TOOLSTACK] if isinstance(one, frames.Lifecycle)][-1]
    assert (told.event, told.detail) == ("shutdown", event)
    after = bench.trapped(domain, FID[2])
    assert (after.code, after.definite) == ("not-running", True)
    assert domain.channel is not None, "shutdown does not touch the agent"
    assert bench.rc(frames.DestroyDomain(domain.domid, event)) == 0
    assert bench.counted("trapline_agent_resets_total") == {("2", event): 1}


def test_a_paused_domain_does_not_run(bench: Bench) -> None:
    domain = bench.create("domu", 2, run=False)
    frame = bench.trapped(domain, FID[2])
    assert (frame.code, frame.definite) == ("not-running", True)
    assert len(bench.seen) == 2


def test_traps_are_counted_by_domain_function_and_verdict(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    for x0 in (
        FID[2],
        FID[3],
        FID[1],
        smccc.PSCI_VERSION,
        smccc.VERSION,
        0x8500_FF01,
        0x8400_0001,
        0x82FF_0000,
    ):
        bench.trapped(domain, x0)
    bench.trapped(domain, 0x8300_0000)
    bench.trapped(domain, FID[2], immediate=1)
    bench.trapped(domain, FID[2], ec=HVC64, immediate=1)
    assert bench.counted("trapline_smc_traps_total") == {
        ("domu", "doorbell", "forwarded"): 1,
        ("domu", "foreign_doorbell", "refused"): 1,
        ("domu", "management_doorbell", "refused"): 1,
        ("domu", "psci", "handled"): 1,
        ("domu", "arch", "handled"): 1,
        ("domu", "hypervisor", "refused"): 1,
        ("domu", "standard", "refused"): 1,
        ("domu", "sip", "refused"): 1,
        ("domu", "other", "refused"): 1,
        ("domu", "other", "undef"): 1,
        ("domu", "hypervisor", "handled"): 1,
    }


def test_undef_is_injected_and_not_returned(bench: Bench) -> None:
    assert isinstance(bench.trapped(bench.create("domu", 2), FID[2], immediate=3), frames.Undef)


def test_an_smc32_immediate_is_taken_for_zero(bench: Bench) -> None:
    frame = bench.trapped(bench.create("domu", 2), FID[2], ec=SMC32, immediate=7)
    assert isinstance(frame, frames.Return)
    assert bench.seen[-1].x[0] == FID[2]


def test_a_forwarded_call_both_ways(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    domain.stage2[0x22001] = 0x47FF2
    x = (FID[2] | 0xF << 60, 1, 2, 3, 4, 5, 6, 7)
    request = bench.trap(domain, *x, page=b"opaque, of any length", address=0x2200_1008)
    (smc, page) = bench.smcs[0]
    assert (smc.x, smc.page, page, smc.cause) == (x, 0x47FF_2008, b"opaque, of any length", 6)
    bench.el3(lambda _smc, _page: (9, b"answered"))
    frame = bench.answer(domain.link, request)
    assert (frame.x, frame.cause) == ((9, 1, 2, 3), 6)
    assert bench.pages[domain.link, request] == b"answered"


def test_no_page_no_address(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    domain.stage2[0] = 0x47FF2
    bench.trap(domain, FID[2])
    assert bench.smcs[0][0].page == 0


@pytest.mark.parametrize("fid", [0x8300_0001, 0x8100_0002, 0x8400_0099, 0x8600_0001])
def test_a_doorbell_that_is_not_sip_owned_is_never_forwarded(fid: int) -> None:
    root = described(dom0_agent=None)
    container_of(root).properties["scmi-secondary-agents"] = [fid, PHANDLE[2], 2]
    bench = Bench(tree(root))
    domain = bench.create("domu", 2)
    assert bench.trapped(domain, fid).x[0] == MINUS_ONE
    assert len(bench.seen) == 2


# ---- the queue of a channel -------------------------------------------------------------------


def test_calls_of_one_domain_go_one_by_one_in_order(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    requests = [bench.trap(domain, FID[2], number) for number in range(5)]
    for number, request in enumerate(requests):
        assert [smc.x[1] for smc, _ in bench.smcs] == [number]
        assert bench.answers(domain.link, request) == []
        bench.el3()
        assert bench.answer(domain.link, request).x[0] == 0
    histogram = bench.core.meters.histogram("trapline_scmi_queue_wait_seconds")[("2",)]
    assert sum(histogram.counts) == 4


def test_calls_of_different_domains_overlap(bench: Bench) -> None:
    two, three = bench.create("two", 2), bench.create("three", 3)
    bench.trap(two, FID[2])
    bench.trap(three, FID[3])
    assert [smc.x[0] for smc, _ in bench.smcs] == [FID[2], FID[3]]
    assert bench.counted("trapline_scmi_inflight_calls") == {("2",): 1, ("3",): 1}
    bench.el3_all()
    assert bench.counted("trapline_scmi_inflight_calls") == {}


def test_a_full_queue_refuses_and_the_rest_is_served(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    requests = [bench.trap(domain, FID[2]) for _ in range(CHANNEL_WAITERS + 2)]
    refused = bench.answer(domain.link, requests[-1])
    assert (refused.code, refused.definite) == ("overflow", True)
    assert all(not bench.answers(domain.link, request) for request in requests[:-1])
    bench.el3_all()
    assert all(bench.answer(domain.link, request).x[0] == 0 for request in requests[:-1])
    assert bench.counted("trapline_smc_traps_total")[("domu", "doorbell", "overflow")] == 1
    assert isinstance(bench.trapped(domain, FID[2]), frames.Return), "and there is room again"


def test_a_hypercall_finds_a_full_queue(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    for _ in range(CHANNEL_WAITERS + 1):
        bench.trap(domain, FID[2])
    request = bench.domctl(frames.AssignDevice(domain.domid, "/soc/i2c@1000"))
    assert bench.answer(TOOLSTACK, request).rc == -16
    bench.el3_all()
    assert bench.rc(frames.AssignDevice(domain.domid, "/soc/i2c@1000")) == 0


# ---- EL3 misbehaves ---------------------------------------------------------------------------


def test_an_answer_to_nothing_is_counted_and_dropped(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    request = bench.trap(domain, FID[2])
    smc, _ = bench.smcs[0]
    bench.el3()
    before = {peer: len(sent) for peer, sent in bench.sent.items()}
    for number in (smc.request, 0, 999_999):
        bench.give(FIRMWARE, frames.SmcReturn(1, number, 0, (0, 0, 0, 0)))
    assert {peer: len(sent) for peer, sent in bench.sent.items()} == before
    assert bench.counted("trapline_bus_dropped_total") == {("late",): 3}
    assert len(bench.answers(domain.link, request)) == 1


def test_el3_may_say_minus_one_to_a_forwarded_call(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    request = bench.trap(domain, FID[2])
    bench.el3(lambda _smc, _page: (MINUS_ONE, b""))
    assert bench.answer(domain.link, request).x[0] == MINUS_ONE


def test_an_undeliverable_return_marks_the_link_down(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    assert domain.link_up
    bench.feed(Undelivered(domain.link, frames.Return(1, 1, 0, (0, 0, 0, 0))))
    assert not domain.link_up
    assert bench.counted("trapline_bus_dropped_total") == {("undelivered",): 1}
    assert ExceptionClass.SMC64 == SMC64


@pytest.mark.parametrize("record", [False, True])
def test_refused_traps_and_waits_are_told_for_the_record(record: bool) -> None:
    bench = Bench(tuning=Tuning(record=record))
    one = bench.create("domu", 2)
    bench.trapped(one, FID[1])
    bench.trap(one, FID[2])
    bench.trap(one, FID[2])
    bench.el3_all()
    told = [(line.what, line.numbers, line.text) for line in bench.lines if isinstance(line, Note)]
    refused = ("trap_refused", (one.domid, FID[1]), "management_doorbell refused")
    assert told == ([refused, ("waited", (2, 1000), "")] if record else [])
