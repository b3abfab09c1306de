"""The Agent dashboard: what one agent calls, how that ends, how long it takes, and what was done to it."""

from typing import Any

from deploy.observability.dashboards import asking
from deploy.observability.dashboards.asking import AGENT_NAME, BY_AGENT, named, none
from deploy.observability.dashboards.frame import row, text
from deploy.observability.dashboards.looks import (
    ANY_IS_BAD,
    ANY_IS_ODD,
    BAD,
    GOOD,
    LATENCY,
    RARE,
    RATIO,
    WARN,
    Steps,
    agents,
    meanings,
    meanings_of,
    protocols,
)
from deploy.observability.dashboards.names import AGENT_LINKS, TRACE_LINKS
from deploy.observability.dashboards.panels import (
    COUNT,
    PER_SECOND,
    RATIO_UNIT,
    SECONDS,
    Ask,
    Column,
    Look,
    heat,
    lines,
    ranking,
    rows,
    stat_panel,
)
from deploy.observability.dashboards.promql import Scope
from deploy.observability.dashboards.troubles import AGENT_ROWS
from deploy.observability.dashboards.words import words

SCOPE = Scope()
WORDS = words("agent")
WHY = "What an agent calls, how its calls end, where their time goes, and what was done to it."
PILED: Steps = ((None, GOOD), (4, WARN), (16, BAD))
LIMITS = meanings_of("trapline_meter_refusals_total", "reason")
WAY_BACK = meanings_of("trapline_p2a_messages_total", "result")


def dashboard() -> str:
    variables = ("datasource", "experiment", "cluster", "agent", "protocol", "observer")
    panels = [
        row("Now: agent ${agent:text}, cluster ${cluster:text}", 0),
        *rates(1),
        *counts(1),
        row("What does it call, and how does that end?", 5),
        *calls(6),
        row("How long does it take, and where does the time go?", 15),
        *times(16),
        row("What keeps it waiting?", 24),
        *channel(25),
        row("What was done to it?", 33),
        *fate(34),
    ]
    return text("agent", "Trapline: Agent", WHY, variables, panels)


def rates(y: int) -> list[Any]:
    """How much, how well, how quickly."""
    failed, median, slowest = (
        asking.failure_ratio(SCOPE),
        SCOPE.quantile(0.5, asking.DURATION),
        SCOPE.quantile(0.99, asking.DURATION),
    )
    return [
        stat_panel(
            Look(WORDS["calls"], at=(0, y, 3, 4), unit=PER_SECOND, links=TRACE_LINKS),
            Ask(SCOPE.rate(asking.CALLS), "calls"),
        ),
        stat_panel(
            Look(WORDS["failed"], at=(3, y, 3, 4), unit=RATIO_UNIT, steps=RATIO, decimals=1),
            Ask(failed, "failed"),
        ),
        stat_panel(
            Look(WORDS["median"], at=(6, y, 3, 4), unit=SECONDS, steps=LATENCY, decimals=2),
            Ask(median, "p50"),
        ),
        stat_panel(
            Look(WORDS["slowest"], at=(9, y, 3, 4), unit=SECONDS, steps=LATENCY, decimals=2),
            Ask(slowest, "p99"),
        ),
    ]


def counts(y: int) -> list[Any]:
    """What is under way, and what happened."""
    under_way = f"sum({SCOPE.series('trapline_scmi_inflight_calls')})"
    waiting = f"max({SCOPE.series('trapline_scmi_waiting_calls')})"
    return [
        stat_panel(
            Look(WORDS["inflight"], at=(12, y, 3, 4), unit=COUNT, decimals=0), Ask(under_way, "in flight")
        ),
        stat_panel(
            Look(WORDS["waiting"], at=(15, y, 3, 4), unit=COUNT, steps=PILED, decimals=0),
            Ask(waiting, "waiting"),
        ),
        stat_panel(
            Look(WORDS["denied"], at=(18, y, 3, 4), unit=COUNT, steps=ANY_IS_ODD, decimals=0),
            Ask(none(SCOPE.increase(asking.CALLS, status="DENIED"), SCOPE.series(asking.CALLS)), "denied"),
        ),
        stat_panel(
            Look(WORDS["resets"], at=(21, y, 3, 4), unit=COUNT, steps=ANY_IS_ODD, decimals=0),
            Ask(SCOPE.increase(asking.RESETS), "resets"),
        ),
    ]


def calls(y: int) -> list[Any]:
    """By protocol over time, by message and status as a list."""
    ends = named(f"{SCOPE.increase(asking.CALLS, *BY_AGENT, 'protocol', 'message', 'status')} > 0")
    keys = AGENT_ROWS | {name: Column(name) for name in ("protocol", "message")}
    keys["status"] = Column("status", values=asking.STATUSES)
    return [
        lines(
            Look(WORDS["protocols"], at=(0, y, 11, 9), unit=PER_SECOND, colours=protocols()),
            Ask(SCOPE.rate(asking.CALLS, "protocol"), "{{protocol}}"),
            stacked=True,
        ),
        rows(
            Look(WORDS["endings"], at=(11, y, 13, 9), unit=COUNT), keys, [Column("calls", Ask(ends))], "calls"
        ),
    ]


def times(y: int) -> list[Any]:
    """Quantiles together, by protocol, apart by where the time goes, and as a heat map."""
    quantiles = [Ask(SCOPE.quantile(q, asking.DURATION), name) for q, name in asking.QUANTILES]
    return [
        lines(
            Look(
                WORDS["times"],
                at=(0, y, 6, 8),
                unit=SECONDS,
                steps=LATENCY,
                colours=meanings(("p50", "p95", "p99")),
                legend_below=True,
            ),
            *quantiles,
        ),
        lines(
            Look(
                WORDS["by_protocol"],
                at=(6, y, 6, 8),
                unit=SECONDS,
                steps=LATENCY,
                colours=protocols(),
                legend_below=True,
            ),
            Ask(SCOPE.quantile(0.99, asking.DURATION, "protocol"), "{{protocol}}"),
        ),
        lines(
            Look(
                WORDS["parts"],
                at=(12, y, 6, 8),
                unit=SECONDS,
                colours=meanings(("whole call", "service", "queue wait")),
                legend_below=True,
            ),
            *(Ask(*one) for one in asking.parts(SCOPE, 0.95)),
        ),
        heat(
            Look(WORDS["heat"], at=(18, y, 6, 8), unit=SECONDS),
            Ask(SCOPE.rate(f"{asking.DURATION}_bucket", "le"), "{{le}}"),
        ),
    ]


def channel(y: int) -> list[Any]:
    """Its channel, its limits, its pages, its way back."""
    under_way = named(SCOPE.last("trapline_scmi_inflight_calls", *BY_AGENT))
    waiting = named(SCOPE.last("trapline_scmi_waiting_calls", *BY_AGENT))
    limits = SCOPE.rate("trapline_meter_refusals_total", "reason", "mode")
    broken = f"{SCOPE.rate('trapline_scmi_transport_errors_total', *BY_AGENT)} > 0"
    return [
        lines(
            Look(
                WORDS["channel"],
                at=(0, y, 6, 8),
                unit=COUNT,
                steps=PILED,
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(under_way, f"{AGENT_NAME}: with EL3"),
            Ask(waiting, f"{AGENT_NAME}: waiting"),
        ),
        lines(
            Look(
                WORDS["metered"],
                at=(6, y, 6, 8),
                unit=PER_SECOND,
                legend_below=True,
                steps=RARE,
                colours=LIMITS,
            ),
            Ask(f"{limits} > 0", "{{reason}}, {{mode}}"),
        ),
        lines(
            Look(
                WORDS["transport"],
                at=(12, y, 6, 8),
                unit=PER_SECOND,
                legend_below=True,
                steps=RARE,
                colours=agents(),
            ),
            Ask(named(broken), AGENT_NAME),
        ),
        lines(
            Look(WORDS["unasked"], at=(18, y, 6, 8), unit=PER_SECOND, legend_below=True, colours=WAY_BACK),
            Ask(SCOPE.rate("trapline_p2a_messages_total", "result", "kind"), "{{result}} {{kind}}"),
        ),
    ]


def fate(y: int) -> list[Any]:
    """Resets, rights, leaks."""
    changes = SCOPE.increase("trapline_device_permission_changes_total", *BY_AGENT, "device", "action")
    reasons = named(f"{SCOPE.increase(asking.RESETS, *BY_AGENT, 'reason')} > 0")
    done = SCOPE.increase("trapline_agent_resets_applied_total", *BY_AGENT)
    left = SCOPE.increase("trapline_agent_reset_leaks_total", *BY_AGENT)
    device = {"device": Column("device"), "action": Column("action", values={"deny": WARN, "allow": GOOD})}
    return [
        ranking(
            Look(
                WORDS["reset_reasons"], at=(0, y, 6, 8), unit=COUNT, steps=RARE, decimals=0, links=AGENT_LINKS
            ),
            Ask(reasons, f"{{{{reason}}}} · {AGENT_NAME}"),
        ),
        rows(
            Look(WORDS["permissions"], at=(6, y, 10, 8), unit=COUNT),
            AGENT_ROWS | device,
            [Column("times", Ask(named(f"{changes} > 0")))],
            "times",
        ),
        rows(
            Look(WORDS["leaks"], at=(16, y, 8, 8), unit=COUNT),
            AGENT_ROWS,
            [
                Column("resets by EL3", Ask(named(done))),
                Column("left over", Ask(named(f"{left} or 0 * {done}")), steps=ANY_IS_BAD),
            ],
            "left over",
        ),
    ]
