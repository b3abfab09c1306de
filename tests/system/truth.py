"""What /metrics of all processes added up to, and what the history of the same run says: to the unit.

``Scrapes`` keeps the last scrape of every incarnation of every process. ``calls_of``, ``outcomes_of`` count
the record, as bytes that travelled and as guests' own words. A process that was killed takes with it what it
counted after its last scrape: ``Lost`` says how much that may be, from when the scrape began and ended.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from bus.scmi import status
from deploy.recording.events import Began, Ended, Event, Executed, Forwarded
from deploy.recording.rows import domain_of
from tests.system import metrics

Labels = tuple[str, ...]
Moment = tuple[int, int, Labels]  # between when and when something was counted, and as what
FOR_EVER_NS = 1 << 62


class Scrape(msgspec.Struct):
    """The last scrape of one incarnation: the run's clock before and after it, and its samples."""

    began_ns: int
    ended_ns: int
    samples: Mapping[metrics.Sample, float]


class Scrapes:
    """``last`` by process and port: a new incarnation has another port."""

    def __init__(self, targets: Path, now_ns: Callable[[], int]) -> None:
        self._targets = targets
        self._now_ns = now_ns
        self.last: dict[tuple[str, str], Scrape] = {}

    def take(self) -> None:
        """Scrape all that are there; who ends meanwhile keeps its last."""
        for file in sorted(self._targets.glob("*.json")):
            with suppress(OSError):
                (group,) = json.loads(file.read_bytes())
                (target,) = group["targets"]
                began_ns = self._now_ns()
                samples = metrics.samples(int(target.rpartition(":")[2]))
                key = (group["labels"]["process"], target)
                self.last[key] = Scrape(began_ns, self._now_ns(), samples)

    def of(self, process: str) -> list[Scrape]:
        """Its incarnations in order."""
        found = [scrape for (name, _), scrape in self.last.items() if name == process]
        return sorted(found, key=lambda one: one.began_ns)

    def total(self, name: str, *labels: str) -> Counter[Labels]:
        """The sum over everybody's last words, by these labels."""
        found: Counter[Labels] = Counter()
        for scrape in self.last.values():
            found.update(counted(scrape, name, *labels))
        return found


def counted(scrape: Scrape, name: str, *labels: str) -> Counter[Labels]:
    """One scrape's counts of a metric, by these labels; nothing that is 0."""
    found: Counter[Labels] = Counter()
    for (one, pairs), value in scrape.samples.items():
        if one == name and value:
            found[tuple(dict(pairs)[label] for label in labels)] += int(value)
    return found


# ---- the history ------------------------------------------------------------------------------


def calls_of(events: Iterable[Event], agents: Mapping[int, int]) -> list[list[Moment]]:
    """What each incarnation of EL3 answered, as (agent, status); ``agents`` by function id."""
    lives: list[list[Moment]] = []
    under_way: dict[int, Forwarded] = {}
    for event in events:
        if isinstance(event, Began) and event.node == "firmware":
            lives.append([])
        elif isinstance(event, Forwarded):
            under_way[event.request] = event
        elif isinstance(event, Executed):
            asked = under_way.pop(event.request, None)
            if asked is not None and event.status is not None:
                labels = (str(agents[asked.function]), status.name(event.status))
                lives[-1].append((asked.at_ns, event.at_ns, labels))
    return lives


def outcomes_of(events: Iterable[Event], domain: str) -> list[list[Moment]]:
    """How the calls of each incarnation of a domain ended, as (domain, outcome)."""
    lives: list[list[tuple[int, Labels]]] = []
    for event in events:
        if isinstance(event, Began) and domain_of(event.node) == domain:
            lives.append([])
        elif isinstance(event, Ended) and domain_of(event.domain) == domain:
            failed = "definite_error" if event.definite else "indefinite_error"
            lives[-1].append((event.at_ns, (domain, failed if event.code else "answered")))
    return [_until_the_next(life) for life in lives]


def _until_the_next(life: list[tuple[int, Labels]]) -> list[Moment]:
    """A guest notes when a step began; it has counted by the time of its next."""
    ends = [at_ns for at_ns, _ in life[1:]] + [FOR_EVER_NS]
    return [(at_ns, end_ns, labels) for (at_ns, labels), end_ns in zip(life, ends, strict=True)]


class Lost(msgspec.Struct, frozen=True):
    """What one incarnation had counted and not exported: ``least`` surely, ``most`` perhaps."""

    exported: Counter[Labels]
    least: Counter[Labels]
    most: Counter[Labels]
    truth: Counter[Labels]

    @property
    def told(self) -> Counter[Labels]:
        """What is missing."""
        return self.truth - self.exported

    def explained(self) -> bool:
        """Whether nothing was exported that did not happen, and only what came last is missing."""
        return self.exported <= self.truth and self.least <= self.told <= self.most


def lost(life: list[Moment], scrape: Scrape, exported: Counter[Labels]) -> Lost:
    """Compare an incarnation's history with its last scrape."""
    after = Counter(labels for first_ns, _, labels in life if first_ns > scrape.ended_ns)
    during = Counter(labels for _, last_ns, labels in life if last_ns > scrape.began_ns)
    return Lost(exported, after, during, Counter(labels for _, _, labels in life))
