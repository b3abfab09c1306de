"""A guest's own work: discovery as Linux does it, then its devices; what a firmware's nonsense does to it."""

import struct

import msgspec
import pytest

from bus.fields import decode, encode
from bus.scmi import base, clock, header, power
from bus.scmi.status import Status
from nodes.firmware.platform import View
from nodes.guest import console
from nodes.limits import STORY_ENTRIES
from tests.nodes.el3 import MANAGER, PLATFORM, TWO
from tests.nodes.el3 import Bench as Firmware
from tests.nodes.guest import Bench, reply

OK = b"\0\0\0\0"
LISTED = OK + encode(base.DiscoverListProtocolsReply(3, (0x11, 0x14, 0x16)))
VERSION = OK + (0x2_0000).to_bytes(4, "little")
RATES = 0x14, 4


def name(trap: object) -> tuple[int, int]:
    head = struct.unpack_from("<I", trap.page, 24)[0]  # type: ignore[attr-defined]
    return header.protocol_id(head), header.message_id(head)


def run(bench: Bench, calls: int, answers: dict[tuple[int, int], bytes]) -> list[tuple[int, int]]:
    """Answer the next calls: with what the test says, else with a plain success."""
    asked = []
    for _ in range(calls):
        trap = bench.traps.pop(0)
        asked.append(name(trap))
        default = VERSION if name(trap)[1] == 0 else OK
        bench.returned(trap, reply(trap, answers.get(name(trap), default)))
    return asked


DISCOVERY = [(0x10, 0), (0x10, 1), (0x10, 3), (0x10, 4), (0x10, 5), (0x10, 6)]
PROTOCOLS = [(0x11, 0), (0x11, 1), (0x14, 0), (0x14, 1), (0x16, 0), (0x16, 1)]
START = [(0x11, 3), (0x11, 4), (0x16, 3), (0x16, 4), (0x14, 3), (0x14, 4), (0x14, 7)]
LIFE = [(0x10, 5), (0x14, 5), (0x14, 6), (0x11, 5)]


def test_what_a_guest_says_from_its_start() -> None:
    bench = Bench(work=True)
    rates = OK + encode(clock.DescribeRatesReply(2, (1000, 2000)))
    asked = run(bench, 12 + 7 + 8, {(0x10, 6): LISTED, RATES: rates})
    assert asked == DISCOVERY + PROTOCOLS + START + LIFE + LIFE


def test_rates_take_turns() -> None:
    bench = Bench(work=True)
    rates = OK + encode(clock.DescribeRatesReply(2, (1000, 2000)))
    run(bench, 12 + 7 + 1, {(0x10, 6): LISTED, RATES: rates})
    wanted = []
    for _ in range(3):
        trap = bench.traps[0]
        wanted.append(decode(clock.RateSet, trap.page[28:44]).rate)
        run(bench, 4, {})
    assert wanted == [2000, 1000, 2000]


@pytest.mark.parametrize(
    ("answers", "left_out"),
    [
        ({(0x10, 6): OK}, PROTOCOLS + START),
        ({(0x10, 6): OK + b"\3\0\0\0\x11"}, PROTOCOLS + START),
        ({(0x10, 6): OK + b"\xff\xff\xff\xff"}, PROTOCOLS + START),
        ({(0x10, 6): b"\xff\xff\xff\xff"}, PROTOCOLS + START),
        ({(0x10, 6): LISTED, (0x14, 0): OK}, []),
        ({(0x10, 6): LISTED, (0x14, 0): OK + bytes(5)}, []),
        ({(0x10, 6): LISTED, RATES: OK + bytes(3)}, []),
        ({(0x10, 6): LISTED, RATES: OK + b"\2\x10\0\0" + bytes(16)}, []),
        ({(0x10, 6): LISTED, RATES: OK + b"\3\x10\0\0" + bytes(24)}, []),
        ({(0x10, 6): LISTED, RATES: OK + b"\0\0\0\0"}, []),
    ],
    ids=[
        "no-list", "short-list", "huge-count", "error", "no-version", "long-version", "short-rates",
        "triplet-of-two", "step-zero", "no-rates",
    ],
)  # fmt: skip
def test_a_firmware_that_answers_nonsense_does_not_stop_a_guest(
    answers: dict[tuple[int, int], bytes], left_out: list[tuple[int, int]]
) -> None:
    bench = Bench(work=True)
    asked = run(bench, 60, answers)
    assert len(asked) == 60
    assert not set(left_out) & set(asked)


def test_work_starts_and_stops_by_console() -> None:
    bench = Bench()
    assert bench.traps == []
    number = bench.ask(console.Work(True, think_ns=500))
    assert bench.answer(number).code == ""
    assert len(bench.traps) == 1
    trap = bench.traps.pop()
    bench.returned(trap, reply(trap, VERSION))
    assert bench.traps == []
    assert bench.core.deadline_ns() == bench.now_ns + 500
    bench.late()
    assert len(bench.traps) == 1
    stop = bench.ask(console.Work(False))
    assert not [one for one in bench.told if one.request == stop], "the call under way ends first"
    trap = bench.traps.pop()
    bench.returned(trap, reply(trap, OK))
    assert bench.answer(stop).code == ""
    assert bench.traps == []
    assert bench.core.deadline_ns() is None


def test_the_console_comes_before_the_work() -> None:
    bench = Bench(work=True)
    number = bench.ask(console.Call(0x16, 1, b""))
    trap = bench.traps.pop()
    bench.returned(trap, reply(trap, VERSION))
    assert name(bench.traps[0]) == (0x16, 1)
    trap = bench.traps.pop()
    bench.returned(trap, reply(trap, OK))
    assert bench.answer(number).code == ""
    assert name(bench.traps[0]) == (0x10, 1), "and the work goes on where it was"


def test_work_that_cannot_ring_backs_off() -> None:
    bench = Bench(work=True)
    bench.late()
    bench.traps.clear()
    for _ in range(5):
        before = bench.now_ns
        bench.late()
        assert bench.now_ns - before >= 1_000_000
    assert bench.traps == []
    assert bench.counted("trapline_guest_calls_total") == {
        ("domu", "indefinite_error"): 1,
        ("domu", "definite_error"): 1 + 5,
    }


def test_latencies_are_kept_by_protocol() -> None:
    bench = Bench(work=True)
    run(bench, 3, {})
    kept = bench.core.meters.histogram("trapline_scmi_call_duration_seconds")
    assert {labels: sum(one.counts) for labels, one in kept.items()} == {("2", "base"): 3}


def test_a_story_of_failures_is_bounded() -> None:
    bench = Bench()
    for _ in range(STORY_ENTRIES + 40):
        _, trap = bench.call()
        bench.returned(trap, x0=7)
    story = bench.core.story
    assert (story.seen, len(story.entries)) == (STORY_ENTRIES + 40, STORY_ENTRIES)
    assert story.entries[0][2] == 41
    assert "smc-refused" in story.lines()[-1]


def test_the_work_fits_the_real_firmware() -> None:
    """Discovery meets resources that are not the guest's or not there; the work then passes the ladder."""
    firmware = Firmware()
    for device in (5, 6):
        grant = base.SetDevicePermissions(TWO, device, 1)
        firmware.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", grant)
    bench = Bench(work=True)
    met: dict[tuple[int, int], set[Status]] = {}
    while (0x11, 5) not in met:
        trap = bench.traps.pop(0)
        page = firmware.ring(TWO, trap.page)
        met.setdefault(name(trap), set()).add(Status(struct.unpack_from("<i", page, 28)[0]))
        bench.returned(trap, page)
    refused = {asked: statuses - {Status.SUCCESS} for asked, statuses in met.items()}
    assert set().union(*refused.values()) == {Status.DENIED, Status.NOT_FOUND}
    assert {asked for asked, statuses in refused.items() if statuses} <= {(0x11, 3), (0x14, 3), (0x16, 3)}
    assert firmware.held(TWO)["power_domain 2 state"] == power.ON


def test_a_guest_with_a_view_finds_what_it_is_told_of_and_works_with_it() -> None:
    """Its tree says clock 5, power domain 2 and reset domain 1; the view makes other ones of them."""
    views = (
        View(TWO, "clock", (0, 100, 101, 102, 103, 6)),
        View(TWO, "power_domain", (3, 2, 1)),
        View(TWO, "reset_domain", (1, 2)),
    )
    firmware = Firmware(msgspec.structs.replace(PLATFORM, view=views))
    for device in (5, 6):
        grant = base.SetDevicePermissions(TWO, device, 1)
        firmware.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", grant)
    bench = Bench(work=True)
    asked: list[tuple[int, int]] = []
    while (0x11, 5) not in asked:
        trap = bench.traps.pop(0)
        page = firmware.ring(TWO, trap.page)
        assert struct.unpack_from("<i", page, 28)[0] == 0, name(trap)
        asked.append(name(trap))
        bench.returned(trap, page)
    assert asked.count((0x14, 3)) >= 6, "every clock that the count promises"
    held = firmware.held(TWO)
    assert {"clock 6 enabled", "clock 6 rate", "power_domain 1 state"} <= held.keys()
    assert not [thing for thing in held if thing.startswith(("clock 5", "power_domain 2"))]
    assert firmware.core.board.resets.pulses == {1: 0, 2: 1}
