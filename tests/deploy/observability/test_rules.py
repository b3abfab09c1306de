"""The rule file is what the table says, and promtool's tests of it notice what could be wrong with it.

Needs promtool, which Debian has in the package prometheus.
"""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from deploy.cli.app import trapline
from deploy.observability import rules, rules_file
from tests.deploy.observability.rule_mutants import Mutant, mutants

FOLDER = Path(__file__).parents[3] / "grafana" / "prometheus"
RULES = FOLDER / "rules.yml"
CASES = sorted((FOLDER / "tests").glob("*.yml"))
ALERTS = [alert.name for alert in rules.ALERTS]
RECORDINGS = [rule.name for rule in rules.RECORDINGS]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    assert program, "these tests need promtool: apt-get install prometheus"
    command = [program, *(str(one) for one in arguments)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=100
    )


@cache
def groups() -> list[dict[str, Any]]:
    """Every group of cases of all files; all series of a file come as often as it evaluates rules."""
    return [group for case in CASES for group in yaml.safe_load(case.read_text())["tests"]]


@cache
def file_rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expected(name: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The assertions about a rule."""
    exprs = (name, f'ALERTS{{alertname="{name}",alertstate="firing"}}')
    return [one for group in found for one in group["promql_expr_test"] if one["expr"] in exprs]


def test_the_file_is_what_the_table_says() -> None:
    assert RULES.read_text() == rules_file.markup()
    assert [rule.get("record") or rule["alert"] for rule in file_rules()] == RECORDINGS + ALERTS


def test_promtool_finds_no_mistake_in_the_file() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout
    assert f"SUCCESS: {len(RECORDINGS) + len(ALERTS)} rules found" in done.stdout


def test_every_rule_does_what_its_cases_say() -> None:
    done = promtool("test", "rules", *CASES)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ALERTS + RECORDINGS)
def test_every_rule_has_a_case_in_which_it_holds_and_one_in_which_it_does_not(name: str) -> None:
    found = expected(name, groups())
    assert any(one["exp_samples"] for one in found)
    assert any(not one["exp_samples"] for one in found)


def test_every_alert_keeps_the_cluster_and_says_what_to_do() -> None:
    for alert in rules.ALERTS:
        for grouping in re.findall(r"\b(?:by|on) \(([^)]*)\)", alert.expr):
            assert "cluster" in grouping.split(", "), alert.name
        assert alert.means.endswith("."), alert.name
        assert alert.do.endswith("."), alert.name
    assert len(set(ALERTS)) == len(ALERTS)


def test_summaries_are_rendered_with_the_labels_of_the_alert(tmp_path: Path) -> None:
    """A template with a label that the expression drops shows nothing: every value must appear."""
    files = []
    for name in ALERTS:
        group = next(one for one in groups() if expected(name, [one]))
        first = next(one for one in expected(name, [group]) if one["exp_samples"])
        wrong = {"eval_time": first["eval_time"], "alertname": name, "exp_alerts": [{"exp_labels": {}}]}
        test = {
            "interval": group["interval"],
            "input_series": group["input_series"],
            "alert_rule_test": [wrong],
        }
        files.append(tmp_path / f"{name}.yml")
        files[-1].write_text(cases([rule_named(name)], tmp_path / f"{name}.rules.yml", [test]))
    said = promtool("test", "rules", *files).stdout
    for alert in rules.ALERTS:
        part = said.partition(f"{alert.name}.yml")[2].partition("Unit Testing")[0]
        shown = re.search(r'summary="([^"]*)"', part.partition("got:")[2])
        assert shown, part
        labels = dict(re.findall(r'(\w+)="([^"]*)"', part.partition("got:")[2].partition("Annotations")[0]))
        wanted = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], alert.summary)  # noqa: B023
        assert shown[1] == wanted
        assert "<no value>" not in part
        assert "{{" not in part


def test_every_command_that_an_alert_names_exists() -> None:
    """``trapline COMMAND [SUBCOMMAND] [--option]``, each as the command line knows it."""
    named = {
        one for alert in rules.ALERTS for one in re.findall(r"'trapline ([^']*)'", alert.do + alert.means)
    }
    assert len(named) > 5
    for words in named:
        command: click.Command | None = trapline
        for word in words.split():
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(command), word)
                assert command, words
            elif word.startswith("--"):
                assert command
                assert any(word in parameter.opts for parameter in command.params), words


def rule_named(name: str) -> dict[str, Any]:
    return next(rule for rule in file_rules() if name in (rule.get("record"), rule.get("alert")))


def cases(judged: list[dict[str, Any]], path: Path, tests: list[dict[str, Any]]) -> str:
    """A test file for these rules (written to ``path``) after the recording rules that they use."""
    used = [
        rule
        for rule in file_rules()
        if "record" in rule and any(rule["record"] in one["expr"] for one in judged)
    ]
    needed = [
        rule
        for rule in file_rules()
        if "record" in rule and any(rule["record"] in one["expr"] for one in used)
    ]
    first = [rule for rule in file_rules() if rule in needed or rule in used]
    document = {"groups": [{"name": "judged", "interval": "1s", "rules": [*first, *judged]}]}
    path.write_text(json.dumps(document))
    return json.dumps(
        {"rule_files": [str(path)], "evaluation_interval": tests[0]["interval"], "tests": tests}
    )


def under_another_name(name: str, group: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """A group's assertions about a rule, for its mutant of that number."""
    text = json.dumps(expected(name, [group]))
    return json.loads(re.sub(rf"\b{re.escape(name)}\b", f"{name}__{number}", text))


def write_mutants(name: str, folder: Path) -> tuple[Path, list[Mutant]]:
    """All mutants of a rule and the rule's cases for each of them, as one test file of promtool."""
    found = list(mutants(rule_named(name)))
    key = "record" if name in RECORDINGS else "alert"
    judged = [mutant.rule | {key: f"{name}__{number}"} for number, mutant in enumerate(found)]
    tests = [
        {key: value for key, value in group.items() if key in ("interval", "input_series")}
        | {"promql_expr_test": [one for n in range(len(found)) for one in under_another_name(name, group, n)]}
        for group in groups()
        if expected(name, [group])
    ]
    path = folder / f"{name.replace(':', '.')}.yml"
    path.write_text(cases(judged, folder / f"{path.stem}.rules.yml", tests))
    return path, found


@pytest.mark.parametrize("part", ["recordings", "alerts"])
def test_no_spoiled_rule_passes(part: str, tmp_path: Path) -> None:
    names = RECORDINGS if part == "recordings" else ALERTS
    written = {name: write_mutants(name, tmp_path) for name in names}
    said = promtool("test", "rules", *(path for path, _ in written.values())).stdout
    noticed = {(name, int(number)) for name, number in re.findall(r"([\w:]+?)__(\d+)\b[^\n]*time: ", said)}
    survived = [
        f"{name}: {mutant.what}"
        for name, (_, found) in written.items()
        for number, mutant in enumerate(found)
        if (name, number) not in noticed
    ]
    assert not survived, "\n".join(survived)
