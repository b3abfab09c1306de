"""Reading along without a platform: a run directory as a supervisor would make it."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bus.scmi.tables import STANDARD
from deploy.cli.trace import Printer
from deploy.errors import UserError
from deploy.recording import names
from deploy.recording.names import Names
from deploy.recording.ring import recorder
from deploy.recording.segments import Recorder, Recording, digest
from deploy.rundir import Cluster, RunDirectory
from deploy.tracing import live
from deploy.tracing.calls import Call
from deploy.tracing.live import Live
from tests.deploy import commands
from tests.deploy.tracing.written import Asked, word

OK = word(0) + (9).to_bytes(8, "little")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    made = RunDirectory(tmp_path / "run")
    made.claim()
    made.write(Cluster(os.getpid(), "1", "board", "ipc", "carried", ""))
    yield made
    made.remove()


def recording(run: RunDirectory) -> dict[str, Recorder]:
    """Names and a recorder per node."""
    peers = tuple(names.Peer(name, digest(name.encode()).hex()) for name in ("xen", "firmware", "ivi#1"))
    peers = (*peers[:2], names.Peer("ivi#1", digest(b"ivi#1").hex(), 1, 3, 0x8200_0005))
    run.flight.mkdir(mode=0o700)
    names.save(run.flight, Names(0, 5_000_000_000, peers))
    return {
        node: recorder(Recording(str(run.flight), node, 0, segment_bytes=4096, ring=2))
        for node in ("xen", "firmware", "ivi#1")
    }


def put(nodes: dict[str, Recorder], *asked: Asked) -> None:
    for one in asked:
        for at_ns, node, peer, event, envelope, page in one.whole(OK):
            nodes[node].tap(at_ns, peer.encode(), event, envelope, page)


def test_no_platform_and_no_recorder_are_told_apart(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no platform runs in"):
        Live(RunDirectory(tmp_path / "other"))
    with pytest.raises(UserError, match="records no calls; start it without --no-flight"):
        Live(run)


def test_the_newest_stories_of_one_agent(run: RunDirectory) -> None:
    nodes = recording(run)
    put(nodes, *(Asked(1000 * at, 0x6, word(at), request=at) for at in range(1, 6)))
    found = live.latest(run, 3, "clock", 2)
    assert [(line.text, line.wall_ns) for line in found] == [
        ("ivi(3)     clock.CLOCK_RATE_GET(clock_id=4) = SUCCESS(rate=9) <400 us>", 5_004_000_000),
        ("ivi(3)     clock.CLOCK_RATE_GET(clock_id=5) = SUCCESS(rate=9) <400 us>", 5_005_000_000),
    ]
    assert live.latest(run, 4, None, 5) == []


def test_following_gives_every_call_once_and_counts_what_it_missed(run: RunDirectory) -> None:
    nodes = recording(run)
    put(nodes, Asked(1000, 0x6, word(1), request=1))
    looks = iter([0, 1, 2])
    reading = Live(run, STANDARD)
    seen: list[int] = []
    for story in reading.following(lambda: next(looks, None) is None):
        if isinstance(story, Call):
            assert story.over
            seen.append(story.request)
        elif len(seen) == 1:
            put(nodes, Asked(2000, 0x6, word(2), request=2))
        elif len(seen) == 2:
            put(nodes, *(Asked(1000 * at, 0x6, word(at), request=at) for at in range(3, 90)))
    assert seen[:2] == [1, 2]
    assert sorted(seen[2:]) == list(range(min(seen[2:]), 90))
    assert min(seen[2:]) > 3
    assert reading.missed > 0
    reading.close()


def test_what_was_overwritten_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_json=False, legs=False, times="run", wide=False)
    for total in (0, 0, 1234, 1234, 1240):
        printer.missed(total)
    assert capsys.readouterr().err.splitlines() == [
        "... 1,234 messages were overwritten before they were read",
        "... 6 messages were overwritten before they were read",
    ]


def test_what_never_ended_is_no_news() -> None:
    """It is told after everything else, but the newest stories are those that began last."""
    calls = [Call(number=0, domain="ivi", request=at, xen_in_ns=at) for at in (2, 3, 4, 1)]
    assert [call.at_ns for call in live.newest(calls, 2)] == [3, 4]


def test_who_asks_for_nobody_is_told_who_there_is(run: RunDirectory) -> None:
    put(recording(run), Asked(1000, 0x6, word(1)))
    found = commands.run("trace", "--run-dir", str(run.path), "--agent", "noone")
    assert found.exit_code == 0
    assert "nothing of that kind; the recording tells of ivi; of the protocols clock" in found.output
    with pytest.raises(UserError, match="the recording tells of ivi"):
        commands.run("why", "--run-dir", str(run.path), "--agent", "9" * 5000)
    with pytest.raises(UserError, match="a request number"):
        commands.run("why", "--run-dir", str(run.path), "9" * 5000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin_ns": -1},
        {"wall_ns": 1 << 62},
        {"peers": [{"node": "ivi#1", "digest": "zz"}]},
        {"peers": [{"node": "ivi#1", "digest": "abc"}]},
        {"peers": [{"node": "ivi#1", "digest": "ab", "agent": 1 << 32}]},
        {"peers": [{"node": "ivi#1", "digest": "ab", "domid": -2}]},
    ],
)
def test_names_that_no_platform_wrote_are_none(run: RunDirectory, wrong: dict[str, object]) -> None:
    recording(run)
    good = {
        "origin_ns": 0,
        "wall_ns": 0,
        "peers": [{"node": "ivi#1", "digest": "ab", "agent": (1 << 32) - 1}],
    }
    path = run.flight / names.FILE
    path.write_bytes(msgspec.json.encode(good))
    assert names.load(run.flight) is not None
    path.write_bytes(msgspec.json.encode(good | wrong))
    with pytest.raises(UserError, match="records no calls"):
        Live(run)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--save", "x", "--lua"), "--save with --lua: each writes something else"),
        (("--otlp", "http://127.0.0.1:1", "--json"), "--otlp with --json: each writes something else"),
        (("--sample", "1/2"), "--sample goes with --otlp"),
        (("--run", "r", "--follow"), "a recorded run is over"),
        (("--run", "r", "--follow", "--save", "x"), "a recorded run is over"),
        (("--run", "r", "--otlp", "http://127.0.0.1:1"), "a recorded run is over"),
        (("--save", "x", "--denied"), "leave the filters to Wireshark"),
    ],
)
def test_options_that_do_not_go_together(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(UserError, match=told):
        commands.run("trace", *words)
