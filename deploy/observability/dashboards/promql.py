"""PromQL from names that the catalogue knows: a wrong metric, label or value fails when dashboards are built.

It writes queries and does not read them; the lint does, with a real parser. Every selector asks for this
project's job and the chosen clusters; a metric that has an agent or a protocol also for the chosen ones
(``Scope``).
"""

from collections.abc import Mapping, Sequence

import msgspec

from bus.scmi import PROTOCOLS
from bus.scmi.status import Status
from deploy.observability.rules import RECORDINGS
from nodes.metrics import BY_NAME, JOB, TARGET_LABELS

WINDOW = "$__rate_interval"
PARTS = ("_bucket", "_sum", "_count")
RECORDED: Mapping[str, tuple[str, ...]] = {one.name: one.labels for one in RECORDINGS}
"""The recording rules and the labels they keep. They drop ``job``, which they asked for themselves."""
FOREIGN: Mapping[str, tuple[str, ...]] = {
    "up": (),
    "process_cpu_seconds_total": (),
    "process_resident_memory_bytes": (),
    "process_start_time_seconds": (),
}
"""Series that Prometheus and its client library make of every target."""


class Not(msgspec.Struct, frozen=True):
    """Matches every value but this one."""

    value: str


class Scope(msgspec.Struct, frozen=True):
    """Which variables, beside ``cluster``, narrow every series that has a label of that name."""

    variables: tuple[str, ...] = ("agent", "protocol")

    def series(self, name: str, **matchers: str | Not | Sequence[str]) -> str:
        """A selector. A tuple matches any of its values; raises ValueError for what the catalogue has not."""
        labels = labels_of(name)
        parts = [] if name in RECORDED else [f'job="{JOB}"']
        parts.append('cluster=~"$cluster"')
        parts += [f'{one}=~"${one}"' for one in self.variables if one in labels and one not in matchers]
        parts += [_matcher(name, label, value) for label, value in matchers.items()]
        return f"{name}{{{','.join(parts)}}}"

    def rate(self, name: str, *by: str, **matchers: str | Not | Sequence[str]) -> str:
        """Per second, summed by labels."""
        counter(name, by)
        return f"sum{_by(by)}(rate({self.series(name, **matchers)}[{WINDOW}]))"

    def increase(
        self, name: str, *by: str, over: str = "$__range", **matchers: str | Not | Sequence[str]
    ) -> str:
        """How many in a window (the picture's range), summed by labels, as a whole number.

        increase() misses a series' first value, so a series that was born in the window counts as from 0. It
        extrapolates to the window's ends, so that three events may be 3.02; hence the rounding.
        """
        counter(name, by)
        one = self.series(name, **matchers)
        grown = f"({one} unless {one} offset {over}) or increase({one}[{over}])"
        return f"round(sum{_by(by)}({grown}))"

    def last(self, name: str, *by: str, how: str = "sum", **matchers: str | Not | Sequence[str]) -> str:
        """A gauge, put together by labels with ``how``: sum, max, min."""
        known(name, by)
        if BY_NAME[name].type != "gauge":
            raise ValueError(f"{name} is a {BY_NAME[name].type}: ask for its rate or increase")
        return f"{how}{_by(by)}({self.series(name, **matchers)})"

    def quantile(self, q: float, name: str, *by: str, **matchers: str | Not | Sequence[str]) -> str:
        """The quantile of a histogram by labels, in its unit; no NaN where nothing was observed."""
        return f"histogram_quantile({q}, {self.rate(f'{name}_bucket', *by, 'le', **matchers)}) >= 0"


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""


def labels_of(name: str) -> tuple[str, ...]:
    """The labels of a series beside the target's; raises ValueError for a name that nobody exports."""
    if name in RECORDED:
        return RECORDED[name]
    if name in FOREIGN:
        return FOREIGN[name]
    if name in BY_NAME and BY_NAME[name].type != "histogram":
        return tuple(label.name for label in BY_NAME[name].labels)
    for part in PARTS:
        stem = name.removesuffix(part)
        if stem != name and stem in BY_NAME and BY_NAME[stem].type == "histogram":
            return tuple(label.name for label in BY_NAME[stem].labels) + (
                ("le",) if part == "_bucket" else ()
            )
    raise ValueError(f"nobody exports {name!r}; see nodes.metrics.CATALOGUE")


def counter(name: str, by: Sequence[str]) -> None:
    """Raises ValueError for what does not only grow, or has not these labels."""
    known(name, by)
    if name in BY_NAME and BY_NAME[name].type != "counter":
        raise ValueError(f"{name} is a {BY_NAME[name].type}: rate and increase are for counters")


def known(name: str, labels: Sequence[str]) -> None:
    """Raises ValueError for a label that the series has not."""
    has = (*labels_of(name), *(("cluster",) if name in RECORDED else TARGET_LABELS))
    for label in labels:
        if label not in has:
            raise ValueError(f"{name} has no label {label!r}; it has {', '.join(has)}")


def _matcher(name: str, label: str, value: str | Not | Sequence[str]) -> str:
    known(name, (label,))
    plain = value.value if isinstance(value, Not) else value
    for one in (plain,) if isinstance(plain, str) else plain:
        _possible(name, label, one)
    if isinstance(value, Not):
        return f'{label}!="{value.value}"'
    if isinstance(value, str):
        return f'{label}="{value}"'
    return f'{label}=~"{"|".join(value)}"'


VALUES: Mapping[str, Sequence[str]] = {
    "status": [one.name for one in Status],
    "protocol": [one.key for one in PROTOCOLS],
}
"""What the catalogue bounds by a number only, because the tables of messages say it."""


def _possible(name: str, label: str, value: str) -> None:
    rows = [one for one in BY_NAME[name].labels if one.name == label] if name in BY_NAME else []
    for row in rows:
        values = row.values or VALUES.get(label, ())
        if values and value not in values:
            raise ValueError(f"{name}: {label} is never {value!r}; it is one of {', '.join(values)}")
