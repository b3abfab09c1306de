"""Every dashboard is of the types that Grafana publishes, and the schemas made of these types do bite."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.observability import grafana_schemas
from tests.deploy.observability.planted import FAULTS, TYPES, Fault, spoiled

pytestmark = pytest.mark.skipif(
    grafana_schemas.FOLDER is None,
    reason=f"{grafana_schemas.VARIABLE} is not set; fill a folder with tests/grafana_schemas.sh and name it",
)
FILES = sorted((Path(__file__).parents[3] / "grafana" / "dashboards").glob("*.json"))
ROOTS = {
    "dashboard": {"schemaVersion": "1"},
    "query": {"expr": 1},
    "timeseries.options": {"legend": 1},
    "timeseries.custom": {"lineWidth": "1"},
    "stat.options": {"graphMode": "none of these"},
    "table.options": {"frameIndex": "0"},
    "table.custom": {"width": "1"},
    "bargauge.options": {"displayMode": "none of these"},
    "gauge.options": {"showThresholdLabels": "yes"},
    "heatmap.options": {"calculate": "yes"},
    "heatmap.custom": {"hideFrom": "yes"},
    "state-timeline.options": {"showValue": "none of these"},
    "state-timeline.custom": {"lineWidth": "1"},
    "text.options": {"mode": "none of these"},
}


def dashboard(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("name", ROOTS)
def test_no_schema_is_empty(name: str) -> None:
    """What accepts everything proves nothing: one value of a wrong type, one field too many."""
    validator = grafana_schemas.validator(name)
    assert list(validator.iter_errors(ROOTS[name]))
    assert list(validator.iter_errors({"none of these": 1}))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_dashboard_is_of_grafanas_types(file: Path) -> None:
    assert grafana_schemas.problems(dashboard(file)) == []


@pytest.mark.parametrize("fault", TYPES, ids=lambda fault: fault.name)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_planted_fault_is_found_in_each_dashboard(file: Path, fault: Fault) -> None:
    assert grafana_schemas.problems(spoiled(dashboard(file), fault))


def test_the_faults_of_the_lint_are_not_the_schemas() -> None:
    """The table says which check finds what; if types begin to find one of these, it may say so."""
    board = dashboard(min(FILES, key=lambda file: file.stat().st_size))
    for fault in FAULTS:
        if fault.check != "schema":
            assert grafana_schemas.problems(spoiled(board, fault)) == [], fault.name
