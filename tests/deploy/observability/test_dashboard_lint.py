"""The project's dashboards and rules are clean, and every planted fault is found by the rule it names."""

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.observability import rules
from deploy.observability.lint.__main__ import main
from deploy.observability.lint.dashboards import judge as judge_dashboard
from deploy.observability.lint.problem import Problem
from deploy.observability.lint.rulefile import judge as judge_rules
from tests.deploy.observability.planted import FAULTS, QUERIES, Fault, first, spoiled

FOLDER = Path(__file__).parents[3] / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
LINTED = [fault for fault in FAULTS if fault.check == "lint"]


def dashboard(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def usual() -> dict[str, Any]:
    """The overview with a first time series that every fault fits: calls' durations, in seconds."""
    return dashboard(FOLDER / "overview.json")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_dashboard_is_clean(file: Path) -> None:
    assert [str(problem) for problem in judge_dashboard(file.name, dashboard(file))] == []


def test_the_rules_are_clean() -> None:
    assert [str(problem) for problem in judge_rules("rules.yml")] == []


@pytest.mark.parametrize("fault", LINTED, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault) -> None:
    found = judge_dashboard("x.json", spoiled(usual(), fault))
    assert fault.rule in {problem.rule for problem in found}


def test_a_problem_names_the_panel() -> None:
    (problem,) = judge_dashboard("x.json", spoiled(usual(), QUERIES[0]))
    assert (problem.file, problem.where) == ("x.json", f"panel {first(usual())['title']}")


@pytest.mark.parametrize(
    "fault", [one for one in QUERIES if one.check == "lint"], ids=lambda fault: fault.name
)
def test_a_fault_of_a_query_is_found_in_an_annotation_too(fault: Fault) -> None:
    board = usual()
    noted = copy.deepcopy(board)
    noted["annotations"]["list"][0]["expr"] = first(spoiled(board, fault))["targets"][0]["expr"]
    assert fault.rule in {problem.rule for problem in judge_dashboard("x.json", noted)}


def test_what_only_a_value_can_tell_is_not_found_here() -> None:
    """If the lint learns it, the table has to say so."""
    for fault in FAULTS:
        if fault.check == "value":
            found = {problem.rule for problem in judge_dashboard("x.json", spoiled(usual(), fault))}
            assert found <= {"unit"}


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("label_values(up, cluster)", "job"),
        ('label_values(upp{job="trapline"}, cluster)', "name"),
        ('label_values(up{job="trapline"}, clutser)', "label"),
        ("label_values(cluster)", "job"),
        ("query_result(up)", "variable"),
    ],
)
def test_a_variable_that_lists_the_wrong_things_is_found(query: str, rule: str) -> None:
    board = usual()
    listed = next(one for one in board["templating"]["list"] if one["name"] == "cluster")
    listed["query"]["query"] = query
    assert rule in {problem.rule for problem in judge_dashboard("x.json", board)}


SERIES = 'trapline_smc_traps_total{job="trapline"}'


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"expr": f"sum by (domain) (rate({SERIES}[30s])) > 1"}, "cluster"),
        ({"expr": f"sum by (cluster) (rate({SERIES}[30s])) > 1", "summary": "{{ $labels.domain }}"}, "label"),
        ({"expr": f"sum by (cluster) ({SERIES}) > 1"}, "bare-counter"),
        ({"wait": "soon"}, "for"),
    ],
)
def test_an_alert_that_is_wrong_is_found(change: dict[str, str], rule: str) -> None:
    spoiled_alert = msgspec.structs.replace(rules.ALERTS[0], **change)
    assert rule in {problem.rule for problem in judge_rules("rules.yml", alerts=(spoiled_alert,))}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"labels": ("cluster", "agent")}, "label"),
        ({"name": "agent:trapline_scmi_calls:rate30s"}, "name"),
        ({"expr": f"sum by (cluster, agent, protocol) (rate({SERIES}[30s]))"}, "label"),
    ],
)
def test_a_recording_rule_that_is_wrong_is_found(change: dict[str, Any], rule: str) -> None:
    wrong = msgspec.structs.replace(rules.RECORDINGS[0], **change)
    assert rule in {problem.rule for problem in judge_rules("rules.yml", recordings=(wrong,), alerts=())}


def test_the_command_is_silent_about_what_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_names_file_panel_rule_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(spoiled(usual(), QUERIES[1])))
    assert main([str(file)]) == 1
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith(
        f"mine.json: panel {first(usual())['title']}: name: there is no series trapline_scmi_cals_total"
    )
    assert line.endswith("did you mean 'trapline_scmi_calls_total'?")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"panels": 7}',
        '{"panels": [7]}',
        '{"panels": [{"type": "stat", "targets": 7}]}',
        '{"panels": [{"type": "stat", "gridPos": {"x": "1"}}]}',
        '{"panels": [{"type": "stat", "targets": [{"expr": 7}]}]}',
        '{"panels": [], "templating": {"list": [{}]}}',
    ],
)
def test_what_is_no_dashboard_is_one_clear_error(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.json"
    if text is not None:
        file.write_text(text)
    assert main([str(file)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"{file}: ")
    assert len(said.err.splitlines()) == 1


def test_a_problem_is_told_once() -> None:
    found = judge_dashboard("x.json", spoiled(usual(), QUERIES[0]))
    assert len(found) == len(set(found))
    assert all(isinstance(problem, Problem) for problem in found)
