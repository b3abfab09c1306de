"""Panels that look alike: what a panel asks, how it is judged and where it stands is written in one ``Look``.

Each function here is one kind of Grafana panel, built with the SDK's builders. Positions are explicit:
the SDK's own layout overflows the grid.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.observability.dashboards.looks import NO_JUDGEMENT, PLAIN, Steps
from deploy.observability.dashboards.words import Words

At = tuple[int, int, int, int]
"""x, y, width, height in the grid of 24 columns."""
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
COUNT, PER_SECOND, SECONDS, RATIO_UNIT, BYTES, BYTES_PER_SECOND = (
    "short",
    "cps",
    "s",
    "percentunit",
    "bytes",
    "Bps",
)


class Look(msgspec.Struct, frozen=True):
    """What all kinds of panel have."""

    words: Words
    at: At
    unit: str
    steps: Steps = NO_JUDGEMENT
    links: tuple[tuple[str, str], ...] = ()
    colours: Mapping[str, str] = {}
    decimals: int | None = None
    top: float | None = None
    legend_below: bool = False
    palette: model.FieldColorModeId = model.FieldColorModeId.FIXED


BY_VALUE, BY_SIZE = model.FieldColorModeId.THRESHOLDS, model.FieldColorModeId.CONTINUOUS_BL_PU
"""Palettes for lines whose names are not known beforehand: as thresholds judge; bluer to more purple."""


class Ask(msgspec.Struct, frozen=True):
    """A query and what its series are called."""

    expr: str
    name: str = ""


def stat_panel(look: Look, *asks: Ask) -> Any:
    """One number as it is now, in the colour of its threshold; nothing of what no longer is there."""
    panel = stat.Panel().color_mode(kinds.BigValueColorMode.VALUE).graph_mode(kinds.BigValueGraphMode.NONE)
    panel.reduce_options(_latest()).text_mode(kinds.BigValueTextMode.VALUE)
    panel.color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
    return _dressed(panel, look, asks, instant=True)


def lines(look: Look, *asks: Ask, stacked: bool = False, bars: bool = False) -> Any:
    """Courses over time, events as bars; the legend has the worst first."""
    panel = (
        timeseries.Panel().line_width(1).fill_opacity(60 if bars else 25 if stacked else 0).axis_soft_min(0)
    )
    panel.show_points(kinds.VisibilityMode.NEVER)
    if bars:
        panel.draw_style(kinds.GraphDrawStyle.BARS)
    panel.color_scheme(_colour(look.palette, PLAIN if look.palette == model.FieldColorModeId.FIXED else ""))
    panel.legend(
        common.VizLegendOptions()
        .display_mode(kinds.LegendDisplayMode.TABLE)
        .placement(kinds.LegendPlacement.BOTTOM if look.legend_below else kinds.LegendPlacement.RIGHT)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
        .sort_by("Max")
        .sort_desc(True)
    )
    panel.tooltip(
        common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    if len(look.steps) > 1:
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
        )
    return _dressed(panel, look, asks)


def ranking(look: Look, *asks: Ask) -> Any:
    """Bars, longest first: who is worst now."""
    panel = bargauge.Panel().display_mode(kinds.BarGaugeDisplayMode.GRADIENT)
    panel.orientation(kinds.VizOrientation.HORIZONTAL).reduce_options(_latest())
    panel.value_mode(kinds.BarGaugeValueMode.COLOR).name_placement(kinds.BarGaugeNamePlacement.LEFT)
    panel.show_unfilled(True).min(0)
    panel.color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
    return _dressed(panel, look, asks, instant=True)


def heat(look: Look, ask: Ask) -> Any:
    """Counts per bucket over time. The query gives the buckets of a histogram by ``le``."""
    panel = heatmap.Panel().calculate(False).hide_legend().show_color_scale(True).cell_gap(0)
    panel.color(
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64).exponent(0.5)
    )
    panel.y_axis(heatmap.YAxisConfig().unit(look.unit).axis_placement(kinds.AxisPlacement.LEFT))
    panel.color_scheme(_colour(model.FieldColorModeId.FIXED, PLAIN))
    return _dressed(panel, look, (ask,), style=PromQueryFormat.HEATMAP)


def states(look: Look, *asks: Ask, codes: Mapping[int, tuple[str, str]]) -> Any:
    """What somebody was when. ``codes``: the number that the query gives, what it means and its colour."""
    panel = statetimeline.Panel().merge_values(True).fill_opacity(80).row_height(0.85)
    panel.show_value(kinds.VisibilityMode.AUTO)
    panel.color_scheme(_colour(model.FieldColorModeId.FIXED, PLAIN))
    panel.legend(
        common.VizLegendOptions()
        .display_mode(kinds.LegendDisplayMode.LIST)
        .placement(kinds.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )
    panel.mappings([_mapping(codes)])
    return _dressed(panel, look, asks)


class Column(msgspec.Struct, frozen=True):
    """A column of a table. ``links`` are (title, URL); thresholds, or what it says, colour a cell."""

    title: str
    ask: Ask | None = None
    unit: str = COUNT
    steps: Steps = ()
    links: tuple[tuple[str, str], ...] = ()
    decimals: int | None = None
    values: Mapping[str, str] = {}


def rows(look: Look, keys: Mapping[str, Column], columns: Sequence[Column], sort: str) -> Any:
    """A row per combination of labels ``keys``, a column per query, the largest of ``sort`` first."""
    panel = (
        table.Panel()
        .show_header(True)
        .sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    )
    panel.filterable(True).color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
    asks = [column.ask for column in columns if column.ask is not None]
    _dressed(panel, look, asks, instant=True, style=PromQueryFormat.TABLE)
    letters = _letters(len(asks))
    names = {label: column.title for label, column in keys.items()}
    names |= {
        ("Value" if len(asks) == 1 else f"Value #{ref}"): one.title
        for ref, one in zip(letters, columns, strict=True)
    }
    order = [*keys, *(name for name in names if name not in keys)]
    if len(asks) > 1:
        panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {"Time": True},
                "indexByName": {name: index for index, name in enumerate(order)},
                "renameByName": names,
            },
        )
    )
    for column in (*keys.values(), *columns):
        panel.override_by_name(column.title, _cell(column))
    return panel


def _cell(column: Column) -> list[model.DynamicConfigValue]:
    """How the cells of a column differ from the table's."""
    found = [model.DynamicConfigValue(id_val="unit", value=column.unit)] if column.ask else []
    if column.decimals is not None:
        found.append(model.DynamicConfigValue(id_val="decimals", value=column.decimals))
    if column.steps:
        found.append(model.DynamicConfigValue(id_val="thresholds", value=_thresholds(column.steps).build()))
    if column.values:
        said = {name: model.ValueMappingResult(color=colour) for name, colour in column.values.items()}
        found.append(model.DynamicConfigValue(id_val="mappings", value=[model.ValueMap(options=said)]))
    if column.steps or column.values:
        found.append(model.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}))
    if column.links:
        links = [{"title": title, "url": url, "targetBlank": False} for title, url in column.links]
        found.append(model.DynamicConfigValue(id_val="links", value=links))
    return found


def _dressed(
    panel: Any,
    look: Look,
    asks: Sequence[Ask],
    instant: bool = False,
    style: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> Any:
    """What every kind of panel has: words, place, unit, thresholds, colours, links, queries."""
    x, y, width, height = look.at
    panel.title(look.words.title).description(look.words.why).no_value(look.words.empty)
    panel.datasource(SOURCE).unit(look.unit)
    panel.grid_pos(model.GridPos(x=x, y=y, w=width, h=height)).thresholds(_thresholds(look.steps))
    if look.decimals is not None:
        panel.decimals(look.decimals)
    if look.top is not None:
        panel.max(look.top)
    if look.links:
        panel.data_links([build.DashboardLink(title).url(url) for title, url in look.links])
    for regexp, colour in look.colours.items():
        value = {"mode": "fixed", "fixedColor": colour}
        panel.override_by_regexp(regexp, [model.DynamicConfigValue(id_val="color", value=value)])
    for ref, ask in zip(_letters(len(asks)), asks, strict=True):
        query = prometheus.Dataquery().expr(ask.expr).ref_id(ref).datasource(SOURCE).format(style)
        query.legend_format(ask.name or "__auto")
        panel.with_target(query.instant() if instant else query.range())
    return panel


def _letters(number: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:number]


def _latest() -> Any:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _colour(mode: model.FieldColorModeId, fixed: str = "") -> Any:
    colour = build.FieldColor().mode(mode)
    return colour.fixed_color(fixed) if fixed else colour


def _thresholds(steps: Steps) -> Any:
    found = [model.Threshold(value=value, color=colour) for value, colour in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def _mapping(codes: Mapping[int, tuple[str, str]]) -> model.ValueMap:
    return model.ValueMap(
        options={
            str(code): model.ValueMappingResult(text=text, color=colour, index=code)
            for code, (text, colour) in codes.items()
        }
    )
