"""A guest's partial tree: what it says, what is refused, and that a guest can live in it."""

from pathlib import Path

import msgspec
import pytest

from bus.scmi.status import name as status_name
from deploy import devicetree
from deploy.cli.dt import _parsed
from deploy.derive import derive_platform
from deploy.devicetree import emit
from deploy.dt.advice import advice, xl_settings
from deploy.dt.device import copy_device
from deploy.dt.guest import ADDRESS, Kind, Plan, channels, plan
from deploy.dt.template import guest_source, harmless
from deploy.dt.who import asked, known_domains
from deploy.engines.simulated import SimulatedEngine
from deploy.errors import UserError
from deploy.lint import Inputs, check
from deploy.toolstack import Toolstack, Work
from deploy.topology import Topology, load, load_shipped, shipped
from nodes.devicetree import Tree
from nodes.firmware.platform import Platform
from nodes.guest import console
from nodes.guest.binding import WayBack, bind
from nodes.xen import dom0less
from tests.deploy import written

MODEM = "/soc/modem@fe000000"
I2C = "/soc/i2c@e6510000"
RATE_GET = console.Call(0x14, 0x6, (7).to_bytes(4, "little"))


def running(topology: Topology) -> Toolstack:
    toolstack = Toolstack(SimulatedEngine(topology, 1, lambda *_: None), topology, Work())
    toolstack.start()
    return toolstack


# ---- a guest lives in it ----------------------------------------------------------------------


def test_a_guest_with_the_written_tree_and_settings_is_served(tmp_path: Path) -> None:
    made = written.planned("xl", (I2C, MODEM), 0x3700_0000)
    tree = tmp_path / "tuner.dts"
    tree.write_text(guest_source(made))
    cfg = tmp_path / "tuner.cfg"
    cfg.write_text("\n".join(['name = "tuner"', *xl_settings(made, tree), ""]))
    folder = shipped()
    toolstack = running(load([folder / "host.dts"], folder / "platform.toml", [cfg], {}))
    answer = toolstack.ask("tuner", RATE_GET)
    assert (answer.code, status_name(answer.status)) == ("", "SUCCESS")
    assert toolstack.find("tuner").devices == (I2C, MODEM)


def test_the_same_guest_without_its_page_is_not_served(tmp_path: Path) -> None:
    """Proves that the call above went through the page that the settings map."""
    made = written.planned("xl", (I2C,))
    tree = tmp_path / "tuner.dts"
    tree.write_text(guest_source(made))
    settings = [line for line in xl_settings(made, tree) if not line.startswith("iomem")]
    cfg = tmp_path / "tuner.cfg"
    cfg.write_text("\n".join(['name = "tuner"', *settings, ""]))
    folder = shipped()
    toolstack = running(load([folder / "host.dts"], folder / "platform.toml", [cfg], {}))
    assert toolstack.ask("tuner", RATE_GET).code


def test_a_boot_domain_with_the_written_tree_is_served(tmp_path: Path) -> None:
    topology = load_shipped()
    known = known_domains(topology.host, shipped(), [], {})["cluster"]
    who = (known.name, known.kind, known.agent_id or 0)
    made = plan(topology.host, topology.platform, who, 0x3700_0000, known.devices)
    tree = tmp_path / "cluster.dts"
    tree.write_text(guest_source(made))
    folder = shipped()
    toolstack = running(load([folder / "host.dts"], folder / "platform.toml", [], {"cluster": tree}))
    answer = toolstack.ask("cluster", console.Call(0x14, 0x6, (3).to_bytes(4, "little")))
    assert (answer.code, status_name(answer.status)) == ("", "SUCCESS")
    assert toolstack.find("cluster").devices == ("/soc/display@feb00000", "/soc/can@e66c0000")


# ---- what it says -----------------------------------------------------------------------------


def test_performance_sensors_and_voltage_have_providers_where_a_device_uses_them(tmp_path: Path) -> None:
    host = written.every_provider(tmp_path)
    made = plan(host, derive_platform(host), ("t", "xl", 4), ADDRESS, (MODEM,))
    source = guest_source(made)
    found = bind(written.parsed(source))
    assert found is not None
    (modem,) = found.consumers
    assert (modem.power_domains, set(modem.perf_domains), modem.sensors) == ((5,), {1, 4}, (2,))
    assert (modem.clocks, modem.reset_domains, modem.voltage_domains) == ((8,), (8,), (1,))
    assert 'regulator-name = "vdd-modem";' in source
    assert "not copied: usb-supply" in source
    assert written.warnings(source, tmp_path) == []
    without = guest_source(plan(host, derive_platform(host), ("t", "xl", 4), ADDRESS, (I2C,)))
    for name in ("protocol@13", "protocol@15", "protocol@17"):
        assert name in source
        assert name not in without


def test_the_channel_is_the_agents_at_the_chosen_address() -> None:
    found = bind(written.parsed(guest_source(written.planned(address=0x1_0000_0000))))
    assert found is not None
    assert (found.func_id, found.shmem) == (0x8200_0006, 0x1_0000_0000)


def test_devices_keep_their_registers_and_resources() -> None:
    tree = written.parsed(guest_source(written.planned(devices=(I2C, MODEM))))
    found = bind(tree)
    assert found is not None
    consumers = {one.path: (one.clocks, one.power_domains, one.reset_domains) for one in found.consumers}
    assert consumers["/passthrough/modem@fe000000"] == ((8,), (5,), (8,))
    assert consumers["/passthrough/i2c@e6510000"] == ((7,), (3,), ())
    assert tree.reg(tree["/passthrough/modem@fe000000"]) == (0xFE00_0000, 0x8_0000)


def test_a_boot_domains_tree_tells_xen_what_to_map_and_assign() -> None:
    tree = written.parsed(guest_source(written.planned("dom0less", (MODEM,))))
    host = load_shipped().host
    found = dom0less.parse(dom0less.nodes(host)[0], tree)
    assert found.devices == (MODEM,)
    assert found.mappings == ((ADDRESS >> 12, 0x47FF4, 1), (0xFE000, 0xFE000, 0x80))
    page = tree[f"/passthrough/sram@{ADDRESS:x}"]
    assert "xen,force-assign-without-iommu" in page.properties
    assert "xen,path" not in page.properties


def test_only_protocols_with_something_behind_them_have_a_node() -> None:
    topology = load_shipped()
    platform = msgspec.structs.replace(topology.platform, reset_domain=())
    tree = written.parsed(guest_source(plan(topology.host, platform, ("t", "xl", 4), ADDRESS, ())))
    scmi = tree["/passthrough/firmware/scmi"]
    assert [node.name for node in scmi.children] == ["protocol@11", "protocol@14"]
    assert [node.u32("#power-domain-cells") for node in scmi.children] == [1, None]
    assert [node.u32("#clock-cells") for node in scmi.children] == [None, 1]


def test_the_configuration_goes_with_it() -> None:
    assert advice(written.planned(devices=(I2C,)), Path("t.dts")) == [
        "# tuner: for its xl.cfg",
        'arm_sci = "type=scmi_smc_multiagent,agent_id=4"',
        'iomem = [ "47ff4,1@22001", "e6510,1" ]',
        f'dtdev = [ "{I2C}" ]',
        'device_tree = "t.dts"',
        "# xl itself wants the tree compiled: dtc -O dtb -o t.dtb t.dts",
    ]
    assert advice(written.planned("dom0less"), None)[1:] == [
        'xen,sci_type = "scmi_smc_multiagent";',
        "xen,sci-agent-id = <4>;",
    ]


@pytest.mark.parametrize("way_back", [False, True])
@pytest.mark.parametrize("kind", ["xl", "dom0less"])
def test_dtc_has_nothing_to_say(kind: Kind, way_back: bool, tmp_path: Path) -> None:
    made = written.planned(kind, (I2C, MODEM), agent=3, way_back=way_back)
    assert written.warnings(guest_source(made), tmp_path) == []


def test_source_and_blob_are_the_same_tree(tmp_path: Path) -> None:
    source = guest_source(written.planned(devices=(MODEM,)))
    tree = _parsed(source, None)
    blob = tmp_path / "t.dtb"
    blob.write_bytes(emit.to_dtb(tree))
    again = devicetree.load([blob])
    assert [(n.path, n.properties) for n in again] == [(n.path, n.properties) for n in tree]


# ---- the way back -----------------------------------------------------------------------------


def with_agent(**keys: int | None) -> Platform:
    """The shipped platform, its agent 3 changed."""
    platform = load_shipped().platform
    agents = [msgspec.structs.replace(one, **keys) if one.id == 3 else one for one in platform.agent]
    return msgspec.structs.replace(platform, agent=tuple(agents))


def way_back(platform: Platform, address: int = ADDRESS, kind: Kind = "xl") -> Plan:
    return plan(load_shipped().host, platform, ("t", kind, 3), address, (), way_back=True)


def test_the_way_back_is_a_page_and_an_interrupt_in_the_tree_and_in_the_settings() -> None:
    made = way_back(with_agent())
    found = bind(written.parsed(guest_source(made)))
    assert found is not None
    assert (found.shmem, found.p2a, found.completion) == (ADDRESS, WayBack(ADDRESS + 0x1000, 112), None)
    settings = xl_settings(made)
    assert 'iomem = [ "47ff3,1@22001", "47fe3,1@22002" ]' in settings
    assert "irqs = [ 112 ]" in settings


def told_unasked(folder: Path, *, way_back: bool) -> int:
    """How many messages a guest with the written files gets that subscribes to a clock and changes it."""
    made = written.planned(devices=("/soc/gpu@fd000000",), agent=3, way_back=way_back)
    tree, cfg = folder / "tuner.dts", folder / "tuner.cfg"
    tree.write_text(guest_source(made))
    cfg.write_text("\n".join(['name = "tuner"', *xl_settings(made, tree), ""]))
    toolstack = running(load([shipped() / "host.dts"], shipped() / "platform.toml", [cfg], {}))
    for message, words in ((0x9, (6, 1)), (0x5, (0, 6, 400_000_000, 0))):  # RATE_NOTIFY, RATE_SET
        payload = b"".join(word.to_bytes(4, "little") for word in words)
        assert toolstack.ask("tuner", console.Call(0x14, message, payload)).status == 0
    return len(toolstack.ask("tuner", console.Take()).messages)


def test_a_guest_with_the_written_way_back_is_told_what_it_subscribed_to(tmp_path: Path) -> None:
    assert told_unasked(tmp_path, way_back=True) == 1
    assert told_unasked(tmp_path, way_back=False) == 0


def test_the_end_of_a_call_is_in_it_where_el3_raises_an_interrupt_for_it() -> None:
    made = way_back(with_agent(a2p_interrupt=100))
    found = bind(written.parsed(guest_source(made)))
    assert found is not None
    assert (found.p2a, found.completion) == (WayBack(ADDRESS + 0x1000, 112), 100)
    assert "irqs = [ 100, 112 ]" in xl_settings(made)


def test_a_boot_domains_way_back_is_mapped_and_routed_by_its_tree() -> None:
    tree = written.parsed(guest_source(way_back(with_agent(), kind="dom0less")))
    found = dom0less.parse(dom0less.nodes(load_shipped().host)[0], tree)
    frame = ADDRESS >> 12
    assert found.mappings == ((frame, 0x47FF3, 1), (frame + 1, 0x47FE3, 1))
    assert found.interrupts == (112,)


def test_without_being_asked_for_there_is_no_way_back() -> None:
    source = guest_source(written.planned(agent=3))
    found = bind(written.parsed(source))
    assert found is not None
    assert (found.p2a, found.completion) == (None, None)
    assert "gic" not in source


def test_a_guest_with_the_written_way_back_is_clean_to_the_linter(tmp_path: Path) -> None:
    made = written.planned(devices=("/soc/i2c@e6508000", "/soc/gpu@fd000000"), agent=3, way_back=True)
    tree = tmp_path / "tuner.dts"
    tree.write_text(guest_source(made))
    cfg = tmp_path / "tuner.cfg"
    cfg.write_text("\n".join(['name = "tuner"', *xl_settings(made, tree), ""]))
    folder = shipped()
    given = (cfg, folder / "tcu.cfg")
    assert check(Inputs((folder / "host.dts",), given, platform=folder / "platform.toml")) == []


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"p2a_shmem": None, "p2a_interrupt": None}, r"EL3 has none to agent 3 \(ivi\); give .* p2a_shmem"),
        ({"p2a_shmem": 0x47FE_3800}, "p2a_shmem 0x47fe3800 of agent 3 .* not the start of a page"),
        ({"p2a_interrupt": 31}, r"p2a_interrupt 31 .* is no SPI.*32\.\.1019"),
        ({"a2p_interrupt": 16}, "a2p_interrupt 16 .* is no SPI"),
    ],
)
def test_a_way_back_that_cannot_be_is_refused(keys: dict[str, int | None], why: str) -> None:
    with pytest.raises(UserError, match=f"--way-back: {why}"):
        way_back(with_agent(**keys))


def test_the_second_page_must_be_free_as_well() -> None:
    with pytest.raises(UserError, match=r"--address 0x21fff000: the P2A page, .* overlaps the virtual UART"):
        way_back(with_agent(), 0x21FF_F000)
    assert plan(load_shipped().host, with_agent(), ("t", "xl", 3), 0x21FF_F000, ()).way_back is None


# ---- what cannot be copied --------------------------------------------------------------------


def device(tmp_path: Path, text: str, path: str) -> tuple[list[str], list[str], str]:
    """The copy of a host device: its lines, its remarks, its name."""
    file = tmp_path / "host.dts"
    head = "/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; other: clock { #clock-cells = <1>; }; "
    file.write_text(f"{head} {text} }};")
    host: Tree = devicetree.load([file])
    made = copy_device(host, host[path])
    return list(made.lines), list(made.todo), made.name


def test_a_reference_out_of_the_guests_tree_is_a_remark(tmp_path: Path) -> None:
    text = (
        'uart { compatible = "u"; clocks = <&other 1>; clock-names = "a"; interrupts = <1 2 3>; odd = <1>; };'
    )
    lines, todo, _ = device(tmp_path, text, "/uart")
    assert lines == ['compatible = "u";']
    assert [one.partition(":")[0] for one in todo] == ["clocks", "interrupts", "not copied"]
    assert "odd" in todo[2]


def test_what_the_cpu_cannot_address_is_a_remark(tmp_path: Path) -> None:
    text = "i2c { #address-cells = <1>; #size-cells = <0>; eeprom@50 { reg = <0x50>; }; };"
    lines, todo, name = device(tmp_path, text, "/i2c/eeprom@50")
    assert (lines, name) == ([], "eeprom")
    assert "no address that the CPU sees" in todo[0]


def test_registers_are_written_as_the_cpu_sees_them(tmp_path: Path) -> None:
    bus = "soc { #address-cells = <1>; #size-cells = <1>; ranges = <0x0 0x1 0x0 0x10000>;"
    lines, todo, name = device(tmp_path, f"{bus} uart@40 {{ reg = <0x40 0x40>; }}; }};", "/soc/uart@40")
    assert lines == ["reg = <0x1 0x40 0x0 0x40>;"]
    assert (todo, name) == ([], "uart@100000040")


def test_xens_mappings_are_whole_pages() -> None:
    made = msgspec.structs.replace(
        copy_device(load_shipped().host, load_shipped().host[I2C]), areas=((0x1FF0, 0x20),)
    )
    assert made.pages() == [(0x1000, 0x2000)]


def test_names_cannot_end_a_comment() -> None:
    assert harmless("a */ b\n") == "a * / b?"


def test_devices_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    text = "".join(f"{bus} {{ uart {{ }}; }};" for bus in ("a", "b"))
    host = written.parsed_host(tmp_path, {"\tpsci {": text + "\tpsci {"})
    platform = load_shipped().platform
    made = plan(host, platform, ("t", "xl", 4), ADDRESS, ("/a/uart", "/b/uart", "/a/uart"))
    assert [one.name for one in made.devices] == ["uart", "uart-2"]


# ---- who, and where ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (0x2200_1800, "not the start of a page"),
        (0, "not a page within 64-bit"),
        (1 << 64, "not a page within 64-bit"),
        (0x2200_0000, "overlaps the virtual UART"),
        (0xFE07_F000, "overlaps /soc/modem@fe000000"),
    ],
)
def test_an_address_that_cannot_be_is_refused(address: int, why: str) -> None:
    with pytest.raises(UserError, match=why):
        written.planned(devices=(MODEM,), address=address)


@pytest.mark.parametrize("address", [0x1000, 0x2200_1000, 0xFE08_0000, (1 << 64) - 0x1000])
def test_an_address_that_can_be_is_taken(address: int) -> None:
    assert written.planned(devices=(MODEM,), address=address).address == address


@pytest.mark.parametrize(
    ("agent", "why"),
    [(1, "is Xen's own.*2 \\(cluster\\)"), (0, "is Dom0's"), (9, "is not in scmi-secondary-agents")],
)
def test_an_agent_that_a_guest_cannot_have_is_refused(agent: int, why: str) -> None:
    with pytest.raises(UserError, match=why):
        written.planned(agent=agent)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UserError, match=r"device /soc/none: the host tree .* has no such device"):
        written.planned(devices=("/soc/none",))


def test_agents_are_found_in_two_cell_form_by_their_doorbell(tmp_path: Path) -> None:
    changes = {"cells = <3>": "cells = <2>"}
    changes |= {f"&scmi_shm_{one} {one}": f"&scmi_shm_{one}" for one in (0, 2, 3, 4)}
    found = channels(written.parsed_host(tmp_path, changes), load_shipped().platform)
    assert [one.agent_id for one in found] == [0, 2, 3, 4]


def test_a_guests_own_tree_need_not_exist(tmp_path: Path) -> None:
    cfg = tmp_path / "a.cfg"
    cfg.write_text('name = "a"\narm_sci = "type=scmi_smc_multiagent,agent_id=3"\ndevice_tree = "none.dts"\n')
    domains = known_domains(load_shipped().host, tmp_path, [cfg], {})
    assert asked("a", domains, None).agent_id == 3
    assert asked("new", domains, 4).kind == "xl"
    assert asked("cluster", domains, None).kind == "dom0less"


def test_a_name_without_agent_or_with_two_is_refused(tmp_path: Path) -> None:
    cfg = tmp_path / "a.cfg"
    cfg.write_text('name = "a"\n')
    domains = known_domains(load_shipped().host, tmp_path, [cfg], {})
    with pytest.raises(UserError, match="nobody: neither a guest nor a boot domain \\(there: cluster, a\\)"):
        asked("nobody", domains, None)
    with pytest.raises(UserError, match=r"a.cfg: a asks for no agent"):
        asked("a", domains, None)
    with pytest.raises(UserError, match=r"--agent 3: .* ask for agent 2"):
        asked("cluster", domains, 3)
    assert asked("a", domains, 3).agent_id == 3


def test_a_name_of_two_domains_is_refused(tmp_path: Path) -> None:
    cfg = tmp_path / "a.cfg"
    cfg.write_text('name = "cluster"\n')
    with pytest.raises(UserError, match=r"'cluster' is in .* already"):
        known_domains(load_shipped().host, tmp_path, [cfg], {})
