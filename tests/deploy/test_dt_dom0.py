"""Dom0's tree: what is left out, what stays byte for byte, and whether it says why."""

from pathlib import Path

import pytest

from deploy import devicetree
from deploy.devicetree import emit
from deploy.dt.decision import decide
from deploy.dt.dom0 import write_dom0
from deploy.errors import UserError
from deploy.topology import XenOptions, shipped
from nodes.devicetree import Node, Tree
from nodes.xen.profile import FORWARDER, V7
from tests.deploy import written

CONTAINER = "/chosen/xen/xen_scmi_config"
AGENT = "xen,dom0-sci-agent-id = <0>;"


def shipped_host() -> Tree:
    return devicetree.load([shipped() / "host.dts"])


def same(one: Node, other: Node) -> bool:
    return one.properties == other.properties and len(one.children) == len(other.children)


def test_with_scmi_its_nodes_stay_byte_for_byte_and_the_container_goes() -> None:
    host = shipped_host()
    dom0 = write_dom0(host)
    assert CONTAINER in host
    assert not [node.path for node in dom0.tree if node.path.startswith(CONTAINER)]
    for path in ("/sram@47ff0000", "/firmware", "/firmware/scmi", "/firmware/scmi/protocol@14"):
        assert same(dom0.tree[path], host[path])
    assert dom0.account[0].startswith("Dom0 is agent 0 (xen,dom0-sci-agent-id = <0>): /sram@47ff0000 and")
    assert dom0.account[1] == f"left out: {CONTAINER} and 6 nodes below it"


def test_a_device_for_passthrough_is_disabled() -> None:
    dom0 = write_dom0(shipped_host())
    assert dom0.tree["/soc/gpu@fd000000"].string("status") == "disabled"
    assert dom0.tree["/soc/mmc@ee140000"].available()


def test_dangling_access_controllers_are_named_and_left(tmp_path: Path) -> None:
    host = shipped_host()
    dom0 = write_dom0(host)
    assert dom0.tree["/soc/mmc@ee140000"].properties == host["/soc/mmc@ee140000"].properties
    assert dom0.hazards[0].startswith("8 access-controllers refer to nothing now")
    elsewhere = written.parsed_host(tmp_path, {"access-controllers = <&scmi_xen ": "unrelated = <&scmi_xen "})
    assert not write_dom0(elsewhere).hazards


def test_without_scmi_its_nodes_go_too(tmp_path: Path) -> None:
    dom0 = write_dom0(written.parsed_host(tmp_path, {AGENT: ""}))
    assert "/firmware" in dom0.tree
    assert "/firmware/scmi" not in dom0.tree
    assert "/sram@47ff0000" not in dom0.tree
    assert dom0.account[0] == "Dom0 has no SCMI: the host tree has no xen,dom0-sci-agent-id"
    kinds = [line.split()[1] for line in dom0.hazards]
    assert kinds == ["access-controllers", "clocks", "power-domains", "resets"]


def test_an_invalid_agent_is_scmi_off(tmp_path: Path) -> None:
    dom0 = write_dom0(written.parsed_host(tmp_path, {AGENT: "xen,dom0-sci-agent-id = <255>;"}))
    assert "/firmware/scmi" not in dom0.tree
    assert "Invalid agent id 255" in dom0.account[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({'compatible = "xen,sci"': 'compatible = "other"'}, "no arm,scmi-smc node lies below"),
        ({"cells = <3>": "cells = <4>"}, "4 is neither 2 nor 3"),
        ({"0x82000004 &scmi_shm_2 2": "0x82000004 &scmi_shm_2 0"}, "agent id 0 of 0x82000004 is in use"),
    ],
)
def test_without_mediator_nothing_of_scmi_is_taken(tmp_path: Path, changes: dict[str, str], why: str) -> None:
    dom0 = write_dom0(written.parsed_host(tmp_path, changes))
    assert "/firmware/scmi" in dom0.tree
    assert "/sram@47ff0000" in dom0.tree
    assert not dom0.decision.mediator
    assert why in dom0.account[0]


def test_an_unknown_agent_is_a_panic_and_no_tree(tmp_path: Path) -> None:
    host = written.parsed_host(tmp_path, {AGENT: "xen,dom0-sci-agent-id = <9>;"})
    with pytest.raises(
        UserError, match=r"host.dts:\d+: .*: no channel has agent id 9.*\(rc = -2\).*0, 2, 3, 4"
    ):
        decide(host)


def test_in_two_cell_form_the_agent_is_taken_for_granted(tmp_path: Path) -> None:
    changes = {"cells = <3>": "cells = <2>", AGENT: "xen,dom0-sci-agent-id = <9>;"}
    changes |= {f"&scmi_shm_{one} {one}": f"&scmi_shm_{one}" for one in (0, 2, 3, 4)}
    assert decide(written.parsed_host(tmp_path, changes)).agent_id == 9


@pytest.mark.parametrize(
    ("changes", "hazard"),
    [
        ({"0x82000002 &scmi_shm_0 0": "0x82000012 &scmi_shm_0 0"}, "0x82000002 is not 0x82000012"),
        ({"0x82000002 &scmi_shm_0 0": "0x82000002 &scmi_shm_1 0"}, "0x47ff0000 is not 0x47ff1000"),
    ],
)
def test_a_pair_that_is_not_its_agents_is_a_hazard(
    tmp_path: Path, changes: dict[str, str], hazard: str
) -> None:
    found = write_dom0(written.parsed_host(tmp_path, changes)).hazards
    assert [line for line in found if hazard in line]
    assert not [line for line in write_dom0(shipped_host()).hazards if "is not" in line]


def test_dtc_has_no_more_to_say_than_of_the_host_tree(tmp_path: Path) -> None:
    assert written.warnings((shipped() / "host.dts").read_text(), tmp_path) == []
    assert written.warnings(emit.to_dts(write_dom0(shipped_host()).tree), tmp_path) == []


# ---- other Xens -------------------------------------------------------------------------------


def test_an_older_driver_keeps_the_container_and_asks_its_command_line() -> None:
    host = shipped_host()
    silent = write_dom0(host, XenOptions(V7))
    assert CONTAINER in silent.tree
    assert silent.account[0] == "Dom0 has no SCMI: Xen's command line names no agent"
    told = write_dom0(host, XenOptions(V7, xen_cmdline="dom0=sci-agent-id=2"))
    assert told.account[0].startswith("Dom0 is agent 2 (as Xen's command line says)")
    assert [line for line in told.hazards if "0x82000002 is not 0x82000004" in line]
    assert not [line for line in told.hazards if "access-controllers" in line]
    with pytest.raises(UserError, match="Xen's command line: no channel has agent id 9"):
        write_dom0(host, XenOptions(V7, xen_cmdline="dom0=sci-agent-id=9"))


def test_the_forwarder_serves_dom0_or_a_guest(tmp_path: Path) -> None:
    host = shipped_host()
    dom0 = write_dom0(host, XenOptions(FORWARDER))
    assert dom0.account[0].startswith("Dom0 has SCMI (Xen forwards 0x82000002 of /firmware/scmi for it)")
    assert "/firmware/scmi" in dom0.tree
    guests = write_dom0(host, XenOptions(FORWARDER, xen_cmdline="scmi-smc-passthrough"))
    assert guests.account[0] == "Dom0 has no SCMI: scmi-smc-passthrough gives 0x82000002 to a guest"
    assert "/firmware/scmi" not in guests.tree
    gone = written.parsed_host(tmp_path, {'compatible = "arm,scmi-smc"': 'compatible = "other"'})
    assert "no arm,scmi-smc node" in write_dom0(gone, XenOptions(FORWARDER)).account[0]


def test_a_strict_xen_has_no_mediator_where_it_refuses_the_node(tmp_path: Path) -> None:
    host = written.parsed_host(
        tmp_path, {"reg = <0x0 0x47ff1000 0x0 0x1000>": "reg = <0x0 0x47ff1800 0x0 0x1000>"}
    )
    assert write_dom0(host).decision.mediator
    strict = write_dom0(host, XenOptions(strict=True))
    assert not strict.decision.mediator
    assert "a strict Xen refuses it" in strict.account[0]
