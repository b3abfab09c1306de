"""Which engine plays a run, and how its rows get to the jury and into the run's folder.

The simulated engine gives its rows while it runs; real processes keep theirs in files, read when all is over.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from deploy.errors import UserError
from deploy.experiments import recorded
from deploy.experiments.history.files import Writer
from deploy.experiments.history.rows import Row
from deploy.experiments.plan import US_NS, Plan
from deploy.experiments.scenario import Scenario, Timing
from deploy.experiments.stage import Stage
from deploy.experiments.stage_simulated import SimulatedStage
from deploy.toolstack import Work
from deploy.topology import Topology

Rows = Callable[[int, list[Row]], None]  # (number of the board, the next rows of its history)
BOOT_HOPS: Final = 60  # that creating one domain takes, in round numbers: hypercalls, resets, a start
BOOT_NS: Final = 2_000_000


class Setup(msgspec.Struct, frozen=True):
    """What a stage is made of. ``plan`` is on the run's clock; ``rows`` takes the history."""

    scenario: Scenario
    seed: int
    boards: tuple[Topology, ...]
    plan: Plan
    work: Work
    folder: Path | None
    run_id: str
    rows: Rows


class Played(msgspec.Struct):
    """A stage, and what has to be done when it has stopped. ``truncated``: rows that had no room.

    ``origin_ns``: what the domains' own clock says when the run begins.
    """

    stage: Stage
    origin_ns: int
    finish: Callable[[], int]


def boot_ns(engine: str, timing: Timing, domains: int) -> int:
    """How much time the boot is given before the plan begins; waiting costs nothing on virtual time."""
    us = timing.hop_us + timing.jitter_us + timing.xen_us + timing.guest_us + timing.el3_us
    return BOOT_NS + int(us * US_NS) * BOOT_HOPS * domains


def build(engine: str, setup: Setup) -> Played:
    """The stage of an engine. Raises UserError for one that there is not."""
    make = ENGINES.get(engine)
    if make is None:
        raise UserError(f"there is no engine {engine!r} for scenarios; there are {', '.join(ENGINES)}")
    return make(setup)


def _simulated(setup: Setup) -> Played:
    """Rows are judged as they come, then written if there is a folder, then forgotten."""
    whole = setup.folder is not None and setup.scenario.record == "frames"
    writer = Writer(setup.folder, {"run": setup.run_id}) if setup.folder and whole else None
    kept: list[Row] = writer.rows if writer else []
    split = Split(setup)

    def take() -> None:
        split.rows(kept)
        if writer is not None:
            writer.flush()
        kept.clear()

    stage = SimulatedStage(
        setup.boards,
        seed=setup.seed,
        timing=setup.scenario.timing,
        work=setup.work,
        pages=setup.scenario.pages,
        sink=kept,
        on_full=take,
    )

    def finish() -> int:
        take()
        if setup.folder is not None:
            _describe(setup, setup.folder, stage)
        if writer is None:
            return 0
        writer.close()
        return writer.truncated

    return Played(stage, 0, finish)


def _describe(setup: Setup, folder: Path, stage: SimulatedStage) -> None:
    """What replay needs: of the first board, for that is what it replays."""
    recorded.save(
        folder,
        recorded.describe(
            setup.boards[0],
            stage.configs,
            run_id=setup.run_id,
            seed=setup.seed,
            engine="sim",
            carried=setup.scenario.pages == "carried",
            record=setup.scenario.record,
            faults=(fault.kind for fault in setup.plan.faults),
            first_requests=tuple(stage.first_requests),
        ),
    )


class Split:
    """Rows of boards side by side, told apart by the names of Xen and EL3 ("xen.1") and of domains."""

    def __init__(self, setup: Setup) -> None:
        self._give = setup.rows
        self._boards = len(setup.boards)
        self._of: dict[str, int] = {
            guest.name: number for number, board in enumerate(setup.boards) for guest in board.guests
        }

    def rows(self, rows: list[Row]) -> None:
        """The next rows, to the boards that they are about; the run's own notes go to all."""
        if self._boards == 1:
            self._give(0, rows)
            return
        parts: list[list[Row]] = [[] for _ in range(self._boards)]
        for row in rows:
            at_ns, node, peer, event, envelope, page = row
            if node == "run":
                for part in parts:
                    part.append(row)
                continue
            name, number = self._board(node)
            other, number = self._board(peer, number)
            parts[number or 0].append((at_ns, name, other, event, envelope, page))
        for number, part in enumerate(parts):
            self._give(number, part)

    def _board(self, node: str, known: int | None = None) -> tuple[str, int | None]:
        """A node's name without its board, and the board, if the name tells it."""
        domain = self._of.get(node.partition("#")[0])
        if domain is not None:
            return node, domain
        name, dot, number = node.rpartition(".")
        if dot and name in FIXED:
            return name, int(number)
        return node, 0 if node in FIXED else known


FIXED: Final = ("xen", "firmware", "toolstack")
ENGINES: Final[Mapping[str, Callable[[Setup], Played]]] = {"sim": _simulated}
