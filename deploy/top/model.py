"""From looks at a platform to rows of a table: rates, latest latencies, who is silent. Pure.

A *look* is what the control socket told at one time. Where looks come from is ``source``'s business, what a
row looks like ``columns``'.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.resets import AgentReset
from deploy.summary import AgentRow, Buckets
from deploy.top.rates import Rates, Recent
from nodes.meters import quantile_ns

RATE_S = 1.0
LATENCY_S = 10.0
HISTORY_MAX = 120  # rates kept of each agent, for its sparkline
SILENT_S = 1.5  # nodes tell their numbers every half second
FIRMWARE = "firmware"
XEN = "xen"


class Event(msgspec.Struct, frozen=True):
    """As ``deploy.platform.Event``."""

    at_s: float
    domain: str
    event: str
    detail: str


class Status(msgspec.Struct, frozen=True):
    """The part of a platform's status that is shown; ``deploy.platform.Platform.status`` tells it."""

    platform: str
    firmware: str
    profile: str
    uptime_s: float
    link: str
    pages: str
    nodes: dict[str, Any]
    told_at_s: dict[str, float]
    domains: list[AgentRow]
    buckets: dict[str, Buckets]
    resets: dict[str, AgentReset]
    events: list[Event]


class Look(msgspec.Struct, frozen=True):
    """``votes`` by agent; an agent that is not in it was not counted, None: EL3 did not count."""

    status: Status
    votes: Mapping[int, int] | None


class Row(msgspec.Struct, frozen=True):
    """A domain and its agent now. None: not known. Latencies in microseconds over the last LATENCY_S."""

    domain: str
    domid: int
    agent: int | None
    state: str
    rate: float | None
    calls: int
    p50_us: float | None
    p99_us: float | None
    denied: int
    denied_rate: float | None
    refused: int
    errors: int
    in_flight: int | None
    waiting: int | None
    service_p99_us: float | None
    queue_p99_us: float | None
    votes: int | None
    resets: int
    last_reset: AgentReset | None
    reset_age_s: float | None
    devices: tuple[str, ...]
    history: tuple[float, ...]


class Board(msgspec.Struct, frozen=True):
    """Everything that is shown at once. ``silent``: nodes that do not answer, with for how many seconds."""

    status: Status
    rows: tuple[Row, ...]
    rate: float | None
    silent: dict[str, float]

    @property
    def nodes_up(self) -> int:
        return len(self.status.nodes)


class Model:
    """``look`` makes the latest Board of each look at the platform.

    ``rate_s``, ``latency_s``: how far back rates and latencies go.
    """

    def __init__(self, rate_s: float = RATE_S, latency_s: float = LATENCY_S) -> None:
        self._calls = Rates(rate_s)
        self._denied = Rates(rate_s)
        self._recent = Recent(latency_s)
        self._history: dict[tuple[str, int | None], deque[float]] = {}
        self._uptime_s = 0.0

    def look(self, look: Look) -> Board:
        """The next look; a platform that has begun anew since the last one is begun anew."""
        status = look.status
        if status.uptime_s < self._uptime_s:
            self._begin_anew()
        self._uptime_s = status.uptime_s
        silent = {
            name: status.uptime_s - at_s
            for name, at_s in status.told_at_s.items()
            if status.uptime_s - at_s > SILENT_S
        }
        rows = tuple(self._row(row, look, silent) for row in status.domains)
        self._forget(status)
        rates = [row.rate for row in rows if row.rate is not None]
        return Board(status, rows, sum(rates) if rates or not rows else None, silent)

    def _begin_anew(self) -> None:
        for kept in (self._calls, self._denied, self._recent):
            kept.keep(())
        self._history.clear()

    def _forget(self, status: Status) -> None:
        """Who is gone; a domain that comes back begins anew, its agent's counts go on."""
        agents = {(row.name, row.agent_id) for row in status.domains}
        self._calls.keep(agents)
        self._denied.keep(agents)
        self._recent.keep({(kind, row.name) for row in status.domains for kind in ("guest", "el3", "queue")})
        self._history = {key: rates for key, rates in self._history.items() if key in agents}

    def _row(self, row: AgentRow, look: Look, silent: Mapping[str, float]) -> Row:
        status = look.status
        rate, denied_rate = self._rates(row, status, FIRMWARE in silent)
        buckets = status.buckets[row.name]
        guest = self._latest("guest", row.name, status, row.name, buckets.latency)
        service = self._latest("el3", row.name, status, XEN, buckets.service)
        queue = self._latest("queue", row.name, status, XEN, buckets.queue)
        reset = status.resets.get(row.name)
        votes = None if look.votes is None or row.agent_id is None else look.votes.get(row.agent_id)
        xen_knows = XEN not in silent and row.agent_id is not None
        return Row(
            row.name,
            row.domid,
            row.agent_id,
            "silent" if row.name in silent else row.state,
            rate,
            row.calls,
            _quantile_us(guest, 0.5),
            _quantile_us(guest, 0.99),
            row.denied,
            denied_rate,
            row.refused,
            row.errors,
            row.in_flight if xen_knows else None,
            row.waiting if xen_knows else None,
            _quantile_us(service, 0.99),
            _quantile_us(queue, 0.99),
            votes,
            row.resets,
            reset,
            None if reset is None else max(0.0, status.uptime_s - reset.at_s),
            row.devices,
            tuple(self._history.get((row.name, row.agent_id), ())),
        )

    def _rates(self, row: AgentRow, status: Status, silent: bool) -> tuple[float | None, float | None]:
        """Calls and denials per second, as EL3 counts them; not known while EL3 is silent."""
        key = (row.name, row.agent_id)
        history = self._history.setdefault(key, deque(maxlen=HISTORY_MAX))
        if row.agent_id is None or silent:
            history.append(0.0)
            return None, None
        at_s = status.told_at_s.get(FIRMWARE, status.uptime_s)
        rate = self._calls.update(key, at_s, row.calls)
        history.append(rate)
        return rate, self._denied.update(key, at_s, row.denied)

    def _latest(self, kind: str, domain: str, status: Status, teller: str, counts: list[int]) -> list[int]:
        at_s = status.told_at_s.get(teller, status.uptime_s)
        return self._recent.update((kind, domain), at_s, counts)


def _quantile_us(counts: list[int], part: float) -> float | None:
    return quantile_ns(counts, part) / 1000 if any(counts) else None


def matches(row: Row, words: str) -> bool:
    """Whether each of the words is in the domain's name, its state, or is its agent's number."""
    text = f"{row.domain} {row.state}".lower()
    return all(word in text or word == str(row.agent) for word in words.lower().split())
