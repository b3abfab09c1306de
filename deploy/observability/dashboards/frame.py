"""What all dashboards share: variables, annotations, links between them, the JSON's form.

An experiment narrows the clusters, and only clusters are asked for in queries: recording rules keep no other
label of the target. What a dashboard has no use for it does not offer.
"""

import json
from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.observability.dashboards.asking import FIRING, OWNERS, known_agents, named
from deploy.observability.dashboards.names import OBSERVER, UIDS
from deploy.observability.dashboards.panels import SOURCE
from deploy.observability.dashboards.promql import Scope, counter

WHERE = Scope(())
CALLS = "trapline_scmi_calls_total"
LABELS = {
    "experiment": ("Experiment", 'label_values(up{job="trapline"}, experiment)'),
    "cluster": ("Cluster", 'label_values(up{job="trapline",experiment=~"$experiment"}, cluster)'),
    "agent": ("Agent", f"query_result({known_agents()})"),
    "protocol": ("Protocol", f"label_values({Scope(('agent',)).series(CALLS)}, protocol)"),
}
PARTS = {"agent": '/agent="(?<value>[^"]*)".*name="(?<text>[^"]*)"/'}
"""Of what a query gives, what is chosen and what is shown."""
EVERYTHING = {"experiment": ".*", "agent": ".*", "protocol": ".*"}
"""Clusters are listed instead: those of the chosen experiments."""
WORDS = {
    "experiment": "Narrows the clusters to those that ran it; a cluster outside of an experiment has none.",
    "cluster": "The name of a run directory.",
    "agent": "The SCMI agent: its number, as the channel says it, and the domain that has it or had it last.",
    "protocol": "The SCMI protocol. What is not of one protocol is not narrowed.",
    "observer": "Where the page of 'trapline up --observe' listens: links to traces lead there.",
}


MOMENT = "$__interval"
STEP = "1s"
"""How often annotations are asked for: as often as targets are scraped, or events are missed.

Grafana would take a minute.
"""


class Annotation(model.AnnotationQuery):
    """A Prometheus annotation with its words and its step, which the SDK's class does not have."""

    def __init__(self, name: str, expr: str, colour: str, words: tuple[str, str]) -> None:
        super().__init__(name=name, datasource=SOURCE, icon_color=colour, expr=expr)
        self._words = {"titleFormat": words[0], "textFormat": words[1], "step": STEP}

    def to_json(self) -> dict[str, object]:
        return super().to_json() | self._words


def annotations() -> list[model.AnnotationQuery]:
    """Marks on every picture: what happened to the platform, and when.

    A mark is where something happened or began, not as long as it lasts.
    """
    resets = named(_happened("trapline_agent_resets_total", "cluster", "agent", "reason"), OWNERS)
    faults = _happened("trapline_faults_injected_total", "cluster", "kind", "target")
    exits = _happened("trapline_node_exits_total", "cluster", "node")
    running = WHERE.series("trapline_experiment_running")
    phases = f"max by (cluster, experiment, phase) ({_began(running)})"
    alerts = f"count by (cluster, alertname) ({_began(FIRING)})"
    return [
        Annotation(
            "Agent resets",
            resets,
            "purple",
            ("Agent reset", "{{reason}}: {{domain}}({{agent}}) on {{cluster}}"),
        ),
        Annotation("Faults", faults, "orange", ("Fault injected", "{{kind}} on {{target}}, {{cluster}}")),
        Annotation("Phases", phases, "blue", ("Phase {{phase}}", "{{experiment}} on {{cluster}}")),
        Annotation("Alerts", alerts, "red", ("{{alertname}}", "began to fire for {{cluster}}")),
        Annotation("Node exits", exits, "dark-red", ("Node ended", "{{node}} of {{cluster}}, unasked")),
    ]


def _happened(name: str, *by: str) -> str:
    """Where a counter grew between two points of the picture, or was born above 0: one point per event.

    increase() over a window would mark the whole window, and pictures with many events would be all marks.
    """
    counter(name, by)
    now = WHERE.series(name)
    return f"count by ({', '.join(by)}) ({now} > 0 unless {now} offset {MOMENT} == {now})"


def _began(series: str) -> str:
    """What is 1 now and was not one point before."""
    return f"{series} == 1 unless {series} offset {MOMENT} == 1"


def variable(name: str) -> Any:
    """The builder of one of the fixed variables."""
    if name == "datasource":
        return (
            build.DatasourceVariable(name)
            .label("Data source")
            .type("prometheus")
            .description("A Prometheus that scrapes Trapline.")
        )
    if name == "observer":
        chosen = model.VariableOption(selected=True, text=OBSERVER, value=OBSERVER)
        box = build.TextBoxVariable(name).label("Observer").description(WORDS[name])
        return box.default_value(OBSERVER).current(chosen).options([chosen])
    label, query = LABELS[name]
    chosen = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    one = build.QueryVariable(name).label(label).description(WORDS[name]).datasource(SOURCE)
    one.query({"query": query, "refId": name, "qryType": 5}).current(chosen).multi(True).include_all(True)
    one.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.NATURAL_ASC)
    if name in PARTS:
        one.regex(PARTS[name])
    return one.all_value(EVERYTHING[name]) if name in EVERYTHING else one


def row(title: str, y: int) -> Any:
    """A heading over panels."""
    return build.Row(title).grid_pos(model.GridPos(x=0, y=y, w=24, h=1))


def text(key: str, title: str, why: str, variables: Sequence[str], panels: Sequence[Any]) -> str:
    """A dashboard's JSON, keys sorted, panels numbered in their order."""
    board = build.Dashboard(title).uid(UIDS[key]).description(why).tags(["trapline"]).editable()
    board.time("now-15m", "now").refresh("5s").timezone("browser")
    board.tooltip(model.DashboardCursorSync.CROSSHAIR)
    board.timepicker(build.TimePicker().refresh_intervals(["1s", "5s", "10s", "30s", "1m", "5m"]))
    board.variables([variable(name) for name in variables])
    board.links([_others()])
    for number, panel in enumerate(panels, 1):
        panel.id(number)
        if isinstance(panel, build.Row):
            board.with_row(panel)
        else:
            board.with_panel(panel)
    whole = board.build()
    whole.annotations = model.AnnotationContainer(list_val=annotations())
    whole.version = 1
    return json.dumps(whole, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _others() -> Any:
    link = build.DashboardLink("Trapline").type(model.DashboardLinkType.DASHBOARDS).tags(["trapline"])
    return link.as_dropdown(False).include_vars(True).keep_time(True)
