"""Queries that more than one dashboard asks, each named for what it tells."""

from collections.abc import Mapping, Sequence

from bus.scmi.status import Status
from deploy.observability.dashboards.looks import GOOD, PLAIN, VALUES, WARN, values_of
from deploy.observability.dashboards.promql import WINDOW, Not, Scope

CALLS = "trapline_scmi_calls_total"
DURATION = "trapline_scmi_call_duration_seconds"
QUEUE = "trapline_scmi_queue_wait_seconds"
SERVICE = "trapline_scmi_service_seconds"
RESETS = "trapline_agent_resets_total"
ISSUED = "trapline_guest_calls_total"
OWNER = "trapline_agent_info"
OWNERS = Scope(()).series(OWNER)
OWNERS_LATELY = f"last_over_time({OWNERS}[{WINDOW}])"
"""As long after the end of Xen as rates are there."""
NODES = "trapline_node_up"
STATE = "trapline_domain_state"
RUNNING = "trapline_experiment_running"
FAILED = Not("SUCCESS")
BY_AGENT = ("cluster", "agent")
AGENT_NAME = "{{domain}}({{agent}}) · {{cluster}}"
"""Of what ``named`` gives."""
BY_NODE = ("cluster", "node")
HEARTBEAT = "trapline_node_last_heartbeat_timestamp_seconds"
FIRING = 'ALERTS{alertname=~"Trapline.*",alertstate="firing",severity!="info",cluster=~"$cluster|"}'
"""Alerts that concern no cluster have no such label; those that only inform are not trouble."""

STATES = values_of(STATE, "state")
STATE_CODES: Mapping[int, tuple[str, str]] = {
    0: ("gone", VALUES["dead"]),
    **{code: (state, VALUES[state]) for code, state in enumerate(STATES, 1)},
}
PHASES = values_of(RUNNING, "phase")
PHASE_COLOURS = {"boot": "#8AB8FF", "warm_up": PLAIN, "faults": WARN, "heal": "#B877D9", "drain": GOOD}
PHASE_CODES: Mapping[int, tuple[str, str]] = {
    0: ("none", VALUES["dead"]),
    **{code: (phase, PHASE_COLOURS[phase]) for code, phase in enumerate(PHASES, 1)},
}

STATUSES: Mapping[str, str] = {one.name: VALUES[one.name] for one in Status}
QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


def failure_ratio(scope: Scope, *by: str) -> str:
    """Of the calls that EL3 answered, the share without SUCCESS: 0 to 1; 0 where none failed."""
    every = scope.rate(CALLS, *by)
    return f"({scope.rate(CALLS, *by, status=FAILED)} or 0 * {every}) / ({every} > 0)"


def coded(scope: Scope, name: str, label: str, values: Sequence[str], *by: str) -> str:
    """A one-hot gauge as one number per row: 1 for the first value, 0 if none is set."""
    ones = (f"{code} * {scope.series(name, **{label: value})}" for code, value in enumerate(values, 1))
    return f"max by ({', '.join(by)}) ({' or '.join(ones)})"


def parts(scope: Scope, q: float) -> tuple[tuple[str, str], ...]:
    """A quantile of a call's whole time, of its time with EL3, and of its wait in Xen; each with its name."""
    names = ((DURATION, "whole call"), (SERVICE, "service"), (QUEUE, "queue wait"))
    return tuple((scope.quantile(q, name), called) for name, called in names)


def worst(number: int, expr: str) -> str:
    """The largest few, largest first."""
    return f"sort_desc(topk({number}, {expr}))"


def none(expr: str, seen: str) -> str:
    """0 where there is nothing to add up; nothing where none of ``seen`` is there, for then nobody counts."""
    return f"({expr}) or 0 * count({seen})"


def named(expr: str, owners: str = OWNERS_LATELY) -> str:
    """Rows by cluster and agent with one label more, the domain that has the agent or had it last.

    A row whose agent Xen does not tell keeps its number, and the word "agent" for a name.
    """
    owner = f"group by (cluster, agent, domain) (topk by (cluster, agent) (1, {owners}))"
    unknown = f'label_replace({expr}, "domain", "agent", "agent", ".*")'
    return f"({expr}) * on (cluster, agent) group_left (domain) {owner} or ignoring (domain) {unknown}"


def known_agents() -> str:
    """A row per agent's number; its label ``name`` has the domain too, where all clusters agree on it."""
    seen = f"last_over_time({OWNERS}[$__range])"
    names = f"count by (agent, domain) ({seen})"
    alone = f"count by (agent) ({names}) == 1"
    return (
        f'label_join({names} and on (agent) ({alone}), "name", " ", "agent", "domain") '
        f'or on (agent) label_join(count by (agent) ({seen}), "name", " ", "agent")'
    )


def numbered(expr: str) -> str:
    """Rows by cluster and domain with one label more, the domain's agent; only those of chosen agents.

    A domain of which Xen tells no agent has "none".
    """
    chosen = f"last_over_time({Scope(('agent',)).series(OWNER)}[{WINDOW}])"
    agent = f"group by (cluster, agent, domain) (topk by (cluster, domain) (1, {chosen}))"
    unknown = f"{expr} unless on (cluster, domain) {OWNERS_LATELY}"
    return (
        f"({expr}) * on (cluster, domain) group_left (agent) {agent} "
        f'or label_replace({unknown}, "agent", "none", "domain", ".*")'
    )


def unanswered_ratio(scope: Scope) -> str:
    """Of the calls that guests ended, the share without an answer, by agent; guests outlive EL3."""
    every = scope.rate(ISSUED, "cluster", "domain")
    return numbered(f"{scope.rate(ISSUED, 'cluster', 'domain', outcome=Not('answered'))} / ({every} > 0)")
