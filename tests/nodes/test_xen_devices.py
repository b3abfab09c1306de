"""SCI and IOMMU together: who is asked, in which order, and whose answer it is that the caller gets."""

import pytest

from bus import frames
from nodes.devicetree import Tree
from nodes.xen.errno import Errno
from nodes.xen.profile import PROFILES
from tests.nodes.trees import XEN_PHANDLE, Value, described, node, page_node, shmem, tree
from tests.nodes.xen import TOOLSTACK, Bench, status

I2C, UART, GPU = "/soc/i2c@1000", "/soc/uart@2000", "/soc/gpu@3000"
HAZARDS = "trapline_xen_hazards_total"
FOREIGN = {"xen,passthrough": True}


def host(*, gpu: dict[str, Value] | None = None) -> Tree:
    """The canonical tree with a GPU that an IOMMU protects and that SCMI manages."""
    root = described()
    properties = {"access-controllers": [XEN_PHANDLE, 7], "iommus": [99, 1], **FOREIGN}
    root.children["soc"].children["gpu@3000"] = node(properties if gpu is None else gpu)
    return tree(root)


def permissions(bench: Bench) -> int:
    """SMCs beside the two of the probe."""
    return len(bench.seen) - 2


# ---- the domctl -------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "asked"), [(I2C, 1), (UART, 0), (GPU, 1)])
def test_assigning_asks_sci_and_then_the_iommu(path: str, asked: int) -> None:
    bench = Bench(host())
    domain = bench.create("domu", 2)
    assert bench.rc(frames.AssignDevice(domain.domid, path)) == 0
    assert domain.devices == [path]
    assert permissions(bench) == asked


@pytest.mark.parametrize("path", [I2C, UART, GPU])
def test_without_an_iommu_the_permission_is_set_and_the_hypercall_fails(path: str) -> None:
    bench = Bench(host())
    domain = bench.create("domu", 2, iommu=False)
    assert bench.rc(frames.AssignDevice(domain.domid, path)) == -Errno.EOPNOTSUPP
    assert domain.devices == []
    kept = {} if path == UART else {("permission-not-revoked",): 1}
    assert bench.counted(HAZARDS) == kept
    assert permissions(bench) == len(kept)


@pytest.mark.parametrize("op", [frames.AssignDevice, frames.TestAssignDevice, frames.DeassignDevice])
def test_iommu_off_on_the_command_line_is_for_everybody(op: type[frames.AssignDevice]) -> None:
    bench = Bench(host(), command_line="iommu=off")
    domain = bench.create("domu", 2)
    assert bench.rc(op(domain.domid, UART)) == -Errno.EOPNOTSUPP


def test_a_protected_device_has_one_owner() -> None:
    bench = Bench(host())
    first, second = bench.create("first", 2), bench.create("second", 3)
    assert bench.rc(frames.TestAssignDevice(first.domid, GPU)) == 0
    assert bench.rc(frames.AssignDevice(first.domid, GPU)) == 0
    assert bench.rc(frames.TestAssignDevice(second.domid, GPU)) == -Errno.EINVAL
    assert bench.rc(frames.AssignDevice(second.domid, GPU)) == -Errno.EBUSY
    assert bench.rc(frames.AssignDevice(first.domid, GPU)) == -Errno.EBUSY
    assert (first.devices, second.devices) == ([GPU], [])
    assert bench.rc(frames.DeassignDevice(first.domid, GPU)) == 0
    assert bench.rc(frames.AssignDevice(second.domid, GPU)) == 0


def test_an_unprotected_device_may_be_assigned_twice() -> None:
    bench = Bench(host())
    first, second = bench.create("first", 2), bench.create("second", 3)
    for domain in (first, second):
        assert bench.rc(frames.AssignDevice(domain.domid, I2C)) == 0
    assert permissions(bench) == 2


def test_a_dead_domains_devices_are_nobodys_even_if_its_reset_is_refused() -> None:
    bench = Bench(host())
    first, second = bench.create("first", 2), bench.create("second", 3)
    assert bench.rc(frames.AssignDevice(first.domid, GPU)) == 0
    assert bench.rc(frames.DestroyDomain(first.domid), status(-3)) == -Errno.EACCES
    assert bench.rc(frames.AssignDevice(second.domid, GPU)) == 0
    assert bench.rc(frames.TestAssignDevice(first.domid, UART)) == -Errno.EINVAL, "it is dying"
    assert bench.rc(frames.AssignDevice(first.domid, UART)) == -Errno.EINVAL


def test_dom0_owns_what_the_iommu_protects_for_it() -> None:
    bench = Bench(host(gpu={"iommus": [99, 1]}))
    domain = bench.create("domu", 2)
    assert permissions(bench) == 0
    assert bench.rc(frames.AssignDevice(domain.domid, GPU)) == -Errno.EBUSY


def test_deassigning_says_nothing_and_leaves_the_permission() -> None:
    bench = Bench(host())
    domain = bench.create("domu", 2)
    assert bench.rc(frames.DeassignDevice(domain.domid, I2C)) == -Errno.ENODEV
    assert bench.rc(frames.DeassignDevice(domain.domid, "/nowhere")) == -Errno.ESRCH
    assert bench.rc(frames.AssignDevice(domain.domid, UART)) == 0
    assert bench.rc(frames.DeassignDevice(domain.domid, UART)) == 0
    assert bench.counted(HAZARDS) == {}
    assert bench.rc(frames.AssignDevice(domain.domid, I2C)) == 0
    assert bench.rc(frames.DeassignDevice(domain.domid, I2C)) == 0
    assert permissions(bench) == 1
    assert bench.counted(HAZARDS) == {("permission-not-revoked",): 1}


def test_only_what_is_there_can_be_tested() -> None:
    bench = Bench(host())
    domain = bench.create("domu", 2)
    assert bench.rc(frames.TestAssignDevice(domain.domid, "/nowhere")) == -Errno.ESRCH
    assert bench.rc(frames.TestAssignDevice(99, GPU)) == -Errno.ESRCH


# ---- the gate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["v11", "v9", "v7"])
def test_hardware_error_counts_as_not_handled(profile: str) -> None:
    bench = Bench(host(), profile=PROFILES[profile])
    domain = bench.create("domu", 2)
    assert bench.rc(frames.AssignDevice(domain.domid, GPU), status(-9)) == 0
    assert domain.devices == [GPU]
    assert bench.counted(HAZARDS) == {("enxio-swallowed",): 1}
    assert any("driver hazard enxio-swallowed" in line.text for line in bench.lines)


def test_hardware_error_then_the_iommu_decides() -> None:
    bench = Bench(host())
    domain = bench.create("domu", 2, iommu=False)
    assert bench.rc(frames.AssignDevice(domain.domid, GPU), status(-9)) == -Errno.EOPNOTSUPP


def test_strict_hardware_error_is_an_error_and_the_iommu_is_not_asked() -> None:
    bench = Bench(host(), strict=True)
    first, second = bench.create("first", 2), bench.create("second", 3)
    assert bench.rc(frames.AssignDevice(first.domid, GPU), status(-9)) == -Errno.ENXIO
    assert bench.counted(HAZARDS) == {}
    assert bench.rc(frames.AssignDevice(second.domid, GPU)) == 0


@pytest.mark.parametrize(("profile", "iommu_asked"), [("v11", False), ("v9", False), ("v7", True)])
def test_a_refusal_stops_at_the_gate_or_is_merged(profile: str, iommu_asked: bool) -> None:
    bench = Bench(host(), profile=PROFILES[profile])
    first, second = bench.create("first", 2), bench.create("second", 3)
    assert bench.rc(frames.AssignDevice(first.domid, GPU), status(-3)) == -Errno.EACCES
    assert first.devices == []
    assert bench.rc(frames.AssignDevice(second.domid, GPU)) == (-Errno.EBUSY if iommu_asked else 0)


def test_merged_both_refuse_and_scis_answer_is_given() -> None:
    bench = Bench(host(), profile=PROFILES["v7"])
    domain = bench.create("domu", 2, iommu=False)
    assert bench.rc(frames.AssignDevice(domain.domid, GPU), status(-3)) == -Errno.EACCES


def test_merged_a_domain_that_died_meanwhile_gets_nothing() -> None:
    bench = Bench(host(), profile=PROFILES["v7"])
    domain, heir = bench.create("domu", 2), bench.create("heir", 3)
    bench.domctl(frames.DestroyDomain(domain.domid))
    assign = bench.domctl(frames.AssignDevice(domain.domid, GPU))
    bench.el3_all()
    assert bench.answer(TOOLSTACK, assign).rc == -Errno.ESRCH
    assert bench.rc(frames.AssignDevice(heir.domid, GPU)) == 0


# ---- boot domains -----------------------------------------------------------------------------


def boot(device: dict[str, Value], path: str = GPU, **how: object) -> Bench:
    """A boot domain whose partial tree has one device with ``device`` beside its path."""
    root = described()
    root.children["soc"].children["gpu@3000"] = node(
        {"access-controllers": [XEN_PHANDLE, 7], "iommus": [99, 1], **FOREIGN}
    )
    root.children["chosen"].children["domu1"] = node(
        {"compatible": "xen,domain", "xen,sci_type": "scmi_smc_multiagent", "xen,sci-agent-id": [2]}
    )
    passed = node({"xen,reg": [0, shmem(2), 0, 0x1000, 0, 0x2200_1000], "xen,path": path, **device})
    partial = tree(node(None, {"passthrough": node(None, {"page": page_node(1, 0), "dev": passed})}))
    return Bench(tree(root), partials={"domu1": partial}, **how)


FORCED: dict[str, Value] = {"xen,force-assign-without-iommu": True}


@pytest.mark.parametrize(
    ("device", "path", "how"),
    [({}, GPU, {}), (FORCED, GPU, {}), (FORCED, UART, {}), (FORCED, GPU, {"command_line": "iommu=off"})],
    ids=["protected", "forced", "unprotected", "no-iommu"],
)
def test_a_boot_domain_gets_its_device(device: dict[str, Value], path: str, how: dict[str, str]) -> None:
    bench = boot(device, path, **how)
    assert bench.halted is None
    assert bench.domain(1).devices == [path]
    assert permissions(bench) == (path == GPU)


@pytest.mark.parametrize(
    ("path", "how"), [(UART, {}), (GPU, {"command_line": "iommu=off"}), ("/nowhere", {})]
)
def test_a_boot_domains_unprotected_device_needs_to_be_forced(path: str, how: dict[str, str]) -> None:
    bench = boot({}, path, **how)
    assert bench.halted is not None
    assert "(-EINVAL)" in bench.halted.reason
