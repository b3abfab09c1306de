"""Every rule of the table: silent on what is right, and found, at its place, on what is wrong."""

import inspect
import re
from pathlib import Path

import msgspec
import pytest

from deploy.lint import check, unusable
from deploy.lint.rules import RULE_OF_XEN, RULES, TOPICS
from nodes.xen import binding, hazards
from nodes.xen.profile import V7, V9
from tests.deploy.lint.example import Example
from tests.deploy.lint.examples import EXAMPLES
from tests.deploy.lint.platform import Platform

ENTRY = "0x82000005 &scmi_shm_3 3"


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_every_rule_has_an_example() -> None:
    assert {example.rule for example in EXAMPLES} == set(RULES)
    assert {rule.topic for rule in RULES.values()} == set(TOPICS)


def test_every_refusal_and_hazard_of_xens_has_a_rule() -> None:
    refusals = re.findall(r"""(?:refusal\(|, )"([PSA]\d+)\"""", inspect.getsource(binding))
    assert set(refusals) >= {"P4", "P7", "S1", "S8", "A1"}
    assert set(refusals) - {"P2", "P3"} <= set(RULE_OF_XEN)  # those two are about the machine, not its tree
    names = re.findall(r'Hazard\(\s*"([a-z-]+)"', inspect.getsource(hazards))
    assert "duplicate-smc-id" in names
    assert set(names) <= set(RULES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.rule}-{one.marked[:20]}")
def test_a_mistake_is_found_at_its_place(platform: Platform, example: Example) -> None:
    for name, changes in example.edits.items():
        for old, new in changes:
            platform.edit(name, old, new)
    found = platform.check(
        *example.more, profile=example.profile, platform=example.platform, dom0less=example.dom0less
    )
    mine = [one for one in found if one.rule == example.rule]
    assert mine, [f"{one.rule}: {one.message}" for one in found]
    if example.marked:
        assert example.marked in [platform.text_at(one) for one in mine]
    assert all(one.fix and one.message and one.spot.file for one in found)
    assert unusable(found) is (example.rule in ("unreadable", "syntax"))


def test_the_shipped_platform_is_clean(platform: Platform) -> None:
    assert platform.check() == []
    assert platform.check(platform=False) == []


@pytest.mark.parametrize("profile", [V7, V9])
def test_other_versions_object_to_little(platform: Platform, profile: object) -> None:
    found = {one.rule for one in platform.check(profile=profile)}  # type: ignore[arg-type]
    assert found <= {"not-in-profile"}


def test_two_cells_with_the_firmwares_word_for_the_ids(platform: Platform) -> None:
    platform.edit("host.dts", "#scmi-secondary-agents-cells = <3>;", "#scmi-secondary-agents-cells = <2>;")
    for agent in (0, 2, 3, 4):
        platform.edit("host.dts", f"&scmi_shm_{agent} {agent}", f"&scmi_shm_{agent}")
    assert platform.check() == []
    assert platform.check(platform=False) == []
    platform.edit("ivi.cfg", "agent_id=3", "agent_id=8")
    assert "agent-unknown" in [one.rule for one in platform.check()]


def test_one_mistake_hides_no_other(platform: Platform) -> None:
    platform.edit("host.dts", "\t\t\tranges;\n\n\t\t\txen_scmi", "\t\t\txen_scmi")
    platform.edit("host.dts", "0x82000005 &scmi_shm_3 3", "0x82000004 &scmi_shm_2 2")
    platform.edit("ivi.cfg", "vcpus = 2", "vcpus = x")
    platform.edit("tcu.cfg", "47ff4", "47ff1")
    rules = [one.rule for one in platform.check()]
    for rule in (
        "missing-ranges",
        "duplicate-smc-id",
        "duplicate-shmem",
        "duplicate-agent-id",
        "syntax",
        "foreign-page",
    ):
        assert rules.count(rule) == 1, rules
    assert "access-controllers-not-xen" not in rules


def test_what_is_merged_over_the_tree_keeps_its_place(platform: Platform) -> None:
    platform.edit("more.dts", "", "/dts-v1/;\n&scmi_xen {\n\tarm,smc-id = <0x82000005>;\n};\n")
    (found,) = [one for one in platform.check("more.dts", platform=False) if one.rule == "duplicate-smc-id"]
    _, other = found.also[0]
    assert (Path(other.file).name, other.line, other.column) == ("more.dts", 3, 2)


def test_a_guest_that_is_not_given_may_have_the_device(platform: Platform) -> None:
    inputs = platform.inputs()
    assert check(msgspec.structs.replace(inputs, xl=inputs.xl[:1])) == []
    assert check(msgspec.structs.replace(inputs, xl=())) == []


def test_a_long_list_of_clashes_is_told_once_for_each_entry(platform: Platform) -> None:
    entries = " ".join(f"{0x2000010 + at:#x} &scmi_shm_4 {300 + at}" for at in range(1000))
    platform.edit("host.dts", "0x82000006 &scmi_shm_4 4", entries)
    found = [one.rule for one in platform.check(platform=False)]
    assert found.count("agent-id-unreachable") == 1000
    assert found.count("duplicate-shmem") == hazards.COMPARED - 5  # but Xen, three others, the first


def test_fixing_what_is_said_makes_it_clean(platform: Platform) -> None:
    platform.edit("ivi.cfg", "47ff3,1@22001", "47ff4,1@22009")
    (found,) = [one for one in platform.check() if one.rule == "guest-shmem-unmapped"]
    assert '"47ff3,1@22001" in iomem' in found.fix
    platform.edit("ivi.cfg", "47ff4,1@22009", "47ff3,1@22001")
    assert platform.check() == []


@pytest.mark.parametrize(
    ("device", "fate"),
    [
        (1, "(-ENOENT): Xen panics, Error creating domain 0"),
        (3, "(-ENOENT): Xen panics, Error creating domain cluster"),
        (6, "(-ENOENT): xl create ivi fails"),
    ],
)
def test_a_device_that_el3_does_not_know_is_told_with_what_fails(
    platform: Platform, device: int, fate: str
) -> None:
    platform.edit("host.dts", f"<&scmi_xen {device}>", "<&scmi_xen 99>")
    (found,) = platform.check()
    assert found.rule == "provider-unknown-device"
    assert found.message.endswith(fate)
    assert platform.check(platform=False) == []


def test_a_device_that_nobody_is_given_fails_nothing_yet(platform: Platform) -> None:
    platform.edit("host.dts", "<&scmi_xen 6>", "<&scmi_xen 99>")
    platform.edit("ivi.cfg", ', "/soc/gpu@fd000000"', "")
    found = {one.rule: one.message for one in platform.check()}
    assert found["provider-unknown-device"].endswith("no domain with an agent is given it")


def test_what_the_iommu_protects_need_not_be_forced(platform: Platform) -> None:
    platform.edit("cluster.dts", 'can@e66c0000";\n\t\t\txen,force-assign-without-iommu;', 'can@e66c0000";')
    (found,) = platform.check()
    assert found.message.endswith("Xen panics, Error creating domain cluster")
    platform.edit("host.dts", "<&scmi_xen 4>;", "<&scmi_xen 4>; iommus = <1 2>;")
    assert platform.check() == []


def test_one_device_in_two_domains_is_told_once(platform: Platform) -> None:
    platform.edit("host.dts", "<&scmi_xen 6>;", "<&scmi_xen 6>; iommus = <1 2>;")
    platform.edit("tcu.cfg", "/soc/i2c@e6510000", "/soc/gpu@fd000000")
    rules = [one.rule for one in platform.check()]
    assert "device-in-two-domains" in rules
    assert "iommu-refuses" not in rules


def test_as_many_frames_as_there_can_be(platform: Platform) -> None:
    platform.edit("ivi.cfg", '"47ff3,1@22001"', '"47ff3,1@22001", "80000,40000"')
    assert platform.check() == []


ONE_MISTAKE = {
    "an entry pasted and its doorbell forgotten": ("duplicate-smc-id", ENTRY, ENTRY.replace("5", "4")),
    "another width": ("agents-cells-mismatch", "agents-cells = <3>", "agents-cells = <2>"),
    "one cell for two": (
        "reg-cells-mismatch",
        'compatible = "xen,sci";\n\t\t\t\t#address-cells = <2>;\n\t\t\t\t#size-cells = <2>;',
        'compatible = "xen,sci";\n\t\t\t\t#address-cells = <1>;\n\t\t\t\t#size-cells = <1>;',
    ),
    "no container for its properties": ("no-container", '"xen,sci"', '"xen,sc"'),
    "Xen's agent for Dom0": ("agent-is-xens", "dom0-sci-agent-id = <0>", "dom0-sci-agent-id = <1>"),
    "a doorbell mistyped": ("channel-not-served", ENTRY, ENTRY.replace("0005", "0015")),
    "an unknown agent": ("agent-unknown", "xen,sci-agent-id = <2>", "xen,sci-agent-id = <9>"),
    "no IOMMU for anybody": ("iommu-refuses", "bootargs =", 'xen,xen-bootargs = "iommu=off"; bootargs ='),
    "a base off the page": ("shmem-unaligned", "0x47ff3000 0x0", "0x47ff3100 0x0"),
    "a device of Dom0's behind the IOMMU": (
        "iommu-refuses",
        "<&scmi_xen 6>;\n\t\t\txen,passthrough;",
        "<&scmi_xen 6>; iommus = <1 2>;",
    ),
}


@pytest.mark.parametrize("case", ONE_MISTAKE)
def test_one_mistake_is_one_finding(platform: Platform, case: str) -> None:
    rule, old, new = ONE_MISTAKE[case]
    platform.edit("host.dts", old, new)
    assert [one.rule for one in platform.check()] == [rule]


def test_xens_doorbell_taken_for_dom0s_is_not_told_as_the_firmwares_mistake(platform: Platform) -> None:
    platform.edit("host.dts", "arm,smc-id = <0x82000003>", "arm,smc-id = <0x82000002>")
    assert {one.rule for one in platform.check()} == {"duplicate-smc-id", "host-channel-privileged"}


def test_a_pasted_doorbell_is_told_with_the_firmwares(platform: Platform) -> None:
    platform.edit("host.dts", ENTRY, ENTRY.replace("5", "4"))
    (found,) = platform.check()
    assert "0x82000005" in found.fix
    assert "0x82000005" not in platform.check(platform=False)[0].fix


@pytest.mark.parametrize(("cfg", "old", "agent"), [("tcu.cfg", 4, 3), ("ivi.cfg", 3, 4), ("tcu.cfg", 4, 2)])
def test_an_agent_asked_for_twice_is_told_with_the_one_that_is_meant(
    platform: Platform, cfg: str, old: int, agent: int
) -> None:
    platform.edit(cfg, f"agent_id={old}", f"agent_id={agent}")
    (found,) = platform.check()
    assert found.rule == "agent-in-two-domains"
    assert found.fix.startswith(f"Give {cfg[:3]} agent {old}")


def test_a_domain_that_is_refused_its_agent_is_not_blamed_for_its_page(platform: Platform) -> None:
    platform.edit("ivi.cfg", "agent_id=3", "agent_id=255")
    assert [one.rule for one in platform.check()] == ["sci-config"]


def test_anothers_page_is_told_once_with_what_to_write(platform: Platform) -> None:
    platform.edit("ivi.cfg", "47ff3,1@", "47ff4,1@")
    (found,) = platform.check()
    assert (found.rule, found.fix) == ("foreign-page", 'Write "47ff3,1@22001" in iomem.')


def test_bytes_for_frames_are_told_as_that(platform: Platform) -> None:
    platform.edit("ivi.cfg", "47ff3,1@", "47ff3,1000000@")
    assert [one.rule for one in platform.check()] == ["too-many-frames"]


def test_trust_in_dom0_is_told_as_that(platform: Platform) -> None:
    platform.edit("platform.toml", "shmem = 0x47ff0000", "shmem = 0x47ff0000\ntrusted = true")
    assert [one.rule for one in platform.check()] == ["host-channel-privileged"]
