"""What EL3 says unasked on a live platform: notifications, delayed responses, and when nobody listens.

ivi has a way back, tcu has none. Power domain 3 is behind devices of both.
"""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.scmi import clock, perf, power, reset, sensor
from bus.scmi.status import Status
from deploy import control
from nodes.limits import P2A_QUEUE
from tests.system import metrics
from tests.system.cluster import IVI, Cluster
from tests.system.processes import eventually
from tests.system.speaker import Speaker, ask, holdings

LINKS = {"ipc": (), "ipc-mapped": ("--mapped",), "tcp": ("--tcp",), "tcp-mapped": ("--tcp", "--mapped")}
PERIPHERALS, GPU_CLOCK, GPU, MODEM_CLOCK = 3, 6, 1, 8
ASYNC = clock.RATE_SET_FLAGS.pack(async_set=1)
RESET_GPU = 6
MODEM = clock.ClockAttributes(MODEM_CLOCK)


@pytest.fixture(scope="module", params=LINKS)
def live(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One platform for all tests of a kind of link; each test leaves every domain as it found it."""
    folder = Path(tempfile.mkdtemp(prefix="tl-", dir="/tmp"))
    made = Cluster(folder)
    try:
        yield made.up("--idle", *LINKS[request.param])
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.fixture
def ivi(live: Cluster) -> Iterator[Speaker]:
    """The domain with a way back, made new afterwards."""
    yield Speaker(live, "ivi")
    ask(live, control.Reboot("ivi"))


@pytest.fixture
def tcu(live: Cluster) -> Speaker:
    return Speaker(live, "tcu")


def rate_set(rate: int) -> clock.RateSet:
    return clock.RateSet(ASYNC, GPU_CLOCK, rate)


def switch(tcu: Speaker, times: int) -> None:
    """Turn the shared power domain on and off, so often in all; it was off."""
    for number in range(times):
        state = power.OFF if number % 2 else power.ON
        request = power.StateSet(0, PERIPHERALS, state)
        assert tcu.status(power.PROTOCOL, power.POWER_STATE_SET, request) is Status.SUCCESS


def subscribe(ivi: Speaker) -> None:
    request = power.StateNotify(PERIPHERALS, 1)
    assert ivi.status(power.PROTOCOL, power.POWER_STATE_NOTIFY, request) is Status.SUCCESS


def p2a(live: Cluster, result: str, kind: str = "notification") -> float:
    """EL3's count of what was queued or dropped for ivi."""
    port = live.status()["nodes"]["firmware"]["port"]
    return metrics.value(port, "trapline_p2a_messages_total", agent="3", kind=kind, result=result)


def test_a_subscriber_is_told_and_another_agent_is_named(ivi: Speaker, tcu: Speaker) -> None:
    subscribe(ivi)
    switch(tcu, 2)
    said = "power.POWER_STATE_CHANGED(agent_id=4, domain_id=3, power_state="
    assert ivi.hears(2) == [f"{said}ON)", f"{said}OFF)"]
    assert ivi.status(power.PROTOCOL, power.POWER_STATE_NOTIFY, power.StateNotify(PERIPHERALS, 0)) == 0
    switch(tcu, 2)
    level = perf.NotifyLevel(GPU, 1)
    assert ivi.status(perf.PROTOCOL, perf.PERFORMANCE_NOTIFY_LEVEL, level) is Status.SUCCESS
    assert ivi.status(perf.PROTOCOL, perf.PERFORMANCE_LEVEL_SET, perf.LevelSet(GPU, 4)) is Status.SUCCESS
    (told,) = ivi.hears()
    assert told.startswith("perf.PERFORMANCE_LEVEL_CHANGED(agent_id=3, domain_id=1, "), (
        "and nothing before it"
    )


def test_an_asynchronous_command_is_answered_twice(ivi: Speaker) -> None:
    answer = ivi.send(clock.PROTOCOL, clock.CLOCK_RATE_SET, rate_set(800_000_000), wait=True)
    done = (0).to_bytes(4, "little") + GPU_CLOCK.to_bytes(4, "little") + (800_000_000).to_bytes(8, "little")
    assert (answer["code"], answer["payload"]) == ("", done)
    assert answer["header"] >> 8 & 3 == 2
    assert ivi.status(clock.PROTOCOL, clock.CLOCK_RATE_SET, rate_set(200_000_000)) is Status.SUCCESS
    (told,) = ivi.hears()
    assert told == "SUCCESS(clock_id=6, rate=200000000)"
    request = reset.Reset(RESET_GPU, reset.FLAGS.pack(autonomous=1, async_reset=1), 0)
    answer = ivi.send(reset.PROTOCOL, reset.RESET, request, wait=True)
    assert answer["payload"] == (0).to_bytes(4, "little") + RESET_GPU.to_bytes(4, "little")


def test_a_heated_sensor_crosses_its_trip_point(ivi: Speaker) -> None:
    """The model's own time goes on: a busy performance domain heats the sensor past 40.5 degrees."""
    on = power.StateSet(0, 4, power.ON)
    assert ivi.status(power.PROTOCOL, power.POWER_STATE_SET, on) is Status.SUCCESS
    trip = sensor.TripPointConfig(1, sensor.TRIP_POINT_CONTROL.pack(trip_point_id=1, mode=1), 40_500)
    assert ivi.status(sensor.PROTOCOL, sensor.SENSOR_TRIP_POINT_CONFIG, trip) is Status.SUCCESS
    notify = sensor.TripPointNotify(1, 1)
    assert ivi.status(sensor.PROTOCOL, sensor.SENSOR_TRIP_POINT_NOTIFY, notify) is Status.SUCCESS
    assert ivi.status(perf.PROTOCOL, perf.PERFORMANCE_LEVEL_SET, perf.LevelSet(GPU, 4)) is Status.SUCCESS
    assert ivi.hears()[0].startswith("sensor.SENSOR_TRIP_POINT_EVENT(agent_id=0, sensor_id=1, ")


def test_an_agent_without_a_way_back_is_refused(tcu: Speaker) -> None:
    notify = clock.RateNotify(MODEM_CLOCK, 1)
    assert tcu.status(clock.PROTOCOL, clock.CLOCK_RATE_NOTIFY, notify) is Status.NOT_SUPPORTED
    later = clock.RateSet(ASYNC, MODEM_CLOCK, 245_760_000)
    assert tcu.status(clock.PROTOCOL, clock.CLOCK_RATE_SET, later) is Status.NOT_SUPPORTED
    attributes = tcu.send(clock.PROTOCOL, clock.CLOCK_ATTRIBUTES, MODEM)
    assert int.from_bytes(attributes["payload"][4:8], "little") >> 30 == 0, "nor is it offered any"


def test_a_full_queue_drops_counts_and_tells_the_rest(live: Cluster, ivi: Speaker, tcu: Speaker) -> None:
    """One in the page, P2A_QUEUE behind it; what does not fit is counted, and the state is read again."""
    subscribe(ivi)
    dropped, queued = p2a(live, "dropped"), p2a(live, "queued")
    live.kill("ivi", signal.SIGSTOP)
    switch(tcu, P2A_QUEUE + 10)
    assert eventually(lambda: p2a(live, "dropped") - dropped, "drops in EL3's numbers") == 9
    assert p2a(live, "queued") - queued == P2A_QUEUE + 1
    live.kill("ivi", signal.SIGCONT)
    heard = ivi.hears(P2A_QUEUE + 1)
    assert len(heard) == P2A_QUEUE + 1
    assert heard[-1].endswith("power_state=ON)")
    now = ivi.send(power.PROTOCOL, power.POWER_STATE_GET, power.StateGet(PERIPHERALS))
    assert int.from_bytes(now["payload"][4:], "little") == power.OFF, "what was dropped can be read"
    switch(tcu, 1)
    assert ivi.hears()[0].endswith("power_state=ON)"), "the queue goes on"
    off = power.StateSet(0, PERIPHERALS, power.OFF)
    assert tcu.status(power.PROTOCOL, power.POWER_STATE_SET, off) is Status.SUCCESS


def test_a_domain_that_dies_with_a_message_in_its_page(live: Cluster, ivi: Speaker, tcu: Speaker) -> None:
    """Its successor has an empty page, no subscription, and hears once it asks to."""
    subscribe(ivi)
    live.kill("ivi", signal.SIGSTOP)
    switch(tcu, 4)
    live.kill("ivi")
    eventually(lambda: "ivi" not in [row["name"] for row in live.status()["domains"]], "ivi is gone")
    ask(live, control.Create(str(IVI)))
    switch(tcu, 2)
    subscribe(ivi)
    assert ivi.told() == []
    switch(tcu, 2)
    said = "power.POWER_STATE_CHANGED(agent_id=4, domain_id=3, power_state="
    assert ivi.hears(2) == [f"{said}ON)", f"{said}OFF)"]
    held = holdings(live, "ivi")
    assert (held["reset"]["leaks"], held["reset"]["verdict"]) == ([], "nothing left")
    assert "subscription" in {row["kind"] for row in held["reset"]["before"]}
