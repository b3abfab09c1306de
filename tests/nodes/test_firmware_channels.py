"""EL3 below the messages: which channel, which page, what a doorbell without a message gets."""

import msgspec
import pytest

from bus import shmem, smccc
from bus.frames import Hello, Smc, Trap, Undef, Welcome
from bus.links import XEN
from bus.scmi import header
from nodes.contract import Halt, Log, Received, Undelivered
from nodes.firmware.profile import PROFILES
from tests.nodes.el3 import DOM0, FID, PLATFORM, SHMEM, TWO, Bench

VERSION_GET = header.pack(0x10, 0)
REQUEST = shmem.request(VERSION_GET, b"")


def test_the_function_id_picks_the_channel() -> None:
    bench = Bench()
    for agent in FID:
        page = bench.ring(agent, shmem.request(header.pack(0x10, 7), b"\xff\xff\xff\xff"))
        assert int.from_bytes(page[32:36], "little") == agent


def test_only_the_low_32_bits_of_x0_count() -> None:
    x, page = Bench().smc(0xFFFF_FFFF_0000_0000 | FID[TWO], REQUEST, SHMEM[TWO])
    assert x[0] == 0
    assert shmem.read_message(page)[0] == VERSION_GET


def test_an_unknown_function_is_minus_one_and_counted() -> None:
    bench = Bench()
    x, page = bench.smc(0x8200_0099, REQUEST, SHMEM[TWO], arguments=(1, 2, 3, 4, 5, 6, 7))
    assert x == (smccc.NOT_SUPPORTED, 1, 2, 3)
    assert page == b""
    assert bench.core.meters.counter("trapline_smc_unknown_total")[()] == 1


def test_x1_to_x3_come_back_as_they_were() -> None:
    x, _ = Bench().smc(FID[TWO], REQUEST, SHMEM[TWO], arguments=(1, 2, 3, 4, 5, 6, 7))
    assert x == (0, 1, 2, 3)


@pytest.mark.parametrize("carried", [True, False], ids=["carried", "mapped"])
@pytest.mark.parametrize("status", [shmem.FREE, shmem.ERROR, shmem.FREE | shmem.ERROR])
def test_a_doorbell_on_an_unclaimed_channel_carries_no_message(carried: bool, status: int) -> None:
    bench = Bench(carried=carried)
    page = bytearray(REQUEST)
    page[4] = status
    assert bench.ring(TWO, bytes(page))[:28] == shmem.FAILED
    assert bench.core.meters.counter("trapline_scmi_transport_errors_total")[("2",)] == 1
    assert not bench.counted("trapline_scmi_calls_total")


@pytest.mark.parametrize("carried", [True, False], ids=["carried", "mapped"])
@pytest.mark.parametrize(
    ("length", "fits"), [(0, False), (3, False), (4, True), (104, True), (105, False), (0xFFFF_FFFF, False)]
)
def test_the_length_word(carried: bool, length: int, fits: bool) -> None:
    """4 is the header alone, 104 fills the 128-byte area; the message itself is judged after that."""
    bench = Bench(carried=carried)
    page = bytearray(shmem.request(VERSION_GET, bytes(200)))
    page[0x14:0x18] = length.to_bytes(4, "little")
    answer = bench.ring(TWO, bytes(page))
    assert bool(shmem.status_of(answer) & shmem.ERROR) is not fits
    assert shmem.status_of(answer) & shmem.FREE


def test_a_length_beyond_the_bytes_that_came() -> None:
    page = bytearray(REQUEST)
    page[0x14:0x18] = (8).to_bytes(4, "little")
    assert Bench().ring(TWO, bytes(page)) == shmem.FAILED


@pytest.mark.parametrize("size", [1, 4, 27])
def test_a_page_shorter_than_its_own_header(size: int) -> None:
    assert Bench().ring(TWO, REQUEST[:size]) == shmem.FAILED


@pytest.mark.parametrize("address", [0, SHMEM[DOM0], SHMEM[TWO] + 4096, SHMEM[TWO] + 8])
def test_a_message_in_another_page_is_not_seen(address: int) -> None:
    """EL3 looks at the channel's own page. x0 is 0: the doorbell was fine, nothing was behind it."""
    bench = Bench()
    assert bench.smc(FID[TWO], REQUEST, address) == ((0, 0, 0, 0), b"")
    assert bench.core.meters.counter("trapline_scmi_transport_errors_total")[("2",)] == 1


def test_mapped_pages_start_idle() -> None:
    bench = Bench(carried=False)
    for agent in PLATFORM.agent:
        assert bytes(bench.memory.map(agent.shmem)[:28]) == shmem.IDLE


def test_a_mapped_page_is_judged_by_a_snapshot_and_the_rest_left_alone() -> None:
    bench = Bench(carried=False)
    bench.memory.map(SHMEM[TWO])[200:204] = b"mine"
    page = bench.ring(TWO, REQUEST)
    assert page[200:204] == b"mine"
    assert shmem.read_message(page, 128)[1][:4] == b"\0\0\0\0"


def test_calls_are_counted_by_what_the_tables_call_them() -> None:
    bench = Bench()
    bench.ring(TWO, REQUEST)
    bench.ring(TWO, shmem.request(header.pack(0x77, 1), b""))
    calls = bench.counted("trapline_scmi_calls_total")
    assert dict(calls) == {
        ("2", "base", "PROTOCOL_VERSION", "SUCCESS"): 1,
        ("2", "other", "other", "NOT_SUPPORTED"): 1,
    }


def test_what_is_no_smc_is_logged_and_not_answered() -> None:
    bench = Bench()
    for frame in (Hello(1, 1, 0, "xen"), Trap(1, 2, 0, 0x17, 0, (0,) * 8, 0), Undef(1, 3, 0)):
        (effect,) = bench.core.step(Received(XEN, frame, b""), 0)
        assert isinstance(effect, Log)
    assert bench.core.step(Received(XEN, Welcome(1, 0, 0, 0, "firmware"), b""), 0) == ()


def test_no_time_no_patience() -> None:
    bench = Bench()
    assert bench.core.deadline_ns() is None


def test_without_xen_there_is_nothing_to_do() -> None:
    frame = Smc(1, 1, 0, (0,) * 8, 0)
    (effect,) = Bench().core.step(Undelivered(XEN, frame), 0)
    assert effect == Halt(1, "the link to Xen is gone")


# ---- completion by interrupt ------------------------------------------------------------------

COMPLETION = 62
BY_INTERRUPT = msgspec.structs.replace(
    PLATFORM,
    agent=tuple(
        msgspec.structs.replace(one, a2p_interrupt=COMPLETION) if one.id == TWO else one
        for one in PLATFORM.agent
    ),
)
WANTED = shmem.request(VERSION_GET, b"", shmem.INTERRUPT)


def completions(bench: Bench) -> int:
    raised, bench.raised = bench.raised, []
    assert all(one.frame.intid == COMPLETION for one in raised)
    return len(raised)


@pytest.mark.parametrize("name", ["spec-strict", "tfa", "optee-smt", "imx-sm"])
@pytest.mark.parametrize("carried", [True, False], ids=["carried", "mapped"])
@pytest.mark.parametrize("spoil", ["nothing", "length", "error", "free"])
def test_whoever_asked_for_an_interrupt_gets_it_with_an_error_too(
    carried: bool, spoil: str, name: str
) -> None:
    """A page that is its agent's again without an interrupt would be waited for until patience ends."""
    bench = Bench(BY_INTERRUPT, carried=carried, profile=PROFILES[name])
    page = bytearray(WANTED)
    if spoil == "length":
        page[0x14] = 0xFF
    elif spoil != "nothing":
        page[4] = shmem.ERROR if spoil == "error" else shmem.FREE
    assert shmem.status_of(bench.ring(TWO, bytes(page))) & (shmem.FREE | shmem.ERROR)
    assert completions(bench) == (spoil != "free"), "an unclaimed page asks for nothing"


def test_whoever_polls_gets_none() -> None:
    bench = Bench(BY_INTERRUPT)
    bench.ring(TWO, REQUEST)
    bench.ring(TWO, shmem.request(VERSION_GET, bytes(400)))
    bench.ring(DOM0, WANTED)
    assert completions(bench) == 0
