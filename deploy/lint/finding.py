"""What the linter says: a finding is a rule, a place and a sentence about this case.

Severity, why it matters and how it is usually mended come from the rule (``rules.py``). How a place is
written in its file is found later (``locate.py``); how findings look is the reports' business.
"""

import re
from typing import Any

import msgspec

from deploy.errors import printable
from deploy.lint.rules import RULES, Rule
from deploy.xl.cfg import DomainConfig
from nodes.devicetree import Node
from nodes.xen.errno import Place

_ORIGIN = re.compile(r"(.+):(\d+)")
_LABEL = re.compile(r"undefined node label '([^']+)'")
_PLACED = re.compile(r"(?P<file>[^\n]+?):(?P<line>\d+): (?P<rest>.*)", re.DOTALL)


class Spot(msgspec.Struct, frozen=True):
    """A place in a file: ``line`` and ``column`` count from 1, ``width`` in characters; None: not known.

    ``node`` and ``prop`` say where in a tree, ``entry`` which item of a list, from 0. ``cells`` (first,
    count) and ``text`` only help to find the column.
    """

    file: str
    line: int | None = None
    column: int | None = None
    width: int | None = None
    node: str = ""
    prop: str = ""
    entry: int | None = None
    cells: tuple[int, int] | None = None
    text: str = ""


class Finding(msgspec.Struct, frozen=True):
    """One mistake. ``also``: another place that takes part in it, and what is there."""

    rule: str
    spot: Spot
    message: str
    fix: str
    also: tuple[tuple[str, Spot], ...] = ()

    @property
    def about(self) -> Rule:
        return RULES[self.rule]

    @property
    def severity(self) -> str:
        return self.about.severity


def finding(rule: str, spot: Spot, message: str, fix: str = "", *also: tuple[str, Spot]) -> Finding:
    """A finding of ``rule``; without ``fix`` the rule's own advice is given. KeyError: no such rule."""
    advice = fix or RULES[rule].fix
    advice = advice[0].upper() + advice[1:]
    advice = advice if advice[-1] in ".;)?" else f"{advice}."
    titles = tuple((printable(title), place) for title, place in also)
    return Finding(rule, spot, printable(message), printable(advice), titles)


def at(node: Node, prop: str = "", **rest: Any) -> Spot:
    """The place of a node, or of its property ``prop``, which may be absent."""
    origin = node.origin(prop)
    match = _ORIGIN.fullmatch(origin)
    file, line = (match[1], int(match[2])) if match else (origin, None)
    return Spot(file, line, node=node.path, prop=prop, **rest)


def at_place(place: Place) -> Spot:
    """The place that a rule of Xen's names."""
    return at(place.node, place.prop, entry=place.entry)


def in_cfg(cfg: DomainConfig, key: str, text: str = "") -> Spot:
    """The place of a key in an xl.cfg, or of the item ``text`` of its list."""
    return Spot(cfg.source, cfg.lines.get(key), prop=key, text=text)


def told(rule: str, error: str, file: str) -> Finding:
    """A finding of ``rule`` from a one-line error about ``file``: place, what is wrong, remedy."""
    spot, text = placed(error, file)
    label = _LABEL.search(text)
    if label:
        spot = msgspec.structs.replace(spot, text=label[1])
    message, _, fix = text.rpartition("; ")
    return finding(rule, spot, message, fix) if message else finding(rule, spot, text)


def placed(text: str, file: str) -> tuple[Spot, str]:
    """A one-line error that begins with its place, taken apart; without a place it is about ``file``."""
    match = _PLACED.fullmatch(text)
    if match:
        return Spot(match["file"], int(match["line"])), match["rest"]
    return Spot(file), text.removeprefix(f"{file}: ")
