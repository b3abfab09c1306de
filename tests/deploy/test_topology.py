"""Files to a description: the shipped platform, and every mistake as one line that names file and key."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import UserError
from deploy.topology import Topology, load, load_shipped, shipped

Edit = Callable[[str, str, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped platform to spoil."""
    copy = tmp_path / "platform"
    shutil.copytree(shipped(), copy)
    return copy


@pytest.fixture
def edit(folder: Path) -> Edit:
    def change(name: str, old: str, new: str) -> None:
        path = folder / name
        text = path.read_text()
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    return change


def loaded(
    folder: Path, *guests: str, platform: bool = True, trees: dict[str, Path] | None = None
) -> Topology:
    names = guests or ("ivi.cfg", "tcu.cfg")
    toml = folder / "platform.toml" if platform else None
    return load([folder / "host.dts"], toml, [folder / name for name in names], trees or {})


def mistake(folder: Path, *guests: str, **rest: object) -> str:
    """The one line that loading fails with."""
    with pytest.raises(UserError) as raised:
        loaded(folder, *guests, **rest)  # type: ignore[arg-type]
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_the_shipped_platform() -> None:
    topology = load_shipped()
    assert topology.name == "automotive"
    assert [guest.name for guest in topology.guests] == ["ivi", "tcu"]
    assert list(topology.partials) == list(topology.bindings) == ["cluster"]
    ivi = topology.guests[0]
    assert (ivi.sci.agent_id, ivi.devices) == (3, ("/soc/i2c@e6508000", "/soc/gpu@fd000000"))
    assert [(one.start_frame, one.frames, one.guest_frame) for one in ivi.iomem] == [
        (0x47FF3, 1, 0x22001),
        (0x47FE3, 1, 0x22002),
    ]
    assert ivi.binding is not None
    assert (ivi.binding.func_id, ivi.binding.shmem) == (0x8200_0005, 0x2200_1000)


def test_its_copy_loads_from_anywhere(folder: Path) -> None:
    assert [guest.name for guest in loaded(folder).guests] == ["ivi", "tcu"]


def test_without_a_platform_file_el3_is_derived_from_the_tree(folder: Path) -> None:
    topology = loaded(folder, platform=False)
    agents = {agent.id: (agent.smc_id, agent.trusted) for agent in topology.platform.agent}
    assert agents == {
        0: (0x8200_0002, False),
        1: (0x8200_0003, True),
        2: (0x8200_0004, False),
        3: (0x8200_0005, False),
        4: (0x8200_0006, False),
    }
    assert [device.id for device in topology.platform.device] == list(range(1, 9))


# ---- platform.toml ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "area_bytes = 128",
            "area_bites = 128",
            "area_bites: there is no such key; remove it, or write area_bytes",
        ),
        (
            'name = "pll"',
            'name = "pll"\ncolour = "red"',
            "clock[0].colour: there is no such key; remove it; there are id",
        ),
        (
            "area_bytes = 128",
            'area_bytes = "128"',
            "area_bytes: '128' cannot be; give it an integer, 128 to 4096",
        ),
        (
            "area_bytes = 128",
            "area_bytes = 127",
            "area_bytes: 127 cannot be; give it an integer, 128 to 4096",
        ),
        ("area_bytes = 128", "area_bytes = 4097", "area_bytes: 4097 cannot be"),
        ("trusted = true", "trusted = 1", "agent[1].trusted: 1 cannot be; give it true or false"),
        ("id = 1\n", "id = -1\n", "agent[1].id: -1 cannot be; give it an integer, 0 to 0xFFFF_FFFF"),
        ('"deny"', '"maybe"', 'default_permission: \'maybe\' cannot be; give it "deny" or "allow"'),
        ('name = "automotive"', "", "name: it is missing; give it a string of 1 to 63"),
        ('name = "dom0"\n', "", "agent[0].name: it is missing"),
        ('name = "automotive"', 'name = "automotive', "platform.toml:2: Illegal character '\\n'"),
        (
            "area_bytes = 128",
            "area_bytes = 128\narea_bytes = 128",
            "platform.toml:7: Cannot overwrite a value",
        ),
        ("smc_id = 0x82000003", "smc_id = 0x82000002", "agent[1].smc_id: '0x82000002' is taken by agent[0]"),
        ("rate = 1_600_000_000\n", "rate = 5\n", "clock[0].rate: 5 Hz is not one of its rates"),
        ("parents = [0]", "parents = [99]", "clock[8].parents: 99 is not another"),
        ("clocks = [1]\n", "clocks = [99]\n", "device[0].clocks: no [[clock]] has id 99"),
    ],
)
def test_a_mistake_in_the_platform(folder: Path, edit: Edit, old: str, new: str, told: str) -> None:
    edit("platform.toml", old, new)
    text = mistake(folder)
    assert text.startswith(f"{folder / 'platform.toml'}:")
    assert told in text


def test_a_platform_that_is_not_text(folder: Path) -> None:
    (folder / "platform.toml").write_bytes(b'name = "\xff"\n')
    assert mistake(folder).startswith(f"{folder / 'platform.toml'}:1: byte 0xff")


# ---- the trees --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["host.dts", "platform.toml", "ivi.cfg", "ivi.dts"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    text = mistake(folder)
    assert str(folder / name) in text
    assert "no such file" in text


def test_a_host_tree_that_does_not_parse(folder: Path, edit: Edit) -> None:
    edit("host.dts", "#address-cells = <2>;", "#address-cells = <2>")
    assert f"{folder / 'host.dts'}:" in mistake(folder)


def test_a_boot_domain_without_its_agent(folder: Path, edit: Edit) -> None:
    edit("host.dts", "xen,sci-agent-id = <2>;", "")
    text = mistake(folder)
    assert "/chosen/cluster: xen,sci-agent-id" in text
    assert "(-EINVAL)" in text


def test_a_partial_tree_with_half_a_page(folder: Path, edit: Edit) -> None:
    edit("cluster.dts", "0x0 0x47ff2000 0x0 0x1000", "0x0 0x47ff2800 0x0 0x1000")
    text = mistake(folder)
    assert "xen,reg" in text
    assert "not page-aligned" in text


def test_an_unknown_boot_domain(folder: Path) -> None:
    text = mistake(folder, trees={"clutser": folder / "cluster.dts"})
    assert "--dom0less clutser=" in text
    assert "there: cluster" in text


def test_a_partial_tree_from_elsewhere(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.dts"
    (folder / "cluster.dts").rename(elsewhere)
    assert loaded(folder).partials == {}
    assert list(loaded(folder, trees={"cluster": elsewhere}).partials) == ["cluster"]


@pytest.mark.parametrize("name", ["host.dts", "cluster.dts", "ivi.dts"])
def test_a_channel_without_a_doorbell(folder: Path, edit: Edit, name: str) -> None:
    line = next(line for line in (folder / name).read_text().splitlines() if "arm,smc-id" in line)
    edit(name, line, "")
    text = mistake(folder)
    assert name in text
    assert "arm,smc-id: missing" in text


def test_an_unusable_channel_that_dom0_does_not_get_is_no_mistake(folder: Path, edit: Edit) -> None:
    edit("host.dts", "arm,smc-id = <0x82000002>;", "")
    edit("host.dts", "xen,dom0-sci-agent-id = <0>;", "")
    assert loaded(folder).name == "automotive"


def test_the_interrupts_of_the_trees_own_channel_are_derived_for_its_agent(folder: Path, edit: Edit) -> None:
    plain = loaded(folder, platform=False).platform
    assert {(one.a2p_interrupt, one.p2a_shmem) for one in plain.agent} == {(None, None)}
    names = 'interrupts = <0 68 4>, <0 69 4>; interrupt-names = "a2p", "p2a";'
    page = 'p2a: sram@47fe0000 { compatible = "arm,scmi-shmem"; reg = <0x0 0x47fe0000 0x0 0x1000>; };'
    edit("host.dts", "shmem = <&scmi_shm>;", f"shmem = <&scmi_shm &p2a>; {names}")
    edit("host.dts", "\tfirmware {", f"\t{page}\n\tfirmware {{")
    agents = {one.id: one for one in loaded(folder, platform=False).platform.agent}
    dom0 = agents.pop(0)
    assert (dom0.a2p_interrupt, dom0.p2a_shmem, dom0.p2a_interrupt) == (100, 0x47FE_0000, 101)
    assert {(one.a2p_interrupt, one.p2a_shmem) for one in agents.values()} == {(None, None)}
    for before, after in (("0x47fe0000 0x0", "0x47fe0008 0x0"), ("0x47fe0008", "0x47ff4000")):
        edit("host.dts", before, after)
        dom0 = next(one for one in loaded(folder, platform=False).platform.agent if one.id == 0)
        assert (dom0.a2p_interrupt, dom0.p2a_shmem, dom0.p2a_interrupt) == (100, None, None)


def test_a_tree_from_which_nothing_can_be_derived(folder: Path, edit: Edit) -> None:
    edit("host.dts", 'compatible = "xen,sci";', "")
    text = mistake(folder, platform=False)
    assert "no arm,scmi-smc node below a node compatible 'xen,sci'" in text


# ---- guests -----------------------------------------------------------------------------------


def test_two_guests_of_one_name(folder: Path, edit: Edit) -> None:
    edit("tcu.cfg", 'name = "tcu"', 'name = "ivi"')
    text = mistake(folder)
    assert text.startswith(f"{folder / 'tcu.cfg'}: name: 'ivi' is {folder / 'ivi.cfg'}")


@pytest.mark.parametrize(("name", "whose"), [("dom0", "Dom0"), ("cluster", "a boot domain")])
def test_a_name_that_is_taken(folder: Path, edit: Edit, name: str, whose: str) -> None:
    edit("ivi.cfg", 'name = "ivi"', f'name = "{name}"')
    assert f"name: {name!r} is {whose}; choose another" in mistake(folder)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("agent_id=3", "agent_id=255", "arm_sci: invalid agent_id '255'"),
        ("type=scmi_smc_multiagent", "type=scmi", "arm_sci: unknown ARM_SCI type 'scmi'"),
        ("47ff3,1@22001", "47ff3", "iomem: "),
        ("47ff3,1@22001", "47ff3,0", "0 frames"),
        ("47ff3,1@22001", "0,40001", "asks for 262145 frames"),
        ("47ff3,1@22001", "0,100000000", "4294967296 frames"),
        ('name = "ivi"', f'name = "{"n" * 65}"', "name: 65 characters, the limit is 64"),
        ("/soc/gpu@fd000000", "/" + "x" * 1024, "dtdev: a path of 1025 characters"),
        ('name = "ivi"', "", "name: the domain has no name"),
        ("vcpus = 2", "vcpus = 999", "vcpus: 999 is out of range"),
        ("irqs = [ 112 ]", "irqs = [ 31 ]", "irqs: 31 is no SPI"),
    ],
)
def test_a_mistake_in_a_guest(folder: Path, edit: Edit, old: str, new: str, told: str) -> None:
    edit("ivi.cfg", old, new)
    text = mistake(folder)
    assert text.startswith(f"{folder / 'ivi.cfg'}:")
    assert told in text


def test_the_longest_name_there_may_be(folder: Path, edit: Edit) -> None:
    edit("ivi.cfg", 'name = "ivi"', f'name = "{"n" * 64}"')
    assert loaded(folder).guests[0].name == "n" * 64
