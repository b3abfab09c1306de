"""The facts of a platform and the reasons told: on the shipped one, and on ones that are wrong."""

from pathlib import Path

import pytest

from deploy.errors import UserError
from deploy.explain.facts import Facts, WayBack, gather
from deploy.explain.subject import Kind, Subject, find
from deploy.explain.text import Account, account
from deploy.topology import Topology, load, load_shipped, shipped

DOORBELLS = {"Xen": 0x8200_0003, "dom0": 0x8200_0002, "cluster": 0x8200_0004}
DOORBELLS |= {"ivi": 0x8200_0005, "tcu": 0x8200_0006}


def changed(folder: Path, changes: dict[str, dict[str, str]]) -> Topology:
    """The shipped platform with text replaced, file by file; each exactly there."""
    for file in shipped().iterdir():
        text = file.read_text()
        for old, new in changes.get(file.name, {}).items():
            assert old in text
            text = text.replace(old, new)
        (folder / file.name).write_text(text)
    return load([folder / "host.dts"], folder / "platform.toml", sorted(folder.glob("*.cfg")), {})


def told(facts: Facts, kind: Kind = "platform", word: str = "") -> str:
    """Everything that is said of a subject, as one text."""
    return spoken(account(facts, find(facts, kind, word) if word else Subject("platform")))


def spoken(one: Account) -> str:
    lines = [one.title]
    for part in one.sections:
        lines += [part.heading, *part.paragraphs, *(" | ".join(row) for row in part.rows)]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def facts() -> Facts:
    return gather(load_shipped())


# ---- facts ------------------------------------------------------------------------------------


def test_every_channel_has_its_owner_page_and_agent(facts: Facts) -> None:
    found = {one.owner: (one.func_id, one.page, one.agent_id, one.guest_page) for one in facts.channels}
    assert found == {
        "Xen": (0x8200_0003, 0x47FF_1000, 1, None),
        "dom0": (0x8200_0002, 0x47FF_0000, 0, 0x47FF_0000),
        "cluster": (0x8200_0004, 0x47FF_2000, 2, 0x2200_1000),
        "ivi": (0x8200_0005, 0x47FF_3000, 3, 0x2200_1000),
        "tcu": (0x8200_0006, 0x47FF_4000, 4, 0x2200_1000),
    }
    assert [one.owner for one in facts.channels if one.trusted] == ["Xen"]


def test_every_domain_rang_every_doorbell_and_only_its_own_was_answered(facts: Facts) -> None:
    assert len(facts.rings) == 4 * 5
    for ring in facts.rings:
        own = DOORBELLS[ring.domain] == ring.func_id
        assert (ring.forwarded, ring.x0) == ((True, 0) if own else (False, -1))


def test_devices_are_granted_by_the_path_that_each_kind_of_domain_has(facts: Facts) -> None:
    found = {one.name: [(g.path, g.by, g.device_ids, g.names) for g in one.grants] for one in facts.domains}
    assert found["dom0"][0] == ("/soc/mmc@ee140000", "Dom0's own", (1,), ("mmc",))
    assert found["cluster"][1] == ("/soc/can@e66c0000", "xen,path", (4,), ("can",))
    assert found["ivi"][0] == ("/soc/i2c@e6508000", "dtdev", (5,), ("i2c0",))


def test_in_two_cell_form_the_agents_are_those_that_el3_tells(tmp_path: Path) -> None:
    changes = {"cells = <3>": "cells = <2>"}
    changes |= {f"&scmi_shm_{one} {one}": f"&scmi_shm_{one}" for one in (0, 2, 3, 4)}
    found = gather(changed(tmp_path, {"host.dts": changes}))
    assert [one.agent_id for one in found.channels] == [1, 0, 2, 3, 4]
    assert found.channels[4].owner == "tcu"


# ---- reasons ----------------------------------------------------------------------------------


def test_who_is_privileged_and_why(facts: Facts, tmp_path: Path) -> None:
    text = told(facts)
    assert "Xen. Its own channel, 0x82000003 with the page 0x47ff1000, leads to agent 1 (xen), which" in text
    assert "BASE_SET_DEVICE_PERMISSIONS and BASE_RESET_AGENT_CONFIGURATION for other agents" in text
    assert "EL3 also trusts" not in text
    other = changed(tmp_path, {"platform.toml": {'name = "dom0"': 'name = "dom0"\ntrusted = true'}})
    assert "EL3 also trusts agent 0 (dom0): dom0 can change everybody's permissions." in told(gather(other))


def test_xen_without_trust_is_told(tmp_path: Path) -> None:
    plain = changed(
        tmp_path,
        {
            "platform.toml": {"trusted = true": "trusted = false"},
            "host.dts": {"access-controllers": "unrelated"},
        },
    )
    assert "Not Xen: EL3 does not trust agent 1 (xen)" in told(gather(plain))


def test_why_one_tree_serves_bare_metal_and_dom0(facts: Facts) -> None:
    text = told(facts)
    assert "read the same nodes and use the same pair, 0x82000002 with the page 0x47ff0000" in text
    assert "then Dom0, not Xen, would be privileged" in text


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("xen,dom0-sci-agent-id = <0>;", "", "Dom0 has no SCMI here"),
        (
            "arm,smc-id = <0x82000002>;",
            "arm,smc-id = <0x82000009>;",
            "They do not fit here: bare metal and Dom0",
        ),
        ("arm,smc-id = <0x82000002>;", "arm,smc-id = <0x82000003>;", "is Xen's own doorbell"),
    ],
)
def test_a_tree_that_does_not_serve_both_is_told(tmp_path: Path, old: str, new: str, why: str) -> None:
    text = told(gather(changed(tmp_path, {"host.dts": {old: new}})))
    assert why in text
    assert "use the same pair" not in text


def test_a_host_tree_without_channel_of_its_own(tmp_path: Path) -> None:
    found = gather(changed(tmp_path, {"host.dts": {"arm,smc-id = <0x82000002>;": 'status = "disabled";'}}))
    assert found.host is None
    assert "on bare metal Linux would have no SCMI" in told(found)


# ---- subjects ---------------------------------------------------------------------------------


def test_a_channel_says_who_rings_it(facts: Facts) -> None:
    text = told(facts, "channel", "0x82000004")
    assert "cluster sees the machine's page 0x47ff2000 at 0x22001000." in text
    assert "ivi | x0 = -1 | its own is 0x82000005" in text
    assert "cluster | EL3 answers | its own doorbell" in text
    assert "/soc/can@e66c0000 | xen,path | 4 | can" in text
    assert told(facts, "channel", "0x47ff2000") == text


def test_xens_channel_is_for_no_domain(facts: Facts) -> None:
    text = told(facts, "channel", "0x82000003")
    assert "Xen itself | EL3 answers | its management channel" in text
    assert text.count("Xen's own: no domain may") == 4


def test_an_agent_has_a_number_and_a_name(facts: Facts) -> None:
    assert told(facts, "agent", "3") == told(facts, "agent", "ivi")
    assert "Agent 3 (ivi): doorbell 0x82000005, page 0x47ff3000" in told(facts, "agent", "3")


def test_a_domain_says_what_it_has_and_rings(facts: Facts) -> None:
    text = told(facts, "domain", "dom0")
    assert "dom0 sees the page at its machine address 0x47ff0000 (mapped 1:1)." in text
    assert "Its own device tree tells its driver the same pair." in text
    assert "0x82000003 | Xen | x0 = -1 | Xen's own: no domain may" in text


@pytest.mark.parametrize(
    ("kind", "word", "why"),
    [
        (
            "channel",
            "0x1",
            r"channel 0x1: no channel has .*; there are 0x82000003 \(page 0x47ff1000\), 0x8200",
        ),
        ("channel", "ivi", "channel ivi: no channel has"),
        ("agent", "9", r"agent 9: there is none; there are 1 \(xen\), 0 \(dom0\)"),
        ("domain", "domU1", "domain domU1: there is none; there are dom0, cluster, ivi, tcu"),
    ],
)
def test_what_is_not_there_is_one_error(facts: Facts, kind: Kind, word: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        find(facts, kind, word)


# ---- platforms that are wrong -----------------------------------------------------------------


def test_a_guest_that_cannot_be_created_is_told(tmp_path: Path) -> None:
    found = gather(changed(tmp_path, {"tcu.cfg": {"agent_id=4": "agent_id=3"}}))
    assert found.domain("tcu") is not None
    text = told(found, "domain", "tcu")
    assert "Nothing, it is not created" in text
    assert "(-EEXIST)" in text
    assert "Nobody's: no domain asks for agent 4" in told(found, "agent", "4")


def test_a_page_that_is_not_mapped_is_told(tmp_path: Path) -> None:
    found = gather(changed(tmp_path, {"ivi.cfg": {'"47ff3,1@22001", ': ""}}))
    assert "The page 0x47ff3000 is not mapped into ivi" in told(found, "domain", "ivi")
    assert "ivi has agent 3 (ivi), but its page 0x47ff3000 is not mapped" in told(found)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<0x82000005>", "<0x82000006>", "says 0x82000006, not its doorbell: its driver gets -1"),
        ("sram@22001000 {", 'sram@22001000 { status = "okay";', "tells its driver the same pair"),
        (
            "reg = <0x0 0x22001000 0x0 0x1000>",
            "reg = <0x0 0x22005000 0x0 0x1000>",
            "is at 0x22005000; it is mapped",
        ),
        ('compatible = "arm,scmi-smc";', "", "has no arm,scmi-smc node"),
    ],
)
def test_a_guests_tree_is_compared_with_its_channel(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert why in told(gather(changed(tmp_path, {"ivi.dts": {old: new}})), "domain", "ivi")


def test_a_panic_is_told_and_nobody_rings(tmp_path: Path) -> None:
    broken = changed(tmp_path, {"host.dts": {"xen,dom0-sci-agent-id = <0>": "xen,dom0-sci-agent-id = <9>"}})
    found = gather(broken)
    assert found.rings == ()
    assert "Xen panics: " in told(found)
    assert "Error creating domain 0 (rc = -2)" in told(found)
    assert "No domain is there to ring." in told(found)


def test_a_probe_that_el3_refuses_leaves_everybody_with_minus_one(tmp_path: Path) -> None:
    """EL3 does not know Xen's doorbell, so Xen has no mediator."""
    other = changed(tmp_path, {"platform.toml": {"smc_id = 0x82000003": "smc_id = 0x82000013"}})
    found = gather(other)
    assert found.mediator == ""
    assert all(ring.x0 == -1 and not ring.forwarded for ring in found.rings)
    assert "Nobody: Xen has no mediator" in told(found)
    assert "not initialised" in told(found)
    assert "No SCMI: Xen has no mediator" in told(found, "domain", "ivi")


def test_a_doorbell_that_is_not_sip_owned_never_reaches_el3(tmp_path: Path) -> None:
    changes = {name: {"0x82000006": "0x83000006"} for name in ("host.dts", "platform.toml", "tcu.dts")}
    text = told(gather(changed(tmp_path, changes)), "channel", "0x83000006")
    assert "tcu | x0 = -1 | not SiP-owned (owner 3): never routed to the mediator" in text


def test_an_agent_that_the_host_tree_does_not_list(tmp_path: Path) -> None:
    spare = '[[agent]]\nid = 7\nname = "spare"\nsmc_id = 0x82000017\nshmem = 0x47ff7000\n'
    found = gather(changed(tmp_path, {"platform.toml": {"# ---- clocks": f"{spare}\n# ---- clocks"}}))
    assert "the host tree does not list it" in told(found, "agent", "spare")


def test_a_platform_without_xens_channel_is_explained_too(tmp_path: Path) -> None:
    found = gather(changed(tmp_path, {"host.dts": {'compatible = "xen,sci"': 'compatible = "other"'}}))
    assert found.mediator == ""
    assert "Nobody: Xen has no mediator" in told(found)


# ---- the way back -----------------------------------------------------------------------------


def test_who_has_a_way_back_and_who_gets_it(facts: Facts) -> None:
    found = {one.name: one.p2a for one in facts.channels}
    assert found.pop("ivi") == WayBack(0x47FE_3000, 0x2200_2000, 112, "ivi", True)
    assert set(found.values()) == {None}
    assert "page 0x47fe3000, which ivi sees at 0x22002000, and raises interrupt 112 (SPI 80)" in told(
        facts, "agent", "ivi"
    )
    assert "which Xen routes to ivi" in told(facts, "domain", "ivi")
    assert "3 (ivi) | 0x47fe3000 | 0x22002000 | 112 (SPI 80) | ivi" in told(facts)


@pytest.mark.parametrize(("kind", "word"), [("agent", "tcu"), ("domain", "tcu"), ("channel", "0x82000003")])
def test_nothing_is_said_of_a_way_back_that_is_not_there(facts: Facts, kind: Kind, word: str) -> None:
    assert "Unasked" not in told(facts, kind, word)
    assert "way back" not in told(facts, kind, word)


def test_no_agent_with_a_way_back_no_word_of_it(tmp_path: Path) -> None:
    el3 = {"p2a_shmem = 0x47fe3000\np2a_interrupt = 112\n": ""}
    found = gather(changed(tmp_path, {"platform.toml": el3}))
    assert "way back" not in told(found)
    assert [one.p2a for one in found.channels] == [None] * 5


@pytest.mark.parametrize(
    ("file", "old", "new", "warning"),
    [
        (
            "ivi.cfg",
            "irqs = [ 112 ]",
            "",
            "interrupt 112 (SPI 80) of agent 3 (ivi) is routed to nobody, not to ivi",
        ),
        ("ivi.cfg", ', "47fe3,1@22002"', "", "its P2A page 0x47fe3000 is not mapped"),
        ("platform.toml", "p2a_interrupt = 112", "p2a_interrupt = 113", "interrupt 113 (SPI 81) of agent 3"),
    ],
)
def test_a_way_back_that_does_not_arrive_is_warned_of(
    tmp_path: Path, file: str, old: str, new: str, warning: str
) -> None:
    found = gather(changed(tmp_path, {file: {old: new}}))
    assert warning in told(found)
    named = file != "platform.toml"
    assert ("does not name this page and interrupt" not in told(found, "agent", "ivi")) is named


def test_an_agent_whose_tree_has_no_way_back_misses_nothing(tmp_path: Path) -> None:
    tree = {'interrupt-names = "p2a";': ""}
    found = gather(changed(tmp_path, {"ivi.dts": tree, "ivi.cfg": {"irqs = [ 112 ]": ""}}))
    assert "Warnings" not in told(found)
    assert "routes to nobody and drops" in told(found, "agent", "ivi")


def test_the_interrupt_at_the_end_of_a_call(tmp_path: Path) -> None:
    changes = {
        "platform.toml": {"p2a_interrupt = 112": "p2a_interrupt = 112\na2p_interrupt = 113"},
        "ivi.dts": {"<0 80 4>": "<0 80 4>, <0 81 4>", '"p2a"': '"p2a", "a2p"'},
        "ivi.cfg": {"irqs = [ 112 ]": "irqs = [ 112, 113 ]"},
    }
    found = gather(changed(tmp_path, changes))
    assert "When an answer is ready EL3 raises interrupt 113 (SPI 81)" in told(found, "agent", "ivi")
    assert "its driver polls" not in told(found, "agent", "ivi")
    assert "Warnings" not in told(found)
