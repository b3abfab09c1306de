"""Domains: the life-cycle table, creation, memory, devices, the bounds of hypercalls, strangers."""

import pytest

from bus import frames
from nodes.limits import DOMAIN_FRAMES, DOMAINS, HYPERCALLS
from nodes.xen.domain import TRANSITIONS, Domain, State
from nodes.xen.errno import Errno, XenError
from tests.nodes.trees import FID, PHANDLE, container_of, described, host, shmem, tree
from tests.nodes.xen import FIRMWARE, MA, TOOLSTACK, Bench

I2C = "/soc/i2c@1000"
LEGAL = {
    ("unpause", "created"): "running",
    ("unpause", "running"): "running",
    ("shutdown", "running"): "shutdown",
    ("kill", "created"): "dying",
    ("kill", "running"): "dying",
    ("kill", "shutdown"): "dying",
    ("kill", "dying"): "dying",
    ("destroy", "dying"): "dead",
    ("destroy", "created"): "dead",
}


@pytest.mark.parametrize("event", TRANSITIONS)
@pytest.mark.parametrize("state", State)
def test_every_state_and_event(state: State, event: str) -> None:
    domain = Domain(1, "domu", b"link", 1, False)
    domain.state = state
    after = LEGAL.get((event, state.value))
    if after is None:
        with pytest.raises(XenError) as raised:
            domain.apply(event)
        assert raised.value.errno is Errno.EINVAL
        assert domain.state is state
    else:
        domain.apply(event)
        assert domain.state.value == after


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_life_from_creation_to_the_end(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    assert bench.rc(frames.DestroyDomain(domain.domid, "destroy")) == 0
    assert bench.lifecycle("domu") == ["created", "link_up", "running", "dying", "reset", "dead"]
    assert bench.counted("trapline_domain_lifecycle_events_total")[("domu", "dead")] == 1
    assert bench.rc(frames.DestroyDomain(domain.domid)) == -Errno.ESRCH


def test_boot_happens_once_and_needs_el3() -> None:
    bench = Bench(boot=False)
    early = bench.domctl(frames.ListDomains())
    created = bench.domctl(frames.CreateDomain("domu", MA, 2))
    assert bench.answers(TOOLSTACK, early) == bench.answers(TOOLSTACK, created) == []
    bench.boot()
    bench.give(FIRMWARE, frames.Hello(1, 2, 0, "firmware"))
    bench.el3_all()
    assert len(bench.seen) == 2
    assert bench.answer(TOOLSTACK, early).rc == bench.answer(TOOLSTACK, created).rc == 0
    assert [domain.name for domain in bench.core.hypervisor.domains.values()] == ["dom0", "domu"]


def test_a_panic_halts_with_the_reason() -> None:
    bench = Bench(host(dom0_agent=9))
    assert bench.halted is not None
    assert bench.halted.code == 1
    assert "rc = -2" in bench.halted.reason
    assert not bench.core.booted


# ---- creation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sci", "agent", "errno"),
    [
        (0, 99, None),
        (MA, 2, None),
        (1, 0, Errno.EINVAL),
        (3, 0, Errno.EINVAL),
        (255, 0, Errno.EINVAL),
        (MA, 99, Errno.ENOENT),
        (MA, 0, Errno.EEXIST),
        (MA, 1, Errno.EEXIST),
    ],
)
def test_creation(bench: Bench, sci: int, agent: int, errno: Errno | None) -> None:
    reply = bench.done(frames.CreateDomain("domu", sci, agent))
    assert reply.rc == (-errno if errno else 0)
    assert len(bench.core.hypervisor.domains) == (1 if errno else 2)
    assert len(bench.core.hypervisor.by_link) == (1 if errno else 2)
    assert len(bench.seen) == 2


def test_a_failed_creation_claims_nothing(bench: Bench) -> None:
    assert bench.rc(frames.CreateDomain("domu", 1, 2)) == -Errno.EINVAL
    assert bench.create("domu", 2).incarnation == 1


def test_identities_are_new_with_every_incarnation(bench: Bench) -> None:
    links = set()
    for incarnation in (1, 2, 3):
        domain = bench.create("domu", 2)
        assert domain.incarnation == incarnation
        links.add(domain.link)
        assert bench.rc(frames.DestroyDomain(domain.domid)) == 0
    assert len(links) == 3


def test_domain_ids_are_not_reused(bench: Bench) -> None:
    first = bench.create("domu", 2)
    bench.rc(frames.DestroyDomain(first.domid))
    assert bench.create("domu", 2).domid == first.domid + 1


def test_as_many_domains_as_there_may_be(bench: Bench) -> None:
    for number in range(DOMAINS - 1):
        assert bench.rc(frames.CreateDomain(f"d{number}", 0, 0)) == 0
    assert bench.rc(frames.CreateDomain("one-more", 0, 0)) == -Errno.ENOMEM
    reply = bench.done(frames.ListDomains())
    assert len(reply.domains) == DOMAINS
    assert frames.decode(frames.encode(reply)) == reply


def test_without_a_mediator_there_is_no_scmi() -> None:
    root = described()
    del container_of(root).properties["scmi-secondary-agents"]
    bench = Bench(tree(root))
    domain = bench.create("domu", 2)
    assert domain.channel is None
    assert bench.trapped(domain, FID[2]).x[0] == 2**64 - 1


def test_an_agent_that_the_firmware_names_is_counted_under_that_name() -> None:
    root = described()
    container = container_of(root).properties
    container["scmi-secondary-agents"] = [cell for agent in (0, 2) for cell in (FID[agent], PHANDLE[agent])]
    container["#scmi-secondary-agents-cells"] = [2]
    bench = Bench(tree(root))
    bench.trapped(bench.create("domu", 2), FID[2])
    assert set(bench.core.meters.histogram("trapline_scmi_service_seconds")) == {("2",)}
    assert bench.core.meters.counter("trapline_scmi_inflight_calls").keys() == {("0",), ("2",)}


# ---- memory -----------------------------------------------------------------------------------


def test_memory_needs_permission_first(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    frame = shmem(2) // 4096
    mapping = frames.MemoryMapping(domain.domid, 0x22001, frame, 1)
    assert bench.rc(mapping) == -Errno.EPERM
    assert bench.rc(frames.IomemPermission(domain.domid, frame, 1, True)) == 0
    assert bench.rc(mapping) == 0
    assert domain.machine_address(0x2200_1ABC) == shmem(2) + 0xABC
    assert domain.machine_address(0x2200_2000) == domain.machine_address(0) == 0


def test_permission_may_be_taken_back(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    assert bench.rc(frames.IomemPermission(domain.domid, 0x100, 4, True)) == 0
    assert bench.rc(frames.IomemPermission(domain.domid, 0x102, 1, False)) == 0
    assert bench.rc(frames.MemoryMapping(domain.domid, 0x10, 0x100, 2)) == 0
    assert bench.rc(frames.MemoryMapping(domain.domid, 0x20, 0x100, 4)) == -Errno.EPERM
    assert bench.rc(frames.IomemPermission(domain.domid, 0x102, 1, False)) == 0


def test_what_is_contiguous_is_told_as_one_row(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    for guest, machine, count in ((0x10, 0x100, 5000), (0x5000, 0x9000, 2), (0x5002, 0x9003, 1)):
        assert bench.rc(frames.IomemPermission(domain.domid, machine, count, True)) == 0
        assert bench.rc(frames.MemoryMapping(domain.domid, guest, machine, count)) == 0
    assert domain.info().mapped == ((0x10, 0x100, 5000), (0x5000, 0x9000, 2), (0x5002, 0x9003, 1))


def test_more_memory_than_a_domain_may_have(bench: Bench) -> None:
    """At once, however many frames are asked for: the answer comes before anything is walked."""
    domain = bench.create("domu", 2)
    for count in (DOMAIN_FRAMES + 1, 0xFFFF_FFFF):
        assert bench.rc(frames.IomemPermission(domain.domid, 0, count, True)) == -Errno.ENOMEM
        assert bench.rc(frames.MemoryMapping(domain.domid, 0, 0x100, count)) == -Errno.ENOMEM
    assert bench.rc(frames.IomemPermission(domain.domid, 0x10_0000, DOMAIN_FRAMES, True)) == 0
    assert bench.rc(frames.MemoryMapping(domain.domid, 0x10_0000, 0x10_0000, DOMAIN_FRAMES)) == 0
    assert bench.rc(frames.MemoryMapping(domain.domid, 0, 0x10_0000, 1)) == -Errno.ENOMEM
    assert domain.info().mapped == ((0x10_0000, 0x10_0000, DOMAIN_FRAMES),)


def test_a_page_node_larger_than_a_domain_panics() -> None:
    root = described()
    root.children["sram@47ff0000"].properties["reg"] = [0, 0x4000_0000, 0x100, 0]
    bench = Bench(tree(root))
    assert bench.halted is not None
    assert "rc = -12" in bench.halted.reason


@pytest.mark.parametrize(
    "op",
    [
        frames.DestroyDomain(99),
        frames.UnpauseDomain(99),
        frames.AssignDevice(99, I2C),
        frames.DeassignDevice(99, I2C),
        frames.IomemPermission(99, 1, 1, True),
        frames.MemoryMapping(99, 1, 1, 1),
    ],
    ids=lambda op: type(op).__name__,
)
def test_a_domain_that_is_not_there(bench: Bench, op: frames.Op) -> None:
    assert bench.rc(op) == -Errno.ESRCH


def test_dom0_stays(bench: Bench) -> None:
    assert bench.rc(frames.DestroyDomain(0)) == -Errno.EPERM


def test_a_text_that_is_too_long_for_the_wire_is_cut(bench: Bench) -> None:
    reply = bench.done(frames.AssignDevice(0, "/" + "x" * 1023))
    assert reply.rc == -Errno.ESRCH
    assert frames.decode(frames.encode(reply)) == reply


# ---- devices ----------------------------------------------------------------------------------


def test_devices_are_listed_once_and_taken_away_once(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    assert bench.rc(frames.AssignDevice(domain.domid, I2C)) == 0
    assert bench.rc(frames.AssignDevice(domain.domid, I2C)) == 0
    assert domain.info().devices == (I2C,)
    assert bench.rc(frames.DeassignDevice(domain.domid, I2C)) == 0
    assert bench.rc(frames.DeassignDevice(domain.domid, I2C)) == -Errno.ENODEV


# ---- bounds and strangers ---------------------------------------------------------------------


def test_too_many_hypercalls_at_once(bench: Bench) -> None:
    domain = bench.create("domu", 2)
    assign = frames.AssignDevice(domain.domid, I2C)
    requests = [bench.domctl(assign) for _ in range(HYPERCALLS + 1)]
    refused = bench.answer(TOOLSTACK, requests[-1])
    assert (refused.rc, refused.detail) == (-Errno.EBUSY, f"{HYPERCALLS} hypercalls are under way")
    assert bench.done(frames.ListDomains()).rc == 0, "a list costs nothing"
    bench.el3_all()
    assert all(bench.answer(TOOLSTACK, request).rc == 0 for request in requests[:-1])
    assert bench.rc(assign) == 0


@pytest.mark.parametrize("peer", [b"nobody", b"link2", FIRMWARE])
def test_only_the_toolstack_may_ask(bench: Bench, peer: bytes) -> None:
    bench.create("domu", 2)
    bench.give(peer, frames.Domctl(1, 5, 0, frames.ListDomains()))
    error = bench.answer(peer, 5)
    assert (error.code, error.definite) == ("refused", True)
    cause = "unknown_link" if peer == b"nobody" else "not_allowed"
    assert bench.counted("trapline_bus_dropped_total") == {(cause,): 1}


@pytest.mark.parametrize(
    "frame",
    [
        frames.Hello(1, 5, 0, "guest"),
        frames.Trap(1, 5, 0, 0x17, 0, (FID[0], 0, 0, 0, 0, 0, 0, 0), 0),
        frames.SmcReturn(1, 5, 0, (0, 0, 0, 0)),
        frames.Smc(1, 5, 0, (0,) * 8, 0),
        frames.Console(1, 5, 0, 1, b""),
        frames.ConsoleReply(1, 5, 0, b""),
        frames.Welcome(1, 5, 0, 0, "x"),
        frames.Lifecycle(1, 5, 0, 0, "x", "dead", ""),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_strangers_are_refused_and_counted(bench: Bench, frame: frames.Frame) -> None:
    bench.give(b"nobody", frame)
    assert bench.answer(b"nobody", 5).code == "refused"
    assert bench.counted("trapline_bus_dropped_total") == {("unknown_link",): 1}
    assert len(bench.seen) == 2


def test_an_error_from_a_stranger_starts_no_conversation(bench: Bench) -> None:
    bench.give(b"nobody", frames.Error(1, 5, 0, "refused", True, ""))
    assert bench.sent[b"nobody"] == []


def test_a_guest_cannot_answer_for_el3(bench: Bench) -> None:
    two, three = bench.create("two", 2), bench.create("three", 3)
    request = bench.trap(two, FID[2])
    smc, _ = bench.smcs[0]
    bench.give(three.link, frames.SmcReturn(1, smc.request, 0, (0, 0, 0, 0)))
    assert bench.answers(two.link, request) == []
    bench.el3_all()
    assert bench.answer(two.link, request).x[0] == 0
