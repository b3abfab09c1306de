"""Dashboards against JSON schemas made of Grafana's own types (``tests/grafana_schemas.sh``).

TRAPLINE_GRAFANA_SCHEMAS names their folder. Grafana fills in what a dashboard leaves out, and its types do
not say so; relaxations follow from that and from how the types are published, each where it is made below.
"""

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

VARIABLE = "TRAPLINE_GRAFANA_SCHEMAS"
FOLDER = os.environ.get(VARIABLE)
Json = dict[str, Any]


def problems(dashboard: Json) -> list[str]:
    """Where a dashboard, its panels' options and fields, and their queries are not of Grafana's types."""
    return [
        f"{'/'.join(str(part) for part in where)}: {error.message}" for where, error in _errors(dashboard)
    ]


def _errors(dashboard: Json) -> Iterator[tuple[list[Any], ValidationError]]:
    for error in validator("dashboard").iter_errors(dashboard):
        yield list(error.absolute_path), error
    panels = dashboard.get("panels")
    for number, panel in enumerate(panels if isinstance(panels, list) else ()):
        for error in _of_panel(panel):
            yield ["panels", number, *error.absolute_path], error


def _of_panel(panel: Json) -> Iterator[ValidationError]:
    kind = panel.get("type")
    if kind == "row" or kind is None:
        return
    yield from validator(f"{kind}.options").iter_errors(panel.get("options", {}))
    custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom")
    if custom is not None:
        yield from validator(f"{kind}.custom").iter_errors(custom)
    for target in panel.get("targets", ()):
        yield from validator("query").iter_errors(target)


@cache
def validator(name: str) -> Draft7Validator:
    """The schema of one root type; FileNotFoundError for a kind of panel that has none."""
    assert FOLDER
    schema = json.loads((Path(FOLDER) / f"{name}.json").read_text())
    Draft7Validator.check_schema(schema)
    if name == "dashboard":
        # A query of any data source is published as an object without properties: each is checked as a
        # Prometheus query instead.
        schema["definitions"]["Dataquery"] = {"type": "object"}
    else:
        _nothing_required(schema)
    return Draft7Validator(schema)


def _nothing_required(node: Any) -> None:
    """Options have defaults, which the types do not tell: what is missing is not wrong."""
    if isinstance(node, dict):
        if isinstance(node.get("required"), list):
            del node["required"]
        for one in node.values():
            _nothing_required(one)
    elif isinstance(node, list):
        for one in node:
            _nothing_required(one)
