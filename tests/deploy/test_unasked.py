"""What the demonstration shows of the way back, on virtual time: with one, without one, other firmwares."""

import msgspec
import pytest

from deploy import unasked
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, Work
from deploy.topology import Topology, load_shipped, with_firmware
from deploy.unasked import Said


def shown(topology: Topology) -> list[Said]:
    engine = SimulatedEngine(topology, 1, lambda *_: None)
    toolstack = Toolstack(engine, topology, Work(True, 50_000))
    toolstack.start()
    engine.run(10_000_000)
    return unasked.show(topology, toolstack.list(), toolstack.ask)


def test_one_is_told_and_one_is_refused() -> None:
    found = shown(load_shipped())
    assert [one.domain for one in found] == ["ivi", "ivi", "ivi", "cluster"]
    assert all(one.as_it_has_to_be for one in found)
    assert found[1].answer == "SUCCESS(clock_id=6, rate=800000000)"
    assert found[2].answer == "clock.CLOCK_RATE_CHANGED(agent_id=3, clock_id=6, rate=800000000)"
    assert found[3].answer == "NOT_SUPPORTED"


def test_an_interrupt_that_is_not_routed_is_a_problem() -> None:
    shipped = load_shipped()
    unrouted = tuple(msgspec.structs.replace(guest, irqs=()) for guest in shipped.guests)
    found = shown(msgspec.structs.replace(shipped, guests=unrouted))
    assert [one.as_it_has_to_be for one in found] == [True, False, False, True]


@pytest.mark.parametrize("name", ["scp-firmware", "tfa", "optee-smt"])
def test_a_firmware_that_cannot_has_nothing_to_show(name: str) -> None:
    assert shown(with_firmware(load_shipped(), name)) == []


@pytest.mark.parametrize("name", ["tfa-multiagent", "imx-sm"])
def test_others_can(name: str) -> None:
    found = shown(with_firmware(load_shipped(), name))
    assert [(one.domain, one.as_it_has_to_be) for one in found] == [("ivi", True)] * 3 + [("cluster", True)]
