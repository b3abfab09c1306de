"""Findings as JSON for scripts: one object with what was checked, the counts and every finding."""

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.lint.finding import Finding, Spot

VERSION = 1


def report(found: Sequence[Finding], files: Sequence[str]) -> Mapping[str, Any]:
    """Columns count characters from 1; what is not known is null."""
    counts = {one: sum(each.severity == one for each in found) for one in ("error", "warning", "note")}
    return {
        "version": VERSION,
        "files": list(files),
        "counts": counts,
        "findings": [_finding(one) for one in found],
    }


def _finding(one: Finding) -> Mapping[str, Any]:
    return {
        "rule": one.rule,
        "severity": one.severity,
        **_spot(one.spot),
        "message": one.message,
        "why": one.about.why,
        "fix": one.fix,
        "related": [{"what": title, **_spot(spot)} for title, spot in one.also],
    }


def _spot(spot: Spot) -> Mapping[str, Any]:
    return {
        "file": spot.file,
        "line": spot.line,
        "column": spot.column,
        "end_column": None if spot.column is None else spot.column + (spot.width or 1),
        "node": spot.node or None,
        "property": spot.prop or None,
        "entry": spot.entry,
    }
