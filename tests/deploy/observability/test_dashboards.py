"""The dashboards are what their code says, each panel keeps the rules, and a breach of any rule is seen."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from bus.scmi import PROTOCOLS
from bus.scmi.status import Status
from deploy.errors import UserError
from deploy.observability import assets
from deploy.observability.dashboards import looks, texts
from deploy.observability.dashboards.names import UIDS
from deploy.observability.dashboards.promql import Not, Scope
from deploy.observability.dashboards.words import words
from tests.deploy.observability import dashboard_rules

FOLDER = assets.folder() / "dashboards"
BOARDS = {key: json.loads((FOLDER / f"{key}.json").read_text(encoding="utf-8")) for key in UIDS}
Breaks = Callable[[dict[str, Any]], object]
FAILURES = "calls_that_failed_by_status"


def test_committed_dashboards_are_what_the_code_builds() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}
    assert texts() == committed


@pytest.mark.parametrize("key", UIDS)
def test_dashboard_keeps_every_rule(key: str) -> None:
    assert BOARDS[key]["uid"] == UIDS[key]
    assert not dashboard_rules.breaches(BOARDS[key])


PLANTED: dict[str, Breaks] = {
    "the description asks no question": lambda panel: panel.update(description="Calls."),
    "no threshold to begin with": lambda panel: defaults(panel).pop("thresholds"),
    "nothing judges it": lambda panel: (
        defaults(panel)["thresholds"].update(steps=[{"value": None, "color": "blue"}]),
        panel["fieldConfig"].update(overrides=[]),
    ),
    "the legend has no maximum": lambda panel: panel["options"]["legend"].update(calcs=[]),
    "of any cluster": lambda panel: ask(panel, 'cluster=~"$cluster"', 'cluster=~".*"'),
    "nothing is selected": lambda panel: panel["targets"][0].update(expr="vector(1)"),
    "red for everything": lambda panel: defaults(panel)["color"].update(fixedColor="red"),
    "a palette with red in it": lambda panel: defaults(panel)["color"].update(mode="palette-classic"),
    "no variable agents": lambda panel: ask(panel, "$agent", "$agents"),
    "a link to trapline-nowhere": lambda panel: defaults(panel)["links"][0].update(
        url="/d/trapline-nowhere?x"
    ),
}


@pytest.mark.parametrize("told", PLANTED)
def test_breach_is_seen(told: str) -> None:
    board = deepcopy(BOARDS["overview"])
    panel = next(one for one in board["panels"] if one["title"] == "Slowest 1 % of calls, by agent")
    PLANTED[told](panel)
    assert any(told in one for one in dashboard_rules.breaches(board))


def test_variable_that_nobody_uses_is_seen() -> None:
    board = deepcopy(BOARDS["fleet"])
    board["templating"]["list"].append({"name": "mood", "type": "textbox"})
    assert dashboard_rules.breaches(board) == ["variable mood is not used"]


@pytest.mark.parametrize("key", UIDS)
def test_every_panel_has_words_of_its_own_and_all_words_a_panel(key: str) -> None:
    shown = [one["title"] for one in dashboard_rules.panels(BOARDS[key])]
    assert sorted(shown) == sorted(one.title for one in words(key).values())


@pytest.mark.parametrize("key", UIDS)
def test_agents_lead_to_their_dashboard_and_their_traces(key: str) -> None:
    text = json.dumps(BOARDS[key])
    if key != "fleet":
        assert "${observer}/traces?cluster=${__field.labels.cluster}&agent=${__field.labels.agent}" in text
        assert (
            "/d/trapline-agent?var-cluster=${__field.labels.cluster}&var-agent=${__field.labels.agent}"
            in text
        )
    marks = [one["name"] for one in BOARDS[key]["annotations"]["list"]]
    assert marks == ["Agent resets", "Faults", "Phases", "Alerts", "Node exits"]
    for one in BOARDS[key]["annotations"]["list"]:
        assert one["titleFormat"]
        assert one["textFormat"]
        assert one["step"] == "1s", "events between two moments would be missed"


def test_queries_have_names_and_values_of_the_catalogue_only() -> None:
    scope = Scope()
    assert scope.rate("trapline_scmi_calls_total", "agent", status=Not("SUCCESS")) == (
        'sum by (agent) (rate(trapline_scmi_calls_total{job="trapline",cluster=~"$cluster",agent=~"$agent",'
        'protocol=~"$protocol",status!="SUCCESS"}[$__rate_interval]))'
    )
    with pytest.raises(ValueError, match="nobody exports 'trapline_scmi_call_total'"):
        scope.rate("trapline_scmi_call_total")
    with pytest.raises(ValueError, match="has no label 'domain'"):
        scope.rate("trapline_scmi_calls_total", "domain")
    with pytest.raises(ValueError, match="has no label 'verdict'"):
        scope.rate("trapline_scmi_calls_total", verdict="refused")
    with pytest.raises(ValueError, match="status is never 'DENYED'"):
        scope.rate("trapline_scmi_calls_total", status="DENYED")
    with pytest.raises(ValueError, match="verdict is never 'denied'"):
        scope.rate("trapline_smc_traps_total", verdict=("refused", "denied"))
    with pytest.raises(ValueError, match="is a gauge: rate and increase are for counters"):
        scope.increase("trapline_scmi_inflight_calls")
    with pytest.raises(ValueError, match="is a counter: ask for its rate"):
        scope.last("trapline_scmi_calls_total")
    with pytest.raises(ValueError, match="nobody exports 'trapline_scmi_call_duration_seconds'"):
        scope.rate("trapline_scmi_call_duration_seconds")
    with pytest.raises(ValueError, match="has no label 'process'"):
        scope.series("cluster_agent:trapline_scmi_calls:rate30s", process="xen")


def test_every_agent_and_protocol_has_one_colour_and_neighbours_have_others() -> None:
    chosen = [
        [
            colour
            for regexp, colour in looks.agents().items()
            if re.search(regexp.strip("/"), f"d1-{number}({number}) · x(7)")
        ]
        for number in range(256)
    ]
    assert all(len(colours) == 1 for colours in chosen)
    assert all(chosen[number] == chosen[number % 20] for number in range(256))
    assert len({colours[0] for colours in chosen}) == 20
    assert [one.key for one in PROTOCOLS] == list(looks.PROTOCOLS)
    assert set(looks.meanings(tuple(looks.VALUES)).values()) >= {looks.GOOD, looks.WARN, looks.BAD}


def test_every_status_of_a_failure_has_its_colour() -> None:
    (panel,) = (
        one for one in BOARDS["overview"]["panels"] if one["title"] == words("overview")[FAILURES].title
    )
    coloured = [one["matcher"]["options"].strip("/") for one in panel["fieldConfig"]["overrides"]]
    found = {one: [regexp for regexp in coloured if re.search(regexp, one.name)] for one in Status}
    assert {one: len(regexps) for one, regexps in found.items()} == {one: int(bool(one)) for one in Status}


def test_assets_are_in_a_checkout_or_in_a_wheel_or_missed_in_one_line(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "deploy"
    with pytest.raises(UserError, match="this installation lacks the dashboards"):
        assets.folder(package)
    (package / "grafana" / "dashboards").mkdir(parents=True)
    assert assets.folder(package) == package / "grafana"
    assert assets.folder() == Path(assets.__file__).parents[2] / "grafana"


def test_provisioning_is_yaml_of_the_structure_that_grafana_reads() -> None:
    files = {path.parent.name: path for path in (assets.folder() / "provisioning").glob("*/*.yaml")}
    read = {name: yaml.safe_load(path.read_text(encoding="utf-8")) for name, path in files.items()}
    assert sorted(read) == ["alerting", "dashboards", "datasources"]
    assert all(one["apiVersion"] == 1 for one in read.values())
    (source,) = read["datasources"]["datasources"]
    assert (source["type"], source["uid"]) == ("prometheus", "trapline-prometheus")
    assert source["url"] == "${TRAPLINE_PROMETHEUS_URL}"
    assert source["jsonData"]["timeInterval"] == "1s"
    (provider,) = read["dashboards"]["providers"]
    assert (provider["type"], provider["options"]["path"]) == ("file", "${TRAPLINE_DASHBOARDS}")
    (policy,) = read["alerting"]["policies"]
    assert policy["receiver"] in [one["name"] for one in read["alerting"]["contactPoints"]]
    assert "cluster" in policy["group_by"]


def defaults(panel: dict[str, Any]) -> dict[str, Any]:
    return panel["fieldConfig"]["defaults"]  # type: ignore[no-any-return]


def ask(panel: dict[str, Any], old: str, new: str) -> None:
    panel["targets"][0]["expr"] = panel["targets"][0]["expr"].replace(old, new)
