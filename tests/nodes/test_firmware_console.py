"""What EL3 tells whoever operates it: ledgers in pieces, never anything else."""

import msgspec
import pytest

from bus import frames
from bus.links import XEN
from bus.scmi import base, clock, reset
from bus.scmi.status import Status
from nodes.contract import Received, Send
from nodes.firmware import console
from nodes.firmware.console import ENTRIES_MAX, TALLIES_MAX, Agents, Answer, Inject, Ledger, Request, Tally
from nodes.firmware.ledger import Entry
from nodes.firmware.platform import Agent, Clock, Device, Platform, Sensor
from nodes.firmware.profile import PROFILES
from tests.nodes.el3 import FID, MANAGER, PLATFORM, SHMEM, TWO, Bench

REPLY_BYTES_MAX = 16384  # of frames.ConsoleReply


def ask(bench: Bench, request: Request | bytes) -> Answer:
    body = request if isinstance(request, bytes) else console.encode_request(request)
    request = bench.next_request()
    frame = frames.Console(1, request, 9, frames.EL3_DOMID, body)
    (effect,) = bench.core.step(Received(XEN, frame, b""), bench.now_ns)
    assert isinstance(effect, Send)
    assert (effect.peer, effect.page) == (XEN, b"")
    assert isinstance(effect.frame, frames.ConsoleReply)
    assert (effect.frame.request, effect.frame.cause) == (request, 9)
    assert frames.decode(frames.encode(effect.frame)) == effect.frame
    return console.decode_answer(effect.frame.body)


def test_which_agents_there_are() -> None:
    found = ask(Bench(profile=PROFILES["imx-sm"]), Agents())
    assert found.agents == ((0, "dom0"), (1, "xen"), (2, "two"), (3, "three"))
    assert (found.total, found.firmware, found.error) == (4, "imx-sm", "")
    assert ask(Bench(), Agents(3)).agents == ((3, "three"),)


def test_what_an_agent_holds_now_and_held_before_its_reset() -> None:
    bench = Bench()
    assert ask(bench, Ledger(TWO)).entries == ()
    assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", grant(5)) is Status.SUCCESS
    assert bench.status(TWO, "clock", "CLOCK_CONFIG_SET", clock.ConfigSet(5, 1, 0)) is Status.SUCCESS
    held = ask(bench, Ledger(TWO))
    assert set(held.entries) == {
        Entry("grant", "base", "device 5", ""),
        Entry("vote", "clock", "clock 5", "enabled"),
    }
    assert held.reset_ns is None
    assert ask(bench, Ledger(TWO, "before")).entries == ()
    bench.now_ns = 1_000_000
    wanted = base.ResetAgentConfiguration(TWO, 1)
    assert bench.status(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", wanted) is Status.SUCCESS
    assert ask(bench, Ledger(TWO)).entries == ()
    before = ask(bench, Ledger(TWO, "before"))
    assert set(before.entries) == set(held.entries)
    assert before.reset_ns == before.now_ns == 1_000_001
    for part in ("after", "leaks"):
        assert ask(bench, Ledger(TWO, part)).entries == ()  # type: ignore[arg-type]


def grant(device: int) -> base.SetDevicePermissions:
    return base.SetDevicePermissions(TWO, device, 1)


def test_a_long_ledger_comes_in_pieces_that_fit_a_frame() -> None:
    """As long as names get; every piece is full but the last."""
    count = 2 * ENTRIES_MAX + 1
    platform = Platform(
        name="long",
        agent=(Agent(MANAGER, "xen", FID[MANAGER], SHMEM[MANAGER], trusted=True),),
        clock=(Clock(0, "one", (1000,), 1000),),
        device=tuple(Device(2**31 + one, f"{one}", clocks=(0,)) for one in range(count)),
    )
    bench = Bench(platform)
    pieces = [ask(bench, Ledger(MANAGER, skip=skip)) for skip in range(0, count + ENTRIES_MAX, ENTRIES_MAX)]
    assert [len(one.entries) for one in pieces] == [ENTRIES_MAX, ENTRIES_MAX, 1, 0]
    assert {one.total for one in pieces} == {count}
    together = [entry for one in pieces for entry in one.entries]
    assert together == bench.core.ledger(MANAGER)
    longest = Entry("subscription", "powercap", "powercap_domain 4294967295", "m" * 200, 2**63)
    assert len(msgspec.msgpack.encode(Answer(entries=(longest,) * ENTRIES_MAX))) < REPLY_BYTES_MAX


def test_how_much_agents_hold_is_counted_at_once() -> None:
    """Votes apart from the rest, unknown agents left out, no answer longer than a frame takes."""
    bench = Bench()
    assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", grant(5)) is Status.SUCCESS
    assert bench.status(TWO, "clock", "CLOCK_CONFIG_SET", clock.ConfigSet(5, 1, 0)) is Status.SUCCESS
    assert ask(bench, Tally((TWO, 99, MANAGER))).tallies == ((TWO, 1, 2), (MANAGER, 0, 4))
    assert ask(bench, Tally(())).tallies == ()
    many = ask(bench, Tally((TWO,) * (TALLIES_MAX + 1)))
    assert many.total == len(many.tallies) == TALLIES_MAX
    longest = Answer(tallies=((2**32 - 1, 2**32 - 1, 2**32 - 1),) * TALLIES_MAX)
    assert len(msgspec.msgpack.encode(longest)) < REPLY_BYTES_MAX


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (Ledger(99), "there is no agent 99"),
        (b"\xff", "not a request"),
        (b"", "not a request"),
        (msgspec.msgpack.encode({"type": "ledger", "agent": 1, "part": "yesterday"}), "not a request"),
        (msgspec.msgpack.encode({"type": "reset", "agent": 1}), "not a request"),
    ],
)
def test_what_cannot_be_answered(body: Request | bytes, complaint: str) -> None:
    assert ask(Bench(), body).error.startswith(complaint)


def test_a_broken_reset_line_and_a_mended_one() -> None:
    bench = Bench()
    assert bench.status(MANAGER, "reset", "RESET", pulse(1)) is Status.SUCCESS
    assert ask(bench, Inject("reset", 1)).error == ""
    assert bench.status(MANAGER, "reset", "RESET", pulse(1)) is Status.HARDWARE_ERROR
    assert bench.status(MANAGER, "reset", "RESET", pulse(2)) is Status.SUCCESS
    assert ask(bench, Inject("reset", 1, broken=False)).error == ""
    assert bench.status(MANAGER, "reset", "RESET", pulse(1)) is Status.SUCCESS


def pulse(domain: int) -> reset.Reset:
    return reset.Reset(domain, 1, 0)


def test_a_broken_sensor_and_a_mended_one() -> None:
    bench = Bench(msgspec.structs.replace(PLATFORM, sensor=(Sensor(4, "soc"),)))
    for broken in (True, False):
        assert ask(bench, Inject("sensor", 4, broken)).error == ""
        assert bench.core.board.sensors.failed(4) is broken


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Inject("reset", 9), "there is no reset 9; there are 1, 2"),
        (Inject("sensor", 1), "there is no sensor 1; there are none"),
    ],
)
def test_what_cannot_be_broken(request_: Inject, complaint: str) -> None:
    assert ask(Bench(), request_).error == complaint
