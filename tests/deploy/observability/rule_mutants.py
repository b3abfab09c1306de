"""Rules spoiled mechanically, one thing at a time: promtool's tests must notice every one.

A mutant is a rule under a name of its own, so that all mutants of a rule stand in one file and are judged
by one run of promtool over the tests of that rule, in which only the name is replaced.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

Rule = dict[str, Any]
COMPARISON = re.compile(r"(?<=\s)(>|==) (\d+(?:\.\d+)?)")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)",?')
GROUPING = re.compile(r"\b(by|on) \(([^)]*)\)")
WINDOW = re.compile(r"(\[|offset )(\d+)([smh])")
BEFORE = re.compile(r"(?<=unless )\w+{[^}]*} offset")
NEGATED = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
FLIPPED = {">": "<=", "==": "!="}


class Mutant(msgspec.Struct, frozen=True):
    """``what`` was done; ``rule`` is what became of it."""

    what: str
    rule: Rule


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Every mutant of a rule of the file. Its labels, its "for", then its expression."""
    for name in rule.get("labels", ()):
        yield Mutant(f"label {name}", rule | {"labels": rule["labels"] | {name: "mutant"}})
    if "for" in rule:
        yield Mutant("no for", {key: value for key, value in rule.items() if key != "for"})
        yield Mutant("twice the for", rule | {"for": _scaled(rule["for"])})
    for what, expr in _expressions(rule["expr"]):
        yield Mutant(what, rule | {"expr": expr})


def _scaled(duration: str) -> str:
    return f"{2 * int(duration[:-1])}{duration[-1]}"


def _expressions(expr: str) -> Iterator[tuple[str, str]]:
    for pattern, how in (
        (COMPARISON, _comparisons),
        (MATCHER, _matchers),
        (GROUPING, _groupings),
        (WINDOW, _windows),
    ):
        for found in pattern.finditer(expr):
            if pattern is MATCHER and found.start() in _indifferent(expr):
                continue
            for text in how(found):
                yield f"{found[0]} -> {text}", expr[: found.start()] + text + expr[found.end() :]
    if "sum by" in expr and "0.99" in expr:
        yield "the median", expr.replace("0.99", "0.5")


def _indifferent(expr: str) -> set[int]:
    """Where matchers change nothing: right of "series unless series offset", which compares all labels."""
    return {at for found in BEFORE.finditer(expr) for at in range(found.start(), found.end())}


def _comparisons(found: re.Match[str]) -> Iterator[str]:
    operator, limit = found[1], float(found[2])
    yield f"{operator} {limit * 10 if limit else 1:g}"
    yield f"{operator} {limit / 10 if limit else -1:g}"
    yield f"{FLIPPED[operator]} {limit:g}"


def _matchers(found: re.Match[str]) -> Iterator[str]:
    name, operator, value = found[1], found[2], found[3]
    comma = "," if found[0].endswith(",") else ""
    yield ""
    yield f'{name}{NEGATED[operator]}"{value}"{comma}'
    alternatives = value.split("|") if "|" in value else []
    for one in alternatives:
        rest = "|".join(other for other in alternatives if other != one)
        yield f'{name}{operator}"{rest}"{comma}'


def _groupings(found: re.Match[str]) -> Iterator[str]:
    labels = found[2].split(", ")
    for one in labels:
        yield f"{found[1]} ({', '.join(other for other in labels if other != one)})"


def _windows(found: re.Match[str]) -> Iterator[str]:
    seconds = int(found[2]) * {"s": 1, "m": 60, "h": 3600}[found[3]]
    yield f"{found[1]}{seconds * 2}s"
    yield f"{found[1]}{seconds // 2}s"
