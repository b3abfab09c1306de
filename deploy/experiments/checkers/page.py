"""The tables of CHECKERS.md, read off the checkers and the excuses."""

from deploy.experiments.checkers.excuses import EXCUSES
from deploy.experiments.checkers.registry import CHECKERS

SCOPES = {
    "call": "calls that the history shows it was done to",
    "copy": "exact repetitions",
    "window": "calls of the domains it hits, while it lasts",
    "run": "the whole run",
}


def checkers() -> str:
    """Every checker: what it claims, what it looks at, what it cannot prove."""
    lines = ["| name | claim | it knows | it cannot |", "| --- | --- | --- | --- |"]
    lines += [f"| `{one.name}` | {one.claim} | {one.knows} | {one.cannot} |" for one in CHECKERS.values()]
    return "\n".join([*lines, ""])


def excuses() -> str:
    """Every planned fault that excuses a claim, and how narrowly."""
    lines = ["| fault | checker | excused | for |", "| --- | --- | --- | --- |"]
    lines += [f"| {one.fault} | `{one.checker}` | {one.what} | {SCOPES[one.scope]} |" for one in EXCUSES]
    return "\n".join([*lines, ""])
