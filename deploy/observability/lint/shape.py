"""What of a dashboard's JSON the lint reads: a file of another shape is one clear error and no crash."""

from typing import Any

import msgspec


class Place(msgspec.Struct):
    x: int = 0
    y: int = 0
    w: int = 0
    h: int = 0


class Target(msgspec.Struct):
    expr: str | None = None
    legendFormat: str | None = None  # noqa: N815 - Grafana's name
    datasource: dict[str, Any] | None = None


class Override(msgspec.Struct):
    properties: list[dict[str, Any]] = []


class FieldConfig(msgspec.Struct):
    defaults: dict[str, Any] = {}
    overrides: list[Override] = []


class Panel(msgspec.Struct):
    type: str
    title: str | None = None
    gridPos: Place | None = None  # noqa: N815 - Grafana's name
    fieldConfig: FieldConfig | None = None  # noqa: N815 - Grafana's name
    datasource: dict[str, Any] | None = None
    targets: list[Target] | None = None
    panels: list["Panel"] | None = None


class Variable(msgspec.Struct):
    name: str


class Note(msgspec.Struct):
    name: str
    expr: str | None = None
    datasource: dict[str, Any] | None = None


class Variables(msgspec.Struct, rename={"rows": "list"}):
    rows: list[Variable] = []


class Notes(msgspec.Struct, rename={"rows": "list"}):
    rows: list[Note] = []


class Dashboard(msgspec.Struct):
    """A dashboard of Grafana's first schema, as far as it is read. What is not named here may be anything."""

    panels: list[Panel]
    templating: Variables | None = None
    annotations: Notes | None = None
