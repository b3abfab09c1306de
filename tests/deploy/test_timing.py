"""The boot-time account: real messages of a real probe, counted per channel, in both forms of the list."""

from pathlib import Path

import msgspec
import pytest

from deploy import timing
from deploy.errors import UserError
from deploy.timing import LATENCIES, Cost
from deploy.topology import Topology, load, load_shipped, shipped
from nodes.devicetree import Tree

EL3 = LATENCIES["el3"]


@pytest.fixture(scope="module")
def shipped_topology() -> Topology:
    return load_shipped()


def written_with_two_cells(folder: Path) -> Topology:
    text = (shipped() / "host.dts").read_text(encoding="utf-8")
    head, _, rest = text.partition("scmi-secondary-agents = <")
    entries, _, tail = rest.partition(">;")
    words = entries.split()
    two = " ".join(word for at, word in enumerate(words) if at % 3 != 2)
    changed = f"{head}#scmi-secondary-agents-cells = <2>;\nscmi-secondary-agents = <{two}>;{tail}"
    changed = changed.replace("#scmi-secondary-agents-cells = <3>;", "")
    path = folder / "host.dts"
    path.write_text(changed, encoding="utf-8")
    return load([path], shipped() / "platform.toml", [], {})


def test_three_cells_cost_two_messages_however_many_agents(shipped_topology: Topology) -> None:
    found = timing.account(shipped_topology, EL3)
    assert found.cells == 3
    assert found.channels[0].owner == timing.XEN_AGENT
    assert [one.three_cells.calls for one in found.channels] == [2, 0, 0, 0, 0]
    assert found.total(3) == Cost(2, 2 * EL3.message_ns)


def test_two_cells_cost_one_more_for_each_agent(shipped_topology: Topology) -> None:
    found = timing.account(shipped_topology, EL3)
    assert [one.two_cells.calls for one in found.channels] == [2, 1, 1, 1, 1]
    assert found.total(2) == Cost(6, 6 * EL3.message_ns)


def test_the_form_of_the_tree_makes_no_difference(shipped_topology: Topology, tmp_path: Path) -> None:
    other = timing.account(written_with_two_cells(tmp_path), EL3)
    assert other.cells == 2
    assert other.channels == timing.account(shipped_topology, EL3).channels


@pytest.mark.parametrize(("text", "message_ns"), [("mailbox", 150_000), ("2.5", 2_500), ("0", 0)])
def test_a_latency_is_a_name_or_microseconds(shipped_topology: Topology, text: str, message_ns: int) -> None:
    model = timing.latency(text)
    assert model.message_ns == message_ns
    assert timing.account(shipped_topology, model).total(2) == Cost(6, 6 * message_ns)


@pytest.mark.parametrize("text", ["moo", "-1", "nan", "inf", "60000001", ""])
def test_no_other_latency(text: str) -> None:
    with pytest.raises(UserError, match="--firmware-latency"):
        timing.latency(text)


def test_a_tree_without_xens_configuration_has_nothing_to_time(shipped_topology: Topology) -> None:
    root = shipped_topology.host.root
    bare = Tree(msgspec.structs.replace(root, children=[]), "bare.dts")
    with pytest.raises(UserError, match="xen,sci"):
        timing.account(msgspec.structs.replace(shipped_topology, host=bare), EL3)
