"""Hostile guests on virtual time, against the real Xen and EL3: who suffers, what is counted, who goes on."""

from typing import Any

import pytest

from deploy.experiments.describing.plan import Planned
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.toolstack import Work
from nodes.guest.load import WorkPlan
from tests.deploy.experiments.staged import staged

MS = 1_000_000
KINDS = (
    "spurious_doorbell",
    "oversize",
    "undersize",
    "error_preset",
    "foreign_flood",
    "junk_frames",
    "trap_storm",
)


def hostile(kind: str, **rest: Any) -> Planned:
    return Planned(1, f"guest.{kind}", ("guest0",), 0, 0, seed=5, **{"rate": 2000.0, **rest})


def counted(stage: SimulatedStage, name: str, guest: str) -> dict[tuple[str, ...], int]:
    kept = stage.boards[0].engine.nodes[guest].core.meters.counter(name)
    return {labels[1:]: count for labels, count in kept.items() if count}


def run(stage: SimulatedStage, for_ns: int) -> None:
    stage.advance(stage.now_ns() + for_ns)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_guest_harms_nobody_and_goes_on_when_it_is_over(kind: str) -> None:
    work = Work(
        record=True, timeout_ns=50 * MS, plans=dict.fromkeys(("guest0", "guest1"), WorkPlan(think_ns=MS))
    )
    stage = staged(work=work)
    run(stage, 20 * MS)
    stage.begin(hostile(kind))
    run(stage, 60 * MS)
    stage.end(hostile(kind))
    run(stage, 60 * MS)
    sent = {
        result: count
        for (_, result), count in counted(stage, "trapline_guest_hostile_total", "guest0").items()
    }
    ended = sum(sent.get(one, 0) for one in ("answered", "definite_error", "indefinite_error"))
    assert sent["sent"] > 50
    assert ended == sent["sent"] or kind == "junk_frames"
    assert "indefinite_error" not in sent
    before = [counted(stage, "trapline_guest_calls_total", one)["answered",] for one in ("guest0", "guest1")]
    run(stage, 60 * MS)
    after = [counted(stage, "trapline_guest_calls_total", one)["answered",] for one in ("guest0", "guest1")]
    assert all(now > then + 10 for then, now in zip(before, after, strict=True))
    assert set(counted(stage, "trapline_guest_calls_total", "guest1")) == {("answered",)}
    assert stage.failure is None
    stage.stop()
