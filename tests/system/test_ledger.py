"""The ledger of live agents: what is held, what a reset freed, what it did not; screens at 80 columns."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.scmi import clock, perf, pinctrl, power, protocol, reset, sensor, voltage
from bus.scmi.status import Status
from deploy import control
from tests.system.cluster import IVI, Cluster
from tests.system.speaker import Speaker, ask, holdings

NARROW = {"COLUMNS": "80"}
GPU_CLOCK, GPU_POWER, GPU = 6, 4, 1


@pytest.fixture(scope="module")
def live() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="tl-", dir="/tmp"))
    made = Cluster(folder)
    try:
        yield made.up("--idle")
    finally:
        made.stop()
        shutil.rmtree(folder)


def takes_a_bit_of_everything(cluster: Cluster) -> None:
    """ivi votes, subscribes, sets a trip point, negotiates a version and takes two pins."""
    ivi = Speaker(cluster, "ivi")
    trip = sensor.TripPointConfig(1, sensor.TRIP_POINT_CONTROL.pack(trip_point_id=1, mode=1), 90_000)
    for table, command, request in (
        (power.PROTOCOL, power.POWER_STATE_SET, power.StateSet(0, GPU_POWER, power.ON)),
        (power.PROTOCOL, power.POWER_STATE_NOTIFY, power.StateNotify(GPU_POWER, 1)),
        (clock.PROTOCOL, clock.CLOCK_CONFIG_SET, clock.ConfigSet(GPU_CLOCK, clock.STATE_ENABLE, 0)),
        (clock.PROTOCOL, clock.CLOCK_RATE_NOTIFY, clock.RateNotify(GPU_CLOCK, 1)),
        (perf.PROTOCOL, perf.PERFORMANCE_LEVEL_SET, perf.LevelSet(GPU, 2)),
        (perf.PROTOCOL, perf.PERFORMANCE_NOTIFY_LIMITS, perf.NotifyLimits(GPU, 1)),
        (voltage.PROTOCOL, voltage.VOLTAGE_CONFIG_SET, voltage.ConfigSet(1, 7)),
        (sensor.PROTOCOL, sensor.SENSOR_TRIP_POINT_CONFIG, trip),
        (reset.PROTOCOL, reset.RESET_NOTIFY, reset.ResetNotify(6, 1)),
        (pinctrl.PROTOCOL, pinctrl.PINCTRL_REQUEST, pinctrl.Request(0, pinctrl.SELECTOR["GROUP"])),
        (power.PROTOCOL, protocol.NEGOTIATE_PROTOCOL_VERSION, protocol.NegotiateVersion(0x20000)),
    ):
        assert ivi.status(table, command, request) is Status.SUCCESS, command.name


def kinds(entries: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["kind"], one["protocol"]) for one in entries}


def test_a_destroyed_domain_leaves_nothing(live: Cluster) -> None:
    takes_a_bit_of_everything(live)
    before = holdings(live, "ivi")
    assert kinds(before["now"]) >= {
        ("grant", "base"),
        ("vote", "power"),
        ("vote", "clock"),
        ("vote", "perf"),
        ("vote", "voltage"),
        ("subscription", "power"),
        ("subscription", "clock"),
        ("subscription", "perf"),
        ("subscription", "reset"),
    }
    assert {"sensor", "pinctrl"} <= {one["protocol"] for one in before["now"]}
    ask(live, control.Destroy("ivi"))
    after = live.here("ledger", "3", "--json").json
    assert (after["domain"], after["now"], after["reset"]["after"]) == (None, [], [])
    assert after["reset"]["before"] == before["now"]
    assert after["reset"]["verdict"] == "nothing left"
    shown = live.here("ledger", "3", **NARROW)
    assert shown.returncode == 0
    assert "nothing left" in shown.stdout
    assert shown.stdout.count("freed") == len(before["now"])
    assert narrow(shown.stdout)
    ask(live, control.Create(str(IVI)))
    new = holdings(live, "ivi")
    assert kinds(new["now"]) == {("grant", "base")}, "the successor has its devices, and nothing else"


def narrow(text: str) -> bool:
    return max(map(len, text.splitlines())) <= 80


def test_a_firmware_that_frees_only_permissions_leaks(cluster: Cluster) -> None:
    cluster.up("--idle", "--firmware", "scp-firmware")
    rate = clock.RateSet(0, GPU_CLOCK, 400_000_000)
    assert Speaker(cluster, "ivi").status(clock.PROTOCOL, clock.CLOCK_RATE_SET, rate) is Status.SUCCESS
    assert holdings(cluster, "ivi")["reset"] is None
    ask(cluster, control.Destroy("ivi"))
    as_json = cluster.here("ledger", "3", "--json")
    assert as_json.returncode == 1
    reset_ = json.loads(as_json.stdout)["reset"]
    assert [one["resource"] for one in reset_["leaks"]] == ["clock 6"]
    assert reset_["verdict"] == "LEAK: clock 6 rate"
    shown = cluster.here("ledger", "3", **NARROW)
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "LEAK: clock 6 rate" in shown.stdout
    assert narrow(shown.stdout)
    ask(cluster, control.Create(str(IVI)))
    assert ("vote", "clock") in kinds(holdings(cluster, "ivi")["now"]), "its successor inherits"


@pytest.mark.parametrize(
    "words",
    [
        ("interop", "--firmware", "scp-firmware", "--firmware", "tfa"),
        ("profiles",),
        ("profiles", "scp-firmware"),
        ("profiles", "tfa"),
        ("profiles", "imx-sm"),
        ("ledger", "ivi"),
        ("status",),
    ],
    ids=" ".join,
)
def test_it_fits_80_columns(live: Cluster, words: tuple[str, ...]) -> None:
    run = ("--run-dir", live.run) if words[0] in ("ledger", "status") else ()
    done = live.trapline(*words, *run, **NARROW)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert narrow(done.stdout)
