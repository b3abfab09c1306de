"""Faults planted into a dashboard, each with the check that has to find it.

``lint`` is ``deploy.observability.lint`` (with the rule that must speak), ``schema`` the JSON schemas made
from Grafana's own types, ``value`` an assertion on a number in the live run with a known workload: nothing
else can tell that a sum counts one fact several times (``tests/system/test_observe.py``).
"""

import copy
from collections.abc import Callable
from typing import Any, Literal

import msgspec

Json = dict[str, Any]


class Fault(msgspec.Struct, frozen=True):
    """``plant`` spoils a dashboard in place. ``rule``: of the lint; "" where another check finds it."""

    name: str
    check: Literal["lint", "schema", "value"]
    plant: Callable[[Json], None]
    rule: str = ""


def spoiled(dashboard: Json, fault: Fault) -> Json:
    """A copy with the fault."""
    found = copy.deepcopy(dashboard)
    fault.plant(found)
    assert found != dashboard, fault.name
    return found


def first(dashboard: Json, kind: str = "timeseries") -> Json:
    """The first panel of a kind that asks something."""
    return next(one for one in dashboard["panels"] if one["type"] == kind and one.get("targets"))


def ask(expr: str) -> Callable[[Json], None]:
    """The first time series asks this instead, without a legend; its unit stays that of durations."""

    def plant(dashboard: Json) -> None:
        target = first(dashboard)["targets"][0]
        target["expr"] = expr
        target["legendFormat"] = "one"

    return plant


def panel(change: Callable[[Json], Any]) -> Callable[[Json], None]:
    return lambda dashboard: (change(first(dashboard)), None)[1]


def target(change: Callable[[Json], Any]) -> Callable[[Json], None]:
    return panel(lambda one: change(one["targets"][0]))


def defaults(one: Json) -> Json:
    found: Json = one["fieldConfig"]["defaults"]
    return found


CALLS = 'trapline_scmi_calls_total{job="trapline"'
BUCKET = 'trapline_scmi_call_duration_seconds_bucket{job="trapline"}'
R = "[$__rate_interval]"
BY_AGENT = f"sum by (agent) (rate({CALLS}}}{R}))"

QUERIES = (
    Fault("a syntax error", "lint", ask(f"sum(rate({CALLS}}}{R})"), "syntax"),
    Fault(
        "a metric's name with a typo",
        "lint",
        ask(f'sum(rate(trapline_scmi_cals_total{{job="trapline"}}{R}))'),
        "name",
    ),
    Fault("a value with a typo", "lint", ask(f'sum(rate({CALLS},status="DENYED"}}{R}))'), "value"),
    Fault("!= a value with a typo", "lint", ask(f'sum(rate({CALLS},status!="SUCESS"}}{R}))'), "value"),
    Fault(
        "a value with a typo among alternatives",
        "lint",
        ask(f'sum(rate({CALLS},status=~"BUSY|DENYED"}}{R}))'),
        "value",
    ),
    Fault("!~ a value with a typo", "lint", ask(f'sum(rate({CALLS},status!~"SUCESS"}}{R}))'), "value"),
    Fault("!= on a label with a typo", "lint", ask(f'sum(rate({CALLS},staus!="SUCCESS"}}{R}))'), "label"),
    Fault("by() a label with a typo", "lint", ask(f"sum by (agnet) (rate({CALLS}}}{R}))"), "label"),
    Fault("on() a label with a typo", "lint", ask(f"{BY_AGENT} / on (agnet) {BY_AGENT}"), "label"),
    Fault(
        "a typo behind 'or vector(0)'",
        "lint",
        ask(f'sum(rate(trapline_scmi_cals_total{{job="trapline"}}{R})) or vector(0)'),
        "name",
    ),
    Fault("no job", "lint", ask(f"sum(rate(trapline_scmi_calls_total{R}))"), "job"),
    Fault("a counter as it is", "lint", ask(f"sum({CALLS}}})"), "bare-counter"),
    Fault(
        "rate() of a gauge",
        "lint",
        ask(f'sum(rate(trapline_scmi_inflight_calls{{job="trapline"}}{R}))'),
        "rate-of-gauge",
    ),
    Fault("delta() of a counter", "lint", ask(f"sum(delta({CALLS}}}{R}))"), "delta-of-counter"),
    Fault(
        "rate() of what is a rate",
        "lint",
        ask("sum(rate(cluster_agent:trapline_scmi_calls:rate30s[1m]))"),
        "rate-of-gauge",
    ),
    Fault(
        "a quantile without le",
        "lint",
        ask(f"histogram_quantile(0.99, sum by (agent) (rate({BUCKET}{R})))"),
        "quantile",
    ),
    Fault(
        "a quantile of 99",
        "lint",
        ask(f"histogram_quantile(99, sum by (le) (rate({BUCKET}{R})))"),
        "quantile",
    ),
    Fault(
        "a quantile of bare buckets",
        "lint",
        ask(f"histogram_quantile(0.99, sum by (le) ({BUCKET}))"),
        "bare-counter",
    ),
    Fault("a window of one scrape", "lint", ask(f"sum(rate({CALLS}}}[1s]))"), "window"),
    Fault("a window of one pixel", "lint", ask(f"sum(rate({CALLS}}}[$__interval]))"), "window"),
    Fault(
        "a histogram without its suffix",
        "lint",
        ask('max(trapline_scmi_call_duration_seconds{job="trapline"})'),
        "name",
    ),
    Fault("another role's metric", "lint", ask(f'sum(rate({CALLS},role="guest"}}{R}))'), "owner"),
    Fault(
        "sides that never meet",
        "lint",
        ask(f"{BY_AGENT} / sum by (cluster) (rate({CALLS}}}{R}))"),
        "matching",
    ),
    Fault(
        "'or vector(0)' beside rows",
        "lint",
        ask(f"sum by (agent) (rate({CALLS}}}{R})) or vector(0)"),
        "vector-zero",
    ),
    Fault(
        "a recording rule's name with a typo",
        "lint",
        ask("sum(cluster_agent:trapline_scmi_calls:rate3s)"),
        "name",
    ),
    Fault(
        "a label that a recording rule dropped",
        "lint",
        ask('sum(cluster_agent:trapline_scmi_calls:rate30s{message="x"})'),
        "label",
    ),
    Fault("an alert that is none", "lint", ask('count(ALERTS{alertname="TraplineTargetDwon"})'), "value"),
    Fault("a variable that is none", "lint", ask(f'sum(rate({CALLS},agent=~"$agnet"}}{R}))'), "variable"),
    Fault("= several values", "lint", ask(f'sum(rate({CALLS},agent="$agent"}}{R}))'), "variable"),
    Fault("a sum over several reporters of one fact", "value", ask('sum(up{job="trapline"})')),
)

LOOKS = (
    Fault("the unit of something else", "lint", panel(lambda one: defaults(one).update(unit="ms")), "unit"),
    Fault("calls per second shown as seconds", "lint", ask(f"sum(rate({CALLS}}}{R}))"), "unit"),
    Fault("no title", "lint", panel(lambda one: one.update(title="")), "title"),
    Fault("no query", "lint", panel(lambda one: one.update(targets=[])), "targets"),
    Fault("no unit", "lint", panel(lambda one: defaults(one).pop("unit")), "unit"),
    Fault("no description", "lint", panel(lambda one: one.pop("description")), "description"),
    Fault("no words for no data", "lint", panel(lambda one: defaults(one).pop("noValue")), "no-data"),
    Fault("no thresholds", "lint", panel(lambda one: defaults(one).pop("thresholds")), "thresholds"),
    Fault(
        "a data source of one server",
        "lint",
        target(lambda one: one.update(datasource={"uid": "abc"})),
        "datasource",
    ),
    Fault(
        "a legend that is empty", "lint", target(lambda one: one.update(legendFormat="{{agnet}}")), "legend"
    ),
    Fault(
        "targets of one name", "lint", panel(lambda one: one["targets"].append(one["targets"][0])), "refid"
    ),
    Fault("a panel beyond the grid", "lint", panel(lambda one: one["gridPos"].update(x=20, w=12)), "grid"),
    Fault(
        "panels on one another",
        "lint",
        panel(lambda one: one["gridPos"].update(y=one["gridPos"]["y"] - 1, x=0)),
        "grid",
    ),
    Fault("two panels of one id", "lint", panel(lambda one: one.update(id=1)), "id"),
)

TYPES = (
    Fault("a width in words", "schema", panel(lambda one: one["gridPos"].update(w="12"))),
    Fault("a title that is a number", "schema", panel(lambda one: one.update(title=7))),
    Fault("no type", "schema", panel(lambda one: one.pop("type"))),
    Fault(
        "a colour mode that does not exist",
        "schema",
        panel(lambda one: defaults(one)["color"].update(mode="rainbow")),
    ),
    Fault(
        "steps that are no list", "schema", panel(lambda one: defaults(one)["thresholds"].update(steps="red"))
    ),
    Fault("an option that does not exist", "schema", panel(lambda one: one["options"].update(legnd={}))),
    Fault("an option of the wrong type", "schema", panel(lambda one: one["options"].update(legend="below"))),
    Fault(
        "a custom field that does not exist",
        "schema",
        panel(lambda one: defaults(one)["custom"].update(lineWdth=1)),
    ),
    Fault("an expression that is a number", "schema", target(lambda one: one.update(expr=5))),
    Fault("a format that does not exist", "schema", target(lambda one: one.update(format="tabel"))),
    Fault("a field of a query that does not exist", "schema", target(lambda one: one.update(exprr="up"))),
    Fault(
        "a variable of no type", "schema", lambda dashboard: dashboard["templating"]["list"][1].pop("type")
    ),
    Fault("panels that are no list", "schema", lambda dashboard: dashboard.update(panels={})),
    Fault("a schema version in words", "schema", lambda dashboard: dashboard.update(schemaVersion="new")),
    Fault("tags in one string", "schema", lambda dashboard: dashboard.update(tags="trapline")),
)

FAULTS = (*QUERIES, *LOOKS, *TYPES)
