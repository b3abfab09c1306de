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


def run_in_another_interpreter(seed: int, hash_seed: str) -> tuple[str, int, int]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", RUN, str(seed)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=100, check=True)
    fingerprint, messages, now_ns = done.stdout.decode().split()
    return fingerprint, int(messages), int(now_ns)


def test_equal_seeds_give_equal_runs_in_every_interpreter() -> None:
    first = run_in_another_interpreter(11, "1")
    assert first == run_in_another_interpreter(11, "4242")
    assert first[1] > 1000


def test_another_seed_gives_another_run() -> None:
    assert run_in_another_interpreter(11, "1")[0] != run_in_another_interpreter(12, "1")[0]


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
