"""What a worker does with an order: run the platform, count, keep what is to be kept, answer.

Whatever a run raises is an answer too ("error"): trying it again would raise it again. Only a worker's death
is worth another attempt, and of that the crew tells.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from deploy.errors import UserError, printable
from deploy.experiments import conductor
from deploy.experiments.judging.tally import Tally
from deploy.experiments.keeping import session
from deploy.experiments.leading import Progress
from deploy.experiments.result import RunResult
from deploy.experiments.stages.building import SIM
from deploy.fleet.messages import COUNTS, MEASURED, AgentCount, Answer, Order, Outcome, Times
from deploy.fleet.plan import said

REASON_MAX: Final = 400  # characters of an outcome's reason
encode: Final = msgspec.msgpack.Encoder().encode
order_of: Final = msgspec.msgpack.Decoder(Order).decode
answer_of: Final = msgspec.msgpack.Decoder(Answer).decode


def work(order: bytes) -> bytes:
    """The encoded answer to an encoded order."""
    asked = order_of(order)
    return encode(Answer(asked.job, asked.attempt, outcome(asked)))


def outcome(order: Order, progress: Progress | None = None) -> Outcome:
    """Run it."""
    try:
        return _outcome(order, progress)
    except UserError as error:
        reason = str(error)
    except Exception as error:  # whatever it is, it is this job's failure and nobody else's
        reason = f"{type(error).__name__}: {error}"
    shutil.rmtree(order.folder, ignore_errors=True)
    return Outcome("error", printable(reason)[:REASON_MAX], said(order, order.engine))


def _outcome(order: Order, progress: Progress | None) -> Outcome:
    scenario, seed, source = session.scene(
        order.scenario,
        order.seed,
        drawn=order.drawn,
        seconds=order.seconds,
        firmware=order.firmware,
        xen=order.profile,
    )
    engine = order.engine or scenario.engine
    tallies: list[Tally] = []

    def run(folder: Path | None, tallied: Callable[[Tally], None] | None) -> RunResult:
        return conductor.run(
            scenario,
            seed,
            engine,
            folder=folder,
            source=source,
            keep=session.fault_numbers(order.faults),
            progress=progress,
            tallied=tallied,
        )

    folder = _folder(order)
    # On virtual time the same run can be had again: only one that fails is written down, and then played
    # twice.
    at_once = folder is not None and (order.keep == "all" or engine != SIM)
    result = run(_made(folder) if at_once else None, tallies.append)
    kept = folder is not None and (order.keep == "all" or result.verdict != "pass")
    if folder is not None and kept:
        session.keep(result if at_once else run(_made(folder), None), folder, page=True)
    elif folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return summed_up(result, tallies[0], kept=kept)


def _folder(order: Order) -> Path | None:
    return Path(order.folder) if order.folder and order.keep != "none" else None


def _made(folder: Path | None) -> Path | None:
    if folder is not None:
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
    return folder


def summed_up(result: RunResult, tally: Tally, *, kept: bool) -> Outcome:
    """A result with whole histograms, small enough to travel."""
    agents = []
    for one in result.agents:
        times = tally.count(MEASURED, one.domain).latency
        counts = {name: getattr(one, name) for name in COUNTS}
        agents.append(
            AgentCount(
                domain=one.domain,
                statuses=one.statuses,
                codes=one.codes,
                times=Times(times.buckets, times.max_ns),
                **counts,
            )
        )
    return Outcome(
        result.verdict,
        result.reason[:REASON_MAX],
        result.command,
        tuple(agents),
        sum(len(one.violations) for one in result.checkers),
        sum(not one.held for one in result.thresholds),
        result.fingerprint,
        result.wall_s,
        kept,
    )
