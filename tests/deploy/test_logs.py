"""Nodes' logs: what a line holds, levels, storms, files that take turns, followers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus import frames
from deploy import logs
from deploy.engines import node_log
from deploy.engines.node_log import NodeLog
from deploy.errors import UserError
from nodes.meters import Meters

Open = Callable[..., NodeLog]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def opened(folder: Path) -> Iterator[Open]:
    """Logs of nodes, closed in the end."""
    made = []

    def make(node: str = "xen", level: str = logs.DEFAULT) -> NodeLog:
        made.append(NodeLog(folder, node, level))
        return made[-1]

    yield make
    for log in made:
        log.close()


def texts(folder: Path, *nodes: str) -> list[str]:
    return [line.text for line in logs.read(folder, nodes)]


def test_a_line_is_json_and_says_what_it_is_about(folder: Path, opened: Open) -> None:
    log = opened()
    log.about = lambda: frames.Welcome(1, 7, 3, 0, "x")
    log.line("warning", 'refused: "a"\nb')
    raw = logs.file(folder, "xen", 1).read_bytes()
    assert raw.count(b"\n") == 1
    found = json.loads(raw)
    assert found.pop("at").endswith("Z")
    assert found.pop("at_ns") > 0
    assert found == {"node": "xen", "level": "warning", "text": 'refused: "a"\nb', "request": 7, "cause": 3}


def test_levels(folder: Path, opened: Open) -> None:
    log = opened("xen", "warning")
    log.line("info", "too low")
    log.line("warning", "just right")
    log.set_level("debug")
    log.line("debug", "now")
    assert texts(folder) == ["just right", "now"]


def test_words_to_levels() -> None:
    known = logs.levels(["warning", "xen=debug"])
    assert logs.level_of("xen", known) == "debug"
    assert logs.level_of("ivi", known) == "warning"
    assert logs.level_of("ivi", logs.levels(["xen=debug"])) == "info"


@pytest.mark.parametrize("word", ["", "loud", "xen=loud", "=debug", "xen="])
def test_what_is_no_level(word: str) -> None:
    with pytest.raises(UserError, match="debug, info, warning, error"):
        logs.levels([word])


def test_a_storm_is_cut_off_counted_and_told(folder: Path, opened: Open) -> None:
    log, meters = opened(), Meters("xen")
    log.count_in(meters)
    for number in range(3 * node_log.BURST_LINES):
        log.line("warning", f"storm {number}")
    written = len(texts(folder))
    assert node_log.BURST_LINES <= written < 2 * node_log.BURST_LINES
    log.line("error", "an error is never cut off")
    *_, told, last = texts(folder)
    assert told == f"{log.dropped} lines were not written: there were too many at once"
    assert last == "an error is never cut off"
    lines = meters.counter("trapline_log_lines_total")
    assert lines[("warning",)] + log.dropped == 3 * node_log.BURST_LINES + 1
    assert lines[("error",)] == 1
    assert meters.counter("trapline_log_dropped_total")[()] == log.dropped


def test_the_newest_lines_are_kept(folder: Path, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_log, "FILE_BYTES_MAX", 2000)
    log, follower = opened(), logs.Follower(folder)
    followed = []
    for number in range(100):
        log.line("info", f"line {number}")
        followed += [line.text for line in follower.fresh()]
    kept = texts(folder)
    assert kept == [f"line {number}" for number in range(100 - len(kept), 100)]
    assert 5 < len(kept) < 40
    assert followed == [f"line {number}" for number in range(100)], "across files, each once"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 4000


def test_a_node_that_starts_again_goes_on(folder: Path, opened: Open) -> None:
    for text in ("first life", "second life"):
        log = opened("ivi")
        log.line("info", text)
        log.close()
    assert texts(folder) == ["first life", "second life"]


def test_all_nodes_by_time_or_some(folder: Path, opened: Open) -> None:
    xen, ivi = opened(), opened("ivi")
    for number in range(3):
        xen.line("info", f"xen {number}")
        ivi.line("info", f"ivi {number}")
    assert texts(folder) == [f"{node} {number}" for number in range(3) for node in ("xen", "ivi")]
    assert texts(folder, "ivi") == ["ivi 0", "ivi 1", "ivi 2"]
    assert list(logs.files(folder)) == ["ivi", "xen"]


def test_what_is_no_line_and_what_is_half_of_one(folder: Path, opened: Open) -> None:
    log, follower = opened(), logs.Follower(folder)
    log.line("info", "whole")
    with logs.file(folder, "xen", 1).open("ab") as file:
        file.write(b"junk\n\xff\n{}\n" + b'{"at":')
    assert [line.text for line in follower.fresh()] == ["whole"]
    log.line("info", "spoiled by the half before it")
    log.line("info", "whole again")
    assert [line.text for line in follower.fresh()] == ["whole again"]
