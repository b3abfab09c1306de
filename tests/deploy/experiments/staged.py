"""A stage on virtual time for tests: guests that work, and what they got done."""

from collections.abc import Sequence

from bus import frames
from deploy import generated
from deploy.experiments.describing.plan import Planned
from deploy.experiments.describing.scenario import Timing
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.recording.rows import RECEIVED, Row
from deploy.toolstack import Work

MS = 1_000_000
QUICK = Timing(guest_us=0, xen_us=0, el3_us=0)
THINK = Work(True, 100_000, 50 * MS)
GUEST = "guest0"


def staged(
    guests: int = 2, timing: Timing = QUICK, work: Work = THINK, pages: str = "carried"
) -> SimulatedStage:
    made = generated.topology(guests)
    stage = SimulatedStage(made, seed=3, timing=timing, work=work, pages=pages, sink=[])
    stage.start()
    stage.advance(stage.now_ns() + 50 * MS)
    return stage


def rows(stage: SimulatedStage) -> list[Row]:
    return stage._record.rows


def fault(kind: str, *where: str, **more: object) -> Planned:
    return Planned(1, kind, where, 0, 0, **more)  # type: ignore[arg-type]


def calls(stage: SimulatedStage) -> int:
    """What EL3 has answered, all of them that there were."""
    found = 0
    for name, stats in stage.stats().items():
        if name.partition("~")[0] == "firmware":
            found += sum(stats["counters"]["trapline_scmi_calls_total"].values())
    return found


def progress(stage: SimulatedStage, ms: int = 20) -> dict[str, int]:
    """Answers to each guest in the next milliseconds."""
    before = {one.domain: (one.incarnation, one.answered) for one in stage.numbers()}
    stage.advance(stage.now_ns() + ms * MS)
    found = {}
    for one in stage.numbers():
        incarnation, answered = before.get(one.domain, (0, 0))
        found[one.domain] = one.answered - (answered if incarnation == one.incarnation else 0)
    return found


def everybody_works(stage: SimulatedStage) -> bool:
    found = progress(stage, 150)
    guests = [name for board in stage.boards for name in board.toolstack.guests]
    return stage.failure is None and all(found.get(name) for name in guests)


def kind(row: Row) -> str:
    return type(frames.decode(row[4])).__name__.lower()


def is_smc(row: Row) -> bool:
    return row[3] == RECEIVED and kind(row) == "smc"


def assert_order(found: Sequence[Row]) -> None:
    """Xen's request numbers reach EL3 in the order in which they were given."""
    numbers = [frames.decode(row[4]).request for row in found if row[1] == "firmware" and is_smc(row)]
    assert len(numbers) > 100
    seen = 0
    for number in numbers:
        assert number >= seen
        seen = number
