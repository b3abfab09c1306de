"""Xen's command line, word by word."""

import pytest

from nodes.xen.cmdline import CommandLine, command_line, parse
from tests.nodes.trees import node, tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", CommandLine()),
        ("console=dtuart dom0_mem=512M sched=null", CommandLine()),
        ("scmi-smc-passthrough", CommandLine(passthrough=True)),
        ("no-scmi-smc-passthrough", CommandLine()),
        ("no-scmi-smc-passthrough=off", CommandLine(passthrough=True)),
        ("scmi-smc-passthrough no-scmi-smc-passthrough", CommandLine()),
        ("  iommu=off   scmi-smc-passthrough ", CommandLine(passthrough=True, iommu=False)),
        ("no-iommu", CommandLine(iommu=False)),
        ("iommu=off,verbose", CommandLine(iommu=False)),
        ("iommu=verbose", CommandLine()),
        ("iommu=off iommu=on", CommandLine()),
        ("dom0=sci-agent-id=3", CommandLine(dom0_agent=3)),
        ("dom0=pvh,sci-agent-id=0x10,verbose", CommandLine(dom0_agent=16)),
        ("dom0=sci-agent-id=010", CommandLine(dom0_agent=8)),
        ("dom0=sci-agent-id=1 dom0=sci-agent-id=2", CommandLine(dom0_agent=2)),
        ("dom0=sci-agent-id", CommandLine()),
        ("dom0=my-sci-agent-id=3", CommandLine()),
        ("SCMI-SMC-PASSTHROUGH", CommandLine()),
    ],
)
def test_words(text: str, expected: CommandLine) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("on", ["yes", "on", "true", "enable", "1"])
@pytest.mark.parametrize("off", ["no", "off", "false", "disable", "0"])
def test_booleans(on: str, off: str) -> None:
    assert parse(f"scmi-smc-passthrough={on} iommu={off}") == CommandLine(passthrough=True, iommu=False)
    assert parse(f"scmi-smc-passthrough={off} iommu={on}") == CommandLine()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("scmi-smc-passthrough=maybe", '"scmi-smc-passthrough" has invalid value "maybe"'),
        ("scmi-smc-passthrough=ON", "ON"),
        ("dom0=sci-agent-id=255", '"dom0" has invalid value "sci-agent-id=255"'),
        ("dom0=sci-agent-id=-1", "-1"),
        ("dom0=sci-agent-id=two", "two"),
        ("dom0=sci-agent-id=", "sci-agent-id="),
        ("dom0=sci-agent-id=09", "09"),
        ("no-iommu=off", '"no-iommu" has invalid value "off"'),
    ],
)
def test_a_bad_value_is_warned_of_and_changes_nothing(text: str, named: str) -> None:
    found = parse(text)
    assert (found.dom0_agent, found.passthrough, found.iommu) == (None, False, True)
    (warning,) = found.warnings
    assert named in warning
    assert warning.endswith("rc=-22!")


@pytest.mark.parametrize(
    ("given", "further", "expected"),
    [(None, "", ""), ("a b", "", "a b"), (None, "c", "c"), ("a=1", "a=2", "a=1 a=2")],
)
def test_the_tree_speaks_first(given: str | None, further: str, expected: str) -> None:
    chosen = node({} if given is None else {"xen,xen-bootargs": given, "bootargs": "not Xen's"})
    assert command_line(tree(node(None, {"chosen": chosen})), further) == expected
    assert command_line(tree(node()), "only") == "only"
