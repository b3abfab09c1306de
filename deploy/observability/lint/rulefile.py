"""Judges the recording rules and alerts of a rule file; its YAML is read as the table it is written from."""

import re

from deploy.observability.lint import promql
from deploy.observability.lint.problem import Problem, Say, teller
from deploy.observability.rules import ALERTS, RECORDINGS, Alert, Recording

_TEMPLATE = re.compile(r"\$labels\.(\w+)")
_DURATION = re.compile(r"\d+[smh]")


def judge(
    file: str, recordings: tuple[Recording, ...] = RECORDINGS, alerts: tuple[Alert, ...] = ALERTS
) -> list[Problem]:
    """Every problem of these rules; ``file`` is what is named."""
    found: list[Problem] = []
    for rule in recordings:
        _recording(rule, teller(file, f"rule {rule.name}", found))
    for alert in alerts:
        _alert(alert, teller(file, f"alert {alert.name}", found))
    return found


def _recording(rule: Recording, say: Say) -> None:
    labels = promql.judge(rule.expr, say)
    if labels != frozenset(rule.labels):
        say(
            "label", f"its result has {', '.join(sorted(labels))}", f"the table says {', '.join(rule.labels)}"
        )
    level = rule.name.partition(":")[0]
    if level != "_".join(rule.labels):
        say("name", f"{level!r} are not its labels", f"begin its name with {'_'.join(rule.labels)}")


def _alert(alert: Alert, say: Say) -> None:
    labels = promql.judge(alert.expr, say)
    for name in _TEMPLATE.findall(alert.summary + alert.means + alert.do):
        if name not in labels:
            say("label", f"$labels.{name} is empty", f"the result has {', '.join(sorted(labels))}")
    if "cluster" not in labels and not alert.expr.startswith("absent("):
        say("cluster", "its result does not tell the cluster", "keep cluster in every by()")
    if alert.wait and not _DURATION.fullmatch(alert.wait):
        say("for", f"{alert.wait!r} is no duration", "write it like 30s")
