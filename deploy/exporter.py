"""Plain counters to Prometheus: a collector that reads a core's meters at scrape time, on loopback.

Only the catalogue (``nodes.meters``) says what exists. Nothing is registered per label set and
nothing is locked: a scrape copies the dictionaries.
"""

import platform
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import msgspec
from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector, CollectorRegistry

from deploy import __version__
from deploy.rundir import replace
from nodes.meters import Histogram, Meters
from nodes.metrics import BY_NAME, CATALOGUE, JOB, LATENCY_BUCKETS_NS

LOOPBACK = "127.0.0.1"
Series = Mapping[tuple[str, ...], Any]


class MetersCollector(Collector):
    """All meters of one process. ``gauges`` are computed when asked for."""

    def __init__(self, meters: Meters, role: str) -> None:
        self._meters = meters
        self._role = role

    def collect(self) -> Iterable[Metric]:
        views = self._meters.views()
        views["trapline_build_info"] = {(__version__, platform.python_version(), self._role): 1}
        for metric in CATALOGUE:
            if metric.name in views:
                yield _plain(metric.name, views[metric.name])
            elif metric.name in self._meters.histograms:
                yield _histogram(metric.name, dict(self._meters.histograms[metric.name]))


def _plain(name: str, values: Series) -> Metric:
    row = BY_NAME[name]
    names = [label.name for label in row.labels]
    family: Any
    if row.type == "counter":
        family = CounterMetricFamily(name.removesuffix("_total"), row.help, labels=names)
    else:
        family = GaugeMetricFamily(name, row.help, labels=names)
    for labels, value in sorted(values.items()):
        family.add_metric(list(labels), value)
    return family  # type: ignore[no-any-return]


def _histogram(name: str, values: Mapping[tuple[str, ...], Histogram]) -> Metric:
    row = BY_NAME[name]
    family = HistogramMetricFamily(name, row.help, labels=[label.name for label in row.labels])
    for labels, histogram in sorted(values.items()):
        seen = list(accumulate(histogram.counts))
        buckets = [
            (repr(bound_ns / 1e9), float(below))
            for bound_ns, below in zip(LATENCY_BUCKETS_NS, seen, strict=False)
            if bound_ns in row.told_ns
        ]
        buckets.append(("+Inf", float(seen[-1])))
        family.add_metric(list(labels), buckets, histogram.sum_ns / 1e9)
    return family


class _Server(ThreadingWSGIServer):
    """A client that breaks off, or sends nonsense, is no news: nothing about it goes to the terminal."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base's name
        return


def serve(meters: Meters, role: str, port: int = 0, poll_s: float = 0.5) -> tuple[int, Callable[[], None]]:
    """Serve the meters on loopback; gives the port and how to stop, which may take ``poll_s``.

    Raises OSError if the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(MetersCollector(meters, role))
    registry.register(PROCESS_COLLECTOR)
    registry.register(GC_COLLECTOR)
    app = make_wsgi_app(registry)
    server = make_server(LOOPBACK, port, app, server_class=_Server, handler_class=_Handler)
    thread = threading.Thread(target=server.serve_forever, args=(poll_s,), name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return int(server.server_port), stop


def announce(folder: Path, name: str, role: str, port: int, more: Mapping[str, str]) -> Callable[[], None]:
    """Write a process' scrape target for file-based discovery, with ``more`` labels; gives how to take it
    back.
    """
    path = folder / f"{name}.json"
    labels = {"job": JOB, "process": name, "role": role, **more}
    replace(path, msgspec.json.encode([{"targets": [f"{LOOPBACK}:{port}"], "labels": labels}]))
    return lambda: path.unlink(missing_ok=True)


def snapshot(meters: Meters) -> dict[str, Any]:
    """The same numbers as plain data, for the supervisor: counters and histogram counts by label tuple."""
    return {
        "counters": meters.views(),
        "histograms": {
            name: {key: list(one.counts) for key, one in dict(values).items()}
            for name, values in meters.histograms.items()
        },
    }
