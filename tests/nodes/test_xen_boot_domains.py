"""What Dom0 and the boot domains get: devices, pages, trees."""

import pytest

from nodes.devicetree import TreeError
from nodes.xen import dom0, dom0less
from nodes.xen.errno import Errno, XenError
from tests.nodes.trees import BUS, FID, Value, described, host, node, page_node, shmem, tree
from tests.nodes.xen import Bench

AT = 0x2200_1000


def names(paths: list[str]) -> list[str]:
    return [path.rsplit("/", 1)[1] for path in paths]


# ---- Dom0 -------------------------------------------------------------------------------------


def test_which_devices_are_dom0s() -> None:
    root = described()
    uses: dict[str, Value] = {"access-controllers": [30, 9]}
    root.children["soc"].children |= {
        "mine@1": node(uses),
        "off@2": node({**uses, "status": "disabled"}),
        "given@3": node({**uses, "xen,passthrough": True}),
        "bus@4": node({"xen,passthrough": True}, {"below@5": node(uses)}),
        "plain@6": node(),
    }
    assert names([one.path for one in dom0.devices(tree(root))]) == ["mine@1", "below@5"]


@pytest.mark.parametrize(
    ("mediator", "scmi", "kept"),
    [(True, True, True), (True, False, False), (False, False, True), (False, True, True)],
)
def test_dom0s_tree(mediator: bool, scmi: bool, kept: bool) -> None:
    original = host()
    made = dom0.tree_for_dom0(original, mediator, scmi)
    assert not [one.path for one in made if one.compatible("xen,sci")]
    assert ("/firmware/scmi" in made) is kept
    assert ("/sram@47ff0000" in made) is kept
    assert "/chosen/xen/sci/scmi" not in made
    assert "/chosen/xen/sci/scmi" in original


def test_a_device_for_somebody_else_is_disabled_in_dom0s_tree() -> None:
    found = dom0.tree_for_dom0(host(), True, True).get("/soc/i2c@1000")
    assert found is not None
    assert not found.available()
    assert "xen,passthrough" not in found.properties


def test_dom0s_pages_are_seen_one_to_one() -> None:
    bench = Bench()
    assert bench.domain(0).stage2 == {shmem(0) // 4096: shmem(0) // 4096}
    assert bench.domain(0).machine_address(shmem(0) + 4) == shmem(0) + 4


def test_without_scmi_dom0_sees_no_page() -> None:
    assert Bench(host(dom0_agent=None)).domain(0).stage2 == {}


def test_an_untranslatable_page_of_dom0_panics() -> None:
    root = described()
    root.children["sram@47ff0000"].properties["reg"] = [0, 1]
    bench = Bench(tree(root))
    assert bench.halted is not None
    assert "Dom0's memory map" in bench.halted.reason
    with pytest.raises(TreeError):
        dom0.identity_mapped(tree(root))


# ---- boot domains -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, (0, 0)),
        ({"xen,sci_type": "none"}, (0, 0)),
        ({"xen,sci_type": "none", "xen,sci-agent-id": [7]}, (0, 0)),
        ({"xen,sci_type": "scmi_smc"}, (1, 0)),
        ({"xen,sci_type": "scmi_smc_multiagent", "xen,sci-agent-id": [0]}, (2, 0)),
        ({"xen,sci_type": "scmi_smc_multiagent", "xen,sci-agent-id": [254]}, (2, 254)),
        ({"xen,sci_type": "scmi_smc_multiagent", "xen,sci-agent-id": [255]}, None),
        ({"xen,sci_type": "scmi_smc_multiagent", "xen,sci-agent-id": b"\0\0\1"}, None),
        ({"xen,sci_type": "scmi_smc_multiagent"}, None),
        ({"xen,sci_type": "SCMI_SMC"}, None),
        ({"xen,sci_type": ""}, None),
    ],
)
def test_sci_configuration(properties: dict[str, Value], expected: tuple[int, int] | None) -> None:
    made = tree(node(properties)).root
    if expected is None:
        with pytest.raises(XenError) as raised:
            dom0less.sci_config(made)
        assert raised.value.errno is Errno.EINVAL
    else:
        assert dom0less.sci_config(made) == expected


def partial(reg: list[int], path: str = "/soc/i2c@1000") -> object:
    device = node({"xen,reg": reg, "xen,path": path, "xen,force-assign-without-iommu": True})
    return tree(node(None, {"passthrough": node(BUS, {"page": page_node(1, AT), "dev": device})}))


def test_what_a_partial_tree_asks_for() -> None:
    reg = [0, shmem(2), 0, 0x1000, 0, AT, 0, 0xE000_0000, 0, 0x3000, 0, 0xE000_0000]
    made = tree(node()).root
    found = dom0less.parse(made, partial(reg))  # type: ignore[arg-type]
    assert found.mappings == ((AT // 4096, shmem(2) // 4096, 1), (0xE0000, 0xE0000, 3))
    assert found.devices == ("/soc/i2c@1000",)


@pytest.mark.parametrize("name", ["passthrough-not", "soc"])
def test_only_what_is_for_passthrough_is_looked_at(name: str) -> None:
    aside = {name: node({"xen,reg": [0], "xen,path": "/soc/i2c@1000"})}
    found = dom0less.parse(tree(node()).root, tree(node(None, aside)))
    assert (found.mappings, found.devices) == ((), ())


@pytest.mark.parametrize(
    "reg",
    [
        [0, 0x1800, 0, 0x1000, 0, AT],
        [0, 0x1000, 0, 0x800, 0, AT],
        [0, 0x1000, 0, 0x1000, 0, AT + 4],
        [0, 0x1000, 0, 0x1000, 0],
        [0, 0x1000],
    ],
)
def test_partial_mappings_are_whole_pages(reg: list[int]) -> None:
    with pytest.raises(XenError) as raised:
        dom0less.parse(tree(node()).root, partial(reg))  # type: ignore[arg-type]
    assert raised.value.errno is Errno.EINVAL


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"xen,reg": [0] * 6, "xen,path": "/a"}, ""),
        ({"xen,reg": [0] * 6, "xen,force-assign-without-iommu": True}, ""),
        ({"xen,reg": True, "xen,path": "/a"}, ""),
        ({"xen,force-assign-without-iommu": True}, ""),
        ({"xen,reg": [0] * 6}, "names no device"),
        ({"xen,path": "/a"}, "missing beside xen,path"),
        ({"xen,path": "/a", "xen,force-assign-without-iommu": True}, "missing beside xen,path"),
    ],
)
def test_regions_and_device_go_together_unless_forced(properties: dict[str, Value], told: str) -> None:
    made = tree(node(None, {"passthrough": node(None, {"one": node(properties)})}))
    if not told:
        dom0less.parse(tree(node()).root, made)
        return
    with pytest.raises(XenError, match=told) as raised:
        dom0less.parse(tree(node()).root, made)
    assert raised.value.errno is Errno.EINVAL


def with_boot_domain(**properties: Value) -> dict[str, Value]:
    return {"compatible": "xen,domain", "xen,sci_type": "scmi_smc_multiagent", **properties}


def test_a_boot_domain_runs_with_its_agent_page_and_device() -> None:
    root = described()
    root.children["chosen"].children["domu1"] = node(with_boot_domain(**{"xen,sci-agent-id": [2]}))
    partials = {"domu1": partial([0, shmem(2), 0, 0x1000, 0, AT])}
    bench = Bench(tree(root), partials=partials)
    domain = bench.domain(1)
    assert (domain.name, domain.state.value) == ("domu1", "running")
    assert domain.machine_address(AT) == shmem(2)
    assert domain.devices == ["/soc/i2c@1000"]
    assert bench.trapped(domain, FID[2]).x[0] == 0


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"xen,sci-agent-id": [7]}, "ENOENT"),
        ({"xen,sci-agent-id": [0]}, "EEXIST"),
        ({}, "EINVAL"),
        ({"xen,sci-agent-id": [2], "xen,sci_type": "scmi_smc"}, "EINVAL"),
    ],
)
def test_a_boot_domain_that_cannot_be_built_panics(properties: dict[str, Value], told: str) -> None:
    root = described()
    root.children["chosen"].children["domu1"] = node(with_boot_domain(**properties))
    bench = Bench(tree(root))
    assert bench.halted is not None
    assert "Error creating domain domu1" in bench.halted.reason
    assert f"(-{told})" in bench.halted.reason


def test_boot_domains_are_nodes_below_chosen() -> None:
    root = described()
    root.children["chosen"].children["domu1"] = node(with_boot_domain())
    assert [found.name for found in dom0less.nodes(tree(root))] == ["domu1"]
    assert dom0less.nodes(tree(node())) == []
