"""EL3 or Xen dies with calls outstanding: each of them ends with an explicit error, none is forgotten."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.platform import Platform
from deploy.recording.rows import domain_of
from deploy.toolstack import ToolstackError, Work
from nodes.guest import console
from tests.system.cluster import Cluster
from tests.system.door import RATE, works
from tests.system.local import Local, counter, pump_until
from tests.system.processes import alive, eventually, kill

BUSY = Work(True, 0)
GUESTS = ("dom0", "cluster", "ivi", "tcu")


def stop_el3_with_calls_outstanding(platform: Platform) -> None:
    """Every guest waits for EL3, which does not answer any more."""
    kill(platform.engine.children["firmware"].pid, signal.SIGSTOP)

    def waiting() -> bool:
        numbers = counter(platform.engine.stats().get("xen", {}), "trapline_scmi_inflight_calls")
        return sum(numbers.values()) >= len(GUESTS)

    pump_until(platform, waiting, "a call of every guest in EL3")


def last_numbers(platform: Platform) -> dict[str, Any]:
    """By domain; each was started once."""
    ended = {domain_of(node): stats for node, stats in platform.engine.ended}
    return {name: stats for name, stats in ended.items() if name in GUESTS}


@pytest.mark.parametrize("victim", ["firmware", "xen"])
def test_every_outstanding_call_ends_with_an_error(local: Local, victim: str) -> None:
    platform = local.start(work=BUSY)
    stop_el3_with_calls_outstanding(platform)
    kill(platform.engine.children[victim].pid)
    pump_until(platform, lambda: platform.failure, "the end")
    assert "SIGKILL" in str(platform.failure)
    platform.stop()
    found = last_numbers(platform)
    assert sorted(found) == sorted(GUESTS)
    for name, stats in found.items():
        endings = counter(stats, "trapline_guest_calls_total")
        trapped = counter(stats, "trapline_bus_messages_total")[("trap", "out")]
        issued, definite = sum(endings.values()), endings[(name, "definite_error")]
        assert issued - definite <= trapped <= issued, f"{name}: only what is definite needs no trap"
        assert endings[(name, "indefinite_error")] >= 1, "the call in EL3 may have happened"


@pytest.mark.parametrize("victim", ["firmware", "xen"])
def test_a_console_request_in_flight_ends_with_an_error(
    local: Local, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = local.start()
    kill(platform.engine.children["firmware"].pid, signal.SIGSTOP)
    pump = platform.engine.pump

    def kill_then_pump(*arguments: Any, **named: Any) -> None:
        if victim in platform.engine.children:
            kill(platform.engine.children[victim].pid)
        pump(*arguments, **named)

    domid = platform.toolstack.find("ivi").domid
    monkeypatch.setattr(platform.engine, "pump", kill_then_pump)
    code, definite = ending(platform, domid)
    assert code in ("gone", "el3-lost")
    assert code == "el3-lost" or not definite, "the supervisor cannot know; Xen does, if it could not forward"
    pump_until(platform, lambda: platform.failure, "the platform's end noticed")
    with pytest.raises(ToolstackError, match="gone") as raised:
        platform.engine.console(domid, console.encode(RATE))
    assert raised.value.definite, "nobody was asked any more"


def ending(platform: Platform, domid: int) -> tuple[str, bool]:
    """How a console request ended badly, and whether it surely did not happen.

    When EL3 dies two can tell: the guest, whose call Xen ended with an error, or the supervisor. Which
    of them is heard first is a race, and both are explicit errors.
    """
    try:
        answer = console.decode_answer(platform.engine.console(domid, console.encode(RATE)))
    except ToolstackError as error:
        return "gone" if "gone" in str(error) else str(error), error.definite
    return answer.code, answer.definite


def test_a_guest_dies_with_a_call_outstanding(local: Local) -> None:
    platform = local.start(work=BUSY)
    firmware = platform.engine.children["firmware"].pid
    on_guest_exit = platform.engine.on_guest_exit

    def go_on(name: str, how: str) -> None:
        kill(firmware, signal.SIGCONT)
        on_guest_exit(name, how)

    platform.engine.on_guest_exit = go_on
    stop_el3_with_calls_outstanding(platform)
    kill(platform.engine.children["ivi"].pid)
    events = platform.events
    pump_until(platform, lambda: any(one.event == "dead" and one.domain == "ivi" for one in events), "dead")
    assert [one.event for one in events if one.domain == "ivi" and one.event == "reset"] == ["reset"]
    platform.toolstack.create(platform.toolstack.guests["ivi"])
    works(platform)


def test_a_domain_answers_as_soon_as_it_is_created(local: Local) -> None:
    platform = local.start()
    for _ in range(5):
        platform.toolstack.reboot("ivi")
        works(platform)


def test_a_janitor_that_dies_last_changes_nothing(local: Local) -> None:
    platform = local.start()
    janitor = local.cluster.pid("janito")
    kill(janitor)
    eventually(lambda: not alive(janitor), "the janitor's end")
    platform.toolstack.reboot("ivi")  # tells the janitor of a new process, before its end was noticed
    platform.stop()
    assert local.cluster.left_behind() == []


def test_a_command_notices_that_its_platform_was_killed(cluster: Cluster) -> None:
    cluster.up("--idle")
    cluster.kill("firmware", signal.SIGSTOP)
    words = [cluster.program(), "call", "ivi", "base.PROTOCOL_VERSION", "--run-dir", str(cluster.run)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=cluster.environment()) as waiting:
        control_socket = str(cluster.run / "control.sock")
        eventually(lambda: connected(control_socket) >= 1, "the command at the control socket")
        assert cluster.supervisor is not None
        kill(cluster.supervisor.pid)
        _, said = waiting.communicate(timeout=20)
    assert waiting.returncode == 1
    assert said.startswith("trapline: ")
    assert "ended" in said
    cluster.expect_nothing_left()


def connected(path: str) -> int:
    """How many connections a Unix socket has taken."""
    lines = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
    return sum(line.endswith(f" {path}") for line in lines) - 1
