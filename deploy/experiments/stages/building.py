"""Which engine plays a run, and how its rows get to the jury and into the run's folder.

The simulated engine gives its rows while it runs; real processes keep theirs in files, read when all is over.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from deploy.engines.local import Options
from deploy.errors import UserError
from deploy.experiments.describing.plan import US_NS, Plan
from deploy.experiments.describing.scenario import Scenario, Timing
from deploy.experiments.history import recorded
from deploy.experiments.history.files import Writer
from deploy.experiments.stages.local import LocalStage
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.experiments.stages.stage import Stage
from deploy.recording.rows import Row, domain_of
from deploy.specs import NodeOptions
from deploy.toolstack import Work
from deploy.topology import Topology

Rows = Callable[[int, list[Row]], None]  # (number of the board, the next rows of its history)
BOOT_HOPS: Final = 60  # that creating one domain takes, in round numbers: hypercalls, resets, a start
BOOT_NS: Final = 2_000_000
LOCAL_BOOT_NS: Final = 500_000_000  # of real processes: Xen, EL3
LOCAL_DOMAIN_NS: Final = 80_000_000
RAY_BOOT_NS: Final = 3 * LOCAL_BOOT_NS  # Ray's workers start slowly
RAY_DOMAIN_NS: Final = 20 * LOCAL_DOMAIN_NS
SIM, LOCAL, RAY = "sim", "local", "ray"
ROWS_FOLDER: Final = "rows"  # in a run's folder, while real processes run


class Setup(msgspec.Struct, frozen=True):
    """What a stage is made of. ``plan`` is on the run's clock; ``rows`` takes the history.

    ``experiment``: the scenario's name, for metrics. ``where``: what the engine's name says after its "@".
    """

    scenario: Scenario
    seed: int
    boards: tuple[Topology, ...]
    plan: Plan
    work: Work
    folder: Path | None
    run_id: str
    rows: Rows
    experiment: str = ""
    where: str = ""


class Played(msgspec.Struct):
    """A stage, and what has to be done when it has stopped. ``truncated``: rows that had no room.

    ``origin_ns``: what the domains' own clock says when the run begins.
    """

    stage: Stage
    origin_ns: int
    finish: Callable[[], int]


def boot_ns(engine: str, timing: Timing, domains: int) -> int:
    """How much time the boot is given before the plan begins. Waiting costs nothing on virtual time."""
    if engine.startswith(f"{RAY}@"):
        return RAY_BOOT_NS + RAY_DOMAIN_NS * domains
    if engine != SIM:
        return LOCAL_BOOT_NS + LOCAL_DOMAIN_NS * domains
    us = timing.hop_us + timing.jitter_us + timing.xen_us + timing.guest_us + timing.el3_us
    return BOOT_NS + int(us * US_NS) * BOOT_HOPS * domains


def build(engine: str, setup: Setup) -> Played:
    """The stage of an engine. Raises UserError for one that there is not."""
    name, _, where = engine.partition("@")
    make = ENGINES.get(name)
    if make is None or bool(where) != (name == RAY):
        raise UserError(f"there is no engine {engine!r} for scenarios; there are {', '.join(ENGINES)}")
    return make(msgspec.structs.replace(setup, where=where), Keeper(setup))


def _simulated(setup: Setup, keeper: "Keeper") -> Played:
    stage = SimulatedStage(
        setup.boards,
        seed=setup.seed,
        timing=setup.scenario.timing,
        work=setup.work,
        pages=setup.scenario.pages,
        sink=keeper.kept,
        on_full=keeper.take,
    )
    return Played(stage, 0, lambda: keeper.finish(stage, SIM, 0))


def _local(setup: Setup, keeper: "Keeper") -> Played:
    return _processes(setup, keeper, LOCAL, Options(carried=setup.scenario.pages == "carried"))


def _ray(setup: Setup, keeper: "Keeper") -> Played:
    """``where`` is HOST:PORT and, after commas, what --place says."""
    from deploy.moving import on_ray  # noqa: PLC0415 - only this engine needs it

    address, *place = setup.where.split(",")
    options = Options(tcp_port=0, carried=setup.scenario.pages == "carried")
    return _processes(setup, keeper, RAY, on_ray(options, address, tuple(place)))


def _processes(setup: Setup, keeper: "Keeper", engine: str, options: Options) -> Played:
    if len(setup.boards) > 1:
        raise UserError(
            "platform.boards: several boards are for the simulated engine; leave it out, or take sim"
        )
    stage = LocalStage(
        setup.boards[0],
        work=setup.work,
        pages=setup.scenario.pages,
        record=setup.scenario.record,
        kept_in=setup.folder / ROWS_FOLDER if setup.folder else None,
        sink=keeper.kept,
        on_full=keeper.take,
        options=msgspec.structs.replace(options, node=NodeOptions(labels={"experiment": setup.experiment})),
    )
    stage.announcing.expect(setup.plan.faults)
    return Played(stage, stage.origin_ns, lambda: keeper.finish(stage, engine, stage.truncated))


class Keeper:
    """Takes rows: they are judged, then written if there is a folder for them, then forgotten."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._split = Split(setup)
        self._writer: Writer | None = None
        if setup.folder is not None and setup.scenario.record == "frames":
            self._writer = Writer(setup.folder, {"run": setup.run_id})
        self.kept: list[Row] = self._writer.rows if self._writer else []

    def take(self) -> None:
        """The list is full."""
        self._split.rows(self.kept)
        if self._writer is not None:
            self._writer.flush()
        self.kept.clear()

    def finish(self, stage: "SimulatedStage | LocalStage", engine: str, truncated: int) -> int:
        """The stage has stopped; gives how many rows had no room."""
        self.take()
        if self._setup.folder is not None:
            self._describe(self._setup.folder, stage, engine)
        if self._writer is not None:
            self._writer.close()
            truncated += self._writer.truncated
        return truncated

    def _describe(self, folder: Path, stage: "SimulatedStage | LocalStage", engine: str) -> None:
        """What replay needs: of the first board, for that is what it replays."""
        setup = self._setup
        made = recorded.describe(
            setup.boards[0],
            stage.configs,
            run_id=setup.run_id,
            seed=setup.seed,
            engine=engine,
            carried=setup.scenario.pages == "carried",
            record=setup.scenario.record,
            faults=(fault.kind for fault in setup.plan.faults),
            origin_ns=stage.origin_ns if isinstance(stage, LocalStage) else 0,
            first_requests=tuple(stage.first_requests),
            clocks=stage.clocks if isinstance(stage, LocalStage) else None,
            cluster=stage.cluster,
        )
        recorded.save(folder, made)


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
        domain = self._of.get(domain_of(node))
        if domain is not None:
            return node, domain
        name, dot, number = node.rpartition(".")
        if dot and name in FIXED:
            return name, int(number)
        return node, 0 if node in FIXED else known


FIXED: Final = ("xen", "firmware", "toolstack")
ENGINES: Final[Mapping[str, Callable[[Setup, Keeper], Played]]] = {
    SIM: _simulated,
    LOCAL: _local,
    RAY: _ray,
}
