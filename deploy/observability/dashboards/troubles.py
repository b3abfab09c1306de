"""The lower half of the Overview: who is denied, who died or was reset, what else goes wrong."""

from typing import Any

from deploy.observability.dashboards import asking
from deploy.observability.dashboards.asking import AGENT_NAME, BY_AGENT, named
from deploy.observability.dashboards.looks import (
    ANY_IS_BAD,
    ANY_IS_ODD,
    BAD,
    GOOD,
    WARN,
    agents,
    apart,
    meanings,
    meanings_of,
)
from deploy.observability.dashboards.names import AGENT_LINKS, AGENT_ROW_LINKS, CLUSTER_LINKS
from deploy.observability.dashboards.panels import (
    BYTES_PER_SECOND,
    COUNT,
    PER_SECOND,
    SECONDS,
    Ask,
    Column,
    Look,
    heat,
    lines,
    ranking,
    rows,
    states,
)
from deploy.observability.dashboards.promql import Scope
from deploy.observability.dashboards.words import words

SCOPE = Scope()
AGENT_ROWS = {
    "cluster": Column("cluster"),
    "domain": Column("domain"),
    "agent": Column("agent", links=AGENT_ROW_LINKS),
}
WORDS = words("overview")
FOLDED = "trapline_series_folded_total"


def denied(y: int) -> list[Any]:
    """Refusals, by who refused: EL3 by status, Xen by verdict, Xen's metering."""
    return [
        lines(
            Look(
                WORDS["calls_denied_by_el3_by_agent"],
                at=(0, y, 6, 9),
                unit=PER_SECOND,
                steps=((None, GOOD), (1, WARN)),
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(named(f"{SCOPE.rate(asking.CALLS, *BY_AGENT, status='DENIED')} > 0"), AGENT_NAME),
        ),
        lines(
            Look(
                WORDS["calls_that_failed_by_status"],
                at=(6, y, 6, 9),
                unit=PER_SECOND,
                colours=meanings(one for one in asking.STATUSES if one != asking.FAILED.value),
                legend_below=True,
            ),
            Ask(f"{SCOPE.rate(asking.CALLS, 'status', status=asking.FAILED)} > 0", "{{status}}"),
            stacked=True,
        ),
        lines(
            Look(
                WORDS["traps_by_xen_s_verdict"],
                at=(12, y, 6, 9),
                unit=PER_SECOND,
                colours=meanings_of("trapline_smc_traps_total", "verdict"),
                legend_below=True,
            ),
            Ask(SCOPE.rate("trapline_smc_traps_total", "verdict"), "{{verdict}}"),
            stacked=True,
        ),
        lines(
            Look(
                WORDS["doorbells_beyond_a_limit"],
                at=(18, y, 6, 9),
                unit=PER_SECOND,
                steps=((None, GOOD), (1, WARN)),
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(named(f"{SCOPE.rate('trapline_meter_refusals_total', *BY_AGENT)} > 0"), AGENT_NAME),
        ),
    ]


def died(y: int) -> list[Any]:
    """Domains over time, and three lists: resets with their reasons, nodes, what should not happen."""
    up = SCOPE.last(asking.NODES, *asking.BY_NODE, how="max")
    exits = SCOPE.increase("trapline_node_exits_total", *asking.BY_NODE)
    resets = named(f"{SCOPE.increase(asking.RESETS, *BY_AGENT, 'reason')} > 0")
    return [
        states(
            Look(WORDS["domains"], at=(0, y, 14, 9), unit=COUNT, links=CLUSTER_LINKS),
            Ask(
                asking.coded(SCOPE, asking.STATE, "state", asking.STATES, "cluster", "domain"),
                "{{domain}} · {{cluster}}",
            ),
            codes=asking.STATE_CODES,
        ),
        rows(
            Look(WORDS["agents_that_were_reset"], at=(14, y, 10, 9), unit=COUNT),
            AGENT_ROWS | {"reason": Column("reason")},
            [Column("resets", Ask(resets), steps=((None, GOOD), (2, WARN), (4, BAD)))],
            "resets",
        ),
        rows(
            Look(WORDS["nodes"], at=(0, y + 9, 12, 8), unit=COUNT),
            {"cluster": Column("cluster"), "node": Column("node")},
            [
                Column(
                    "up",
                    Ask(f"{up} or 0 * ({exits} > 0)"),
                    steps=((None, BAD), (1, GOOD)),
                ),
                Column(
                    "last answer",
                    Ask(f"clamp_min(time() - {SCOPE.last(asking.HEARTBEAT, *asking.BY_NODE, how='max')}, 0)"),
                    SECONDS,
                    ((None, GOOD), (3, WARN), (5, BAD)),
                    decimals=1,
                ),
                Column(
                    "ended unasked",
                    Ask(f"{exits} > 0 or 0 * {up}"),
                    steps=ANY_IS_BAD,
                ),
            ],
            "last answer",
        ),
        ranking(
            Look(
                WORDS["left_after_a_reset"],
                at=(12, y + 9, 6, 8),
                unit=COUNT,
                steps=ANY_IS_BAD,
                decimals=0,
                links=AGENT_LINKS,
            ),
            Ask(named(f"{SCOPE.increase('trapline_agent_reset_leaks_total', *BY_AGENT)} > 0"), AGENT_NAME),
        ),
        ranking(
            Look(
                WORDS["hazards_of_xen_s_driver"],
                at=(18, y + 9, 6, 8),
                unit=COUNT,
                steps=ANY_IS_ODD,
                decimals=0,
                links=CLUSTER_LINKS,
            ),
            Ask(
                f"{SCOPE.increase('trapline_xen_hazards_total', 'cluster', 'hazard')} > 0",
                "{{hazard}} · {{cluster}}",
            ),
        ),
    ]


def rest(y: int) -> list[Any]:
    """What is not a call: messages and interrupts to guests, frames, log lines; and a heat map."""
    return [
        heat(
            Look(WORDS["how_long_calls_take"], at=(0, y, 12, 9), unit=SECONDS),
            Ask(SCOPE.rate(f"{asking.DURATION}_bucket", "le"), "{{le}}"),
        ),
        lines(
            Look(
                WORDS["messages_to_agents_unasked"],
                at=(0, y + 9, 6, 8),
                unit=PER_SECOND,
                colours=meanings_of("trapline_p2a_messages_total", "result"),
                legend_below=True,
            ),
            Ask(SCOPE.rate("trapline_p2a_messages_total", "result"), "{{result}}"),
        ),
        lines(
            Look(
                WORDS["interrupts_by_what_xen_did"],
                at=(6, y + 9, 6, 8),
                unit=PER_SECOND,
                legend_below=True,
                colours=meanings_of("trapline_interrupts_total", "verdict"),
            ),
            Ask(SCOPE.rate("trapline_interrupts_total", "verdict"), "{{verdict}}"),
        ),
        lines(
            Look(
                WORDS["bytes_on_the_bus"],
                at=(12, y, 12, 9),
                unit=BYTES_PER_SECOND,
                colours=meanings_of("trapline_bus_bytes_total", "direction"),
                legend_below=True,
            ),
            Ask(SCOPE.rate("trapline_bus_bytes_total", "direction"), "{{direction}}"),
        ),
        lines(
            Look(
                WORDS["dropped_frames_and_bad_log_lines"],
                at=(12, y + 9, 6, 8),
                unit=PER_SECOND,
                legend_below=True,
                steps=((None, GOOD), (1, WARN)),
                colours=apart("trapline_bus_dropped_total", "cause") | meanings(("warning", "error")),
            ),
            Ask(f"{SCOPE.rate('trapline_bus_dropped_total', 'cause')} > 0", "dropped: {{cause}}"),
            Ask(
                f"{SCOPE.rate('trapline_log_lines_total', 'level', level=('warning', 'error'))} > 0",
                "{{level}} lines",
            ),
        ),
        ranking(
            Look(
                WORDS["not_counted"],
                at=(18, y + 9, 6, 8),
                unit=COUNT,
                steps=ANY_IS_ODD,
                decimals=0,
                links=CLUSTER_LINKS,
            ),
            Ask(f"{SCOPE.increase(FOLDED, 'cluster', 'metric')} > 0", "{{metric}} · {{cluster}}"),
            Ask(
                f"{SCOPE.increase('trapline_log_dropped_total', 'cluster', 'process')} > 0",
                "log of {{process}} · {{cluster}}",
            ),
        ),
    ]
