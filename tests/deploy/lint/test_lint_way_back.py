"""The way back in the linter: silent where it is whole, one finding for one mistake, with what to write."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.lint.example import BOOT, GUEST, HOST, IVI, TCU, TOML
from tests.deploy.lint.platform import Edits, Platform
from tests.deploy.lint.way_back import BOOT_WAY, DOM0_WAY, EL3, IRQS


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def spoil(platform: Platform, edits: Edits) -> None:
    for name, changes in edits.items():
        for old, new in changes:
            platform.edit(name, old, new)


@pytest.mark.parametrize("way", [BOOT_WAY, DOM0_WAY], ids=["boot domain", "Dom0"])
def test_a_whole_way_back_is_clean_whoever_has_it(platform: Platform, way: Edits) -> None:
    spoil(platform, way)
    assert platform.check() == []
    assert platform.check(platform=False) == []


def test_a_completion_interrupt_is_clean_where_el3_raises_it(platform: Platform) -> None:
    platform.edit(GUEST, "<0 80 4>", "<0 80 4>, <0 81 4>")
    platform.edit(GUEST, '"p2a"', '"p2a", "a2p"')
    platform.edit(TOML, "p2a_interrupt = 112", "p2a_interrupt = 112\na2p_interrupt = 113")
    platform.edit(IVI, IRQS, "irqs = [ 112, 113 ]")
    assert platform.check() == []


ONE_MISTAKE: dict[str, tuple[str, str, str, str, str]] = {
    "not mapped": ("p2a-unmapped", IVI, ', "47fe3,1@22002"', "", '"47fe3,1@22002" in iomem'),
    "another page": ("p2a-page", IVI, "47fe3,", "47fe9,", '"47fe3,1@22002" in iomem'),
    "another agent's channel": ("p2a-on-channel-page", IVI, "47fe3,", "47ff4,", '"47fe3,1@22002" in iomem'),
    "its own channel": ("p2a-on-channel-page", IVI, "47fe3,", "47ff3,", '"47fe3,1@22002" in iomem'),
    "not routed": ("interrupt-not-routed", IVI, IRQS, "", "irqs = [ 112 ]"),
    "routed another": ("interrupt-not-routed", IVI, "112", "113", "irqs = [ 113, 112 ]"),
    "another line in the tree": ("interrupt-mismatch", GUEST, "<0 80 4>", "<0 81 4>", "Write <0 80 4>"),
    "another line at EL3": ("interrupt-mismatch", TOML, "112", "200", "Write <0 168 4> for 'p2a'"),
    "twice": ("interrupt-taken", IVI, IRQS, "irqs = [ 112, 112 ]", "Write 112 once"),
    "not for EL3": ("way-back-not-served", TOML, EL3, "", "p2a_interrupt = 112"),
    "somebody else's line": ("foreign-interrupt", TCU, "vcpus = 1", IRQS, "Take 112 from tcu"),
    "no number": ("interrupt-not-spi", IVI, IRQS, 'irqs = [ 112, "x" ]', "in decimal"),
    "its page for somebody else": ("foreign-page", TCU, '22001"', '22001", "47fe3,1"', "Map 0x47ff4000"),
}


@pytest.mark.parametrize("case", ONE_MISTAKE)
def test_one_mistake_is_one_finding_with_what_to_write(platform: Platform, case: str) -> None:
    rule, name, old, new, fix = ONE_MISTAKE[case]
    platform.edit(name, old, new)
    found = platform.check()
    assert [one.rule for one in found] == [rule]
    assert fix in found[0].fix


def test_another_agents_p2a_page_is_told_as_that(platform: Platform) -> None:
    spoil(platform, BOOT_WAY)
    platform.edit(IVI, "47fe3,", "47fe2,")
    (found,) = platform.check()
    assert found.rule == "p2a-page"
    assert "0x47fe2000 of the machine, agent 2's P2A page" in found.message


def test_a_line_of_dom0s_device_is_told_with_the_device(platform: Platform) -> None:
    platform.edit(HOST, 'compatible = "trapline,mmc";', 'compatible = "trapline,mmc"; interrupts = <0 80 4>;')
    (found,) = platform.check()
    assert (found.rule, found.severity) == ("interrupt-taken", "error")
    assert "(-EBUSY): xl create ivi fails" in found.message
    assert "xen,passthrough; to /soc/mmc@ee140000" in found.fix
    platform.edit(HOST, "interrupts = <0 80 4>;", "interrupts = <0 80 4>; xen,passthrough;")
    assert "interrupt-taken" not in [one.rule for one in platform.check()]


def test_devices_of_a_boot_domain_may_share_a_line(platform: Platform) -> None:
    for name in ("display", "can"):
        platform.edit(BOOT, f'"trapline,{name}";', f'"trapline,{name}"; interrupts = <0 90 4>;')
    assert platform.check() == []
    platform.edit(IVI, IRQS, "irqs = [ 112, 122 ]")
    assert [one.rule for one in platform.check()] == ["interrupt-taken"]


def test_an_agent_without_the_way_back_is_noted_and_no_more(platform: Platform) -> None:
    platform.edit(GUEST, 'interrupt-names = "p2a";', "")
    (found,) = platform.check()
    assert (found.rule, found.severity) == ("way-back-unused", "note")


def test_a_completion_interrupt_that_nobody_raises_is_told(platform: Platform) -> None:
    platform.edit(GUEST, '"p2a"', '"a2p"')
    assert {one.rule for one in platform.check()} == {"completion-not-raised", "way-back-unused"}
    platform.edit(IVI, IRQS, "")
    assert {one.rule for one in platform.check()} == {"completion-not-raised", "way-back-unused"}
    assert {one.rule for one in platform.check(platform=False)} == {"interrupt-not-routed"}


def fixes(platform: Platform) -> list[str]:
    return [one.fix for one in platform.check()]


CORRECTED: dict[str, Callable[[Platform], None]] = {
    "page": lambda one: one.edit(IVI, '"47fe9,1@22002"', '"47fe3,1@22002"'),
    "line": lambda one: one.edit(IVI, "irqs = [ 7 ]", "irqs = [ 112 ]"),
}


def test_fixing_what_is_said_makes_it_clean(platform: Platform) -> None:
    platform.edit(IVI, '"47fe3,1@22002"', '"47fe9,1@22002"')
    platform.edit(IVI, IRQS, "irqs = [ 7 ]")
    assert len(fixes(platform)) == 3  # the page; 7 is no SPI; 112 is not routed
    for correct in CORRECTED.values():
        correct(platform)
    assert fixes(platform) == []
