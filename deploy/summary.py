"""Numbers of all nodes, put together per domain: who has which agent, and how it does.

All of it counts since the start, or since the node's process started: rates and latest latencies are made of
two of these, in ``deploy.top.model``.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from bus.frames import DomainInfo
from deploy.toolstack import Toolstack
from nodes.meters import quantile_ns
from nodes.metrics import LATENCY_BUCKETS_NS

Stats = dict[str, dict[str, Any]]
DURATION = "trapline_scmi_call_duration_seconds"


class CallCount(msgspec.Struct, frozen=True):
    """How often an agent's calls of one message ended with one status."""

    protocol: str
    message: str
    status: str
    calls: int


class AgentRow(msgspec.Struct, frozen=True):
    """One domain as the tables show it. Latencies in microseconds; ``statuses`` counts EL3's answers.

    ``in_flight``, ``waiting``: calls that EL3 has, traps in line for the channel, both as Xen sees it;
    ``service_p99_us``: how long EL3 had a call, ``queue_p99_us``: how long it waited before.
    """

    domid: int
    name: str
    state: str
    incarnation: int
    agent_id: int | None
    smc_id: int | None
    shmem: int | None
    devices: tuple[str, ...]
    calls: int
    p50_us: float
    p99_us: float
    refused: int
    denied: int
    errors: int
    resets: int
    statuses: dict[str, int]
    in_flight: int = 0
    waiting: int = 0
    service_p99_us: float = 0.0
    queue_p99_us: float = 0.0


class Buckets(msgspec.Struct, frozen=True):
    """Counts per bucket of LATENCY_BUCKETS_NS of one domain: what its guest saw, and Xen of its agent."""

    latency: list[int]
    service: list[int]
    queue: list[int]


def agent_rows(toolstack: Toolstack, stats: Stats) -> list[AgentRow]:
    """A row for every domain there is."""
    return [agent_row(info, stats) for info in toolstack.list()]


def agent_row(info: DomainInfo, stats: Stats) -> AgentRow:
    agent = None if info.agent_id is None else str(info.agent_id)
    statuses = _by_status(stats, agent)
    buckets = buckets_of(info, stats)
    endings = _counter(stats, info.name, "trapline_guest_calls_total")
    return AgentRow(
        info.domid,
        info.name,
        info.state,
        info.incarnation,
        info.agent_id,
        info.smc_id,
        info.shmem,
        info.devices,
        calls=sum(statuses.values()),
        p50_us=quantile_ns(buckets.latency, 0.5) / 1000,
        p99_us=quantile_ns(buckets.latency, 0.99) / 1000,
        refused=sum(
            count
            for key, count in _counter(stats, "xen", "trapline_smc_traps_total").items()
            if key[0] == info.name and key[2] in ("refused", "undef")
        ),
        denied=statuses.get("DENIED", 0),
        errors=sum(count for key, count in endings.items() if key[1] != "answered"),
        resets=sum(
            count
            for key, count in _counter(stats, "xen", "trapline_agent_resets_total").items()
            if key[0] == agent
        ),
        statuses=statuses,
        in_flight=_counter(stats, "xen", "trapline_scmi_inflight_calls").get((str(agent),), 0),
        waiting=_counter(stats, "xen", "trapline_scmi_waiting_calls").get((str(agent),), 0),
        service_p99_us=quantile_ns(buckets.service, 0.99) / 1000,
        queue_p99_us=quantile_ns(buckets.queue, 0.99) / 1000,
    )


def buckets_of(info: DomainInfo, stats: Stats) -> Buckets:
    """The latencies of a domain and of its agent."""
    agent = str(info.agent_id)
    return Buckets(
        _buckets(stats, info.name, DURATION),
        _buckets(stats, "xen", "trapline_scmi_service_seconds", agent),
        _buckets(stats, "xen", "trapline_scmi_queue_wait_seconds", agent),
    )


def calls_of(stats: Stats, agent: int) -> list[CallCount]:
    """Every message that an agent was answered, by status, the most frequent first."""
    found = _counter(stats, "firmware", "trapline_scmi_calls_total")
    mine = [
        CallCount(key[1], key[2], key[3], calls)
        for key, calls in found.items()
        if key[0] == str(agent) and calls
    ]
    return sorted(mine, key=lambda one: (-one.calls, one.protocol, one.message, one.status))


def latency_of(stats: Stats, domain: str) -> dict[str, list[int]]:
    """Counts per bucket of what a guest saw, by protocol."""
    histograms = stats.get(domain, {}).get("histograms", {})
    return {key[1]: list(counts) for key, counts in histograms.get(DURATION, {}).items()}


def _counter(stats: Stats, node: str, name: str) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = stats.get(node, {}).get("counters", {}).get(name, {})
    return found


def _by_status(stats: Stats, agent: str | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, count in _counter(stats, "firmware", "trapline_scmi_calls_total").items():
        if key[0] == agent and count:
            found[key[3]] = found.get(key[3], 0) + count
    return found


def _buckets(stats: Stats, node: str, name: str, agent: str | None = None) -> list[int]:
    """Counts per bucket of one of a node's histograms, all its series together, or an agent's alone."""
    found: Iterable[tuple[tuple[str, ...], list[int]]]
    found = stats.get(node, {}).get("histograms", {}).get(name, {}).items()
    total = [0] * (len(LATENCY_BUCKETS_NS) + 1)
    for key, counts in found:
        if agent is None or key[0] == agent:
            total = [a + b for a, b in zip(total, counts, strict=True)]
    return total
