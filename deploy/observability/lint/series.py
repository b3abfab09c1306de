"""Every series that can be asked for: the catalogue's, those of recording rules, Prometheus' own.

It reads ``nodes.metrics`` and ``deploy.observability.rules``; nothing is declared here that these know.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Final, Literal

import msgspec

from deploy.observability.rules import ALERTS, RECORDINGS
from nodes.metric_labels import OTHER
from nodes.metrics import CATALOGUE, JOB, ROLES, TARGET_LABELS, Metric

Kind = Literal["counter", "bucket", "gauge", "recorded", "alerts"]
COUNTERS: Final = ("counter", "bucket")
# Of every process, by the client library; not in the catalogue because Trapline does not count them.
PROCESS: Final[Mapping[str, Kind]] = {
    "process_cpu_seconds_total": "counter",
    "process_resident_memory_bytes": "gauge",
    "process_virtual_memory_bytes": "gauge",
    "process_start_time_seconds": "gauge",
    "process_open_fds": "gauge",
    "process_max_fds": "gauge",
    "python_gc_collections_total": "counter",
    "python_gc_objects_collected_total": "counter",
    "python_gc_objects_uncollectable_total": "counter",
    "scrape_duration_seconds": "gauge",
    "scrape_samples_scraped": "gauge",
    "up": "gauge",
}
TARGET: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(TARGET_LABELS, ()),
    "job": (JOB,),
    "role": ROLES,
}


class Series(msgspec.Struct, frozen=True):
    """``labels`` by name with the values they can have, () where any; ``unit`` of one sample.

    ``owner``: the one role whose processes have it, "" where more than one.
    """

    name: str
    kind: Kind
    labels: Mapping[str, tuple[str, ...]]
    unit: str
    owner: str = ""


@cache
def known() -> Mapping[str, Series]:
    """By name."""
    return {one.name: one for one in _all()}


def near(name: str, choices: Iterator[str] | list[str]) -> str:
    """What to do about a name that is not among the choices."""
    close = get_close_matches(name, list(choices), 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else "see grafana/METRICS.md"


def _all() -> Iterator[Series]:
    for metric in CATALOGUE:
        yield from _measured(metric)
    for name, kind in PROCESS.items():
        labels = {**TARGET, "generation": ()} if name.startswith("python_gc") else TARGET
        yield Series(name, kind, labels, _unit(name))
    for rule in RECORDINGS:
        yield Series(rule.name, "recorded", dict.fromkeys(rule.labels, ()) | _values(rule.labels), "")
    yield Series("ALERTS", "alerts", _alerts(), "count")


def _measured(metric: Metric) -> Iterator[Series]:
    own = {
        label.name: (*label.values, *(() if OTHER in label.values else (OTHER,))) if label.values else ()
        for label in metric.labels
    }
    labels = {**TARGET, **own}
    owner = "" if metric.owner == "every" else metric.owner
    unit = _unit(metric.name)
    if metric.type == "histogram":
        yield Series(f"{metric.name}_bucket", "bucket", {**labels, "le": ()}, unit, owner)
        yield Series(f"{metric.name}_count", "counter", labels, "count", owner)
        yield Series(f"{metric.name}_sum", "counter", labels, unit, owner)
    else:
        yield Series(metric.name, "counter" if metric.type == "counter" else "gauge", labels, unit, owner)


def _unit(name: str) -> str:
    stem = name.removesuffix("_total")
    if stem.endswith("_timestamp_seconds") or stem == "process_start_time_seconds":
        return "timestamp"
    return next((unit for unit in ("seconds", "bytes") if stem.endswith(f"_{unit}")), "count")


def _values(labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What the labels of a recording rule can say: a name that means one thing in all of the catalogue."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for metric in CATALOGUE:
        for label in metric.labels:
            found.setdefault(label.name, set()).add(label.values)
    traps = next(metric for metric in CATALOGUE if metric.name == "trapline_smc_traps_total")
    verdicts = next(label.values for label in traps.labels if label.name == "verdict")
    known_values = {name: next(iter(values)) for name, values in found.items() if len(values) == 1}
    return {name: values for name, values in (known_values | {"verdict": verdicts}).items() if name in labels}


def _alerts() -> dict[str, tuple[str, ...]]:
    carried = {label.name: () for metric in CATALOGUE for label in metric.labels}
    return {
        **dict.fromkeys(TARGET_LABELS, ()),
        **carried,
        "alertname": tuple(alert.name for alert in ALERTS),
        "alertstate": ("firing", "pending"),
        "severity": tuple(sorted({alert.severity for alert in ALERTS})),
        "in_experiment": tuple(sorted({alert.in_experiment for alert in ALERTS})),
    }
