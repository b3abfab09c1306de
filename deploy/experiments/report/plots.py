"""The plots: per agent over time, with what was broken and the phases. Figures as data; the page draws them.

Colours are not in here: the page's script paints each trace as its agent looks, on light and dark paper.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
import plotly.graph_objects as go

from deploy.experiments.report.palette import look
from deploy.experiments.report.text import NS_S, SPACE, count, micros, moment
from deploy.experiments.result import RunResult, Slice

POINTS_MAX: Final = 240  # of one line; more slices are put together
SHOWN_MAX: Final = 8  # lines at first sight; the legend brings the others
MARKED_MAX: Final = 12  # faults whose number stands in the plots
INSTANTS_MAX: Final = 60  # lines for what has no duration
SYMBOLS_MAX: Final = 40  # of one line
DECADES_FROM: Final = 20  # times the lowest is the highest: an axis of decades shows both
PLOT_PX, LANE_PX = 300, 34


class Plot(msgspec.Struct, frozen=True):
    """``says``: the same in words, for who does not see it."""

    name: str
    title: str
    says: str
    height: int
    figure: dict[str, Any]


def plots(result: RunResult) -> list[Plot]:
    """What was broken, then what there is to show of each agent; a plot without a point is left out."""
    made = [_timeline(result)] if result.faults else []
    return made + [plot for one in MEASURES if (plot := _lines(result, one)) is not None]


def order(result: RunResult) -> list[str]:
    """The domains in the order of their looks: agents first, then who appears in slices only."""
    return list(dict.fromkeys([one.domain for one in result.agents] + [one.domain for one in result.slices]))


def shown(result: RunResult) -> set[str]:
    """Whose lines are there at first sight: all, or the slowest of many."""
    worst: dict[str, float] = dict.fromkeys(order(result), 0.0)
    for one in result.slices:
        worst[one.domain] = max(worst[one.domain], one.p99_us)
    return set(sorted(worst, key=lambda name: -worst[name])[:SHOWN_MAX])


def thinned(slices: Sequence[Slice]) -> list[Slice]:
    """At most POINTS_MAX of one domain: counts are added, of latencies the worst stays."""
    size = -(-len(slices) // POINTS_MAX)
    return [_together(slices[at : at + size]) for at in range(0, len(slices), max(size, 1))]


def _together(some: Sequence[Slice]) -> Slice:
    if len(some) == 1:
        return some[0]
    return Slice(
        some[0].domain,
        some[0].begin_ns,
        some[-1].end_ns,
        sum(one.answered for one in some),
        sum(one.denied for one in some),
        sum(one.errors for one in some),
        max(one.p50_us for one in some),
        max(one.p99_us for one in some),
    )


def _per_second(number: int, one: Slice) -> float:
    return round(number * NS_S / max(one.end_ns - one.begin_ns, 1), 1)


def _latency(value: float, one: Slice) -> float | None:
    return round(value, 2) if one.answered and value > 0 else None


class Measure(msgspec.Struct, frozen=True):
    """What a plot shows of a slice. ``of``: the value, None where there is none. ``latency``: it may span
    decades.
    """

    name: str
    title: str
    unit: str
    of: Callable[[Slice], float | None]
    latency: bool = False


MEASURES: Final = (
    Measure("p99", "Latency, p99", "µs", lambda one: _latency(one.p99_us, one), latency=True),
    Measure("p50", "Latency, p50", "µs", lambda one: _latency(one.p50_us, one), latency=True),
    Measure("rate", "Answered calls", "per second", lambda one: _per_second(one.answered, one)),
    Measure("denied", "Denied calls", "per second", lambda one: _per_second(one.denied, one)),
    Measure("errors", "Calls that ended with an error", "per second", lambda o: _per_second(o.errors, o)),
)


def _lines(result: RunResult, measure: Measure) -> Plot | None:
    figure = go.Figure(layout=_layout(result, PLOT_PX))
    visible, places = shown(result), {domain: at for at, domain in enumerate(order(result))}
    values: list[tuple[float, str, int]] = []
    slices = sorted(result.slices, key=lambda one: (places[one.domain], one.begin_ns))
    for domain, group in groupby(slices, key=lambda one: one.domain):
        some = thinned(list(group))
        line = _line(some, places[domain], measure)
        figure.add_trace(line.update(visible=domain in visible))
        values += [(value, domain, one.begin_ns) for value, one in zip(line.y, some, strict=True) if value]
    if not values:
        return None
    (low, *_), (high, whose, at) = min(values), max(values)
    wide = measure.latency and high > DECADES_FROM * low
    figure.update_yaxes(**(_decades(low, high) if wide else {"range": [0, high * 1.08]}))
    amount = micros(high) if measure.latency else count(high)
    says = (
        f"{measure.title} of {len(places)} agents over time. The highest is {amount} {measure.unit}, "
        f"of {whose} at {moment(at)}."
    )
    return Plot(measure.name, f"{measure.title} ({measure.unit})", says, PLOT_PX, figure.to_plotly_json())


def _line(some: Sequence[Slice], place: int, measure: Measure) -> go.Scatter:
    drawn = look(some[0].domain, place)
    return go.Scatter(
        x=[_seconds((one.begin_ns + one.end_ns) // 2) for one in some],
        y=[measure.of(one) for one in some],
        name=_literal(drawn.name),
        mode="lines+markers",
        line={"dash": drawn.dash, "width": 1.8},
        marker={"symbol": drawn.symbol, "size": 5, "maxdisplayed": SYMBOLS_MAX},
        meta={"agent": place},
        hovertemplate=f"%{{y:,.6~g}} {measure.unit}",
        showlegend=False,
    )


def _decades(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis from 1, 2 or 5 below to 1, 2 or 5 above."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in exponents for step in (1, 2, 5)]
    below = max((tick for tick in ticks if tick <= low), default=ticks[0])
    above = min((tick for tick in ticks if tick >= high), default=ticks[-1])
    ticks = [tick for tick in ticks if below <= tick <= above]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if str(tick).lstrip("0.").startswith("1")]
    return {
        "type": "log",
        "range": [math.log10(below) - 0.03, math.log10(max(above, below * 2)) + 0.03],
        "tickvals": ticks,
        "ticktext": [_short(tick) for tick in ticks],
    }


def _short(tick: float) -> str:
    return f"{tick / 1e6:g}M" if tick >= 1e6 else f"{tick / 1e3:g}k" if tick >= 1e3 else f"{tick:g}"


def _timeline(result: RunResult) -> Plot:
    """A lane per kind; hatched: what only our bus can do."""
    kinds = list(dict.fromkeys(one.planned.kind for one in result.faults))
    height = LANE_PX * len(kinds) + 76
    figure = go.Figure(layout=_layout(result, height, bands=False))
    for origin, pattern in (("architecture", ""), ("bus", "/")):
        some = [one for one in result.faults if one.origin == origin]
        lasting = [one.planned for one in some if one.planned.end_ns > one.planned.begin_ns]
        instant = [one.planned for one in some if one.planned.end_ns <= one.planned.begin_ns]
        figure.add_trace(
            go.Bar(
                orientation="h",
                y=[kinds.index(one.kind) for one in lasting],
                x=[_seconds(one.end_ns - one.begin_ns) for one in lasting],
                base=[_seconds(one.begin_ns) for one in lasting],
                width=0.34,
                marker={"pattern": {"shape": pattern, "size": 6, "solidity": 0.45}, "line": {"width": 1}},
                customdata=[_told(one.number, one.kind, one.where, one.to) for one in lasting],
                hovertemplate="%{customdata}<br>from %{base:.3f} s<extra></extra>",
                meta={"fault": origin},
                showlegend=False,
            )
        )
        figure.add_trace(
            go.Scatter(
                mode="markers",
                y=[kinds.index(one.kind) for one in instant],
                x=[_seconds(one.begin_ns) for one in instant],
                marker={"symbol": "x" if origin == "architecture" else "x-open", "size": 10},
                customdata=[_told(one.number, one.kind, one.where, one.to) for one in instant],
                hovertemplate="%{customdata}<br>at %{x:.3f} s<extra></extra>",
                meta={"fault": origin},
                showlegend=False,
            )
        )
    for at, kind in enumerate(kinds):
        figure.add_annotation(
            x=0,
            xref="paper",
            xanchor="left",
            y=at - 0.36,
            text=_literal(kind),
            showarrow=False,
            yanchor="middle",
        )
    figure.update_yaxes(range=[len(kinds) - 0.5, -0.65], showticklabels=False, showgrid=False, title=None)
    figure.update_layout(barmode="overlay", hovermode="closest")
    bus = sum(one.origin == "bus" for one in result.faults)
    says = (
        f"{len(result.faults)} faults of {len(kinds)} kinds over time; {bus} of them are what only our "
        "bus can do, hatched. The table of faults below has each with its times."
    )
    return Plot("timeline", "What was broken, and when", says, height, figure.to_plotly_json())


def _told(number: int, kind: str, where: Sequence[str], to: str) -> str:
    link = f" to {to}" if to else ""
    return _literal(f"{number}: {kind} {', '.join(where)}{link}")


def _layout(result: RunResult, height: int, bands: bool = True) -> dict[str, Any]:
    end = max([result.duration_ns, *(one.end_ns for one in result.phases)])
    shapes, marks = _phases(result)
    if bands:
        shapes += _bands(result)
        marks += _numbers(result)
    return {
        "height": height,
        "margin": {"l": 52, "r": 14, "t": 38, "b": 34},
        "separators": f".{SPACE}",
        "xaxis": {"range": [0, _seconds(end)], "ticksuffix": " s", "zeroline": False, "nticks": 9},
        "yaxis": {"zeroline": False, "nticks": 6, "separatethousands": True},
        "hovermode": "x unified" if bands else "closest",
        "shapes": shapes,
        "annotations": marks,
        "template": {"layout": {}},
    }


def _phases(result: RunResult) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A line where a phase begins, its name above the plot."""
    lines, names = [], []
    for one in result.phases:
        at = _seconds(one.begin_ns)
        lines.append(
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": at,
                "x1": at,
                "y0": 0,
                "y1": 1,
                "name": "phase",
                "line": {"width": 1},
            }
        )
        names.append(_mark("phase", at, one.name.replace("_", " ")))
    return lines, names


def _bands(result: RunResult) -> list[dict[str, Any]]:
    """When anything was broken: what overlaps is one band."""
    shapes: list[dict[str, Any]] = []
    planned = [one.planned for one in result.faults]
    for begin, end in union((one.begin_ns, one.end_ns) for one in planned if one.end_ns > one.begin_ns):
        x = {"x0": _seconds(begin), "x1": _seconds(end)}
        shapes.append(
            {"type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, **x, "name": "band"}
            | {"layer": "below", "line": {"width": 0}}
        )
    for one in [one for one in planned if one.end_ns <= one.begin_ns][:INSTANTS_MAX]:
        x = {"x0": _seconds(one.begin_ns), "x1": _seconds(one.begin_ns)}
        shapes.append(
            {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, **x, "name": "instant"}
            | {"layer": "below", "line": {"width": 1.5, "dash": "dot"}}
        )
    return shapes


def _numbers(result: RunResult) -> list[dict[str, Any]]:
    if len(result.faults) > MARKED_MAX:
        return []
    planned = [one.planned for one in result.faults]
    return [_mark("fault", _seconds(one.begin_ns), f"#{one.number}") for one in planned]


def _mark(name: str, x: float, text: str) -> dict[str, Any]:
    """A word right of ``x`` at the plot's upper edge; the page's script keeps them apart."""
    place = {"x": x, "xref": "x", "xanchor": "left", "y": 1, "yref": "paper"}
    edge = "bottom" if name == "phase" else "top"
    return {
        **place,
        "yanchor": edge,
        "name": name,
        "text": _literal(text),
        "showarrow": False,
        "borderpad": 1,
    }


def union(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of time, those that touch put together, in order."""
    made: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if made and begin <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((begin, end))
    return made


def _seconds(ns: int) -> float:
    return round(ns / NS_S, 6)


def _literal(text: str) -> str:
    """Text in which plotly finds no markup."""
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("{", "&#123;")):
        text = text.replace(sign, name)
    return text
