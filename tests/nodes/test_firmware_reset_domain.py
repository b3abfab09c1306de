"""Reset domains: pulses, held lines, asynchronous resets, who may reset what is shared."""

from typing import Any

import msgspec
import pytest

from bus.fields import encode
from bus.scmi import base, header, reset
from bus.scmi.status import Status
from nodes.firmware.platform import Device, PlatformError, ResetDomain, check
from nodes.firmware.profile import SPEC_STRICT
from tests.nodes.el3 import DOM0, MANAGER, PLATFORM, THREE, TWO, Bench
from tests.nodes.unasked import answer, negotiate, platform, told, wait
from tests.nodes.unasked import reset as reset_agent

OK = Status.SUCCESS
PULSE, ASSERT, RELEASE = reset.FLAGS.pack(autonomous=1), reset.FLAGS.pack(explicit_assert=1), 0
LATER = reset.FLAGS.pack(autonomous=1, async_reset=1)
VENDOR_STATE = 1 << 31
DOMAIN = ResetDomain(1, "line", latency_us=10, async_reset=True, reset_notify=True, states=(3,))


def bench_with(*domains: ResetDomain, **tables: Any) -> Bench:
    return Bench(platform(reset_domain=domains or (DOMAIN,), **tables))


def send(bench: Bench, flags: int, state: int = 0, *, agent: int = TWO, domain: int = 1) -> Status:
    return bench.status(agent, "reset", "RESET", reset.Reset(domain, flags, state))


def board(bench: Bench, domain: int = 1) -> tuple[int, bool]:
    """How often the line was pulsed, whether it is held."""
    resets = bench.core.board.resets
    return resets.pulses[domain], domain in resets.asserted


def changed(**changes: Any) -> ResetDomain:
    return msgspec.structs.replace(DOMAIN, **changes)


def test_a_pulse() -> None:
    bench = bench_with()
    assert send(bench, PULSE) is OK
    assert board(bench) == (1, False)
    assert "reset_domain 1 asserted" not in bench.held(TWO), "it is over"


def test_a_line_is_held_and_let_go() -> None:
    bench = bench_with()
    assert send(bench, ASSERT) is OK
    assert board(bench) == (0, True)
    assert bench.held(TWO)["reset_domain 1 asserted"] == 1
    assert send(bench, RELEASE) is OK
    assert board(bench) == (0, False)
    assert "reset_domain 1 asserted" not in bench.held(TWO)
    assert send(bench, RELEASE) is OK, "letting go of what nobody holds changes nothing"


@pytest.mark.parametrize(
    ("flags", "state", "status"),
    [
        (PULSE, 0, OK),
        (PULSE, VENDOR_STATE | 3, OK),
        (PULSE, VENDOR_STATE | 2, Status.INVALID_PARAMETERS),
        (PULSE, VENDOR_STATE, Status.INVALID_PARAMETERS),
        (PULSE, 3, Status.INVALID_PARAMETERS),
        (PULSE, 1, Status.INVALID_PARAMETERS),
        (PULSE, 0xFFFF_FFFF, Status.INVALID_PARAMETERS),
        (ASSERT, 1, OK),
        (4, 0, Status.INVALID_PARAMETERS),
        (4 | ASSERT, 0, Status.INVALID_PARAMETERS),
        (8 | PULSE, 0, Status.INVALID_PARAMETERS),
        (PULSE | ASSERT, 0, OK),
    ],
)
def test_flags_and_states(flags: int, state: int, status: Status) -> None:
    """The level is looked at only without autonomous, the state only with it."""
    assert send(bench_with(), flags, state) is status


@pytest.mark.parametrize(
    ("domain", "flags"),
    [
        (changed(async_reset=False), LATER),
        (changed(autonomous=False, async_reset=False), PULSE),
        (changed(autonomous=False, async_reset=False), LATER),
        (changed(explicit=False), ASSERT),
        (changed(explicit=False), RELEASE),
    ],
)
def test_a_mode_that_the_domain_has_not(domain: ResetDomain, flags: int) -> None:
    bench = bench_with(domain)
    assert send(bench, flags) is Status.NOT_SUPPORTED
    assert board(bench) == (0, False)


def test_a_line_that_is_held_at_boot() -> None:
    bench = bench_with(changed(asserted=True))
    assert board(bench) == (0, True)
    assert send(bench, RELEASE) is OK
    assert board(bench) == (0, False)
    reset_agent(bench, TWO)
    assert board(bench) == (0, True)


# ---- asynchronous -----------------------------------------------------------------------------


def test_an_asynchronous_reset_happens_when_its_latency_is_over() -> None:
    bench = bench_with()
    assert send(bench, LATER) is OK
    assert wait(bench, 9) == []
    assert board(bench) == (0, False)
    (done,) = wait(bench, 2)
    assert (done.agent, done.name, done.status, done.body.domain_id) == (TWO, "RESET", OK, 1)
    assert done.bytes == 8
    assert board(bench) == (1, False)


def test_one_at_a_time() -> None:
    bench = bench_with()
    assert send(bench, LATER) is OK
    for flags in (LATER, PULSE, ASSERT):
        assert send(bench, flags, agent=THREE) is Status.BUSY
    assert len(wait(bench, 11)) == 1
    assert send(bench, LATER, agent=THREE) is OK


def test_an_unknown_latency_is_none() -> None:
    bench = bench_with(changed(latency_us=None))
    assert send(bench, LATER) is OK
    assert len(wait(bench, 0)) == 1


def test_nothing_asynchronous_without_a_way_back() -> None:
    bench = bench_with()
    assert send(bench, LATER, agent=DOM0) is Status.NOT_SUPPORTED
    assert send(bench, PULSE, agent=DOM0) is OK


def test_a_failure_is_told_at_once_or_later() -> None:
    bench = bench_with()
    bench.core.board.resets.fail(1, True)
    assert send(bench, PULSE) is Status.HARDWARE_ERROR
    assert send(bench, ASSERT) is Status.HARDWARE_ERROR
    assert send(bench, LATER) is OK
    (done,) = wait(bench, 10)
    assert done.status is Status.HARDWARE_ERROR
    assert done.bytes == 4
    assert board(bench) == (0, False)
    bench.core.board.resets.fail(1, False)
    assert send(bench, PULSE) is OK


@pytest.mark.parametrize(("first", "left"), [(ASSERT, False), (RELEASE, True)])
def test_a_line_that_failed_follows_once_it_is_mended(first: int, left: bool) -> None:
    """The agent is reset meanwhile: the line is as at boot, not as it was stuck."""
    bench = bench_with(changed(asserted=left))
    assert send(bench, first) is OK
    bench.core.board.resets.fail(1, True)
    reset_agent(bench, TWO)
    assert board(bench) == (0, not left)
    bench.core.board.resets.fail(1, False)
    assert board(bench) == (0, left)


def test_the_right_may_be_gone_by_then() -> None:
    bench = bench_with(changed(sharing="anyone"), device=(Device(1, "all", reset_domains=(1,)),))
    assert send(bench, LATER) is OK
    deny = base.SetDevicePermissions(TWO, 1, 0)
    assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", deny) is OK
    (done,) = wait(bench, 11)
    assert done.status is Status.DENIED
    assert board(bench) == (0, False)


# ---- notifications ----------------------------------------------------------------------------


def subscribed(*agents: int, **facts: Any) -> Bench:
    profile = msgspec.structs.replace(SPEC_STRICT, **facts)
    bench = Bench(platform(reset_domain=(DOMAIN,)), profile=profile)
    for agent in agents:
        assert bench.status(agent, "reset", "RESET_NOTIFY", reset.ResetNotify(1, 1)) is OK
    return bench


def test_others_are_told_of_a_reset() -> None:
    bench = subscribed(TWO, THREE)
    assert send(bench, PULSE, VENDOR_STATE | 3) is OK
    (issued,) = told(bench)
    assert (issued.agent, issued.name) == (THREE, "RESET_ISSUED")
    assert issued.body == reset.ResetIssued(TWO, 1, VENDOR_STATE | 3)
    assert issued.bytes == 12


def test_of_a_line_that_is_asserted_once_and_not_of_its_release() -> None:
    bench = subscribed(THREE)
    for flags, events in ((ASSERT, 1), (ASSERT, 0), (RELEASE, 0)):
        assert send(bench, flags) is OK
        assert len(told(bench)) == events


def test_of_an_asynchronous_one_when_it_is_issued() -> None:
    bench = subscribed(THREE)
    assert send(bench, LATER) is OK
    assert told(bench) == []
    assert [(one.agent, one.name) for one in wait(bench, 10)] == [(THREE, "RESET_ISSUED"), (TWO, "RESET")]


def test_the_requester_may_be_told_as_well() -> None:
    bench = subscribed(TWO, reset_told_to_requester=True)
    assert send(bench, PULSE) is OK
    assert [one.agent for one in told(bench)] == [TWO]


def test_a_refused_reset_is_no_event() -> None:
    bench = subscribed(THREE)
    assert send(bench, PULSE, 1) is Status.INVALID_PARAMETERS
    assert told(bench) == []


@pytest.mark.parametrize(
    ("domain", "enable", "status"),
    [
        (DOMAIN, 2, Status.INVALID_PARAMETERS),
        (changed(reset_notify=False), 1, Status.NOT_SUPPORTED),
        (DOMAIN, 0, OK),
    ],
)
def test_subscribing(domain: ResetDomain, enable: int, status: Status) -> None:
    bench = bench_with(domain)
    assert bench.status(TWO, "reset", "RESET_NOTIFY", reset.ResetNotify(1, enable)) is status


# ---- sharing ----------------------------------------------------------------------------------


def shared(sharing: str) -> Bench:
    domain = ResetDomain(1, "line", sharing=sharing, reset_notify=True)  # type: ignore[arg-type]
    bench = bench_with(domain, device=(Device(1, "all", reset_domains=(1,)),), default_permission="deny")
    for agent in (TWO, THREE):
        bench.core.permissions.set_device(agent, 1, True)
    return bench


def test_a_shared_line_is_not_reset_for_one_of_them() -> None:
    bench = shared("refused")
    for flags in (PULSE, ASSERT, RELEASE):
        assert send(bench, flags) is Status.GENERIC_ERROR
    assert board(bench) == (0, False)
    bench.core.permissions.set_device(THREE, 1, False)
    assert send(bench, PULSE) is OK


def test_unless_anyone_may() -> None:
    bench = shared("anyone")
    assert send(bench, PULSE) is OK
    for agent in (TWO, THREE):
        assert send(bench, ASSERT, agent=agent) is OK
    assert send(bench, RELEASE) is OK
    assert board(bench) == (1, True), "the other one still holds it"
    reset_agent(bench, THREE)
    assert board(bench) == (1, False)


def test_or_the_first_has_it() -> None:
    bench = shared("exclusive")
    assert send(bench, PULSE, agent=THREE) is OK
    assert send(bench, ASSERT) is OK
    for flags in (PULSE, ASSERT, RELEASE):
        assert send(bench, flags, agent=THREE) is Status.DENIED
    assert send(bench, RELEASE) is OK
    assert send(bench, ASSERT, agent=THREE) is OK
    reset_agent(bench, THREE)
    assert send(bench, PULSE) is OK


# ---- what is told of it -----------------------------------------------------------------------


def attributes(bench: Bench, agent: int, domain: int = 1) -> dict[str, int]:
    body = answer(bench, agent, "reset", "RESET_DOMAIN_ATTRIBUTES", reset.DomainAttributes(domain))
    return {**reset.DOMAIN.unpack(body.attributes), "latency": body.latency}


def test_attributes_are_what_the_agent_can_have() -> None:
    long_name = changed(name="a-line-with-a-very-long-name", latency_us=None)
    bench = bench_with(long_name, ResetDomain(2, "plain"))
    unknown = reset.LATENCY_UNKNOWN
    for agent, domain, wanted in (
        (TWO, 1, (1, 1, 1, unknown)),
        (DOM0, 1, (0, 0, 1, unknown)),
        (TWO, 2, (0, 0, 0, unknown)),
    ):
        assert tuple(attributes(bench, agent, domain).values()) == wanted
    assert (
        bench_with().call(TWO, "reset", "RESET_DOMAIN_ATTRIBUTES", reset.DomainAttributes(1)).body.latency
        == 10
    )
    name = answer(bench, TWO, "reset", "RESET_DOMAIN_NAME_GET", reset.DomainNameGet(1)).name
    assert name == "a-line-with-a-very-long-name"


def test_long_names_came_with_version_3() -> None:
    bench = bench_with(changed(name="a-line-with-a-very-long-name"))
    negotiate(bench, TWO, "reset", 0x1_0000)
    assert attributes(bench, TWO)["extended_name"] == 0
    assert bench.raw(TWO, header.pack(0x16, 6), encode(reset.DomainNameGet(1)))[0] is Status.NOT_FOUND


@pytest.mark.parametrize(
    ("domain", "told_"),
    [
        (ResetDomain(1, "r", autonomous=False, explicit=False), r"reset_domain\[0\]: it cannot be reset"),
        (ResetDomain(1, "r", autonomous=False, async_reset=True), r"reset_domain\[0\].async_reset: "),
        (ResetDomain(1, "r", states=(1, 1)), r"reset_domain\[0\].states: "),
    ],
)
def test_domains_that_make_no_sense(domain: ResetDomain, told_: str) -> None:
    with pytest.raises(PlatformError, match=told_):
        check(msgspec.structs.replace(PLATFORM, reset_domain=(domain,), device=()))
