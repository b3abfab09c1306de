"""What real processes recorded, each by itself, is one story that fresh cores repeat."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.experiments.describing.plan import Planned
from deploy.experiments.history import recorded
from deploy.experiments.replaying.replay import Replay
from tests.system.processes import VARIABLE
from tests.system.test_stage_local import MS_NS, Stages


@pytest.fixture
def platform(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stages]:
    made = Stages(folder)
    monkeypatch.setenv(VARIABLE, made.cluster.mark)
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("pages", ["carried", "mapped"])
def test_a_run_of_processes_with_a_kill_is_equal(platform: Stages, pages: str) -> None:
    stage = platform.start(pages)
    stage.begin(Planned(1, "process.kill", ("ivi",), 0, 0))
    stage.advance(stage.now_ns() + 300 * MS_NS)
    stage.stop()
    made = recorded.describe(
        stage.topology,
        stage.configs,
        run_id="local",
        seed=1,
        engine="local",
        carried=pages == "carried",
        faults=("process.kill",),
        origin_ns=stage.origin_ns,
        first_requests=tuple(stage.first_requests),
        cluster=stage.cluster,
    )
    found = Replay(made).run(platform.rows)
    assert found.divergence is None
    assert found.unplayed == ()
    assert found.messages > 1_000
    assert found.notes > 100
