"""A scenario with [explore] as a run with a verdict: one row of the table of checkers for each race.

What is played is in ``explore``; this makes a result of it, with the diagram of the first order that broke
something.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from deploy import __version__
from deploy.experiments.describing.scenario import Scenario
from deploy.experiments.history.files import Writer
from deploy.experiments.judging.diagram import AFTER, AROUND, draw
from deploy.experiments.result import Arrow, CheckerResult, RaceResult, RunResult
from deploy.experiments.searching import explore
from deploy.experiments.searching.explore import Race
from deploy.recording.decode import Decoder
from deploy.recording.events import Event

CLAIM: Final = (
    "no order in which their messages arrive breaks a checker's claim, or what has to work afterwards"
)
TRAIL_MAX: Final = 500  # deliveries that the result keeps of an order that broke something
Told = Callable[[str, float], None]  # (which race, how many of them are done: 0 to 1)


def run(
    scenario: Scenario,
    *,
    command: str,
    name: str,
    text: str,
    run_id: str,
    folder: Path | None,
    told: Told,
) -> RunResult:
    """Play every race of [explore]; ``told`` hears which. The history of an order that breaks is kept."""
    assert scenario.explore is not None
    began, wall = time.time(), time.perf_counter()
    races = _played(scenario, told)
    wrong = next((race for race in races if race.violations), None)
    if wrong is not None and folder is not None:
        _keep(wrong, folder, run_id)
    return RunResult(
        run_id=run_id,
        title=scenario.title,
        question=scenario.question,
        scenario=name,
        seed=scenario.seed,
        engine="sim",
        command=command,
        verdict="pass" if wrong is None else "fail",
        reason=_reason(races, wrong),
        started_at=began,
        wall_s=time.perf_counter() - wall,
        duration_ns=0,
        knobs={"neighbour": scenario.explore.neighbour},
        phases=(),
        faults=(),
        agents=(),
        slices=(),
        fairness=None,
        thresholds=(),
        checkers=tuple(_row(race) for race in races),
        diagram=() if wrong is None else _diagram(wrong),
        account={"schedules": sum(race.schedules for race in races)},
        notes=tuple(
            f"{race.operation} / {race.el3}: not all orders, a bound was reached" for race in cut(races)
        ),
        version=__version__,
        source=text,
        races=tuple(map(_race, races)),
    )


def _played(scenario: Scenario, told: Told) -> list[Race]:
    assert scenario.explore is not None
    races: list[Race] = []
    wanted = scenario.explore
    pairs = [(operation, el3) for operation in wanted.operations for el3 in wanted.el3]
    for operation, el3 in pairs:
        told(f"{operation} / {el3}", len(races) / len(pairs))
        races.extend(explore.run([operation], [el3], wanted.neighbour, scenario.platform))
    return races


def cut(races: Sequence[Race]) -> list[Race]:
    """The races whose orders were not all played, though nothing broke."""
    return [race for race in races if not race.complete and not race.violations]


def _reason(races: Sequence[Race], wrong: Race | None) -> str:
    schedules = sum(race.schedules for race in races)
    if wrong is None:
        left = f"; {len(cut(races))} of them not to their end" if cut(races) else ""
        return f"{schedules} orders of messages in {len(races)} races{left}: nothing broke"
    first = wrong.violations[0]
    where = f"{wrong.operation} with EL3 {wrong.el3}, order {wrong.schedules}"
    return f"{first.checker} noticed in {where}: {first.text}"


def _row(race: Race) -> CheckerResult:
    facts = {"orders": race.schedules, "pruned": race.pruned, "all of them": race.complete}
    return CheckerResult(f"{race.operation} / {race.el3}", CLAIM, race.violations, facts)


def _race(race: Race) -> RaceResult:
    broke = bool(race.violations)
    return RaceResult(
        race.operation, race.el3, race.schedules, race.pruned, race.complete, broke, race.trail[:TRAIL_MAX]
    )


def _diagram(race: Race) -> tuple[Arrow, ...]:
    """The messages around what broke; for what showed only afterwards, the last ones."""
    violation = race.violations[0]
    around: deque[Event] = deque(maxlen=AROUND)
    after = AFTER
    for event in Decoder().events(race.rows):
        around.append(event)
        if violation.events and event.number > violation.events[-1]:
            after -= 1
            if not after:
                break
    return draw(tuple(around), violation)


def _keep(race: Race, folder: Path, run_id: str) -> None:
    writer = Writer(folder, {"run": run_id})
    writer.rows.extend(race.rows)
    writer.close()
