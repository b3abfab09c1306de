"""Mainline's scmi-smc: one channel, for Dom0 or, with scmi-smc-passthrough, for the one guest that asks."""

from collections.abc import Callable

import pytest

from bus import frames
from nodes.devicetree import Tree
from nodes.xen import dom0
from nodes.xen.errno import Errno
from nodes.xen.profile import PROFILES
from tests.nodes.trees import FID, Described, Value, described, node, shmem, tree
from tests.nodes.xen import MA, TOOLSTACK, Bench

FORWARDER = PROFILES["forwarder"]
PASSTHROUGH = "scmi-smc-passthrough"
SMC = 1  # XEN_DOMCTL_CONFIG_ARM_SCI_SCMI_SMC
I2C = "/soc/i2c@1000"
MINUS_ONE = 2**64 - 1


def changed(change: Callable[[Described], object]) -> Tree:
    root = described(dom0_agent=None)
    change(root)
    return tree(root)


def booted(made: Tree | None = None, line: str = "", **config: object) -> Bench:
    made = made or changed(lambda _root: None)
    return Bench(made, profile=FORWARDER, command_line=line, **config)


def errors(bench: Bench) -> list[str]:
    return [line.text for line in bench.lines if line.level == "error"]


# ---- probe ------------------------------------------------------------------------------------


def test_the_first_enabled_node_is_bound_without_a_word_to_el3() -> None:
    def change(root: Described) -> None:
        root.children["chosen"].children = {}

    bench = booted(changed(change))
    assert bench.core.hypervisor.sci.initialized
    assert bench.seen == []
    assert errors(bench) == []


@pytest.mark.parametrize("mark", [{"status": "disabled"}, {"xen,passthrough": True}])
def test_nodes_below_xen_sci_are_ordinary(mark: dict[str, Value]) -> None:
    def change(root: Described) -> None:
        root.children["firmware"].children["scmi"].properties.update(mark)

    (channel,) = booted(changed(change)).core.hypervisor.sci.channels
    assert (channel.func_id, channel.shmem) == (FID[1], shmem(1))


def test_a_second_node_changes_nothing() -> None:
    bench = booted()
    (channel,) = bench.core.hypervisor.sci.channels
    assert (channel.func_id, channel.shmem) == (FID[0], shmem(0))
    (line,) = errors(bench)
    assert "already registered (-EEXIST)" in line


def test_without_a_node_there_is_no_mediator() -> None:
    bench = booted(tree(node()))
    assert not bench.core.hypervisor.sci.initialized
    assert errors(bench) == []
    assert bench.create("domu", 7, sci=MA).channel is None


@pytest.mark.parametrize(
    ("property_", "value", "machine", "errno"),
    [
        ("arm,smc-id", b"", {}, "ENOENT"),
        ("arm,smc-id", b"\0\0\1", {}, "ENOENT"),
        ("x", b"", {"acpi": True}, "EINVAL"),
        ("x", b"", {"smccc_version": 0x1_0000}, "ENOSYS"),
    ],
)
def test_what_the_probe_refuses(property_: str, value: bytes, machine: dict[str, int], errno: str) -> None:
    def change(root: Described) -> None:
        root.children["firmware"].children["scmi"].properties[property_] = value

    bench = booted(changed(change), **machine)
    assert not bench.core.hypervisor.sci.initialized
    (line,) = errors(bench)
    assert f"(-{errno})" in line
    assert bench.trapped(bench.domain(0), FID[0]).x[0] == MINUS_ONE


@pytest.mark.parametrize("value", [[999], b"", [0]])
def test_the_page_is_not_checked(value: list[int] | bytes) -> None:
    def change(root: Described) -> None:
        root.children["firmware"].children["scmi"].properties["shmem"] = value

    for line in ("", PASSTHROUGH):
        bench = booted(changed(change), line)
        assert bench.core.hypervisor.sci.initialized
    assert bench.domain(0).iomem == set()


# ---- whose it is ------------------------------------------------------------------------------


def test_it_is_dom0s() -> None:
    bench = booted()
    assert bench.trapped(bench.domain(0), FID[0]).x[0] == 0
    assert bench.trapped(bench.domain(0), FID[1]).x[0] == MINUS_ONE
    assert bench.rc(frames.CreateDomain("domu", SMC, 0)) == -Errno.EINVAL
    assert bench.create("plain", sci=0).channel is None


def test_with_passthrough_it_is_the_guests() -> None:
    bench = booted(line=PASSTHROUGH)
    assert bench.trapped(bench.domain(0), FID[0]).x[0] == MINUS_ONE
    assert bench.create("plain", sci=0).channel is None
    domain = bench.create("domu", sci=SMC)
    assert bench.trapped(domain, FID[0]).x[0] == 0
    assert bench.rc(frames.CreateDomain("second", SMC, 0)) == -Errno.EEXIST


def test_with_passthrough_dom0_may_hand_out_the_page() -> None:
    frame = shmem(0) // 4096
    for line, mapped in (("", {frame: frame}), (PASSTHROUGH, {})):
        bench = booted(line=line)
        assert bench.domain(0).iomem >= {frame}
        assert {one: bench.domain(0).stage2[one] for one in bench.domain(0).stage2 if one == frame} == mapped


@pytest.mark.parametrize(("scmi", "kept"), [(True, True), (False, False)])
def test_dom0s_tree(scmi: bool, kept: bool) -> None:
    made = dom0.tree_for_dom0(changed(lambda _root: None), True, scmi, FORWARDER)
    assert ("/firmware/scmi" in made) is kept
    assert ("/sram@47ff0000" in made) is kept
    assert "/chosen/xen/sci" in made


@pytest.mark.parametrize("line", ["", PASSTHROUGH])
@pytest.mark.parametrize("sci", [MA, 3, 255])
def test_other_types_are_einval(line: str, sci: int) -> None:
    assert booted(line=line).rc(frames.CreateDomain("domu", sci, 0)) == -Errno.EINVAL


# ---- traps ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "sci"), [("", 0), (PASSTHROUGH, 0)])
def test_another_domain_is_warned_of(line: str, sci: int) -> None:
    bench = booted(line=line)
    domain = bench.create("domu", sci=sci)
    assert bench.trapped(domain, FID[0]).x[0] == MINUS_ONE
    warnings = [line.text for line in bench.lines if line.level == "warning"]
    assert warnings == [f"d{domain.domid} SCMI-SMC: Unprivileged access attempt"]
    assert bench.trapped(domain, FID[2]).x[0] == MINUS_ONE
    assert len([line for line in bench.lines if line.level == "warning"]) == 1
    assert bench.counted("trapline_smc_traps_total")[("domu", "foreign_doorbell", "refused")] == 1


def test_two_vcpus_ring_at_once() -> None:
    bench = booted()
    requests = [bench.trap(bench.domain(0), FID[0], number) for number in (1, 2)]
    assert [smc.x[1] for smc in bench.seen] == [1, 2]
    bench.el3_all()
    assert [bench.answer(bench.domain(0).link, one).x[0] for one in requests] == [0, 0]


# ---- the end ----------------------------------------------------------------------------------


def test_the_end_says_nothing_and_frees_the_channel() -> None:
    bench = booted(line=PASSTHROUGH)
    domain = bench.create("domu", sci=SMC)
    assert bench.rc(frames.AssignDevice(domain.domid, I2C)) == -Errno.EINVAL, "no IOMMU protects it"
    assert bench.rc(frames.DestroyDomain(domain.domid)) == 0
    assert bench.seen == []
    told = [one.detail for one in bench.sent[TOOLSTACK] if getattr(one, "event", "") == "reset"]
    assert told == ["agent 0 free, the firmware is not told"]
    assert bench.counted("trapline_agent_resets_total") == {}
    assert bench.create("next", sci=SMC).channel is not None
