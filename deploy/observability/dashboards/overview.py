"""The Overview: who is slow, denied, dead, reset and why; and is EL3 or the queue the cause."""

from typing import Any

from deploy.observability.dashboards import asking, troubles
from deploy.observability.dashboards.asking import AGENT_NAME, BY_AGENT, named, none, worst
from deploy.observability.dashboards.frame import row, text
from deploy.observability.dashboards.looks import (
    ANY_IS_BAD,
    ANY_IS_ODD,
    BAD,
    GOOD,
    LATENCY,
    RATIO,
    WARN,
    Steps,
    agents,
    meanings,
)
from deploy.observability.dashboards.names import AGENT_LINKS
from deploy.observability.dashboards.panels import (
    COUNT,
    PER_SECOND,
    RATIO_UNIT,
    SECONDS,
    Ask,
    Look,
    lines,
    ranking,
    stat_panel,
)
from deploy.observability.dashboards.promql import Scope
from deploy.observability.dashboards.words import words

SCOPE = Scope()
WHY = (
    "Who is slow, who is denied, who died, what was reset and why; and whether EL3 or the queue is the cause."
)
WORDS = words("overview")
CROWDED: Steps = ((None, GOOD), (1, WARN))


def dashboard() -> str:
    variables = ("datasource", "experiment", "cluster", "agent", "protocol", "observer")
    panels = [
        row("Now", 0),
        *now(1),
        row("Who is slow?", 5),
        *slow(6),
        row("Is EL3 or the queue the cause?", 16),
        *cause(17),
        row("Who is denied?", 26),
        *troubles.denied(27),
        row("Who died, what was reset, and why?", 36),
        *troubles.died(37),
        row("The way back, the bus, the logs", 54),
        *troubles.rest(55),
    ]
    return text("overview", "Trapline: Overview", WHY, variables, panels)


def now(y: int) -> list[Any]:
    """Eight numbers; anything orange or red has a section below."""
    up = f"sum({SCOPE.last(asking.NODES, *asking.BY_NODE, how='max')})"
    calls, nodes, targets = (SCOPE.series(one) for one in (asking.CALLS, asking.NODES, "up"))
    return [
        stat_panel(
            Look(WORDS["nodes_up"], at=(0, y, 3, 4), unit=COUNT, steps=((None, BAD), (1, GOOD))),
            Ask(up, "nodes"),
        ),
        stat_panel(
            Look(WORDS["calls"], at=(3, y, 3, 4), unit=PER_SECOND),
            Ask(SCOPE.rate(asking.CALLS), "calls"),
        ),
        stat_panel(
            Look(WORDS["failed_calls"], at=(6, y, 3, 4), unit=RATIO_UNIT, steps=RATIO, decimals=1),
            Ask(asking.failure_ratio(SCOPE), "failed"),
        ),
        stat_panel(
            Look(WORDS["slowest_1"], at=(9, y, 3, 4), unit=SECONDS, steps=LATENCY, decimals=2),
            Ask(SCOPE.quantile(0.99, asking.DURATION), "p99"),
        ),
        stat_panel(
            Look(WORDS["denied"], at=(12, y, 3, 4), unit=COUNT, steps=ANY_IS_ODD, decimals=0),
            Ask(none(SCOPE.increase(asking.CALLS, status="DENIED"), calls), "denied"),
        ),
        stat_panel(
            Look(WORDS["resets"], at=(15, y, 3, 4), unit=COUNT, steps=ANY_IS_ODD, decimals=0),
            Ask(SCOPE.increase(asking.RESETS), "resets"),
        ),
        stat_panel(
            Look(WORDS["nodes_that_ended"], at=(18, y, 3, 4), unit=COUNT, steps=ANY_IS_BAD, decimals=0),
            Ask(none(SCOPE.increase("trapline_node_exits_total"), nodes), "exits"),
        ),
        stat_panel(
            Look(WORDS["firing_alerts"], at=(21, y, 3, 4), unit=COUNT, steps=ANY_IS_BAD, decimals=0),
            Ask(none(f"count({asking.FIRING})", targets), "alerts"),
        ),
    ]


def slow(y: int) -> list[Any]:
    """The worst agent first, its rate beside it, its course."""
    p99 = SCOPE.quantile(0.99, asking.DURATION, *BY_AGENT)
    rate = SCOPE.rate(asking.CALLS, *BY_AGENT)
    return [
        ranking(
            Look(
                WORDS["slowest_agents_now_p99"],
                at=(0, y, 7, 10),
                unit=SECONDS,
                steps=LATENCY,
                decimals=2,
                links=AGENT_LINKS,
            ),
            Ask(worst(10, named(p99)), AGENT_NAME),
        ),
        ranking(
            Look(
                WORDS["busiest_agents_now"], at=(7, y, 6, 10), unit=PER_SECOND, links=AGENT_LINKS, decimals=1
            ),
            Ask(worst(10, named(f"{rate} > 0")), AGENT_NAME),
        ),
        lines(
            Look(
                WORDS["slowest_of_calls_by_agent"],
                at=(13, y, 11, 5),
                unit=SECONDS,
                steps=LATENCY,
                links=AGENT_LINKS,
                colours=agents(),
            ),
            Ask(named(p99), AGENT_NAME),
        ),
        lines(
            Look(
                WORDS["calls_by_agent"],
                at=(13, y + 5, 11, 5),
                unit=PER_SECOND,
                links=AGENT_LINKS,
                colours=agents(),
            ),
            Ask(named(rate), AGENT_NAME),
        ),
    ]


def cause(y: int) -> list[Any]:
    """A call's time, apart: its wait in Xen, its time with EL3, the whole as the guest saw it."""
    parts = [Ask(*one) for one in asking.parts(SCOPE, 0.95)]
    return [
        lines(
            Look(
                WORDS["where_the_time_goes_p95"],
                at=(0, y, 6, 9),
                unit=SECONDS,
                legend_below=True,
                colours=meanings(("whole call", "service", "queue wait")),
            ),
            *parts,
        ),
        lines(
            Look(
                WORDS["wait_in_the_queue_by_agent_p95"],
                at=(6, y, 6, 9),
                unit=SECONDS,
                steps=LATENCY,
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(named(SCOPE.quantile(0.95, asking.QUEUE, *BY_AGENT)), AGENT_NAME),
        ),
        lines(
            Look(
                WORDS["time_with_el3_by_agent_p95"],
                at=(12, y, 6, 9),
                unit=SECONDS,
                steps=LATENCY,
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(named(SCOPE.quantile(0.95, asking.SERVICE, *BY_AGENT)), AGENT_NAME),
        ),
        lines(
            Look(
                WORDS["smcs_with_el3_at_once_by_agent"],
                at=(18, y, 6, 9),
                unit=COUNT,
                steps=CROWDED,
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(named(SCOPE.rate(f"{asking.SERVICE}_sum", *BY_AGENT)), AGENT_NAME),
            stacked=True,
        ),
    ]
