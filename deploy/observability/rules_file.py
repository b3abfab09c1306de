"""Writes ``deploy.observability.rules`` as Prometheus' rule file.

JSON strings are YAML, so no YAML writer is needed.
"""

import json
from collections.abc import Iterator
from typing import Final

from deploy.observability.rules import ALERTS, RECORDINGS, Alert

INTERVAL: Final = "1s"  # of evaluation, as often as the targets are scraped
HEAD: Final = f"""\
# Generated from deploy/observability/rules.py; run 'make docs' after a change there.
groups:
  - name: trapline
    interval: {INTERVAL}
    rules:
"""


def markup() -> str:
    """The whole rule file. One group, because its rules run in order: alerts see what was just recorded."""
    return HEAD + "".join(_lines())


def _lines() -> Iterator[str]:
    for rule in RECORDINGS:
        yield f"      - record: {rule.name}\n"
        yield from _expr(rule.expr)
    for alert in ALERTS:
        yield from _alert(alert)


def _expr(expr: str) -> Iterator[str]:
    yield "        expr: |-\n"
    for line in expr.splitlines():
        yield f"          {line}\n"


def _alert(alert: Alert) -> Iterator[str]:
    yield f"      - alert: {alert.name}\n"
    yield from _expr(alert.expr)
    if alert.wait:
        yield f"        for: {alert.wait}\n"
    yield f"        labels:\n          severity: {alert.severity}\n"
    yield f"          in_experiment: {alert.in_experiment}\n        annotations:\n"
    yield f"          summary: {json.dumps(alert.summary)}\n"
    yield f"          description: {json.dumps(f'What it means: {alert.means} What to do: {alert.do}')}\n"
