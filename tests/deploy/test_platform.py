"""A platform that was not started: what it keeps of events, and tells once."""

from pathlib import Path

from bus import frames
from deploy.engines.local import Options
from deploy.platform import EVENTS_KEPT, Platform
from deploy.rundir import RunDirectory
from deploy.toolstack import Work
from deploy.topology import load_shipped


def test_every_event_is_told_once_also_past_those_that_are_kept(tmp_path: Path) -> None:
    platform = Platform(load_shipped(), RunDirectory(tmp_path / "run"), Options(), Work())

    def happen(detail: str) -> None:
        frame = frames.Lifecycle(frames.PROTOCOL_VERSION, 0, 0, 2, "ivi", "reset", detail)
        platform.engine.on_lifecycle(frame)

    assert platform.fresh_events() == []
    for number in range(EVENTS_KEPT + 5):
        happen(str(number))
    fresh = platform.fresh_events()
    assert len(fresh) == len(platform.events) == EVENTS_KEPT
    assert fresh[-1].detail == str(EVENTS_KEPT + 4)
    happen("one more")
    assert [event.detail for event in platform.fresh_events()] == ["one more"]
    assert platform.fresh_events() == []
