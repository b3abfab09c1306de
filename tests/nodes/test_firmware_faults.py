"""EL3's misbehaviour on purpose: each action's bytes, whom it hits, how often, and nothing afterwards."""

from typing import Any

import msgspec
import pytest

from bus import frames, shmem
from bus.links import XEN
from bus.scmi import BY_KEY, base, clock, header
from bus.scmi.status import Status
from nodes.contract import Received, Send, Tick
from nodes.firmware import console
from nodes.firmware.console import Answer
from nodes.firmware.misbehaving import ACTIONS, Behave, Misbehave
from nodes.firmware.profile import PROFILES
from nodes.limits import MISBEHAVIOURS
from tests.nodes.el3 import FID, MANAGER, PLATFORM, SHMEM, THREE, TWO, Bench

COMPLETION = 88
RATE_GET = header.pack(0x14, 0x6, token=0x155)
RATE_SET = header.pack(0x14, 0x5, token=0x2AA)


def ask(bench: Bench, request: Any) -> Answer:
    frame = frames.Console(1, bench.next_request(), 9, frames.EL3_DOMID, console.encode_request(request))
    (effect,) = bench.core.step(Received(XEN, frame, b""), bench.now_ns)
    assert isinstance(effect, Send)
    return console.decode_answer(effect.frame.body)


def with_fault(action: str, bench: Bench | None = None, **how: Any) -> Bench:
    bench = bench or Bench()
    assert ask(bench, Misbehave(1, action, **how)).error == ""
    return bench


def rate_get(bench: Bench, agent: int = TWO, token: int = 0x155) -> bytes:
    page = shmem.request(header.pack(0x14, 0x6, token=token), (5).to_bytes(4, "little"))
    return bench.ring(agent, page)


def well() -> bytes:
    return rate_get(Bench())


# ---- each action ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "status"), [("busy", Status.BUSY), ("hardware_error", Status.HARDWARE_ERROR)]
)
@pytest.mark.parametrize("carried", [True, False])
def test_another_status_instead(action: str, status: Status, carried: bool) -> None:
    bench = with_fault(action, Bench(carried=carried))
    grant(bench)
    assert bench.status(TWO, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 5, 2000)) is status
    assert "clock 5 rate" not in bench.held(TWO), "nothing was done"
    assert bench.core.meters.counter("trapline_scmi_calls_total")["2", "clock", "CLOCK_RATE_SET", status.name]
    assert ask(bench, Behave(1)).applied == 1
    assert bench.status(TWO, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 5, 2000)) is Status.SUCCESS


def grant(bench: Bench, agent: int = TWO) -> None:
    wanted = base.SetDevicePermissions(agent, 5, 1)
    assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", wanted) is Status.SUCCESS


@pytest.mark.parametrize("carried", [True, False])
def test_another_token(carried: bool) -> None:
    page = rate_get(with_fault("wrong_token", Bench(carried=carried)))
    expected = rate_get(Bench(carried=carried))
    head, payload = shmem.read_message(page)
    assert header.token(head) == 0x154
    assert head ^ RATE_GET == header.HEADER.pack(token=1)
    assert (shmem.status_of(page), payload) == (shmem.FREE, shmem.read_message(expected)[1])


@pytest.mark.parametrize("carried", [True, False])
def test_a_torn_page(carried: bool) -> None:
    """The first half of the payload is new; behind it is what the agent had left there."""
    page = rate_get(with_fault("torn_page", Bench(carried=carried)))
    assert shmem.status_of(page) == shmem.FREE
    head, payload = shmem.read_message(page)
    _, whole = shmem.read_message(rate_get(Bench(carried=carried)))
    assert (head, len(payload)) == (RATE_GET, len(whole))
    half = len(whole) // 2
    assert payload[:half] == whole[:half]
    assert payload[half:] == bytes(len(whole) - half) != whole[half:]


def test_a_torn_status() -> None:
    """A denied request's answer is the status alone: half of it is the request's."""
    bench = with_fault("torn_page")
    request = shmem.request(RATE_SET, clock_set(5, 2000))
    _, payload = shmem.read_message(bench.ring(TWO, request))
    whole = Status.DENIED.word
    assert payload == whole[:2] + request[shmem.PAYLOAD_AT + 2 : shmem.PAYLOAD_AT + 4]


def clock_set(clock_id: int, rate: int) -> bytes:
    return bytes(4) + clock_id.to_bytes(4, "little") + rate.to_bytes(8, "little")


@pytest.mark.parametrize("carried", [True, False])
def test_one_bit_is_flipped_as_the_seed_says(carried: bool) -> None:
    seen = set()
    for seed in range(20):
        page = rate_get(with_fault("corrupt_page", Bench(carried=carried), seed=seed))
        again = rate_get(with_fault("corrupt_page", Bench(carried=carried), seed=seed))
        assert page == again
        wrong = int.from_bytes(page, "big") ^ int.from_bytes(rate_get(Bench(carried=carried)), "big")
        assert wrong.bit_count() == 1
        assert page[: shmem.PAYLOAD_AT] == well()[: shmem.PAYLOAD_AT]
        seen.add(wrong)
    assert len(seen) > 5


@pytest.mark.parametrize("carried", [True, False])
def test_late_is_done_now_and_told_later(carried: bool) -> None:
    bench = with_fault("late", Bench(carried=carried), delay_ns=5_000)
    grant(bench)
    page = shmem.request(RATE_SET, clock_set(5, 2000))
    shared = bench.memory.map(SHMEM[TWO])
    shared[: len(page)] = page
    frame = frames.Smc(1, bench.next_request(), 7, (FID[TWO], 0, 0, 0, 0, 0, 0, 0), SHMEM[TWO])
    assert list(bench.core.step(Received(XEN, frame, page if carried else b""), 1_000)) == []
    assert bench.held(TWO)["clock 5 rate"] == 2000
    assert bytes(shared[: len(page)]) == page, "the page is still EL3's"
    assert bench.core.deadline_ns() == 6_000
    assert list(bench.core.step(Tick(), 5_999)) == []
    (answer,) = bench.core.step(Tick(), 6_000)
    assert isinstance(answer, Send)
    assert (answer.frame.request, answer.frame.cause, answer.frame.x[0]) == (frame.request, 7, 0)
    told = answer.page if carried else bytes(shared)
    assert (shmem.status_of(told), shmem.read_message(told)) == (shmem.FREE, (RATE_SET, bytes(4)))
    assert ask(bench, Behave(1)).applied == 1


def test_a_lost_completion() -> None:
    two = next(agent for agent in PLATFORM.agent if agent.id == TWO)
    others = tuple(agent for agent in PLATFORM.agent if agent.id != TWO)
    wired = msgspec.structs.replace(two, a2p_interrupt=COMPLETION)
    bench = Bench(msgspec.structs.replace(PLATFORM, agent=(*others, wired)))
    page = shmem.request(RATE_GET, (5).to_bytes(4, "little"), shmem.INTERRUPT)
    assert shmem.status_of(bench.ring(TWO, page)) == shmem.FREE
    assert [effect.frame.intid for effect in bench.raised] == [COMPLETION]
    bench.raised.clear()
    with_fault("lost_completion", bench)
    assert shmem.read_message(bench.ring(TWO, page)) == shmem.read_message(well())
    assert bench.raised == []
    rate_get(bench)  # nobody asked for an interrupt: there is none to lose
    assert ask(bench, Behave(1)).applied == 1


@pytest.mark.parametrize(("agents", "refused"), [((), {TWO, THREE}), ((TWO,), {TWO}), ((9,), set())])
def test_a_reset_is_refused(agents: tuple[int, ...], refused: set[int]) -> None:
    bench = with_fault("refuse_reset", agents=agents)
    for agent in (TWO, THREE):
        grant(bench, agent)
        wanted = base.ResetAgentConfiguration(agent, 1)
        status = bench.status(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", wanted)
        assert status is (Status.GENERIC_ERROR if agent in refused else Status.SUCCESS)
        assert bool(bench.held(agent)) is (agent in refused)
    assert bench.status(MANAGER, "base", "PROTOCOL_VERSION") is Status.SUCCESS
    assert ask(bench, Behave(1)).applied == len(refused)


# ---- whom, and how often ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agents", "hit"), [((), {0, TWO, THREE}), ((TWO,), {TWO}), ((MANAGER, THREE), {MANAGER, THREE})]
)
def test_xens_own_channel_is_hit_only_if_it_is_named(agents: tuple[int, ...], hit: set[int]) -> None:
    bench = with_fault("busy", agents=agents)
    for agent in FID:
        status = bench.status(agent, "clock", "CLOCK_RATE_GET", clock.RateGet(0))
        assert status is (Status.BUSY if agent in hit else Status.SUCCESS)


def test_only_the_messages_that_are_named() -> None:
    bench = with_fault("busy", messages=("clock.CLOCK_RATE_GET", "base.PROTOCOL_VERSION"))
    assert bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(0)) is Status.BUSY
    assert bench.status(TWO, "base", "PROTOCOL_VERSION") is Status.BUSY
    assert bench.status(TWO, "clock", "PROTOCOL_VERSION") is Status.SUCCESS


@pytest.mark.parametrize("count", [1, 3])
def test_not_more_often_than_asked(count: int) -> None:
    bench = with_fault("busy", count=count)
    busy = [bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(0)) for _ in range(5)]
    assert busy.count(Status.BUSY) == count
    assert ask(bench, Behave(1)).applied == count


def test_as_likely_as_asked_and_the_same_again() -> None:
    runs = []
    for seed in (1, 1, 2):
        bench = with_fault("busy", likelihood=0.25, seed=seed)
        runs.append([bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(0)).name for _ in range(400)])
    assert runs[0] == runs[1] != runs[2]
    assert 60 < runs[0].count("BUSY") < 140


def test_several_at_once_and_each_ends_for_itself() -> None:
    bench = with_fault("wrong_token")
    assert ask(bench, Misbehave(2, "corrupt_page", seed=3)).error == ""
    page = rate_get(bench)
    assert (int.from_bytes(page, "big") ^ int.from_bytes(well(), "big")).bit_count() == 2
    assert ask(bench, Behave(1)).applied == 1
    assert header.token(shmem.read_message(rate_get(bench))[0]) == 0x155
    assert ask(bench, Behave(2)).applied == 2
    assert rate_get(bench) == well()


def test_nothing_is_in_the_way_while_nothing_misbehaves() -> None:
    bench = Bench()
    before = (bench.core.take, bench.core.judge)
    with_fault("busy", bench)
    assert (bench.core.take, bench.core.judge) != before
    ask(bench, Behave(1))
    assert (bench.core.take, bench.core.judge) == before


# ---- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Misbehave(1, "explode"), "there is no 'explode'; there are busy"),
        (Misbehave(1, "busy", messages=("clock.NOTHING",)), "there is no message 'clock.NOTHING'"),
        (Misbehave(1, "busy", messages=("nothing",)), "there is no message 'nothing'"),
        (Behave(7), "there is no misbehaviour 7"),
    ],
)
def test_what_is_not_known(request_: Any, says: str) -> None:
    assert ask(Bench(), request_).error.startswith(says)


def test_not_more_than_so_many() -> None:
    bench = Bench()
    for number in range(MISBEHAVIOURS):
        assert ask(bench, Misbehave(number, "busy", agents=(9,))).error == ""
    assert ask(bench, Misbehave(0, "busy", agents=(9,))).error == "", "the same again"
    assert "end one" in ask(bench, Misbehave(MISBEHAVIOURS, "busy")).error


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_firmware_can_do_it(action: str, profile: str) -> None:
    bench = Bench(profile=PROFILES[profile], carried=False)
    page = shmem.request(header.pack(BY_KEY["clock"].id, 6), (0).to_bytes(4, "little"))
    with_fault(action, bench, agents=(TWO,))
    shared = bench.memory.map(SHMEM[TWO])
    content = page[shmem.HEADER_AT :] if PROFILES[profile].area == "msg" else page
    shared[: len(content)] = content
    frame = frames.Smc(1, bench.next_request(), 7, (FID[TWO], len(content), 0, 0, 0, 0, 0, 0), SHMEM[TWO])
    assert len(list(bench.core.step(Received(XEN, frame, b""), 1_000))) == (action != "late")
    applied = ask(bench, Behave(1)).applied
    assert applied == (action not in ("lost_completion", "refuse_reset") and not PROFILES[profile].checksum)
