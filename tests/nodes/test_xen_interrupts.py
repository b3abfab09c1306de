"""Interrupts in Xen: whose they may be, whose they are, what is in flight, and what is dropped."""

import pytest

from bus import frames
from nodes.contract import Undelivered
from nodes.xen.domain import Domain
from nodes.xen.errno import Errno
from tests.nodes.trees import BUS, Described, container_of, described, node, tree
from tests.nodes.xen import FIRMWARE, TOOLSTACK, Bench

LINE, OTHER = 112, 113
PAGE, FRAME = 0x2200_2000, 0x47FF5
P2A = b"the page" * 4
METRIC = "trapline_interrupts_total"


def with_line(bench: Bench, name: str = "domu", agent_id: int = 2, line: int = LINE) -> Domain:
    """A running domain with the line and its P2A page."""
    domain = bench.create(name, agent_id, run=False)
    assert bench.rc(frames.IomemPermission(domain.domid, FRAME, 1, True)) == 0
    assert bench.rc(frames.MemoryMapping(domain.domid, PAGE // 4096, FRAME, 1)) == 0
    assert bench.rc(frames.BindPtIrq(domain.domid, line, line)) == 0
    assert bench.rc(frames.IrqPermission(domain.domid, line, True)) == 0
    assert bench.rc(frames.UnpauseDomain(domain.domid)) == 0
    return domain


def raise_line(bench: Bench, line: int = LINE, request: int = 0, page: bytes = P2A) -> None:
    bench.give(FIRMWARE, frames.Interrupt(1, request, 7, line, FRAME * 4096), page)


def injected(bench: Bench, domain: Domain) -> list[frames.Interrupt]:
    return [frame for frame in bench.sent[domain.link] if isinstance(frame, frames.Interrupt)]


def end(bench: Bench, domain: Domain, line: int = LINE, request: int = 0) -> None:
    bench.give(domain.link, frames.EndOfInterrupt(1, request, 7, line, PAGE), b"free")


def ends(bench: Bench) -> list[frames.EndOfInterrupt]:
    return [frame for frame in bench.sent[FIRMWARE] if isinstance(frame, frames.EndOfInterrupt)]


def errors(bench: Bench, domain: Domain) -> list[frames.Error]:
    return [frame for frame in bench.sent[domain.link] if isinstance(frame, frames.Error)]


# ---- there and back ---------------------------------------------------------------------------


def test_an_interrupt_reaches_its_domain_and_its_end_comes_back() -> None:
    bench = Bench()
    domain, other = with_line(bench), bench.create("other", 3)
    raise_line(bench, request=40)
    assert injected(bench, domain) == [frames.Interrupt(1, 40, 7, LINE, PAGE)]
    assert bench.pages[domain.link, 40] == P2A
    assert injected(bench, other) == []
    end(bench, domain, request=40)
    assert ends(bench) == [frames.EndOfInterrupt(1, 40, 7, LINE, FRAME * 4096)]
    assert bench.pages[FIRMWARE, 40] == b"free"
    assert bench.counted(METRIC) == {("domu", "injected"): 1, ("domu", "ended"): 1}


def test_an_address_that_is_not_mapped_is_zero() -> None:
    bench = Bench()
    domain = with_line(bench)
    bench.give(FIRMWARE, frames.Interrupt(1, 0, 0, LINE, 0x1234_5000))
    assert injected(bench, domain)[0].page == 0
    bench.give(domain.link, frames.EndOfInterrupt(1, 0, 0, LINE, 0x9999_9000))
    assert ends(bench)[0].page == 0


def test_a_page_that_was_mapped_over_is_not_seen_any_more() -> None:
    bench = Bench()
    domain = with_line(bench)
    assert bench.rc(frames.IomemPermission(domain.domid, 0x777, 1, True)) == 0
    assert bench.rc(frames.MemoryMapping(domain.domid, PAGE // 4096, 0x777, 1)) == 0
    raise_line(bench, request=40)
    assert injected(bench, domain)[0].page == 0
    assert bench.pages.get((domain.link, 40), b"") == b"", "nor is what is in it"


@pytest.mark.parametrize("raises", [2, 5])
def test_a_line_in_flight_is_remembered_once(raises: int) -> None:
    bench = Bench()
    domain = with_line(bench)
    for request in range(raises):
        raise_line(bench, request=request)
    assert len(injected(bench, domain)) == 1
    end(bench, domain)
    assert [frame.request for frame in injected(bench, domain)] == [0, raises - 1]
    end(bench, domain)
    assert len(injected(bench, domain)) == 2
    found = bench.counted(METRIC)
    assert found.pop(("domu", "merged"), 0) == raises - 2
    assert found == {("domu", "injected"): 2, ("domu", "ended"): 2}


def test_lines_are_in_flight_each_for_itself() -> None:
    bench = Bench()
    domain = with_line(bench)
    assert bench.rc(frames.BindPtIrq(domain.domid, OTHER, OTHER)) == 0
    raise_line(bench)
    raise_line(bench, OTHER)
    assert [frame.intid for frame in injected(bench, domain)] == [LINE, OTHER]


# ---- what goes nowhere ------------------------------------------------------------------------


def test_a_line_without_a_route() -> None:
    bench = Bench()
    raise_line(bench)
    assert bench.counted(METRIC) == {("none", "unrouted"): 1}
    assert "routed to no domain" in bench.lines[-1].text
    told = len(bench.lines)
    raise_line(bench)
    assert len(bench.lines) == told, "once"
    raise_line(bench, OTHER)
    assert len(bench.lines) == told + 1
    assert bench.counted(METRIC) == {("none", "unrouted"): 3}


def test_a_domain_that_does_not_run() -> None:
    bench = Bench()
    domain = bench.create("domu", 2, run=False)
    assert bench.rc(frames.BindPtIrq(domain.domid, LINE, LINE)) == 0
    raise_line(bench)
    assert injected(bench, domain) == []
    assert bench.counted(METRIC) == {("domu", "not_running"): 1}
    assert bench.rc(frames.UnpauseDomain(domain.domid)) == 0
    raise_line(bench)
    assert len(injected(bench, domain)) == 1


def test_a_domain_whose_process_is_gone() -> None:
    bench = Bench()
    domain = with_line(bench)
    raise_line(bench)
    bench.feed(Undelivered(domain.link, injected(bench, domain)[0]))
    assert bench.counted(METRIC) == {("domu", "injected"): 1, ("domu", "undelivered"): 1}
    raise_line(bench)
    assert len(injected(bench, domain)) == 1
    assert bench.counted(METRIC)["domu", "undelivered"] == 2


def test_what_is_pending_is_lost_and_counted_with_the_one_in_flight() -> None:
    bench = Bench()
    domain = with_line(bench)
    raise_line(bench)
    raise_line(bench)
    bench.feed(Undelivered(domain.link, injected(bench, domain)[0]))
    assert bench.counted(METRIC) == {("domu", "injected"): 1, ("domu", "undelivered"): 2}


def test_an_end_that_is_not_the_domains_is_refused() -> None:
    bench = Bench()
    domain, other = with_line(bench), bench.create("other", 3)
    raise_line(bench)
    end(bench, other, request=9)
    assert ends(bench) == []
    assert [(one.code, one.definite, one.request) for one in errors(bench, other)] == [
        ("no-interrupt", True, 9)
    ]
    end(bench, domain)
    assert len(ends(bench)) == 1
    end(bench, domain)
    assert len(ends(bench)) == 1, "it ended already"
    assert len(errors(bench, domain)) == 1
    end(bench, domain, line=500)
    found = bench.counted(METRIC)
    assert (found["other", "refused"], found["domu", "refused"]) == (1, 2)


@pytest.mark.parametrize(
    "frame", [frames.Interrupt(1, 3, 0, LINE, 0), frames.EndOfInterrupt(1, 3, 0, LINE, 0)]
)
def test_who_may_not_send_it(frame: frames.Frame) -> None:
    bench = Bench()
    domain = with_line(bench)
    senders = [TOOLSTACK, domain.link if isinstance(frame, frames.Interrupt) else FIRMWARE]
    for sender in senders:
        bench.give(sender, frame)
        assert bench.answer(sender, 3).code == "refused"
    assert bench.counted("trapline_bus_dropped_total") == {("not_allowed",): 2}
    assert bench.counted(METRIC) == {}


def test_an_end_that_comes_twice_ends_once() -> None:
    """Nor does a late copy end the next interrupt of the line."""
    bench = Bench()
    domain = with_line(bench)
    for request in (1, 2):
        raise_line(bench, request=request)
    for _ in range(3):
        end(bench, domain, request=1)
    assert [frame.request for frame in injected(bench, domain)] == [1, 2]
    assert len(ends(bench)) == 1
    for _ in range(2):
        end(bench, domain, request=2)
    assert len(ends(bench)) == 2
    assert errors(bench, domain) == []
    assert bench.counted("trapline_bus_dropped_total") == {("duplicate",): 3}
    end(bench, domain, request=3)
    assert len(errors(bench, domain)) == 1, "nothing is in flight"


def test_an_interrupt_that_comes_twice_is_raised_once() -> None:
    bench = Bench()
    domain = with_line(bench)
    for _ in range(2):
        raise_line(bench, request=5)
    end(bench, domain, request=5)
    raise_line(bench, request=5)
    assert len(injected(bench, domain)) == 1
    assert bench.counted("trapline_bus_dropped_total") == {("duplicate",): 2}
    assert bench.rc(frames.NodeLost("firmware")) == 0
    raise_line(bench, request=5)
    assert len(injected(bench, domain)) == 2, "another EL3 counts anew"


def test_a_domain_that_comes_back_starts_with_nothing_in_flight() -> None:
    bench = Bench()
    domain = with_line(bench)
    raise_line(bench)
    raise_line(bench)
    assert bench.rc(frames.DestroyDomain(domain.domid)) == 0
    raise_line(bench)
    assert bench.counted(METRIC)["none", "unrouted"] == 1
    again = with_line(bench)
    assert injected(bench, again) == []
    raise_line(bench)
    assert len(injected(bench, again)) == 1


def test_a_dying_domain_keeps_its_line_and_gets_nothing() -> None:
    bench = Bench()
    domain = with_line(bench)
    assert bench.rc(frames.DestroyDomain(domain.domid), lambda smc, page: (2**64 - 3, page)) == -Errno.EINVAL
    raise_line(bench)
    assert bench.counted(METRIC) == {("domu", "not_running"): 1}
    other = bench.create("other", 3)
    assert bench.rc(frames.BindPtIrq(other.domid, LINE, LINE)) == -Errno.EBUSY
    assert bench.rc(frames.BindPtIrq(domain.domid, OTHER, OTHER)) == -Errno.EINVAL


# ---- hypercalls -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("irq", "virq", "rc"),
    [
        (32, 32, 0),
        (1019, 1019, 0),
        (31, 31, -Errno.EINVAL),
        (1020, 1020, -Errno.EINVAL),
        (0, 0, -Errno.EINVAL),
        (LINE, OTHER, -Errno.EINVAL),
    ],
)
def test_which_numbers_may_be_bound(irq: int, virq: int, rc: int) -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    assert bench.rc(frames.BindPtIrq(domain.domid, irq, virq)) == rc
    assert bench.rc(frames.IrqPermission(domain.domid, irq, True)) == (rc if irq == virq else 0)


def test_a_line_has_one_domain_once() -> None:
    bench = Bench()
    domain, other = with_line(bench), bench.create("other", 3)
    assert bench.rc(frames.BindPtIrq(other.domid, LINE, LINE)) == -Errno.EBUSY
    assert bench.rc(frames.BindPtIrq(domain.domid, LINE, LINE)) == -Errno.EBUSY
    assert bench.rc(frames.BindPtIrq(99, OTHER, OTHER)) == -Errno.ESRCH
    assert bench.rc(frames.IrqPermission(99, OTHER, True)) == -Errno.ESRCH


def test_what_dom0_lost_it_cannot_give() -> None:
    bench = Bench()
    domain = bench.create("domu", 2)
    assert bench.rc(frames.IrqPermission(domain.domid, LINE, False)) == 0, "takes it from domu only"
    assert bench.rc(frames.IrqPermission(0, OTHER, False)) == 0
    assert bench.rc(frames.BindPtIrq(domain.domid, LINE, LINE)) == 0
    assert bench.rc(frames.BindPtIrq(domain.domid, OTHER, OTHER)) == -Errno.EPERM
    assert bench.rc(frames.IrqPermission(domain.domid, OTHER, True)) == -Errno.EPERM


# ---- the builders -----------------------------------------------------------------------------


def board(dom0_agent: int | None = 0) -> Described:
    """SPI 10 is the scmi node's, 11 and 12 of a device of Dom0, 13 of one that is passed through."""
    root = described(dom0_agent)
    root.children["firmware"].children["scmi"].properties["interrupts"] = [0, 10, 4]
    soc = root.children["soc"].children
    soc["mmc"] = node({"interrupts": [0, 11, 4, 0, 12, 4, 1, 3, 4]})
    soc["shares"] = node({"interrupts": [0, 11, 4]})
    soc["off"] = node({"interrupts": [0, 14, 4], "status": "disabled"})
    soc["uart@2000"].properties["interrupts"] = [0, 13, 4]
    container_of(root).properties["interrupts"] = [0, 15, 4]
    return root


def routed(bench: Bench) -> dict[int, str]:
    return {line: route.domain.name for line, route in bench.core.hypervisor.routes.by_line.items()}


def test_dom0_gets_the_lines_of_the_nodes_it_owns() -> None:
    assert routed(Bench(tree(board()))) == dict.fromkeys((42, 43, 44), "dom0")
    without = Bench(tree(board(dom0_agent=None)))
    assert routed(without) == dict.fromkeys((43, 44), "dom0"), "the scmi node is not in its tree"
    domain = without.create("domu", 2)
    assert without.rc(frames.BindPtIrq(domain.domid, 43, 43)) == -Errno.EBUSY
    assert without.rc(frames.BindPtIrq(domain.domid, 45, 45)) == 0


def boot_domain(root: Described, interrupts: list[int]) -> Bench:
    root.children["chosen"].children["cluster"] = node(
        {"compatible": "xen,domain", "xen,sci_type": "scmi_smc_multiagent", "xen,sci-agent-id": [2]}
    )
    scmi = node({"compatible": "arm,scmi-smc", "interrupts": interrupts})
    off = node({"interrupts": [0, 99, 4], "status": "disabled"})
    outside = node({"interrupts": [0, 98, 4]})
    partial = node(None, {"passthrough": node(BUS, {"scmi": scmi, "off": off}), "elsewhere": outside})
    return Bench(tree(root), partials={"cluster": tree(partial)})


def test_a_boot_domain_gets_the_lines_of_what_is_passed_to_it() -> None:
    bench = boot_domain(described(), [0, 80, 4, 0, 81, 4, 0, 80, 4])
    assert routed(bench) == dict.fromkeys((112, 113), "cluster")


def test_a_boot_domain_cannot_have_a_line_of_dom0() -> None:
    bench = boot_domain(board(), [0, 12, 4])
    assert bench.halted is not None
    assert "interrupt 44 is routed to dom0 already (-EBUSY)" in bench.halted.reason
