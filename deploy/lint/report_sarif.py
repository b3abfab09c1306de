"""Findings as SARIF 2.1.0, the format in which code hosts and editors take the results of linters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deploy.lint.finding import Finding, Spot
from deploy.lint.rules import RULES, Rule

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def report(found: Sequence[Finding], files: Sequence[str], version: str, usable: bool) -> Mapping[str, Any]:
    """A log with one run; ``usable``: every file could be read. Relative paths stay relative."""
    names = list(RULES)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "trapline check",
                        "version": version,
                        "semanticVersion": version,
                        "rules": [_rule(rule) for rule in RULES.values()],
                    }
                },
                "invocations": [{"executionSuccessful": usable}],
                "artifacts": [{"location": _uri(file)} for file in files],
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, names.index(one.rule)) for one in found],
            }
        ],
    }


def _rule(rule: Rule) -> Mapping[str, Any]:
    more = f"\n\n{rule.more.strip()}" if rule.more else ""
    return {
        "id": rule.name,
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}{more}\n\nFix: {rule.fix}"},
        "defaultConfiguration": {"level": rule.severity},
        "properties": {"tags": [rule.topic, *rule.xen]},
    }


def _result(one: Finding, index: int) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": one.severity,
        "message": {"text": f"{one.message}. Fix: {one.fix}"},
        "locations": [_location(one.spot)],
    }
    if one.also:
        found["relatedLocations"] = [
            {"id": at, **_location(spot), "message": {"text": title}}
            for at, (title, spot) in enumerate(one.also)
        ]
    return found


def _location(spot: Spot) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _uri(spot.file)}
    if spot.line is not None:
        region: dict[str, int] = {"startLine": spot.line}
        if spot.column is not None:
            region |= {"startColumn": spot.column, "endColumn": spot.column + (spot.width or 1)}
        physical["region"] = region
    location: dict[str, Any] = {"physicalLocation": physical}
    if spot.node:
        entry = "" if spot.entry is None else f"[{spot.entry}]"
        name = f"{spot.node}:{spot.prop}{entry}" if spot.prop else spot.node
        location["logicalLocations"] = [
            {"fullyQualifiedName": name, "kind": "property" if spot.prop else "element"}
        ]
    return location


def _uri(file: str) -> dict[str, str]:
    path = Path(file)
    return {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}
