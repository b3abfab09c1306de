"""The Fleet: one row per cluster, worst first. Its rates come from recording rules, for there may be many."""

from typing import Any

from deploy.observability.dashboards import asking
from deploy.observability.dashboards.asking import none
from deploy.observability.dashboards.frame import row, text
from deploy.observability.dashboards.looks import ANY_IS_BAD, BAD, GOOD, LATENCY, PLAIN, RATIO, WARN, Steps
from deploy.observability.dashboards.names import CLUSTER_LINKS, CLUSTER_ROW_LINKS
from deploy.observability.dashboards.panels import (
    BY_SIZE,
    BY_VALUE,
    BYTES,
    COUNT,
    PER_SECOND,
    RATIO_UNIT,
    SECONDS,
    Ask,
    Column,
    Look,
    lines,
    ranking,
    rows,
    stat_panel,
)
from deploy.observability.dashboards.promql import Not, Scope
from deploy.observability.dashboards.words import words
from deploy.observability.rules import CALLS, DURATIONS, ERRORS

SCOPE = Scope(())
WORDS = words("fleet")
WHY = "Every cluster in one row, worst first: who needs somebody?"
SOME: Steps = ((None, BAD), (1, GOOD))
ONE: Steps = ((None, GOOD), (2, WARN))
TROUBLE: Steps = ((None, GOOD), (1, WARN), (2, BAD))

RESULTS = {
    "pass": GOOD,
    "fail": BAD,
    "error": WARN,
    "lost": "#B877D9",
    "running": "#8AB8FF",
    "waiting": PLAIN,
}
"""What becomes of a fleet's platforms, in the colours of a run's phases and verdicts."""

KNOWN = f"count by (cluster) ({SCOPE.series('up', role=Not('fleet'))})"
RATE = f"sum by (cluster) ({SCOPE.series(CALLS)})"
FAILED = f"sum by (cluster) ({SCOPE.series(ERRORS)} * {SCOPE.series(CALLS)}) / ({RATE} > 0)"
SLOWEST = f"histogram_quantile(0.99, sum by (cluster, le) ({SCOPE.series(DURATIONS)})) >= 0"
UP = f"sum by (cluster) ({SCOPE.last('trapline_node_up', *asking.BY_NODE, how='max')})"
DOWN = f"count by (cluster) ({SCOPE.last('trapline_node_up', *asking.BY_NODE, how='max')} == 0)"
EXITS = SCOPE.increase("trapline_node_exits_total", "cluster")
ALERTS = f"count by (cluster) ({asking.FIRING})"


def or_none(expr: str) -> str:
    """0 for each cluster that is scraped and has no such number; nothing for those that are no more."""
    return f"(({expr}) and on (cluster) {KNOWN} or 0 * {KNOWN})"


def trouble() -> str:
    """How much is wrong with each cluster: see the table's words."""
    parts = (DOWN, EXITS, ALERTS, f"({FAILED}) > bool 0.05", f"({SLOWEST}) > bool 0.05")
    return " + ".join(or_none(part) for part in parts)


def dashboard() -> str:
    variables = ("datasource", "experiment", "cluster", "observer")
    panels = [
        row("All clusters", 0),
        *sums(1),
        row("Which cluster needs somebody?", 5),
        clusters(6),
        row("Since when?", 17),
        *courses(18),
        row("Is the machine the cause?", 27),
        *machine(28),
        row("How far is 'trapline fleet run'?", 36),
        *runs(37),
    ]
    return text("fleet", "Trapline: Fleet", WHY, variables, panels)


def sums(y: int) -> list[Any]:
    """Six numbers over all clusters."""
    build = SCOPE.series("trapline_build_info")
    return [
        stat_panel(
            Look(WORDS["clusters"], at=(0, y, 4, 4), unit=COUNT, steps=SOME, decimals=0),
            Ask(f"count({KNOWN})", "clusters"),
        ),
        stat_panel(
            Look(WORDS["nodes"], at=(4, y, 4, 4), unit=COUNT, steps=SOME, decimals=0),
            Ask(f"sum({UP})", "nodes"),
        ),
        stat_panel(
            Look(WORDS["calls"], at=(8, y, 4, 4), unit=PER_SECOND),
            Ask(f"sum({SCOPE.series(CALLS)})", "calls"),
        ),
        stat_panel(
            Look(WORDS["troubled"], at=(12, y, 4, 4), unit=COUNT, steps=ANY_IS_BAD, decimals=0),
            Ask(none(f"count({trouble()} > 0)", KNOWN), "clusters"),
        ),
        stat_panel(
            Look(WORDS["exits"], at=(16, y, 4, 4), unit=COUNT, steps=ANY_IS_BAD, decimals=0),
            Ask(none(SCOPE.increase("trapline_node_exits_total"), KNOWN), "exits"),
        ),
        stat_panel(
            Look(WORDS["versions"], at=(20, y, 4, 4), unit=COUNT, steps=ONE, decimals=0),
            Ask(f"count(count by (version) ({build}))", "versions"),
        ),
    ]


def clusters(y: int) -> Any:
    """The table."""
    version = f"count by (cluster, version) ({SCOPE.series('trapline_build_info', role=Not('fleet'))})"
    keys = {"cluster": Column("cluster", links=CLUSTER_ROW_LINKS), "version": Column("version")}
    columns = [
        Column("trouble", Ask(trouble()), steps=TROUBLE, decimals=0),
        Column("nodes up", Ask(or_none(UP)), steps=SOME, decimals=0),
        Column("nodes down", Ask(or_none(DOWN)), steps=ANY_IS_BAD, decimals=0),
        Column("calls/s", Ask(or_none(RATE)), PER_SECOND, decimals=1),
        Column("failed", Ask(or_none(FAILED)), RATIO_UNIT, RATIO, decimals=1),
        Column("p99", Ask(SLOWEST), SECONDS, LATENCY, decimals=2),
        Column("resets", Ask(or_none(SCOPE.increase(asking.RESETS, "cluster"))), decimals=0),
        Column("nodes that ended", Ask(or_none(EXITS)), steps=ANY_IS_BAD, decimals=0),
        Column("alerts", Ask(or_none(ALERTS)), steps=ANY_IS_BAD, decimals=0),
        Column("targets", Ask(version), decimals=0),
    ]
    return rows(Look(WORDS["table"], at=(0, y, 24, 11), unit=COUNT), keys, columns, "trouble")


def courses(y: int) -> list[Any]:
    """Three courses by cluster; red is above an alert's limit."""
    return [
        lines(
            Look(
                WORDS["rate"],
                at=(0, y, 8, 9),
                unit=PER_SECOND,
                palette=BY_SIZE,
                links=CLUSTER_LINKS,
                legend_below=True,
            ),
            Ask(RATE, "{{cluster}}"),
        ),
        lines(
            Look(
                WORDS["failed"],
                at=(8, y, 8, 9),
                unit=RATIO_UNIT,
                steps=RATIO,
                palette=BY_VALUE,
                links=CLUSTER_LINKS,
                legend_below=True,
            ),
            Ask(FAILED, "{{cluster}}"),
        ),
        lines(
            Look(
                WORDS["slowest"],
                at=(16, y, 8, 9),
                unit=SECONDS,
                steps=LATENCY,
                palette=BY_VALUE,
                links=CLUSTER_LINKS,
                legend_below=True,
            ),
            Ask(SLOWEST, "{{cluster}}"),
        ),
    ]


def machine(y: int) -> list[Any]:
    """What processes cost."""
    memory = f"sum by (cluster) ({SCOPE.series('process_resident_memory_bytes')})"
    return [
        lines(
            Look(WORDS["cpu"], at=(0, y, 12, 8), unit=COUNT, palette=BY_SIZE, links=CLUSTER_LINKS),
            Ask(SCOPE.rate("process_cpu_seconds_total", "cluster"), "{{cluster}}"),
            stacked=True,
        ),
        lines(
            Look(WORDS["memory"], at=(12, y, 12, 8), unit=BYTES, palette=BY_SIZE, links=CLUSTER_LINKS),
            Ask(memory, "{{cluster}}"),
            stacked=True,
        ),
    ]


def runs(y: int) -> list[Any]:
    """Platforms of fleets: how many are left, what became of the others, where they fail."""
    jobs, results = "trapline_fleet_jobs", "trapline_fleet_results_total"
    failing = f"topk(10, {SCOPE.increase(results, 'cluster', 'cell', verdict=Not('pass'))} > 0)"
    return [
        stat_panel(
            Look(WORDS["left"], at=(0, y, 4, 4), unit=COUNT, decimals=0),
            Ask(f"sum({SCOPE.last(jobs, state=('waiting', 'running'))})", "platforms"),
        ),
        stat_panel(
            Look(WORDS["died"], at=(0, y + 4, 4, 4), unit=COUNT, steps=ONE, decimals=0),
            Ask(none(SCOPE.increase("trapline_fleet_workers_lost_total"), SCOPE.series(jobs)), "workers"),
        ),
        lines(
            Look(WORDS["jobs"], at=(4, y, 10, 8), unit=COUNT, colours=RESULTS, legend_below=True),
            *(Ask(SCOPE.last(jobs, state=state), state) for state in RESULTS),
            stacked=True,
        ),
        ranking(
            Look(WORDS["failing"], at=(14, y, 10, 8), unit=COUNT, steps=ANY_IS_BAD, decimals=0),
            Ask(failing, "{{cell}} · {{cluster}}"),
        ),
    ]
