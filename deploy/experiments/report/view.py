"""A result as tables of text: what the page shows beside plots and drawing. Knows no HTML."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from deploy.experiments.describing.faults import BY_NAME
from deploy.experiments.describing.plan import Planned
from deploy.experiments.judging import whatif
from deploy.experiments.report.text import NONE, count, day, listed, micros, moment, number, span, value
from deploy.experiments.result import AgentResult, CheckerResult, Latency, RunResult

ROWS_MAX: Final = 500  # of one table; report.json has them all
CRASH_NOTES: Final = 3  # the last ones say why a run did not end
MEASURED: Final = "faults"  # the phase that counts
ORIGINS: Final = {"architecture": "the architecture can do this", "bus": "only our bus can"}
WORDS: Final = {"pass": "Passed", "fail": "Failed", "error": "Error"}


class Cell(msgspec.Struct, frozen=True):
    """``mood``: "good", "bad" or ""; the text says the same."""

    text: str
    mood: str = ""


class Table(msgspec.Struct, frozen=True):
    """The first column heads its row. ``numbers``: columns that are right-aligned. ``left_out``: rows that
    did not fit.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int]
    left_out: int = 0


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[str | Cell]], numbers: Iterable[int] = ()
) -> Table:
    """Cut to ROWS_MAX."""
    cells = [tuple(one if isinstance(one, Cell) else Cell(one) for one in row) for row in rows]
    left_out = max(len(cells) - ROWS_MAX, 0)
    return Table(caption, tuple(columns), tuple(cells[:ROWS_MAX]), frozenset(numbers), left_out)


def headline(result: RunResult) -> list[tuple[str, str]]:
    """The few numbers that say what kind of run it was: name and value."""
    agents = result.agents
    if result.races:
        orders, pruned = sum(one.orders for one in result.races), sum(one.pruned for one in result.races)
        broke = sum(one.broke for one in result.races)
        numbers = [("races", len(result.races)), ("orders", orders), ("pruned", pruned), ("broke", broke)]
        return [(name, count(many)) for name, many in numbers]
    issued, answered = sum(one.issued for one in agents), sum(one.answered for one in agents)
    worst = max(((_measured(one).p99_us, one.domain) for one in agents), default=(0.0, ""))
    violations = sum(len(one.violations) for one in result.checkers)
    made = [("calls measured", count(issued)), ("answered", count(answered))]
    if worst[0]:
        made.append((f"worst p99, of {worst[1]}", f"{micros(worst[0])} µs"))
    if result.fairness is not None:
        made.append(("fairness, 1 is equal", f"{result.fairness:.3f}"))
    made.append(("violations", count(violations)))
    made.append(("faults", count(len(result.faults))))
    return made


def setup(result: RunResult) -> list[tuple[str, str]]:
    """Where it comes from: name and value, without what is empty."""
    rows = [
        ("run", result.run_id),
        ("scenario", result.scenario),
        ("engine", result.engine),
        ("started", day(result.started_at)),
        ("wall time", f"{result.wall_s:.1f} s"),
        ("time in the run", span(result.duration_ns) if result.duration_ns else ""),
        ("Trapline", result.version),
        ("fingerprint", result.fingerprint),
    ]
    return [row for row in rows if row[1]]


def warnings(result: RunResult) -> list[str]:
    """What a reader must know before believing the rest."""
    made = []
    if result.truncated_rows:
        made.append(
            f"{count(result.truncated_rows)} rows of the history did not fit its bound: that something is "
            "missing there proves nothing."
        )
    return made + list(result.notes[-CRASH_NOTES:] if result.verdict == "error" else ())


def phases(result: RunResult) -> Table:
    rows = [
        [one.name.replace("_", " "), moment(one.begin_ns), span(one.end_ns - one.begin_ns)]
        for one in result.phases
    ]
    return table("Phases of the run", ("phase", "begins", "takes"), rows, (1, 2))


def thresholds(result: RunResult) -> Table:
    rows: list[list[str | Cell]] = [
        [one.text, number(one.value), one.bound, Cell("held", "good") if one.held else Cell("missed", "bad")]
        for one in result.thresholds
    ]
    return table(
        "Each objective, its value and its bound", ("threshold", "value", "bound", "verdict"), rows, (1,)
    )


def percentiles(result: RunResult) -> list[tuple[str, Table]]:
    """A table per phase, the measured one first, in it the slowest agent first."""
    names = list(dict.fromkeys(name for one in result.agents for name in one.latency))
    names.sort(key=lambda name: name != MEASURED)
    return [(name, _percentiles(name, result.agents)) for name in names]


def _percentiles(phase: str, agents: Sequence[AgentResult]) -> Table:
    some = sorted((one for one in agents if phase in one.latency), key=lambda one: -one.latency[phase].p99_us)
    rows = []
    for one in some:
        had = one.latency[phase]
        times = (had.p50_us, had.p90_us, had.p99_us, had.p999_us, had.max_us)
        rows.append([one.domain, count(had.calls), *(micros(each) for each in times)])
    title = f"Phase \N{LEFT DOUBLE QUOTATION MARK}{phase.replace('_', ' ')}\N{RIGHT DOUBLE QUOTATION MARK}"
    return table(
        f"{title}: microseconds from the intended start, slowest first",
        ("agent", "answered", "p50", "p90", "p99", "p99.9", "max"),
        rows,
        range(1, 7),
    )


ENDINGS: Final = ("answered", "definite", "indefinite", "killed")


def account(result: RunResult) -> Table:
    """Every call is in it once."""
    rows = [_account(one.domain, number_or(one.agent), [one]) for one in result.agents]
    if len(rows) > 1:
        rows.insert(0, _account("all together", "", result.agents))
    columns = ("domain", "agent", "issued", *ENDINGS, "sum", "refused traps")
    return table("Calls by how they ended", columns, rows, range(1, 9))


def number_or(agent: int | None) -> str:
    return NONE if agent is None else str(agent)


def _account(name: str, agent: str, some: Sequence[AgentResult]) -> list[str | Cell]:
    issued = sum(one.issued for one in some)
    ended = [sum(getattr(one, ending) for one in some) for ending in ENDINGS]
    off = issued - sum(ended)
    verdict = Cell("adds up", "good") if not off else Cell(f"off by {count(off)}", "bad")
    refused = count(sum(one.refused_traps for one in some))
    return [name, agent, count(issued), *(count(one) for one in ended), verdict, refused]


def statuses(result: RunResult) -> Table | None:
    return _matrix("Statuses of the answers", {one.domain: one.statuses for one in result.agents})


def codes(result: RunResult) -> Table | None:
    return _matrix(
        "Error codes of calls that had no answer",
        {one.domain: one.codes for one in result.agents if one.codes},
    )


def metered(result: RunResult) -> Table | None:
    return _matrix(
        "Calls that passed a limit, by limit",
        {one.domain: one.metered for one in result.agents if one.metered},
    )


def _matrix(caption: str, by_domain: Mapping[str, Mapping[str, int]]) -> Table | None:
    """A column for each name, the commonest first; None if there is no number."""
    totals: dict[str, int] = {}
    for counts in by_domain.values():
        for name, many in counts.items():
            totals[name] = totals.get(name, 0) + many
    names = sorted(totals, key=lambda name: (-totals[name], name))
    if not names:
        return None
    rows = [
        [domain, *(count(counts[name]) if counts.get(name) else NONE for name in names)]
        for domain, counts in by_domain.items()
    ]
    return table(caption, ("domain", *names), rows, range(1, len(names) + 1))


def resets(result: RunResult) -> Table | None:
    """Agents that were reset or leaked."""
    some = [one for one in result.agents if one.resets or one.leaks]
    rows: list[list[str | Cell]] = [
        [one.domain, count(one.resets), Cell(count(one.leaks), "bad") if one.leaks else Cell("none", "good")]
        for one in some
    ]
    return (
        table("Resets, and what they left behind", ("domain", "resets", "leaks"), rows, (1, 2))
        if rows
        else None
    )


def metering(result: RunResult) -> str:
    """What the mediator limited, as a sentence."""
    how = result.metering
    if how.mode == "off":
        return "Metering was off."
    whose = how.domains if isinstance(how.domains, str) else ", ".join(how.domains)
    limits = [f"{number(how.rate)} calls/s with bursts of {how.burst}"] if how.rate else []
    limits += [f"{how.in_flight} calls in flight"] if how.in_flight else []
    limits += [f"{number(how.el3_us_per_s)} µs of EL3's time per second"] if how.el3_us_per_s else []
    verb = "refused" if how.mode == "enforce" else "only counted"
    return f"Metering of {whose}: {', '.join(limits) or 'no limit'}; what passes a limit was {verb}."


def what_if(result: RunResult) -> tuple[str, Table] | None:
    """A lead sentence and the table of limits that were not set."""
    if not result.what_if:
        return None
    about = result.what_if_of
    measure, victim, domain = (about.measure, about.victim, about.domain) if about else ("measure", "", "")
    named = measure.removesuffix("_us")
    unit = " µs" if measure.endswith("_us") else ""
    rows = sorted(result.what_if, key=lambda one: one.rate)
    whose = f"{victim}'s {named}" if victim else f"the {named}"
    on = f" on {whatif.limited(domain)}" if domain else ""
    lead = whatif.told(result).replace(" us", " µs") or "The rows do not say whose they are."
    made = table(
        f"The scenario again, with a limit{on}",
        ("limit, calls/s", f"{whose}{',' if unit else ''}{unit}", "calls refused"),
        [[number(one.rate), number(one.value), count(one.refused)] for one in rows],
        (0, 1, 2),
    )
    return lead, made


def races(result: RunResult) -> Table:
    rows: list[list[str | Cell]] = [
        [
            one.operation,
            one.el3,
            count(one.orders),
            count(one.pruned),
            "yes" if one.complete else "no",
            Cell("broke", "bad") if one.broke else Cell("held", "good"),
        ]
        for one in result.races
    ]
    columns = ("operation", "EL3", "orders played", "pruned", "all of them", "result")
    return table("Each operation against a call in flight, in every order", columns, rows, (2, 3))


def checkers(result: RunResult) -> Table:
    rows = [[one.name, one.claim, _checked(one), _found(one)] for one in result.checkers]
    return table(
        "What should hold, and how much of it was checked",
        ("checker", "what should hold", "checked", "violations"),
        rows,
    )


def _checked(one: CheckerResult) -> str | Cell:
    numbers = [each for each in one.facts.values() if isinstance(each, int | float)]
    if not one.facts.get("judged", any(numbers)):
        return Cell("it saw nothing, which proves nothing", "bad")
    return listed(one.facts)


def _found(one: CheckerResult) -> Cell:
    return Cell(count(len(one.violations)), "bad") if one.violations else Cell("none", "good")


def violations(result: RunResult) -> Table | None:
    """All of them, in order of time."""
    every = sorted((each for one in result.checkers for each in one.violations), key=lambda each: each.at_ns)
    rows = [
        [moment(one.at_ns), one.checker, one.text, ", ".join(one.domains) or NONE, _events(one.events)]
        for one in every
    ]
    columns = ("when", "checker", "what happened", "domains", "events")
    return table("Violations, the first one first", columns, rows) if rows else None


def _events(numbers: Sequence[int]) -> str:
    return ", ".join(str(one) for one in numbers[:6]) + (", ..." if len(numbers) > 6 else "") or NONE


def faults(result: RunResult) -> Table | None:
    rows = [
        [
            f"#{one.planned.number}",
            one.planned.kind,
            _where(one.planned),
            moment(one.planned.begin_ns),
            span(one.planned.end_ns - one.planned.begin_ns) if _lasts(one.planned) else "at once",
            _how(one.planned),
            ORIGINS.get(one.origin, one.origin),
            NONE if one.applied is None else count(one.applied),
        ]
        for one in result.faults
    ]
    columns = ("number", "kind", "where", "begins", "for", "how", "on a board", "had effect")
    return table("Faults as they were planned and applied", columns, rows, (3, 4, 7)) if rows else None


def kinds(result: RunResult) -> list[tuple[str, str]]:
    """What each kind of fault in the run does."""
    names = dict.fromkeys(one.planned.kind for one in result.faults)
    return [(name, BY_NAME[name].what) for name in names if name in BY_NAME]


def _lasts(one: Planned) -> bool:
    return one.end_ns > one.begin_ns


def _where(one: Planned) -> str:
    return ", ".join(one.where) + (f" \N{RIGHTWARDS ARROW} {one.to}" if one.to else "")


def _how(one: Planned) -> str:
    """What differs from a plain fault of its kind."""
    said = [f"likelihood {number(one.likelihood)}"] if one.likelihood != 1 else []
    said += [f"at most {count(one.count)} times"] if one.count else []
    said += [", ".join(one.messages)] if one.messages else []
    said += [f"delay {span(one.delay_ns)}"] if one.delay_ns else []
    said += [f"jitter {span(one.jitter_ns)}"] if one.jitter_ns else []
    said += [f"{number(one.rate)}/s"] if one.rate else []
    said += [f"step {one.step}"] if one.step else []
    return "; ".join(said) or NONE


def knobs(result: RunResult) -> Table | None:
    rows = [[name, value(one)] for name, one in result.knobs.items()]
    return table("What was drawn from the seed", ("knob", "value"), rows) if rows else None


def totals(result: RunResult) -> Table | None:
    rows = [[name.replace("_", " "), count(many)] for name, many in result.account.items()]
    return table("The whole run's account", ("what", "how many"), rows, (1,)) if rows else None


def _measured(one: AgentResult) -> Latency:
    return one.latency.get(MEASURED) or Latency()
