"""Numbers of all nodes, put together per domain: who has which agent, and how it does."""

from typing import Any

import msgspec

from bus.frames import DomainInfo
from deploy.toolstack import Toolstack
from nodes.meters import quantile_ns
from nodes.metrics import LATENCY_BUCKETS_NS

Stats = dict[str, dict[str, Any]]


class AgentRow(msgspec.Struct, frozen=True):
    """One domain as the tables show it. Latencies in microseconds; ``statuses`` counts EL3's answers."""

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


def agent_rows(toolstack: Toolstack, stats: Stats) -> list[AgentRow]:
    """A row for every domain there is."""
    return [agent_row(info, stats) for info in toolstack.list()]


def agent_row(info: DomainInfo, stats: Stats) -> AgentRow:
    agent = None if info.agent_id is None else str(info.agent_id)
    statuses = _by_status(stats, agent)
    buckets = _latency(stats, info.name)
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
        p50_us=quantile_ns(buckets, 0.5) / 1000,
        p99_us=quantile_ns(buckets, 0.99) / 1000,
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
    )


def _counter(stats: Stats, node: str, name: str) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = stats.get(node, {}).get("counters", {}).get(name, {})
    return found


def _by_status(stats: Stats, agent: str | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, count in _counter(stats, "firmware", "trapline_scmi_calls_total").items():
        if key[0] == agent:
            found[key[3]] = found.get(key[3], 0) + count
    return found


def _latency(stats: Stats, node: str) -> list[int]:
    """Bucket counts of a guest over all protocols."""
    total = [0] * (len(LATENCY_BUCKETS_NS) + 1)
    histograms = stats.get(node, {}).get("histograms", {})
    for counts in histograms.get("trapline_scmi_call_duration_seconds", {}).values():
        total = [a + b for a, b in zip(total, counts, strict=True)]
    return total
