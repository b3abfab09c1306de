"""``trapline trace`` on a real platform: what was asked is told, while it happens and afterwards."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.rundir import RunDirectory
from deploy.tracing import live
from tests.system.cluster import TRAPLINE, Cluster

PATIENCE_S = 15.0


@contextmanager
def tracing(cluster: Cluster, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A trace of its own, ended at the end."""
    process = subprocess.Popen(
        [*TRAPLINE, "trace", *words, "--run-dir", str(cluster.run)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=cluster.environment(),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_with(process: "subprocess.Popen[str]", wanted: str) -> str:
    """The next line that has it."""
    assert process.stdout is not None
    until = time.monotonic() + PATIENCE_S
    text = ""
    while (left := until - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            text += os.read(process.stdout.fileno(), 65_536).decode()
            for line in text.splitlines():
                if wanted in line:
                    return line
    raise AssertionError(f"no line has {wanted!r}: {text}")


def test_what_was_asked_is_told_as_it_happens_and_afterwards(cluster: Cluster) -> None:
    cluster.up("--idle")
    flight = cluster.run / "flight"
    assert flight.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in flight.iterdir()} == {0o600}
    with tracing(cluster, "--follow", "--protocol", "power") as process:
        cluster.call("ivi", "power.POWER_STATE_GET", "domain_id=3")
        line = line_with(process, "domain_id=3")
        assert "ivi(3)     power.POWER_STATE_GET(domain_id=3) = SUCCESS(power_state=" in line
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, errors) == (0, "")
    cluster.here("call", "ivi", "clock.CLOCK_RATE_GET", "clock_id=7")
    cluster.here("trap", "ivi", "0x82000006")
    assert "power.POWER_STATE_GET(domain_id=3) = SUCCESS(power" in cluster.here("trace").stdout
    denied = cluster.here("trace", "--denied", "--agent", "ivi").stdout.splitlines()
    assert [line.split(") ", 1)[1].rsplit(" <", 1)[0].strip() for line in denied[-2:]] == [
        "clock.CLOCK_RATE_GET(clock_id=7) = DENIED",
        "smc(0x82000006: doorbell of tcu) = -1, refused by Xen",
    ]
    (last,) = cluster.here("trace", "--json", "--failed", "--limit", "1").stdout.splitlines()
    found = json.loads(last)
    assert (found["domain"], found["x0"], found["smc"]) == ("ivi", (1 << 64) - 1, 0)
    newest = live.latest(RunDirectory(cluster.run), 3, None, 2)
    assert [line.denied for line in newest] == [True, True]
    with tracing(cluster, "--follow") as process:
        cluster.call("ivi", "clock.CLOCK_RATE_GET", "clock_id=5")
        line_with(process, "clock_id=5")
        cluster.here("down")
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, errors) == (0, "the platform has ended\n")
    assert "no platform runs in" in cluster.here("trace").said


def test_mapped_pages_show_no_fields(cluster: Cluster) -> None:
    cluster.up("--idle", "--mapped")
    cluster.call("ivi", "clock.CLOCK_RATE_GET", "clock_id=5")
    assert "clock.CLOCK_RATE_GET(?) = SUCCESS <" in cluster.here("trace", "--agent", "3").stdout
