"""Judges one dashboard's JSON: every query of panels, variables and annotations, every link, the layout."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy.observability.lint import layout, promql, units
from deploy.observability.lint.problem import Problem, Say, teller
from deploy.observability.lint.variables import substituted, used

Json = Mapping[str, Any]
VARIABLES: Final = ("datasource", "cluster", "experiment", "agent", "protocol", "observer")
WHOLE: Final = "dashboard"
_QUERY_RESULT = re.compile(r"query_result\((.*)\)", re.DOTALL)
_NAMED_PARTS = re.compile(r"\(\?<value>.*\(\?<text>")
_LABEL_VALUES = re.compile(r"label_values\((?:(.*),)?\s*(\w+)\s*\)", re.DOTALL)
_LEGEND = re.compile(r"{{\s*(\w+)\s*}}")
_ASKED = re.compile(r'(=~|!~|!=|=)\s*"([^"]*)"')


def judge(file: str, dashboard: Json) -> list[Problem]:
    """Every problem of a dashboard, which is JSON as Grafana exports it."""
    found: list[Problem] = []
    whole = teller(file, WHOLE, found)
    panels = dashboard.get("panels") or []
    layout.judge(panels, whole)
    _whole(dashboard, whole)
    variables = {one["name"]: one for one in (dashboard.get("templating") or {}).get("list") or ()}
    for variable in variables.values():
        _variable(variable, variables, teller(file, f"variable {variable['name']}", found))
    for note in (dashboard.get("annotations") or {}).get("list") or ():
        if note.get("expr"):
            _annotation(note, variables, teller(file, f"annotation {note.get('name')}", found))
    for panel in layout.every(panels):
        say = teller(file, f"panel {panel.get('title') or panel.get('id')}", found)
        layout.judge_panel(panel, say)
        _targets(panel, variables, say)
        _links(panel, variables, say)
    return found


def _whole(dashboard: Json, say: Say) -> None:
    for key in ("uid", "title", "description", "tags"):
        if not dashboard.get(key):
            say(key, f"{key} is missing", "set it")
    titles = [panel.get("title") for panel in layout.every(dashboard.get("panels") or ())]
    for title in sorted({str(one) for one in titles if titles.count(one) > 1}):
        say("title", f"two panels are called {title!r}", "name each for what it shows")


def _query(text: str, variables: Mapping[str, Json], say: Say) -> promql.Labels:
    """Judges a query with its variables; gives the labels of its result."""
    plain, names = substituted(text)
    _declared(names, variables, say)
    for operator, value in _ASKED.findall(text):
        several = [name for name in used(value) if variables.get(name, {}).get("multi")]
        if several and operator in ("=", "!="):
            say(
                "variable",
                f"${several[0]} may be several values, and {operator} compares one",
                "use =~ or !~",
            )
    return promql.judge(plain, say)


def _declared(names: list[str], variables: Mapping[str, Json], say: Say) -> None:
    for name in names:
        if name.startswith("__"):
            say("variable", f"Grafana knows no ${name} here", "use $__rate_interval or $__range")
        elif name not in variables:
            say("variable", f"the dashboard has no variable {name}", f"it has {', '.join(variables)}")


def _variable(variable: Json, variables: Mapping[str, Json], say: Say) -> None:
    if variable["name"] not in VARIABLES:
        say("variable", f"{variable['name']} is none of {', '.join(VARIABLES)}", "links hand over these only")
    if variable.get("type") != "query":
        return
    query = variable.get("query")
    text = query.get("query", "") if isinstance(query, dict) else str(query)
    result = _QUERY_RESULT.fullmatch(text.strip())
    if result and _NAMED_PARTS.search(str(variable.get("regex") or "")):
        _query(result[1], variables, say)
        return
    asked = _LABEL_VALUES.fullmatch(text.strip())
    if not asked:
        say(
            "variable", f"{text!r} is no label_values(series, label)", "or say which part of each row to take"
        )
        return
    labels = _listed(asked[1], variables, say)
    if asked[2] not in labels:
        say("label", f"{asked[1]} has no label {asked[2]}", "list a label that it has")


def _listed(series: str | None, variables: Mapping[str, Json], say: Say) -> promql.Labels:
    if not series:
        say("job", "label_values() of everything", "name a series, with its job")
        return frozenset()
    problems: list[tuple[str, str, str]] = []
    labels = _query(series, variables, lambda *what: problems.append(what))
    for what in problems:
        if what[0] != "bare-counter":
            say(*what)
    return labels


def _annotation(note: Json, variables: Mapping[str, Json], say: Say) -> None:
    labels = _query(note["expr"], variables, say)
    for key in ("titleFormat", "textFormat"):
        _legend(str(note.get(key) or ""), labels, say)
    if (note.get("datasource") or {}).get("uid") != layout.SOURCE:
        say("datasource", f"data source is {note.get('datasource')}", f"use {layout.SOURCE}")


def _targets(panel: Json, variables: Mapping[str, Json], say: Say) -> None:
    for target in panel.get("targets") or ():
        expr = target.get("expr")
        if not expr:
            say("targets", f"target {target.get('refId')} asks nothing", "give it an expr")
            continue
        before: list[tuple[str, str, str]] = []
        labels = _query(expr, variables, lambda *what: before.append(what))  # noqa: B023 - called at once
        for what in before:
            say(*what)
        if any(rule == "syntax" for rule, _, _ in before):
            continue
        _legend(str(target.get("legendFormat") or ""), labels, say)
        _unit(panel, substituted(expr)[0], say)


def _legend(text: str, labels: promql.Labels, say: Say) -> None:
    for name in _LEGEND.findall(text):
        if name not in labels:
            has = ", ".join(sorted(labels)) or "no label"
            say("legend", f"{{{{{name}}}}} is empty: the query has {has}", "keep the label in the by()")


def _units(panel: Json) -> Iterator[str]:
    config = panel.get("fieldConfig") or {}
    yield (config.get("defaults") or {}).get("unit") or ""
    for override in config.get("overrides") or ():
        for one in override.get("properties") or ():
            if one.get("id") == "unit":
                yield str(one.get("value"))


def _unit(panel: Json, expr: str, say: Say) -> None:
    measured = units.unit_of(expr)
    if measured is None or panel.get("type") == "state-timeline":
        return
    if panel.get("type") == "heatmap":
        measured = measured.removesuffix("/s")
    shown = set(_units(panel)) - {""}
    wanted = units.GRAFANA.get(measured, ())
    if shown and wanted and not shown & set(wanted):
        say("unit", f"shows {measured} as {', '.join(sorted(shown))}", f"use {' or '.join(wanted[:2])}")


def _links(panel: Json, variables: Mapping[str, Json], say: Say) -> None:
    """Links name the dashboard's variables; Grafana's own begin with two underscores."""
    config = panel.get("fieldConfig") or {}
    for name in used(
        json.dumps([panel.get("links"), config.get("defaults", {}).get("links"), config.get("overrides")])
    ):
        if name not in variables:
            say("variable", f"a link names ${name}, which the dashboard has not", "declare it or drop it")
