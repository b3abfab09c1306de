"""A second management node (P12): what its probe leaves of the registered mediator, or a strict Xen keeps."""

from collections.abc import Callable

import pytest

from bus import frames
from nodes.devicetree import Tree
from nodes.xen.errno import Errno
from nodes.xen.profile import PROFILES
from tests.nodes.trees import Described, container_of, described, node, tree
from tests.nodes.xen import Bench


def changed(change: Callable[[Described], object]) -> Tree:
    root = described()
    change(root)
    return tree(root)


def probed(bench: Bench) -> bool:
    return bench.core.hypervisor.sci.initialized


def second_node(root: Described) -> None:
    container_of(root).children["second"] = container_of(root).children["scmi"]
    del container_of(root).properties["xen,dom0-sci-agent-id"]


def logged(bench: Bench, *parts: str) -> bool:
    return any(all(part in line.text for part in parts) for line in bench.lines)


@pytest.mark.parametrize(("profile", "left"), [("v11", []), ("v9", [1, 0, 2, 3]), ("v7", [1, 0, 2, 3])])
def test_p12_a_second_nodes_probe_replaces_the_list(profile: str, left: list[int]) -> None:
    """The mediator stays registered, with what the second probe leaves."""
    bench = Bench(changed(second_node), profile=PROFILES[profile])
    assert probed(bench)
    assert logged(bench, "/second", "not initialised", "(-EEXIST)")
    assert logged(bench, "driver hazard second-management-node", "agents left:")
    assert bench.counted("trapline_xen_hazards_total") == {("second-management-node",): 1}
    assert [channel.agent_id for channel in bench.core.hypervisor.sci.channels] == left
    assert len(bench.seen) == 4, "the second node is asked as the first was"
    assert bench.rc(frames.CreateDomain("domu", 2, 2)) == (0 if left else -Errno.ENOENT)


@pytest.mark.parametrize("profile", ["v11", "v9"])
def test_p12_a_second_node_that_cannot_even_be_read_empties_it(profile: str) -> None:
    def change(root: Described) -> None:
        second_node(root)
        container_of(root).children["second"] = node({"compatible": "arm,scmi-smc"})

    bench = Bench(changed(change), profile=PROFILES[profile])
    assert probed(bench)
    assert logged(bench, "/second", "(-ENOENT)")
    assert bench.core.hypervisor.sci.channels == []
    assert len(bench.seen) == 2


def test_p12_dom0_asks_for_an_agent_that_is_lost() -> None:
    def change(root: Described) -> None:
        container_of(root).children["second"] = container_of(root).children["scmi"]

    bench = Bench(changed(change))
    assert bench.halted is not None
    assert "(rc = -2)" in bench.halted.reason


def test_p12_strict_keeps_the_first() -> None:
    bench = Bench(changed(second_node), strict=True)
    assert probed(bench)
    assert logged(bench, "/second", "only one SCI controller is supported")
    assert [channel.agent_id for channel in bench.core.hypervisor.sci.channels] == [1, 0, 2, 3]
    assert bench.counted("trapline_xen_hazards_total") == {}
    assert len(bench.seen) == 2
