"""The simulated engine: time is virtual, and a seed is all there is to a run."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bus import frames
from deploy import devicetree
from deploy.engines.simulated import PATIENCE_NS, SimulatedEngine
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Topology, load_shipped, shipped
from nodes.guest import console

RUN = """
import sys
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, Work
from deploy.topology import load_shipped

topology = load_shipped()
engine = SimulatedEngine(topology, int(sys.argv[1]), lambda *_: None)
toolstack = Toolstack(engine, topology, Work(run=True, think_ns=50_000))
toolstack.start()
engine.run(20_000_000)
toolstack.reboot("ivi")
toolstack.destroy("tcu")
engine.run(20_000_000)
print(engine.fingerprint(), engine.messages, engine.now_ns)
"""


# ivi, which has a way back, subscribes to all that the gpu has, and the gpu heats up; then ivi goes, and the
# subscriptions and what is pending with it.
UNASKED = """
import sys, msgspec
from bus.fields import encode
from bus.scmi import clock, header, perf, power, powercap, sensor, trace
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, Work
from deploy.topology import load_shipped
from nodes.guest import console

topology = load_shipped()
platform = msgspec.structs.replace(topology.platform, seed=int(sys.argv[2]))
topology = msgspec.structs.replace(topology, platform=platform)
engine = SimulatedEngine(topology, int(sys.argv[1]), lambda *_: None)
toolstack = Toolstack(engine, topology, Work())
toolstack.start()
heard = []

def say(table, command, request, wait=False):
    version = platform.powercap_version if table is powercap.PROTOCOL else table.version
    message = console.Message(header.pack(table.id, command.id, 7), encode(request, version), wait)
    answer = toolstack.ask("ivi", message)
    assert not answer.code and answer.payload[:4] == bytes(4), (command.name, answer)

def take():
    answer = toolstack.ask("ivi", console.Take())
    heard.extend((head >> 8 & 3, trace.message_name(head), body.hex()) for head, body in answer.messages)

say(power.PROTOCOL, power.POWER_STATE_SET, power.StateSet(0, 4, power.ON))
say(power.PROTOCOL, power.POWER_STATE_NOTIFY, power.StateNotify(3, 1))
say(perf.PROTOCOL, perf.PERFORMANCE_NOTIFY_LEVEL, perf.NotifyLevel(1, 1))
say(clock.PROTOCOL, clock.CLOCK_RATE_NOTIFY, clock.RateNotify(6, 1))
trip = sensor.TRIP_POINT_CONTROL.pack(trip_point_id=0, mode=3)
say(sensor.PROTOCOL, sensor.SENSOR_TRIP_POINT_CONFIG, sensor.TripPointConfig(1, trip, 45_000))
say(sensor.PROTOCOL, sensor.SENSOR_TRIP_POINT_NOTIFY, sensor.TripPointNotify(1, 1))
say(sensor.PROTOCOL, sensor.SENSOR_CONTINUOUS_UPDATE_NOTIFY, sensor.ContinuousUpdateNotify(1, 1))
say(powercap.PROTOCOL, powercap.POWERCAP_CAP_NOTIFY, powercap.CapNotify(1, 1))
take()
toolstack.ask("tcu", console.Work(True, 400_000))
say(powercap.PROTOCOL, powercap.POWERCAP_CAP_SET, powercap.CapSet(1, 0, 0, 5_000))
for level, rate in ((4, 800_000_000), (1, 200_000_000)):
    say(perf.PROTOCOL, perf.PERFORMANCE_LEVEL_SET, perf.LevelSet(1, level))
    say(clock.PROTOCOL, clock.CLOCK_RATE_SET, clock.RateSet(1, 6, rate), wait=True)
    say(clock.PROTOCOL, clock.CLOCK_RATE_SET, clock.RateSet(1, 6, rate))
    for _ in range(10):
        engine.run(200_000_000)
        take()
say(clock.PROTOCOL, clock.CLOCK_RATE_SET, clock.RateSet(1, 6, 200_000_000))
toolstack.reboot("ivi")
engine.run(500_000_000)
for part in (engine.fingerprint(), engine.messages, sorted({(kind, name) for kind, name, _ in heard}), heard):
    print(part)
"""
HEARD = [
    (2, "clock.CLOCK_RATE_SET"),
    (3, "clock.CLOCK_RATE_CHANGED"),
    (3, "perf.PERFORMANCE_LEVEL_CHANGED"),
    (3, "power.POWER_STATE_CHANGED"),
    (3, "powercap.POWERCAP_CAP_CHANGED"),
    (3, "sensor.SENSOR_TRIP_POINT_EVENT"),
    (3, "sensor.SENSOR_UPDATE"),
]


def printed(script: str, hash_seed: str, *words: int) -> list[str]:
    """What another interpreter prints."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", script, *map(str, words)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=100, check=True)
    return done.stdout.decode().splitlines()


def run_in_another_interpreter(seed: int, hash_seed: str) -> tuple[str, int, int]:
    (line,) = printed(RUN, hash_seed, seed)
    fingerprint, messages, now_ns = line.split()
    return fingerprint, int(messages), int(now_ns)


def test_equal_seeds_give_equal_runs_in_every_interpreter() -> None:
    first = run_in_another_interpreter(11, "1")
    assert first == run_in_another_interpreter(11, "4242")
    assert first[1] > 1000


def test_another_seed_gives_another_run() -> None:
    assert run_in_another_interpreter(11, "1")[0] != run_in_another_interpreter(12, "1")[0]


def test_what_is_said_unasked_is_equal_in_every_interpreter() -> None:
    """Notifications, delayed responses, and sensors with noise, to the byte and in order."""
    first = printed(UNASKED, "1", 11, 0)
    assert first == printed(UNASKED, "4242", 11, 0)
    assert first[2] == str(HEARD), "and there were some of every kind"


def test_another_seed_is_another_run_with_other_noise() -> None:
    """The engine's seed moves messages about; the platform's is what its sensors' noise comes from."""
    first, delays, noise = (printed(UNASKED, "1", *seeds) for seeds in ((11, 0), (12, 0), (11, 1)))
    assert len({first[0], delays[0], noise[0]}) == 3
    assert first[2] == delays[2] == noise[2] == str(HEARD)
    assert first[3] != noise[3]


# ---- in this process --------------------------------------------------------------------------


def booted(seed: int = 1, topology: Topology | None = None) -> tuple[SimulatedEngine, Toolstack]:
    described = topology or load_shipped()
    engine = SimulatedEngine(described, seed, lambda *_: None)
    toolstack = Toolstack(engine, described, Work())
    toolstack.start_boot_domains()
    return engine, toolstack


def test_the_fingerprint_covers_every_byte() -> None:
    """Two runs that differ in one payload byte, and in nothing else."""
    prints = []
    for byte in (0, 1):
        engine, toolstack = booted()
        toolstack.ask("dom0", console.Call(0x10, 6, bytes([byte, 0, 0, 0])))
        prints.append(engine.fingerprint())
    assert prints[0] != prints[1]


def test_time_passes_only_when_told() -> None:
    engine, _ = booted()
    before = engine.now_ns
    engine.run(5_000_000_000)
    assert engine.now_ns == before + 5_000_000_000


def test_guests_deadlines_are_kept() -> None:
    """A lost answer costs a guest its patience, to the nanosecond, and no real time."""
    engine, toolstack = booted()
    core = engine.drivers()["dom0"].core
    firmware = engine.drivers()["firmware"]
    firmware.link.close()
    began = engine.now_ns
    answer = toolstack.ask("dom0", console.Call(0x10, 0, b""))
    assert answer.code == "el3-lost"
    assert answer.definite
    assert engine.now_ns - began < PATIENCE_NS
    assert core.deadline_ns() is None


def test_a_panic_is_an_error_of_the_toolstack(tmp_path: Path) -> None:
    text = (shipped() / "host.dts").read_text()
    broken = tmp_path / "host.dts"
    broken.write_text(text.replace("xen,dom0-sci-agent-id = <0>", "xen,dom0-sci-agent-id = <77>"))
    topology = msgspec.structs.replace(load_shipped(), host=devicetree.load([broken]))
    with pytest.raises(ToolstackError, match=r"Error creating domain 0 \(rc = -2\)"):
        booted(topology=topology)


def test_a_request_that_nobody_answers_ends_indefinite() -> None:
    engine, _ = booted()
    engine.drivers()["xen"].link.close()
    with pytest.raises(ToolstackError, match="no answer to Domctl") as raised:
        engine.domctl(frames.ListDomains())
    assert not raised.value.definite


def test_stopping_what_does_not_run_is_nothing() -> None:
    engine, _ = booted()
    engine.stop_guest("nobody")
    engine.stop_guest("cluster")
    engine.stop_guest("cluster")
    assert set(engine.drivers()) == {"xen", "firmware", "dom0"}


def test_identities_come_from_the_seed() -> None:
    links = [[info.link for info in booted(seed)[1].list()] for seed in (1, 1, 2)]
    assert links[0] == links[1] != links[2]
    assert len(set(links[0])) == len(links[0])
