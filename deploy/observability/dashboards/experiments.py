"""Experiments & faults: what was broken on purpose and when, whom it hurt, and who recovered."""

from typing import Any

from deploy.observability.dashboards import asking
from deploy.observability.dashboards.asking import AGENT_NAME, BY_AGENT, named
from deploy.observability.dashboards.frame import row, text
from deploy.observability.dashboards.looks import (
    ANY_IS_BAD,
    LATENCY,
    RARE,
    RATIO,
    agents,
    apart,
    meanings_of,
)
from deploy.observability.dashboards.names import AGENT_LINKS, CLUSTER_LINKS
from deploy.observability.dashboards.panels import (
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
    states,
)
from deploy.observability.dashboards.promql import Scope
from deploy.observability.dashboards.words import words

SCOPE = Scope()
FAULTS = "trapline_faults_injected_total"
HOSTILE = "trapline_guest_hostile_total"
ARRIVALS = "trapline_guest_arrivals_dropped_total"
DROPPED = "trapline_bus_dropped_total"
EVENTS = "trapline_domain_lifecycle_events_total"
WORDS = words("experiments")
WHY = "What was broken on purpose and when, whom it hurt, and who recovered."


def dashboard() -> str:
    variables = ("datasource", "experiment", "cluster", "agent", "protocol", "observer")
    panels = [
        row("What was done, and when?", 0),
        *done(1),
        row("Whom did it hurt, and who recovered?", 14),
        *hurt(15),
        row("What did guests see?", 24),
        *guests(25),
        row("Who died, what was reset?", 33),
        *lives(34),
        row("What was left behind?", 52),
        *left(53),
    ]
    return text("experiments", "Trapline: Experiments & faults", WHY, variables, panels)


def done(y: int) -> list[Any]:
    """Phases over the whole width, faults below them."""
    codes = asking.coded(SCOPE, asking.RUNNING, "phase", asking.PHASES, "cluster")
    faults = SCOPE.rate(FAULTS, "kind")
    listed = SCOPE.increase(FAULTS, "cluster", "kind", "target")
    keys = {name: Column(name) for name in ("cluster", "kind", "target")}
    return [
        states(
            Look(WORDS["phases"], at=(0, y, 24, 5), unit=COUNT, links=CLUSTER_LINKS),
            Ask(codes, "{{cluster}}"),
            codes=asking.PHASE_CODES,
        ),
        lines(
            Look(WORDS["faults"], at=(0, y + 5, 14, 8), unit=PER_SECOND, colours=apart(FAULTS, "kind")),
            Ask(f"{faults} > 0", "{{kind}}"),
            bars=True,
            stacked=True,
        ),
        rows(
            Look(WORDS["fault_list"], at=(14, y + 5, 10, 8), unit=COUNT),
            keys,
            [Column("times", Ask(f"{listed} > 0"))],
            "times",
        ),
    ]


def hurt(y: int) -> list[Any]:
    """Calls without an answer, refused calls and latencies by agent."""
    return [
        lines(
            Look(
                WORDS["unanswered"],
                at=(0, y, 8, 9),
                unit=RATIO_UNIT,
                steps=RATIO,
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(asking.unanswered_ratio(SCOPE), AGENT_NAME),
        ),
        lines(
            Look(
                WORDS["refused"],
                at=(8, y, 8, 9),
                unit=RATIO_UNIT,
                steps=RATIO,
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(named(asking.failure_ratio(SCOPE, *BY_AGENT)), AGENT_NAME),
        ),
        lines(
            Look(
                WORDS["slowest"],
                at=(16, y, 8, 9),
                unit=SECONDS,
                steps=LATENCY,
                links=AGENT_LINKS,
                colours=agents(),
                legend_below=True,
            ),
            Ask(named(SCOPE.quantile(0.99, asking.DURATION, *BY_AGENT)), AGENT_NAME),
        ),
    ]


def guests(y: int) -> list[Any]:
    """The guests' own account, and hostile ones."""
    dropped = SCOPE.rate(ARRIVALS, "cluster", "domain", "reason")
    hostile = SCOPE.rate(HOSTILE, "cluster", "domain", "kind")
    return [
        lines(
            Look(
                WORDS["outcomes"],
                at=(0, y, 8, 8),
                unit=PER_SECOND,
                colours=meanings_of(asking.ISSUED, "outcome"),
                legend_below=True,
            ),
            Ask(SCOPE.rate(asking.ISSUED, "outcome"), "{{outcome}}"),
            stacked=True,
        ),
        lines(
            Look(
                WORDS["arrivals"],
                at=(8, y, 8, 8),
                unit=PER_SECOND,
                steps=RARE,
                colours=apart(ARRIVALS, "reason"),
                legend_below=True,
            ),
            Ask(f"{dropped} > 0", "{{domain}}: {{reason}} · {{cluster}}"),
        ),
        lines(
            Look(
                WORDS["hostile"],
                at=(16, y, 8, 8),
                unit=PER_SECOND,
                colours=apart(HOSTILE, "kind"),
                legend_below=True,
            ),
            Ask(f"{hostile} > 0", "{{domain}}: {{kind}} · {{cluster}}"),
        ),
    ]


def lives(y: int) -> list[Any]:
    """Domains over time, their events, resets."""
    events = meanings_of(EVENTS, "event")
    reasons = meanings_of(asking.RESETS, "reason")
    return [
        states(
            Look(WORDS["domains"], at=(0, y, 24, 9), unit=COUNT, links=CLUSTER_LINKS),
            Ask(
                asking.coded(SCOPE, asking.STATE, "state", asking.STATES, "cluster", "domain"),
                "{{domain}} · {{cluster}}",
            ),
            codes=asking.STATE_CODES,
        ),
        lines(
            Look(WORDS["lifecycle"], at=(0, y + 9, 12, 9), unit=PER_SECOND, colours=events),
            Ask(f"{SCOPE.rate(EVENTS, 'event')} > 0", "{{event}}"),
            bars=True,
            stacked=True,
        ),
        lines(
            Look(WORDS["resets"], at=(12, y + 9, 12, 9), unit=PER_SECOND, colours=reasons),
            Ask(f"{SCOPE.rate(asking.RESETS, 'reason')} > 0", "{{reason}}"),
            bars=True,
            stacked=True,
        ),
    ]


def left(y: int) -> list[Any]:
    """What should not be there after an experiment."""
    exits = SCOPE.increase("trapline_node_exits_total", *asking.BY_NODE)
    leaks = SCOPE.increase("trapline_agent_reset_leaks_total", *BY_AGENT)
    drops = SCOPE.rate(DROPPED, "cause")
    return [
        ranking(
            Look(
                WORDS["exits"], at=(0, y, 8, 8), unit=COUNT, steps=ANY_IS_BAD, decimals=0, links=CLUSTER_LINKS
            ),
            Ask(f"{exits} > 0", "{{node}} · {{cluster}}"),
        ),
        lines(
            Look(
                WORDS["drops"],
                at=(8, y, 8, 8),
                unit=PER_SECOND,
                steps=RARE,
                colours=apart(DROPPED, "cause"),
                legend_below=True,
            ),
            Ask(f"{drops} > 0", "{{cause}}"),
        ),
        ranking(
            Look(
                WORDS["leaks"], at=(16, y, 8, 8), unit=COUNT, steps=ANY_IS_BAD, decimals=0, links=AGENT_LINKS
            ),
            Ask(named(f"{leaks} > 0"), AGENT_NAME),
        ),
    ]
