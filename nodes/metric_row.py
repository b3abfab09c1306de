"""What a row of the metric catalogue is: its unit, and how many series and lines of a scrape it may take.

The rows are in ``nodes.metrics``, the labels in ``nodes.metric_labels``, who keeps to the bounds in
``nodes.series``.
"""

import math

import msgspec

from nodes.metric_labels import Label

UNITS = ("seconds", "bytes")
LATENCY_BUCKETS_NS = tuple(
    int(us * 1000) for us in (50, 100, 200, 350, 500, 750, 1e3, 2e3, 3500, 5e3, 1e4, 2.5e4, 1e5, 5e5, 2.5e6)
)
COARSE_NS = (100_000, 200_000, 500_000, 1_000_000, 5_000_000, 25_000_000, 500_000_000)
ROOM = 512  # sets of label values of one metric that one process keeps in full
ALL_DOMAINS = 1280  # ... where each domain that Xen can have has five or so
ALL_CELLS = 1024  # ... where each cell of a fleet's matrix has its verdicts
CALLS_SHARE = 64  # ... of them that one agent can take: the others keep theirs
HISTOGRAM_ROOM = 64  # ... of one histogram: each takes many lines


class Metric(msgspec.Struct, frozen=True):
    """One row of the catalogue. ``type`` is counter, gauge or histogram.

    ``unit`` is a base unit, "" for a plain count; ``owner`` a role, or "every". ``room``: how many sets of
    label values one process keeps; ``share``: how many of them for one value of the first label (0: all).
    ``told_ns``: the bounds of a histogram that are told, of LATENCY_BUCKETS_NS.
    """

    name: str
    type: str
    help: str
    owner: str
    labels: tuple[Label, ...] = ()
    room: int = ROOM
    share: int = 0
    told_ns: tuple[int, ...] = LATENCY_BUCKETS_NS

    @property
    def unit(self) -> str:
        """seconds or bytes, as the name says; else ""."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in UNITS if stem.endswith(f"_{unit}")), "")

    @property
    def lines(self) -> int:
        """How many lines of a scrape one set of label values takes."""
        return len(self.told_ns) + 3 if self.type == "histogram" else 1

    @property
    def folded(self) -> int:
        """The room beside ``room`` for what is told with fewer labels."""
        return self.room // 2

    @property
    def lines_max(self) -> int:
        """How many lines of a scrape it can take in one process, whatever anybody does."""
        sets = math.prod(label.most for label in self.labels)
        closed = math.prod(label.most for label in self.labels if label.values)
        return self.lines * min(sets, self.room + self.folded + closed)
