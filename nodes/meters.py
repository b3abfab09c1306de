"""The plain counters that cores keep of the metrics in ``nodes.metrics``.

A core adds integers to a dictionary; ``deploy.metrics.exporter`` turns them into Prometheus samples at
scrape time.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping

from nodes.metrics import CATALOGUE, LATENCY_BUCKETS_NS, Metric
from nodes.series import Labels, Places, Series

FOLDED = "trapline_series_folded_total"


class Histogram:
    """Counts per bucket of LATENCY_BUCKETS_NS (the last one is +Inf) and the sum in nanoseconds."""

    __slots__ = ("counts", "sum_ns")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS_NS) + 1)
        self.sum_ns = 0

    def observe(self, value_ns: int) -> None:
        self.counts[bisect_left(LATENCY_BUCKETS_NS, value_ns)] += 1
        self.sum_ns += value_ns

    def quantile_ns(self, q: float) -> float:
        """Interpolated inside its bucket; 0 when nothing was counted."""
        return quantile_ns(self.counts, q)


def quantile_ns(counts: list[int], q: float) -> float:
    """The ``q`` quantile in nanoseconds of bucket counts, linear inside a bucket; 0 for no counts."""
    wanted = q * sum(counts)
    if not wanted:
        return 0.0
    low = 0
    for count, high in zip(counts, LATENCY_BUCKETS_NS, strict=False):
        if count >= wanted:
            return low + (high - low) * wanted / count
        wanted -= count
        low = high
    return float(LATENCY_BUCKETS_NS[-1])


class Histograms(dict[Labels, Histogram]):
    """The histograms of one metric by labels; those that have no room share one under "other"."""

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._places = Places(metric)
        self.folded = 0

    def __missing__(self, labels: Labels) -> Histogram:
        home = self._places.place(labels, self)
        self.folded += home != labels
        found = self.get(home)
        if found is None:
            found = self[home] = Histogram()
        return found


class Meters:
    """The numbers one core keeps: ``counters[name][labels] += n`` and ``histograms[name][labels]``.

    Labels are tuples of strings in the order of the catalogue row; names outside the role's part of
    the catalogue raise ValueError when the core is built, not when it runs.

    ``collect`` is called before numbers are looked up: who counts for every message may do so more cheaply
    elsewhere, and bring in what is new then.
    """

    def __init__(self, role: str) -> None:
        self.role = role
        self.collect: Callable[[], None] = _nothing
        self._counters: dict[str, Series] = {}
        self.histograms: dict[str, Histograms] = {}
        for metric in CATALOGUE:
            if metric.owner not in (role, "every"):
                continue
            if metric.type == "histogram":
                self.histograms[metric.name] = Histograms(metric)
            else:
                self._counters[metric.name] = Series(metric)

    @property
    def counters(self) -> Mapping[str, Series]:
        self.collect()
        return self._counters

    def counter(self, name: str) -> Series:
        """The counter or gauge of that name; raises ValueError for a name the role does not own."""
        counters = self.counters
        if name not in counters:
            raise ValueError(f"{self.role} does not own a counter {name!r}; see nodes.metrics.CATALOGUE")
        return counters[name]

    def histogram(self, name: str) -> Histograms:
        """The histogram of that name; raises ValueError for a name the role does not own."""
        if name not in self.histograms:
            raise ValueError(f"{self.role} does not own a histogram {name!r}; see nodes.metrics.CATALOGUE")
        return self.histograms[name]

    def views(self) -> dict[str, dict[Labels, int]]:
        """A copy of every counter and gauge as it is told, what had no room of its own under "other"."""
        found = {name: series.view() for name, series in self.counters.items()}
        kept: dict[str, Series | Histograms] = {**self._counters, **self.histograms}
        found[FOLDED] = {(name,): one.folded for name, one in kept.items() if one.folded}
        return found


def _nothing() -> None:
    """Nobody counts elsewhere."""
