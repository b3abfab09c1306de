"""What Xen makes of a host tree: every exit of the probe by its row number (P1..P11, S1..S10)."""

from collections.abc import Callable

import pytest

from nodes.devicetree import Tree
from nodes.xen import binding
from nodes.xen.errno import Errno, XenError
from tests.nodes.trees import (
    BUS,
    FID,
    HOST_PHANDLE,
    PHANDLE,
    XEN_PHANDLE,
    Described,
    container_of,
    described,
    entries,
    host,
    node,
    page_node,
    shmem,
    tree,
)
from tests.nodes.xen import Bench, in_turn, status, well

Change = Callable[[Described], object]
UNKNOWN_PHANDLE = 999


def page_path(agent: int) -> str:
    return f"/chosen/xen/sci/sram@{shmem(agent):x}"


def changed(change: Change) -> Tree:
    root = described()
    change(root)
    return tree(root)


def scmi_of(root: Described) -> Described:
    return container_of(root).children["scmi"]


def page_of(root: Described, agent: int) -> Described:
    return container_of(root).children[f"sram@{shmem(agent):x}"]


def fails(errno: Errno, act: Callable[[], object]) -> str:
    with pytest.raises(XenError) as raised:
        act()
    assert raised.value.errno is errno
    return str(raised.value)


def bound(tree_: Tree, **machine: int) -> binding.Management:
    (found,) = binding.candidates(tree_)
    return binding.management(tree_, found, **machine)  # type: ignore[arg-type]


# ---- candidates -------------------------------------------------------------------------------


def test_the_canonical_node() -> None:
    assert bound(host()) == binding.Management("/chosen/xen/sci/scmi", FID[1], shmem(1), page_path(1))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: container_of(root).properties.update(compatible="xen,other"),
        lambda root: scmi_of(root).properties.update(compatible="arm,scmi"),
        lambda root: scmi_of(root).properties.update(status="disabled"),
        lambda root: scmi_of(root).properties.update({"xen,passthrough": True}),
    ],
    ids=["no-container", "not-smc", "disabled", "passthrough"],
)
def test_p1_what_is_not_even_probed(change: Change) -> None:
    assert not list(binding.candidates(changed(change)))


@pytest.mark.parametrize("okay", ["okay", "ok"])
def test_p1_the_other_side(okay: str) -> None:
    def change(root: Described) -> None:
        scmi_of(root).properties["status"] = okay
        scmi_of(root).properties["compatible"] = b"vendor,x\0arm,scmi-smc\0"

    assert len(list(binding.candidates(changed(change)))) == 1


def test_p2_acpi() -> None:
    fails(Errno.EINVAL, lambda: bound(host(), acpi=True))


@pytest.mark.parametrize(("version", "good"), [(0x1_0000, False), (0x1_0001, True), (0x2_0000, True)])
def test_p3_smccc(version: int, good: bool) -> None:
    if good:
        assert bound(host(), smccc_version=version).func_id == FID[1]
    else:
        fails(Errno.ENOSYS, lambda: bound(host(), smccc_version=version))


def test_p2_is_judged_before_p3_before_p4() -> None:
    broken = changed(lambda root: scmi_of(root).properties.pop("arm,smc-id"))
    fails(Errno.EINVAL, lambda: bound(broken, acpi=True, smccc_version=0))
    fails(Errno.ENOSYS, lambda: bound(broken, smccc_version=0))
    fails(Errno.ENOENT, lambda: bound(broken))


@pytest.mark.parametrize("value", [None, b"", b"\x82\0\0"])
def test_p4_smc_id(value: bytes | None) -> None:
    def change(root: Described) -> None:
        del scmi_of(root).properties["arm,smc-id"]
        if value is not None:
            scmi_of(root).properties["arm,smc-id"] = value

    assert "arm,smc-id" in fails(Errno.ENOENT, lambda: bound(changed(change)))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: scmi_of(root).properties.pop("shmem"),
        lambda root: page_of(root, 1).properties.pop("reg"),
        lambda root: page_of(root, 1).properties.update(reg=[0, shmem(1), 0]),
        lambda root: container_of(root).properties.pop("ranges"),
        lambda root: root.children["chosen"].properties.pop("ranges"),
    ],
    ids=["no-shmem", "no-reg", "short-reg", "no-ranges", "no-ranges-on-chosen"],
)
def test_p5_shmem(change: Change) -> None:
    fails(Errno.ENOENT, lambda: bound(changed(change)))


def test_p6_a_phandle_to_nowhere_is_enoent_and_says_what_the_driver_would_do() -> None:
    broken = changed(lambda root: scmi_of(root).properties.update(shmem=[UNKNOWN_PHANDLE]))
    text = fails(Errno.ENOENT, lambda: bound(broken))
    assert "0x3e7" in text
    assert "driver hazard" in text


@pytest.mark.parametrize(
    ("address", "size", "good"),
    [
        (shmem(1), 0x1000, True),
        (shmem(1), 0x3000, True),
        (shmem(1), 0, True),
        (shmem(1) + 0x10, 0x1000, True),
        (shmem(1), 0xFFF, False),
        (shmem(1), 0x1001, False),
        (shmem(1), 0x800, False),
    ],
)
def test_p7_size(address: int, size: int, good: bool) -> None:
    made = changed(lambda root: page_of(root, 1).properties.update(reg=[0, address, 0, size]))
    if good:
        assert bound(made).shmem == address
    else:
        fails(Errno.EINVAL, lambda: bound(made))


# ---- what needs EL3 ---------------------------------------------------------------------------


def probed(bench: Bench) -> bool:
    return bench.core.hypervisor.sci.initialized


@pytest.mark.parametrize("failing", [0, 1], ids=["P9-discover", "P10-attributes"])
@pytest.mark.parametrize(("code", "errno"), [(-1, Errno.EOPNOTSUPP), (-3, Errno.EACCES), (-8, Errno.EIO)])
def test_p9_p10_a_failing_message(failing: int, code: int, errno: Errno) -> None:
    bench = Bench(host(dom0_agent=None), boot=False)
    bench.boot(in_turn(*[well] * failing, status(code)))
    assert not probed(bench)
    assert any(f"(-{errno.name})" in line.text for line in bench.lines)
    mediator = bench.core.hypervisor.sci
    assert (mediator.channels, mediator.hypervisor) == ([], None)
    assert bench.core.booted


def test_p11_any_bad_entry_leaves_nothing() -> None:
    bench = Bench(changed(lambda root: container_of(root).properties.pop("scmi-secondary-agents")))
    assert not probed(bench)
    assert bench.core.hypervisor.sci.channels == []


def test_a_failing_first_node_stops_the_scan() -> None:
    def change(root: Described) -> None:
        good = scmi_of(root)
        del container_of(root).children["scmi"]
        container_of(root).children["bad"] = node({"compatible": "arm,scmi-smc"})
        container_of(root).children["good"] = good

    bench = Bench(changed(change))
    assert not probed(bench)
    assert bench.seen == []


def test_mapping_frees_xens_channel_and_touches_no_other() -> None:
    bench = Bench(boot=False)
    for agent in FID:
        bench.memory.map(shmem(agent))[4:8] = b"\x02\0\0\0"
    bench.boot()
    assert [int(bench.memory.map(shmem(agent))[4]) for agent in FID] == [2, 1, 2, 2]


# ---- the list ---------------------------------------------------------------------------------


def listed(cells: list[int] | bytes, width: int | None = None) -> Tree:
    def change(root: Described) -> None:
        container_of(root).properties["scmi-secondary-agents"] = cells
        if width is not None:
            container_of(root).properties["#scmi-secondary-agents-cells"] = [width]

    return changed(change)


def test_s1_no_container() -> None:
    fails(Errno.ENOENT, lambda: binding.secondaries(tree(node())))


@pytest.mark.parametrize("width", [0, 1, 4, 0xFFFF_FFFF])
def test_s2_width(width: int) -> None:
    fails(Errno.EINVAL, lambda: binding.secondaries(listed(entries(0), width)))


@pytest.mark.parametrize("short", [b"", b"\0\0\2"])
def test_s2_a_width_shorter_than_a_cell_counts_as_absent(short: bytes) -> None:
    def change(root: Described) -> None:
        container_of(root).properties["#scmi-secondary-agents-cells"] = short

    assert [one.agent_id for one in binding.secondaries(changed(change))] == [0, 2, 3]


def test_s2_two_cells() -> None:
    found = binding.secondaries(listed([FID[2], PHANDLE[2], FID[0], PHANDLE[0]], 2))
    assert found == [
        binding.Secondary(FID[2], shmem(2), None, 0, page_path(2), 0x1000),
        binding.Secondary(FID[0], shmem(0), None, 1, page_path(0), 0x1000),
    ]


def test_s3_missing() -> None:
    made = changed(lambda root: container_of(root).properties.pop("scmi-secondary-agents"))
    fails(Errno.EINVAL, lambda: binding.secondaries(made))


@pytest.mark.parametrize("value", [[], entries(0)[:2], [*entries(0), 1], b"\0\0\0", bytes(13)])
def test_s4_length(value: list[int] | bytes) -> None:
    fails(Errno.EINVAL, lambda: binding.secondaries(listed(value)))


def test_s5_unknown_phandle() -> None:
    fails(Errno.EINVAL, lambda: binding.secondaries(listed([FID[0], UNKNOWN_PHANDLE, 0])))


def test_s6_no_address() -> None:
    made = changed(lambda root: page_of(root, 2).properties.pop("reg"))
    fails(Errno.EINVAL, lambda: binding.secondaries(made))


@pytest.mark.parametrize(
    ("address", "size", "good"),
    [
        (shmem(2), 0x1000, True),
        (shmem(2), 0x2000, True),
        (shmem(2) + 0x800, 0x1000, False),
        (shmem(2), 0x800, False),
        (shmem(2) + 8, 0x1008, False),
    ],
)
def test_s7_whole_pages(address: int, size: int, good: bool) -> None:
    made = changed(lambda root: page_of(root, 2).properties.update(reg=[0, address, 0, size]))
    if good:
        assert binding.secondaries(made)[1].shmem == address
    else:
        fails(Errno.EINVAL, lambda: binding.secondaries(made))


@pytest.mark.parametrize("agents", [(0, 2, 2), (0, 1, 2)], ids=["twice", "xens"])
def test_s8_repeated_agent(agents: tuple[int, ...]) -> None:
    bench = Bench(host(dom0_agent=None, agents=agents))
    assert not probed(bench)
    assert any("(-EEXIST)" in line.text for line in bench.lines)


def test_s10_a_discovery_that_fails() -> None:
    bench = Bench(listed([FID[0], PHANDLE[0], FID[2], PHANDLE[2]], 2), boot=False)
    bench.boot(in_turn(well, well, well, status(-3)))
    assert not probed(bench)
    assert [smc.x[0] for smc in bench.seen] == [FID[1], FID[1], FID[0], FID[2]]


def test_what_the_driver_does_not_check_is_accepted() -> None:
    """Agents above 254, pages and doorbells used twice, a page node of another kind."""
    odd = [
        FID[0],
        PHANDLE[0],
        0,
        FID[0],
        PHANDLE[0],
        300,
        FID[2],
        HOST_PHANDLE,
        2,
        0x1234,
        XEN_PHANDLE + 5,
        7,
    ]

    def change(root: Described) -> None:
        container_of(root).properties["scmi-secondary-agents"] = odd
        plain = page_node(XEN_PHANDLE + 5, 0x9000)
        del plain.properties["compatible"]
        container_of(root).children["plain@9000"] = plain

    assert [one.agent_id for one in binding.secondaries(changed(change))] == [0, 300, 2, 7]


# ---- Dom0's agent, device ids -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "agent", "warned"),
    [
        (None, None, False),
        ([0], 0, False),
        ([254], 254, False),
        ([255], None, True),
        ([4000], None, True),
        (b"\0\0\1", None, False),
    ],
)
def test_dom0s_agent(value: list[int] | bytes | None, agent: int | None, warned: bool) -> None:
    root = described(dom0_agent=None)
    if value is not None:
        container_of(root).properties["xen,dom0-sci-agent-id"] = value
    found, warning = binding.dom0_agent(tree(root))
    assert found == agent
    assert (warning is not None) is warned


def test_dom0s_agent_without_a_container() -> None:
    assert binding.dom0_agent(tree(node())) == (None, None)


@pytest.mark.parametrize(
    ("cells", "ids"),
    [
        ([], []),
        ([XEN_PHANDLE, 5], [5]),
        ([XEN_PHANDLE, 5, XEN_PHANDLE, 6], [5, 6]),
        ([31, 1, XEN_PHANDLE, 6], [6]),
        ([XEN_PHANDLE, 5, 0, XEN_PHANDLE, 6], [5]),
        ([XEN_PHANDLE, 5, UNKNOWN_PHANDLE, 1, XEN_PHANDLE, 6], [5]),
        ([XEN_PHANDLE, 5, XEN_PHANDLE], [5]),
        ([PHANDLE[0], 5, XEN_PHANDLE, 6], []),
    ],
)
def test_device_ids_until_the_first_entry_that_does_not_parse(cells: list[int], ids: list[int]) -> None:
    device = node({"access-controllers": cells})
    root = described()
    root.children["soc"].children["dev@1"] = device
    made = tree(root)
    found = made.get("/soc/dev@1")
    assert found is not None
    assert list(binding.device_ids(made, found, "/chosen/xen/sci/scmi")) == ids
    assert BUS["ranges"]
