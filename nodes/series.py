"""The series of one metric in one process: integers by label values, of which there are never too many.

Whoever counts adds to ``series[labels]`` as to a dictionary, and pays no more for it. Only labels that are
new are looked at: a value beyond a label's bound is told as "other", and of labels beyond the metric's room
those without a list are, from the last to the first as even less room is left. A sum over all stays right.
It does not know who asks; ``view`` may be called from another thread.
"""

from collections.abc import Collection

from nodes.metric_labels import OTHER
from nodes.metric_row import Metric

Labels = tuple[str, ...]


class Places:
    """Where labels are told: as they are, or with "other" in them."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._listed = [frozenset(label.values) for label in metric.labels]
        self._seen: list[set[str]] = [set() for _ in metric.labels]
        self._of_first: dict[str, int] = {}
        self._open = [at for at, label in enumerate(metric.labels) if not label.values]
        later = [at for at in self._open if at]
        half = metric.room + metric.folded // 2
        self._steps = ((half, later[-1:]), (metric.room + metric.folded, later))

    def place(self, labels: Labels, kept: Collection[Labels]) -> Labels:
        """The labels to tell for new ones, beside those that are ``kept`` already."""
        metric = self._metric
        told = self._within_bounds(labels)
        if not told or told in kept:
            return told
        held, taken = self._of_first.get(told[0], 0), len(kept)
        if taken < metric.room and not (metric.share and held >= metric.share):
            self._of_first[told[0]] = held + 1
            return told
        for room, given_up in self._steps:
            told = tuple(OTHER if at in given_up else value for at, value in enumerate(told))
            if told in kept or taken < room:
                return told
        return tuple(OTHER if at in self._open else value for at, value in enumerate(told))

    def _within_bounds(self, labels: Labels) -> Labels:
        rows = zip(self._metric.labels, labels, self._listed, self._seen, strict=True)
        found = []
        for label, value, listed, seen in rows:
            if listed:
                fits = value in listed
            else:
                fits = value in seen or len(seen) < label.bound
                if fits:
                    seen.add(value)
            found.append(value if fits else OTHER)
        return tuple(found)


class Series(dict[Labels, int]):
    """``folded``: what was added under "other" for want of room; of a gauge it is not told at all.

    ``series[labels] += 1`` puts in whatever it is given. What has no place stays the newest entry until the
    next new labels come, and is moved then; whoever looks at ``view`` sees it where it belongs.
    """

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._places = Places(metric)
        self._gauge = metric.type == "gauge"
        self._stray: Labels | None = None
        self._home: Labels = ()
        self._moves = 0  # odd while something is moved
        self.folded = 0

    def __missing__(self, labels: Labels) -> int:
        if self._stray is not None:
            self._move(self._stray)
        home = self._places.place(labels, self)
        if home != labels:
            self._home, self._stray = home, labels
        return 0

    def _move(self, stray: Labels) -> None:
        self._moves += 1
        count = self.pop(stray, 0)
        if not self._gauge:
            super().__setitem__(self._home, self.get(self._home, 0) + count)
        self.folded += abs(count)
        self._stray = None
        self._moves += 1

    def put(self, labels: Labels, value: int) -> None:
        """Set a gauge; one that has no place is left out and counted."""
        if labels not in self:
            self[labels] += 0
            if self._stray == labels:
                self._move(labels)
                self.folded += 1
                return
        self[labels] = value

    def expect(self, labels: Labels) -> None:
        """Have it begin at 0 instead of with its first count, so that a rate sees the first."""
        self[labels] += 0

    def view(self) -> dict[Labels, int]:
        """A copy with everything in its place; from any thread."""
        while True:
            before = self._moves
            copy, stray, home = dict(self), self._stray, self._home
            if before == self._moves and not before & 1:
                break
        if stray in copy:
            count = copy.pop(stray)
            if not self._gauge:
                copy[home] = copy.get(home, 0) + count
        return copy
