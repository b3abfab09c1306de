"""The tables of CHECKERS.md, read off the checkers and the excuses."""

from deploy.experiments.checkers.excuses import EXCUSES
from deploy.experiments.checkers.registry import CHECKERS

SCOPES = {
    "copy": "exact repetitions, if it was planned",
    "window": "calls of the domains it hits, while it lasts",
    "run": "the whole run, if it was planned",
}


def checkers() -> str:
    """Every checker: what it claims, what it looks at, what it cannot prove."""
    lines = ["| name | claim | it knows | it cannot |", "| --- | --- | --- | --- |"]
    lines += [f"| `{one.name}` | {one.claim} | {one.knows} | {one.cannot} |" for one in CHECKERS.values()]
    return "\n".join([*lines, ""])


def excuses() -> str:
    """Every planned fault that excuses a claim, and how narrowly."""
    lines = ["| fault | checker | excused | for |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {', '.join(one.faults)} | `{one.checker}` | {one.what} | {SCOPES[one.scope]} |" for one in EXCUSES
    ]
    return "\n".join([*lines, ""])
