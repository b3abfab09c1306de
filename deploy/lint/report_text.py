"""Findings as a compiler prints them: the place, the line with the mistake underlined, why, and the fix.

Why is told once for each rule. Nothing is wider than the terminal but what cannot be broken.
"""

import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from deploy.lint.finding import Finding, Spot
from deploy.lint.locate import Texts
from deploy.lint.rules import Rule

COLOURS = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
SEVERITIES = ("error", "warning", "note")
LABEL = 8  # columns of "   why: "
MARGIN = 8  # columns before the text of a source line
TAB = "    "
AFTER = 12  # characters to show after the mark in a line that is too long


def findings(out: Console, found: Sequence[Finding], texts: Texts) -> None:
    """Print all of them."""
    told: set[str] = set()
    for one in found:
        _finding(out, one, texts, one.rule not in told)
        told.add(one.rule)


def summary(out: Console, found: Sequence[Finding], checked: str) -> None:
    """One or two lines: how much of what was found, or what was checked and is right."""
    counts = {severity: sum(one.severity == severity for one in found) for severity in SEVERITIES}
    parts = [_plural(count, severity) for severity, count in counts.items() if count]
    if not counts["error"] and not counts["warning"]:
        good = Text("nothing wrong", style="bold green")
        noted = f" ({', '.join(parts)})" if parts else ""
        _print(out, Text(f"Checked {checked}: ").append(good).append(noted))
        return
    severity = "error" if counts["error"] else "warning"
    _print(
        out,
        Text(", ".join(parts), style=COLOURS[severity]).append(f" in {checked}", style="not bold default"),
    )
    grave = [one for one in found if one.severity == severity]
    rule = next((one.rule for one in found if one.about.more), grave[0].rule)
    _print(out, Text(f"More about a rule: trapline check --explain {rule}", style="dim"))


def explain(out: Console, rule: Rule) -> None:
    """All that the table says of one rule."""
    _print(out, Text(rule.name, style="bold").append(f"  {rule.severity}", style=COLOURS[rule.severity]))
    _labelled(out, "what", rule.title + ".")
    _labelled(out, "why", rule.why)
    for paragraph in rule.more.strip().split("\n\n") if rule.more else ():
        out.print()
        _labelled(out, "", " ".join(paragraph.split()))
    if rule.more:
        out.print()
    _labelled(out, "fix", rule.fix)
    if rule.xen:
        _labelled(out, "xen", f"{' and '.join(rule.xen)} in nodes/xen/CHECKS.md")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count > 1 else ''}"


def _print(out: Console, text: Text) -> None:
    for line in text.wrap(out, out.width):
        line.rstrip()
        out.print(line, soft_wrap=True)


def _finding(out: Console, one: Finding, texts: Texts, why: bool) -> None:
    _head(out, one)
    _source(out, one.spot, texts, COLOURS[one.severity])
    _labelled(out, "node", _node(one.spot))
    for title, spot in one.also:
        if texts.line(spot.file, spot.line) is None:
            _labelled(out, "see", f"{title}: {where(spot)}{_in_tree(spot)}")
        else:
            _labelled(out, "see", f"{title}, {where(spot)}")
            _source(out, spot, texts, "cyan", mark="-")
    if why:
        _labelled(out, "why", one.about.why)
    _labelled(out, "fix", one.fix)
    out.print()


def _head(out: Console, one: Finding) -> None:
    """``place: severity[rule]: message``, as editors and grep expect it, on one line if that has room."""
    place, kind = f"{where(one.spot)}: ", f"{one.severity}[{one.rule}]: "
    head = Text(place, style="bold").append(kind, style=COLOURS[one.severity])
    room = out.width - len(head)
    first, _, rest = one.message, "", ""
    if len(first) > room:
        lines = textwrap.wrap(first, max(room, 1), break_long_words=False, break_on_hyphens=False)
        first = lines[0] if len(lines[0]) <= room else ""
        rest = one.message[len(first) :].strip()
    head.append(first, style="bold default")
    head.rstrip()
    out.print(head, soft_wrap=True)
    _labelled(out, "", rest, indent=2, style="bold")


def where(spot: Spot) -> str:
    """``file:line:column``, as far as known."""
    return ":".join(str(part) for part in (spot.file, spot.line, spot.column) if part is not None)


def _node(spot: Spot) -> str:
    if not spot.node:
        return ""
    entry = "" if spot.entry is None else f"[{spot.entry}]"
    return f"{spot.node} {spot.prop}{entry}".rstrip()


def _in_tree(spot: Spot) -> str:
    return f" {_node(spot)}" if spot.node else ""


def _labelled(out: Console, label: str, text: str, indent: int = LABEL, style: str = "") -> None:
    if not text:
        return
    width = max(out.width - indent, 20)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    for at, line in enumerate(lines):
        before = f"{label:>{indent - 2}}: " if label and not at else " " * indent
        out.print(
            Text(before, style="cyan" if label else "").append(line, style=style or "default"), soft_wrap=True
        )


def _source(out: Console, spot: Spot, texts: Texts, style: str, mark: str = "^") -> None:
    """The line, moved to the left, and below it what is meant, underlined."""
    line = texts.line(spot.file, spot.line)
    if line is None or spot.column is None:
        return
    before, marked, after = _parts(line, spot)
    indent = len(before) - len(before.lstrip())
    before = before[indent:] if before.strip() else ""
    before, marked, after = _window(before, marked, after, max(out.width - MARGIN, 1))
    number = f"{spot.line:>{MARGIN - 3}} | "
    out.print(
        Text(number, style="blue").append(f"{before}{marked}{after}".rstrip(), style="default"),
        soft_wrap=True,
    )
    gutter = Text(f"{' ' * (MARGIN - 3)} | ", style="blue")
    out.print(gutter.append(" " * len(before)).append(mark * len(marked), style=style), soft_wrap=True)


def _window(before: str, marked: str, after: str, room: int) -> tuple[str, str, str]:
    """As much of the line as there is room for, with the mark and a little after it in sight."""
    left = room - len(marked) - min(len(after), AFTER)
    if left < len(before):
        before = f"...{before[len(before) - left + 3 :]}" if left > 3 else ""
    marked = marked[: room - len(before)]
    right = room - len(before) - len(marked)
    if right < len(after):
        after = f"{after[: right - 3]}..." if right >= 3 else ""
    return before, marked, after


def _parts(line: str, spot: Spot) -> tuple[str, str, str]:
    """The text before, in and after the mark, tabs expanded and control characters made visible."""
    start = (spot.column or 1) - 1
    end = start + (spot.width or 1)
    return _shown(line[:start]), _shown(line[start:end]) or " ", _shown(line[end:])


def _shown(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text.replace("\t", TAB))
