"""Meters as Prometheus text, cheaply: what does not change between two scrapes is written once.

The text is the client library's, byte for byte (a test compares them); the library itself makes OpenMetrics
and what it knows of the process and its garbage collection. It serves nothing: see ``listening``.
"""

import platform
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any, Final

from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from deploy import __version__
from nodes.meters import Histogram, Meters
from nodes.metrics import CATALOGUE, LATENCY_BUCKETS_NS, Metric
from nodes.series import Labels

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = openmetrics.CONTENT_TYPE_LATEST
BUILD_INFO: Final = "trapline_build_info"
PLAIN_MAX: Final = 1_000_000  # from here on Go, and so the text, writes exponents
disable_created_metrics()  # type: ignore[no-untyped-call]
_go: Callable[[float], str] = floatToGoString
_generate: Callable[[Collector], bytes] = generate_latest
_generate_open: Callable[[Collector], bytes] = openmetrics.generate_latest


def build_info() -> dict[Labels, int]:
    return {(__version__, platform.python_version()): 1}


class MetersCollector(Collector):
    """All meters of one process for the client library."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def collect(self) -> Iterable[Family]:
        views = self._meters.views()
        views[BUILD_INFO] = build_info()
        for metric in CATALOGUE:
            if metric.name in views:
                yield _plain(metric, views[metric.name])
            elif metric.name in self._meters.histograms:
                yield _histogram(metric, dict(self._meters.histograms[metric.name]))


def _plain(row: Metric, values: Mapping[Labels, int]) -> Family:
    names = [label.name for label in row.labels]
    family: Any
    if row.type == "counter":
        family = CounterMetricFamily(row.name.removesuffix("_total"), row.help, labels=names)
    else:
        family = GaugeMetricFamily(row.name, row.help, labels=names)
    for labels, value in sorted(values.items()):
        family.add_metric(list(labels), value)
    return family  # type: ignore[no-any-return]


def _histogram(row: Metric, values: Mapping[Labels, Histogram]) -> Family:
    family = HistogramMetricFamily(row.name, row.help, labels=[label.name for label in row.labels])
    told = _told(row)
    for labels, histogram in sorted(values.items()):
        seen = list(accumulate(histogram.counts))
        buckets = [(name, float(seen[at])) for name, at in told]
        family.add_metric(list(labels), buckets, histogram.sum_ns / 1e9)
    return family


def _told(row: Metric) -> list[tuple[str, int]]:
    """The buckets of a histogram that are told: the bound in seconds, and how many buckets are below it."""
    found = [
        (repr(bound_ns / 1e9), at)
        for at, bound_ns in enumerate(LATENCY_BUCKETS_NS)
        if bound_ns in row.told_ns
    ]
    return [*found, ("+Inf", len(LATENCY_BUCKETS_NS))]


# ---- text -------------------------------------------------------------------------------------


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _prefix(name: str, labels: Mapping[str, str]) -> str:
    """A sample's line up to its value."""
    pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return f"{name}{{{pairs}}} " if pairs else f"{name} "


def _number(value: int) -> str:
    return f"{value}.0" if -PLAIN_MAX < value < PLAIN_MAX else _go(value)


class _Family:
    """One metric's part of the text: its head, and the lines of its series in order."""

    def __init__(self, row: Metric) -> None:
        self._row = row
        self._names = [label.name for label in row.labels]
        documentation = row.help.replace("\\", r"\\").replace("\n", r"\n")
        self._head = f"# HELP {row.name} {documentation}\n# TYPE {row.name} {row.type}\n"
        self._told = _told(row) if row.type == "histogram" else []
        self._known: dict[Labels, tuple[str, ...]] = {}

    def _ordered(self, values: Mapping[Labels, Any]) -> Iterable[tuple[Labels, tuple[str, ...]]]:
        """Every series with its lines' beginnings, in order."""
        if self._known.keys() != values.keys():
            known = self._known
            self._known = {labels: known.get(labels) or self._lines(labels) for labels in sorted(values)}
        return self._known.items()

    def _lines(self, labels: Labels) -> tuple[str, ...]:
        name, pairs = self._row.name, dict(zip(self._names, labels, strict=True))
        if not self._told:
            return (_prefix(name, pairs),)
        buckets = [_prefix(f"{name}_bucket", {**pairs, "le": bound}) for bound, _ in self._told]
        return (*buckets, _prefix(f"{name}_count", pairs), _prefix(f"{name}_sum", pairs))

    def plain(self, values: Mapping[Labels, int], out: list[str]) -> None:
        out.append(self._head)
        out.extend(f"{line}{_number(values[labels])}\n" for labels, (line,) in self._ordered(values))

    def histograms(self, values: Mapping[Labels, Histogram], out: list[str]) -> None:
        out.append(self._head)
        for labels, lines in self._ordered(values):
            one = values[labels]
            seen = list(accumulate(one.counts))
            numbers = [_number(seen[at]) for _, at in self._told]
            numbers += (numbers[-1], _go(one.sum_ns / 1e9))
            out.extend(f"{line}{number}\n" for line, number in zip(lines, numbers, strict=True))


class Page:
    """What one process says. ``text`` and ``open_text`` may be called from any thread; they take turns.

    ``process`` False: without the numbers of the process itself, which somebody else tells.
    """

    def __init__(self, meters: Meters, process: bool = True) -> None:
        self._meters = meters
        self._info = build_info()
        self._families = {row.name: _Family(row) for row in CATALOGUE if row.owner in (meters.role, "every")}
        self._taking_turns = threading.Lock()
        self._process = CollectorRegistry()
        self.registry = CollectorRegistry()
        self.registry.register(MetersCollector(meters))
        for collector in (PROCESS_COLLECTOR, GC_COLLECTOR) if process else ():
            self._process.register(collector)
            self.registry.register(collector)

    def text(self) -> bytes:
        """As ``prometheus_client.generate_latest`` has it."""
        with self._taking_turns:
            return self.own().encode() + _generate(self._process)

    def own(self) -> str:
        """The part that is of the catalogue."""
        out: list[str] = []
        views = self._meters.views()
        views[BUILD_INFO] = self._info
        kept = self._meters.histograms
        for name, family in self._families.items():
            if name in kept:
                family.histograms(dict(kept[name]), out)
            else:
                family.plain(views[name], out)
        return "".join(out)

    def open_text(self) -> bytes:
        """As OpenMetrics."""
        with self._taking_turns:
            return _generate_open(self.registry)
