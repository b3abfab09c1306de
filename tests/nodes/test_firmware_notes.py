"""What EL3 tells for the record: nothing unless it was asked to."""

import msgspec
import pytest

from bus import frames, shmem
from bus.links import XEN
from bus.scmi import base, clock, header
from nodes.contract import Note, Received, Send
from nodes.firmware.console import Agents, encode_request
from tests.nodes.el3 import FID, MANAGER, SHMEM, TWO, Bench


@pytest.mark.parametrize("record", [False, True])
def test_a_reset_is_told_with_its_ledger(record: bool) -> None:
    bench = Bench(record=record)
    bench.call(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", base.SetDevicePermissions(TWO, 5, 1))
    bench.call(TWO, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 5, 2000))
    held = len(bench.core.ledger(TWO))
    assert held > 0
    bench.raised.clear()
    bench.call(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", base.ResetAgentConfiguration(TWO, 1))
    after = len(bench.core.ledger(TWO))
    expected = [Note("reset", 3, (TWO, held, after, 0))] if record else []
    assert bench.raised == expected


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize(
    "frame",
    [
        frames.Smc(1, 5, 0, (FID[TWO], 0, 0, 0, 0, 0, 0, 0), SHMEM[TWO]),
        frames.Console(1, 5, 0, frames.EL3_DOMID, encode_request(Agents())),
    ],
)
def test_what_comes_twice_happens_once(frame: frames.Smc | frames.Console, record: bool) -> None:
    bench = Bench(record=record)
    page = shmem.request(header.pack(0x10, 0), b"") if isinstance(frame, frames.Smc) else b""
    first, second = (bench.core.step(Received(XEN, frame, page), 9) for _ in range(2))
    assert [type(effect) for effect in first] == [Send]
    assert list(second) == ([Note("duplicate", 5, (), type(frame).__name__.lower())] if record else [])
    assert bench.core.meters.counter("trapline_bus_dropped_total") == {("duplicate",): 1}
    overtaken = msgspec.structs.replace(frame, request=4)
    assert [type(effect) for effect in bench.core.step(Received(XEN, overtaken, page), 10)] == [Send]
