"""The table of rules: what the linter looks for, how grave it is, why it matters, how it is mended.

The table itself is ``rules.toml``. ``--explain``, RULES.md, the rule metadata of SARIF reports and the
tests are all read off it; so is which finding a numbered rule of Xen's (CHECKS.md) becomes.
"""

from importlib import resources
from typing import Literal

import msgspec

TOPICS = {
    "files": "Files",
    "channels": "Channels: Xen's node and its list of agents",
    "dom0": "Dom0 and the host tree",
    "devices": "Devices",
    "domains": "Domains and their trees",
    "way-back": "The way back: P2A pages and interrupts",
    "firmware": "The tree against the firmware (platform.toml)",
    "names": "Names of older versions",
}


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row. ``more``: paragraphs for who asks; ``xen``: the numbers in CHECKS.md that it stands for."""

    name: str
    topic: str
    severity: Literal["error", "warning", "note"]
    title: str
    why: str
    fix: str
    more: str = ""
    xen: tuple[str, ...] = ()


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


def _read() -> dict[str, Rule]:
    text = (resources.files("deploy.lint") / "rules.toml").read_text(encoding="utf-8")
    return {rule.name: rule for rule in msgspec.toml.decode(text, type=_Table).rule}


RULES = _read()
RULE_OF_XEN = {number: rule.name for rule in RULES.values() for number in rule.xen}


def markdown() -> str:
    """The table as the reference page of the rules."""
    lines: list[str] = []
    for topic, title in TOPICS.items():
        lines += [f"## {title}", ""]
        for rule in RULES.values():
            if rule.topic == topic:
                lines += _section(rule)
    return "\n".join(lines)


def _section(rule: Rule) -> list[str]:
    number = f", Xen's {' and '.join(rule.xen)}" if rule.xen else ""
    more = [rule.more.strip(), ""] if rule.more else []
    return [
        f"### {rule.name}",
        "",
        f"*{rule.severity}{number}.* {rule.title}.",
        "",
        f"**Why.** {rule.why}",
        "",
        *more,
        f"**Fix.** {rule.fix}",
        "",
    ]
