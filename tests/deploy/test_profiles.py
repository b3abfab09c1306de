"""Which Xen is booted: the profile, strictness and command line, from the options down to the core."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from deploy.cli.sim import sim
from deploy.engines.simulated import SimulatedEngine
from deploy.errors import UserError
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Topology, XenOptions, load, load_shipped
from nodes.guest import console
from nodes.xen.profile import PROFILES

MAINLINE = """/dts-v1/;
/ {
    #address-cells = <2>; #size-cells = <2>; model = "mainline";
    shm: sram@47ff0000 { compatible = "arm,scmi-shmem"; reg = <0 0x47ff0000 0 0x1000>; };
    firmware {
        scmi { compatible = "arm,scmi-smc"; arm,smc-id = <0x82000002>; shmem = <&shm>;
            #address-cells = <1>; #size-cells = <0>;
            clk: protocol@14 { reg = <0x14>; #clock-cells = <1>; };
        };
    };
    soc { #address-cells = <2>; #size-cells = <2>; ranges;
        uart@1000 { reg = <0 0x1000 0 0x1000>; clocks = <&clk 3>; };
    };
};
"""
GUEST_TREE = """/dts-v1/;
/ {
    #address-cells = <2>; #size-cells = <2>;
    passthrough { #address-cells = <2>; #size-cells = <2>; ranges;
        shm: sram@22001000 { compatible = "arm,scmi-shmem"; reg = <0 0x22001000 0 0x1000>; };
        scmi { compatible = "arm,scmi-smc"; arm,smc-id = <0x82000002>; shmem = <&shm>; };
    };
};
"""
GUEST = 'name = "{name}"\narm_sci = "type=scmi_smc"\niomem = ["47ff0,1@22001"]\ndevice_tree = "guest.dts"\n'
CLOCK_RATE_GET = console.Call(0x14, 6, (3).to_bytes(4, "little"))


def xen(profile: str = "v11", line: str = "", *, strict: bool = False) -> XenOptions:
    return XenOptions(PROFILES[profile], strict, line)


def booted(topology: Topology) -> tuple[Toolstack, list[str]]:
    lines: list[str] = []
    engine = SimulatedEngine(topology, 7, lambda node, level, text: lines.append(f"{node} {level}: {text}"))
    toolstack = Toolstack(engine, topology, Work())
    toolstack.start_boot_domains()
    return toolstack, lines


@pytest.mark.parametrize("profile", ["v11", "v9", "v7"])
def test_the_shipped_platform_runs_on_every_driver(profile: str) -> None:
    topology = load_shipped(xen=xen(profile))
    toolstack, _ = booted(topology)
    for guest in topology.guests:
        toolstack.create(guest)
    dom0 = toolstack.find("dom0").agent_id
    assert dom0 == (None if profile == "v7" else 0)


def test_the_command_line_reaches_xen() -> None:
    toolstack, _ = booted(load_shipped(xen=xen("v7", "dom0=sci-agent-id=0")))
    assert toolstack.find("dom0").agent_id == 0
    topology = load_shipped(xen=xen(line="iommu=off"))
    toolstack, _ = booted(topology)
    with pytest.raises(ToolstackError, match="IOMMU is off for ivi"):
        toolstack.create(topology.guests[0])


def test_a_guest_whose_passthrough_is_disabled_gets_no_device() -> None:
    topology = load_shipped()
    toolstack, _ = booted(topology)
    ivi = topology.guests[0]
    assert ivi.iommu
    with pytest.raises(ToolstackError, match="-EOPNOTSUPP"):
        toolstack.create(msgspec.structs.replace(ivi, iommu=False))
    assert toolstack.create(ivi).devices == ivi.devices


def test_strictness_reaches_xen(tmp_path: Path) -> None:
    host = tmp_path / "more.dts"
    host.write_text('/ { chosen { xen { xen_scmi_config { z { compatible = "arm,scmi-smc"; }; }; }; }; };\n')
    shipped = load_shipped()
    files = [Path(str(shipped.host.source)), host]
    for strict, agents in ((True, [0, 2]), (False, None)):
        topology = load(files, None, [], {"cluster": files[0].parent / "cluster.dts"}, xen(strict=strict))
        if agents is None:
            with pytest.raises(ToolstackError, match="Xen panics"):
                booted(topology)
        else:
            toolstack, lines = booted(topology)
            assert [info.agent_id for info in toolstack.list()] == agents
            assert any("only one SCI controller" in line for line in lines)


@pytest.mark.parametrize("dom0", [0, 9, None])
def test_without_a_mediator_dom0_keeps_its_channel_and_gets_minus_one(
    tmp_path: Path, dom0: int | None
) -> None:
    """EL3 does not know Xen's doorbell. Nothing is taken out of Dom0's tree but Xen's own configuration."""
    shipped = load_shipped()
    source = Path(str(shipped.host.source)).read_text()
    line = "xen,dom0-sci-agent-id = <0>;"
    assert line in source
    (tmp_path / "host.dts").write_text(
        source.replace(line, "" if dom0 is None else line.replace("0>", f"{dom0}>"))
    )
    topology = load([tmp_path / "host.dts"], None, [], {}, xen())
    agents = tuple(agent for agent in topology.platform.agent if not agent.trusted)
    deaf = msgspec.structs.replace(topology.platform, agent=agents)
    toolstack, _ = booted(msgspec.structs.replace(topology, platform=deaf))
    assert toolstack.find("dom0").agent_id is None
    # Where Dom0 was not to have SCMI the toolstack cannot tell, and takes the mediator for granted.
    expected = "no-scmi" if dom0 is None else "smc-refused"
    assert toolstack.ask("dom0", CLOCK_RATE_GET).code == expected


def test_a_tree_from_before_the_mediator_leaves_dom0_its_channel(tmp_path: Path) -> None:
    topology = msgspec.structs.replace(mainline(tmp_path), profile=PROFILES["v11"])
    toolstack, _ = booted(topology)
    assert toolstack.find("dom0").agent_id is None
    assert toolstack.ask("dom0", CLOCK_RATE_GET).code == "smc-refused"


# ---- the forwarder ----------------------------------------------------------------------------


def mainline(folder: Path, line: str = "") -> Topology:
    (folder / "host.dts").write_text(MAINLINE)
    (folder / "guest.dts").write_text(GUEST_TREE)
    cfgs = []
    for name in ("one", "two"):
        cfgs.append(folder / f"{name}.cfg")
        cfgs[-1].write_text(GUEST.format(name=name))
    return load([folder / "host.dts"], None, cfgs, {}, xen("forwarder", line))


def test_the_forwarder_needs_one_channel_and_no_platform(tmp_path: Path) -> None:
    topology = mainline(tmp_path)
    (agent,) = topology.platform.agent
    assert (agent.id, agent.smc_id, agent.shmem) == (0, 0x8200_0002, 0x47FF_0000)
    toolstack, _ = booted(topology)
    assert toolstack.ask("dom0", CLOCK_RATE_GET).status == 0
    with pytest.raises(ToolstackError, match="SCMI is Dom0's"):
        toolstack.create(topology.guests[0])


def test_the_forwarder_with_passthrough_serves_one_guest(tmp_path: Path) -> None:
    topology = mainline(tmp_path, "scmi-smc-passthrough")
    toolstack, _ = booted(topology)
    one, two = topology.guests
    toolstack.create(one)
    assert toolstack.ask("one", CLOCK_RATE_GET).status == 0
    assert toolstack.ask("dom0", CLOCK_RATE_GET).code == "no-scmi"
    with pytest.raises(ToolstackError, match="-EEXIST"):
        toolstack.create(two)
    toolstack.destroy("one")
    toolstack.create(two)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("arm,smc-id = <0x82000002>;", "", "arm,smc-id"),
        ("shmem = <&shm>;", "", "shmem"),
        ('compatible = "arm,scmi-smc";', "", "no enabled arm,scmi-smc node"),
    ],
)
def test_a_tree_without_a_usable_channel(tmp_path: Path, old: str, new: str, told: str) -> None:
    host = tmp_path / "host.dts"
    host.write_text(MAINLINE.replace(old, new))
    with pytest.raises(UserError, match=told):
        load([host], None, [], {}, xen("forwarder"))


def test_a_platform_for_several_agents_is_not_the_forwarders() -> None:
    with pytest.raises(UserError, match="not one of 'none', 'scmi_smc', which profile forwarder knows"):
        load_shipped(xen=xen("forwarder"))


# ---- the command line of trapline -------------------------------------------------------------


def test_sim_tells_what_the_nodes_log() -> None:
    result = CliRunner().invoke(sim, ["--seconds", "0.001", "--verbose", "--strict", "--profile", "v9"])
    assert result.exit_code == 0, result.output
    assert "xen info: SCI SCMI SMC multi-agent: Xen is agent 1" in result.stderr
