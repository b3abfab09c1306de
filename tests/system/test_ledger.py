"""The ledger of live agents: what is held, what a reset freed, what it did not; screens at 80 columns."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.scmi import clock, perf, power, reset, sensor, voltage
from bus.scmi.status import Status
from tests.system.cluster import IVI, Cluster
from tests.system.speaker import Speaker

NARROW = {"COLUMNS": "80"}
GPU_CLOCK, GPU_POWER, GPU = 6, 4, 1
RATE = ("clock.CLOCK_RATE_SET", "flags=0", "clock_id=6", "rate=400_000_000")


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
    ):
        assert ivi.status(table, command, request) is Status.SUCCESS, command.name
    for words in (
        ("pinctrl.PINCTRL_REQUEST", "identifier=0", "flags=selector=GROUP"),
        ("power.NEGOTIATE_PROTOCOL_VERSION", "version=0x20000"),
    ):
        assert cluster.here("call", "ivi", *words).returncode == 0, words


def kinds(entries: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["kind"], one["protocol"]) for one in entries}


def test_a_destroyed_domain_leaves_nothing(live: Cluster) -> None:
    takes_a_bit_of_everything(live)
    before = live.here("ledger", "ivi", "--json").json
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
    assert live.here("xl", "destroy", "ivi").returncode == 0
    after = live.here("ledger", "3", "--json").json
    assert (after["domain"], after["now"], after["reset"]["after"]) == (None, [], [])
    assert after["reset"]["before"] == before["now"]
    assert after["reset"]["verdict"] == "nothing left"
    shown = live.here("ledger", "3", **NARROW)
    assert shown.returncode == 0
    assert "nothing left" in shown.stdout
    assert shown.stdout.count("freed") == len(before["now"])
    assert narrow(shown.stdout)
    assert live.here("xl", "create", IVI).returncode == 0
    new = live.here("ledger", "ivi", "--json").json
    assert kinds(new["now"]) == {("grant", "base")}, "the successor has its devices, and nothing else"


def narrow(text: str) -> bool:
    return max(map(len, text.splitlines())) <= 80


def test_a_firmware_that_frees_only_permissions_leaks(cluster: Cluster) -> None:
    cluster.up("--idle", "--firmware", "scp-firmware")
    assert cluster.here("call", "ivi", *RATE).returncode == 0
    assert cluster.here("ledger", "ivi").returncode == 0, "it was never reset"
    assert cluster.here("xl", "destroy", "ivi").returncode == 0
    as_json = cluster.here("ledger", "3", "--json")
    assert as_json.returncode == 1
    reset_ = json.loads(as_json.stdout)["reset"]
    assert [one["resource"] for one in reset_["leaks"]] == ["clock 6"]
    assert reset_["verdict"] == "LEAK: clock 6 rate"
    shown = cluster.here("ledger", "3", **NARROW)
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "LEAK: clock 6 rate" in shown.stdout
    assert narrow(shown.stdout)
    assert cluster.here("xl", "create", IVI).returncode == 0
    left = cluster.here("ledger", "ivi", "--json")
    assert left.returncode == 1, "the successor has what its predecessor wished"
    assert ("vote", "clock") in kinds(json.loads(left.stdout)["now"])


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
