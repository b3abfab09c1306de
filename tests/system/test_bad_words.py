"""What can be wrong on the command line of a running platform; and commands where none runs."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.commands import run
from tests.system.cluster import HOST, IVI, Cluster

# words, exit code, words of the message
REFUSED: list[tuple[list[object], int, tuple[str, ...]]] = [
    (["xl", "destroy", "nobody"], 2, ("nobody", "ivi")),
    (["xl", "reboot", "nobody"], 2, ("nobody",)),
    (["xl", "create", "nobody.cfg"], 2, ("nobody.cfg", "no such file")),
    (["xl", "create", HOST.parent], 2, ("directory",)),
    (["xl", "create", HOST], 2, ("host.dts",)),
    (["xl", "create", IVI], 1, ("ivi", "exists")),
    (["xl", "destroy", "dom0"], 1, ("Dom0", "down")),
    (["xl", "reboot", "dom0"], 1, ("dom0",)),
    (["xl", "reboot", "cluster"], 1, ("cluster",)),
    (["call", "nobody", "base.PROTOCOL_VERSION"], 2, ("nobody",)),
    (["call", "ivi", "PROTOCOL_VERSION"], 2, ("PROTOCOL.MESSAGE",)),
    (["call", "ivi", "clockwork.RATE_GET"], 2, ("clockwork", "clock")),
    (["call", "ivi", "0x114.0x6"], 2, ("0x114",)),
    (["call", "ivi", "clock.RATE_TAKE"], 2, ("RATE_TAKE", "CLOCK_RATE_GET")),
    (["call", "ivi", "0x77.0x1"], 2, ("--payload",)),
    (["call", "ivi", "clock.CLOCK_RATE_GET"], 2, ("clock_id", "missing")),
    (["call", "ivi", "clock.CLOCK_RATE_GET", "clock=5"], 2, ("clock=5", "clock_id")),
    (["call", "ivi", "clock.CLOCK_RATE_GET", "clock_id"], 2, ("clock_id", "FIELD=VALUE")),
    (["call", "ivi", "clock.CLOCK_RATE_GET", "clock_id=five"], 2, ("five", "number")),
    (["call", "ivi", "clock.CLOCK_RATE_GET", "clock_id=-1"], 2, ("clock_id",)),
    (["call", "ivi", "clock.CLOCK_RATE_GET", "clock_id=0x100000000"], 2, ("clock_id",)),
    (["call", "ivi", "clock.CLOCK_RATE_SET", "flags=up=1", "clock_id=5", "rate=1"], 2, ("flags=up=1",)),
    (["call", "ivi", "0x14.0x6", "--payload", "123"], 2, ("123", "hex")),
    (["call", "ivi", "0x14.0x6", "--payload", "xy"], 2, ("xy", "hex")),
    (["call", "ivi", "0x14.0x6", "--payload", "00" * 5000], 2, ("5000", "bytes")),
    (["trap", "nobody", "0x80000000"], 2, ("nobody",)),
    (["trap", "ivi", "PSCI"], 2, ("PSCI",)),
    (["trap", "ivi", "0x10000000000000000"], 2, ("64",)),
    (["trap", "ivi", *"123456789"], 2, ("seven",)),
    (["trap", "ivi", "1", "--immediate", "65536"], 2, ("65536",)),
    (["kill", "nobody"], 2, ("nobody", "xen")),
    (["up"], 2, ("running", "down")),
    (["up", "--detach"], 2, ("running", "down")),
    (["up", "--pause-ms", "-1"], 2, ("--pause-ms",)),
    (["up", "--pause-ms", "nan"], 2, ("--pause-ms",)),
    (["status", "--name", "a/b"], 2, ("a/b",)),
]
ELSEWHERE: list[list[object]] = [
    ["status"],
    ["status", "--json"],
    ["xl", "list"],
    ["xl", "create", IVI],
    ["call", "ivi", "base.PROTOCOL_VERSION"],
    ["trap", "ivi", "1"],
    ["kill", "ivi"],
    ["down"],
]
USAGE = [
    ["nonsense"],
    ["up", "--nonsense"],
    ["up", "--tcp-port", "0"],
    ["up", "--tcp-port", "http"],
    ["up", "surplus"],
    ["call", "ivi"],
    ["trap", "ivi"],
    ["xl", "create"],
    ["xl", "nonsense"],
    ["kill", "ivi", "--signal", "HUP"],
    ["demo", "--seconds", "long"],
    ["sim", "--seed", "x"],
]


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """One platform for everything that must not change it."""
    folder = Path(tempfile.mkdtemp(prefix="tl-", dir="/tmp"))
    made = Cluster(folder)
    try:
        yield made.up("--idle")
        assert made.here("down").returncode == 0
        assert made.ended().stderr == ""
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: " ".join(map(str, case[0]))[:50])
def test_wrong_words_are_refused(running: Cluster, case: tuple[list[object], int, tuple[str, ...]]) -> None:
    words, code, expected = case
    done = running.here(*words)
    assert (done.returncode, done.stdout) == (code, "")
    for word in expected:
        assert word in done.said
    states = {row["name"]: (row["state"], row["incarnation"]) for row in running.status()["domains"]}
    assert states == dict.fromkeys(("dom0", "cluster", "ivi", "tcu"), ("running", 1))


@pytest.mark.parametrize("words", ELSEWHERE, ids=lambda words: " ".join(map(str, words))[:20])
def test_where_no_platform_runs(cluster: Cluster, words: list[object]) -> None:
    done = cluster.here(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no platform" in done.said
    assert cluster.left_behind() == []


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_usage_errors(cluster: Cluster, words: list[str]) -> None:
    done = cluster.trapline(*words, TRAPLINE_RUN_DIR=str(cluster.run))
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert cluster.left_behind() == []


@pytest.mark.parametrize(
    "words", [["demo", "--seconds", "0"], ["sim", "--seconds", "0"], ["sim", "--seconds", "nan"]]
)
def test_impossible_durations(cluster: Cluster, words: list[str]) -> None:
    done = cluster.trapline(*words, TRAPLINE_RUN_DIR=str(cluster.run))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--seconds" in done.said


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(
    "words",
    ["trace --slow", "why --slow", "top --interval", "fleet run --patience", "fleet run --observe-hold"],
)
def test_a_number_that_is_none(words: str, value: str) -> None:
    done = run(*words.split(), value)
    assert done.exit_code == 2
    assert words.rsplit(maxsplit=1)[-1] in done.output
