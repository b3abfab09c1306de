"""Asynchronous commands that are still under way when something ends: EL3, their domain, or the client."""

import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from bus.scmi import clock
from bus.scmi.status import Status
from deploy import control
from deploy.errors import UserError
from deploy.toolstack import ToolstackError
from deploy.topology import shipped
from tests.system import metrics
from tests.system.cluster import IVI, TCU, Cluster
from tests.system.processes import eventually, kill
from tests.system.speaker import Speaker, ask, holdings
from tests.system.test_attach import Attached, call, calls

GPU_CLOCK = 6
ASYNC = clock.RATE_SET_FLAGS.pack(async_set=1)
SLOWLY = clock.RateSet(ASYNC, GPU_CLOCK, 800_000_000)
LINKS = pytest.mark.parametrize("link", [(), ("--tcp", "--mapped")], ids=["ipc", "tcp-mapped"])


def slow(cluster: Cluster, *words: str) -> Cluster:
    """The automotive platform, on which the gpu's clock takes an hour to change."""
    platform = cluster.folder / "platform.toml"
    text = (shipped() / "platform.toml").read_text()
    assert text.count("set_us = 300") == 1
    platform.write_text(text.replace("set_us = 300", "set_us = 3_600_000_000"))
    return cluster.up("--platform", platform, "--xl", IVI, "--xl", TCU, *words)


def pending(cluster: Cluster) -> list[dict[str, Any]]:
    return [one for one in holdings(cluster, "3")["now"] if one["kind"] == "pending"]


def waited_for(speaker: Speaker, endings: list[object]) -> None:
    """A call that waits for its delayed response, to its end."""
    try:
        endings.append(speaker.send(clock.PROTOCOL, clock.CLOCK_RATE_SET, SLOWLY, wait=True))
    except (ToolstackError, UserError) as error:
        endings.append(error)


@LINKS
def test_el3_killed_ends_the_call_that_waits(cluster: Cluster, link: tuple[str, ...]) -> None:
    """One was accepted and forgotten about, one is waited for: that ends with an error, never as done."""
    slow(cluster, "--idle", *link)
    ivi = Speaker(cluster, "ivi")
    assert ivi.status(clock.PROTOCOL, clock.CLOCK_RATE_SET, SLOWLY) is Status.SUCCESS
    assert [one["resource"] for one in pending(cluster)] == ["clock 6"]
    endings: list[object] = []
    port = cluster.status()["nodes"]["firmware"]["port"]
    waiting = threading.Thread(target=waited_for, args=(ivi, endings))
    waiting.start()
    eventually(lambda: accepted(port) == 2, "the call in EL3's numbers")
    cluster.kill("firmware")
    waiting.join(timeout=20)
    (ending,) = endings
    assert is_error(ending), ending
    done = cluster.ended()
    assert (done.returncode, "EL3" in done.said) == (1, True)
    cluster.expect_nothing_left()


def accepted(port: int) -> float:
    """How many changes of a rate EL3 has accepted of ivi."""
    labels = {"agent": "3", "message": "CLOCK_RATE_SET", "status": "SUCCESS"}
    return metrics.value(port, "trapline_scmi_calls_total", **labels)


def is_error(ending: object) -> bool:
    """Whether it is explicit: an exception of the control socket, or an answer with a code."""
    return isinstance(ending, ToolstackError | UserError) or bool(isinstance(ending, dict) and ending["code"])


def test_the_domains_end_takes_it_back(cluster: Cluster) -> None:
    slow(cluster, "--idle")
    ivi = Speaker(cluster, "ivi")
    assert ivi.status(clock.PROTOCOL, clock.CLOCK_RATE_SET, SLOWLY) is Status.SUCCESS
    kill(cluster.pid("ivi"))
    eventually(lambda: "ivi" not in [row["name"] for row in cluster.status()["domains"]], "ivi is gone")
    held = holdings(cluster, "3")
    assert "pending" in {one["kind"] for one in held["reset"]["before"]}
    assert (held["now"], held["reset"]["verdict"]) == ([], "nothing left")
    ask(cluster, control.Create(str(IVI)))
    rate = ivi.send(clock.PROTOCOL, clock.CLOCK_RATE_GET, clock.RateGet(GPU_CLOCK))["payload"]
    assert int.from_bytes(rate[4:], "little") == 200_000_000, "it never happened"


def test_an_outside_client_shares_a_working_domains_channel(cluster: Cluster, folder: Path) -> None:
    """Its messages and the domain's own go through one channel, one at a time; neither gets the other's."""
    cluster.up("--pause-ms", "1")
    attached = Attached(cluster)
    with attached.connect() as client:
        before = calls(cluster, "ivi")
        for token in range(200):
            status, rate = call(client, 0x14, 6, struct.pack("<I", 5), token=token)
            assert (status, len(rate)) == (0, 8)
        eventually(lambda: calls(cluster, "ivi") > before + 200, "the domain's own calls")
    assert attached.end() == (0, "served 1 client, 200 messages, 0 bad frames\n", "")
    assert not cluster.events("ivi", "process ended")
