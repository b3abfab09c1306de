"""platform.toml as data: what makes no sense is told by key, what is at a limit still works."""

from typing import Any

import msgspec
import pytest

from bus.scmi import clock
from bus.scmi.status import Status
from nodes.firmware.platform import (
    Agent,
    Clock,
    Device,
    Platform,
    PlatformError,
    PowerDomain,
    RateRange,
    check,
    problems,
)
from nodes.limits import AGENTS, PARENTS, RATES, RESOURCES
from tests.nodes.el3 import FID, MANAGER, PLATFORM, SHMEM, Bench


def changed(**changes: Any) -> Platform:
    return msgspec.structs.replace(PLATFORM, **changes)


def agent(**changes: Any) -> tuple[Agent, ...]:
    return (msgspec.structs.replace(PLATFORM.agent[0], **changes), *PLATFORM.agent[1:])


def one_clock(**changes: Any) -> dict[str, tuple[Any, ...]]:
    made = msgspec.structs.replace(Clock(5, "one", (1, 2), 1), **changes)
    return {"clock": (made, Clock(1, "other", (1,), 1)), "device": ()}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"agent": ()}, "agent: the platform has no agent"),
        ({"agent": agent(id=2)}, r"agent\[2\].id: 2 is taken by agent\[0\]"),
        ({"agent": agent(name="two")}, r"agent\[2\].name: 'two' is taken"),
        ({"agent": agent(smc_id=FID[MANAGER])}, r"agent\[1\].smc_id: '0x82000003' is taken"),
        ({"agent": agent(shmem=SHMEM[MANAGER])}, r"agent\[1\].shmem: '0x47ff1000' is taken"),
        ({"agent": agent(shmem=0x1004)}, r"agent\[0\].shmem: 0x1004 is not 8-byte aligned"),
        ({"agent": agent(shmem=0x1F88)}, r"agent\[0\].shmem: the area at 0x1f88 crosses a page"),
        (
            {"agent": agent(shmem=0x40, p2a_shmem=0, p2a_interrupt=90)},
            r"agent\[0\].shmem: 0x40 is in the area of agent\[0\].p2a_shmem",
        ),
        ({"agent": agent(smc_id=0x0200_0002)}, r"agent\[0\].smc_id: 0x2000002 is not a fast call"),
        (one_clock(rates=()), r"clock\[0\].rates: there are none; give some"),
        (one_clock(rates=(2, 1)), r"clock\[0\].rates: .*ascending"),
        (one_clock(rates=(1, 1)), r"clock\[0\].rates: .*each once"),
        (one_clock(rate=3), r"clock\[0\].rate: 3 Hz is not one of its rates"),
        (one_clock(rates=RateRange(3, 1, 1)), r"clock\[0\].rates: min 3 is above max 1"),
        (one_clock(rates=RateRange(1, 9, 3), rate=3), r"clock\[0\].rate: 3 Hz is not"),
        (one_clock(parents=(7,)), r"clock\[0\].parents: 7 is not another"),
        (one_clock(parents=(5,)), r"clock\[0\].parents: 5 is not another"),
        ({"device": (Device(1, "d", clocks=(99,)),)}, r"device\[0\].clocks: no \[\[clock\]\] has id 99"),
        ({"device": (Device(1, "d", power_domains=(99,)),)}, r"device\[0\].power_domains: no"),
        ({"device": (Device(1, "d", reset_domains=(99,)),)}, r"device\[0\].reset_domains: no"),
    ],
)
def test_rules(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(PlatformError, match=told):
        check(changed(**changes))


def test_a_sound_platform_has_no_problem() -> None:
    assert list(problems(PLATFORM)) == []


def many_agents(count: int) -> Platform:
    agents = (Agent(one, f"a{one}", 0x8200_0000 + one, one * 4096, one == 0) for one in range(count))
    return Platform("many", tuple(agents))


def test_as_many_agents_as_their_count_can_tell() -> None:
    most = many_agents(AGENTS)
    check(most)
    bench = Bench(most)
    x, page = bench.smc(0x8200_0007, bench_request(0x10, 1), 7 * 4096)
    assert x[0] == 0
    assert page[33] == AGENTS
    with pytest.raises(PlatformError, match=r"agent: 256 entries, the limit is 255"):
        check(many_agents(AGENTS + 1))


def bench_request(protocol: int, message: int) -> bytes:
    return bytes(20) + (4).to_bytes(4, "little") + (protocol << 10 | message).to_bytes(4, "little")


def many_domains(count: int) -> Platform:
    return changed(device=(), power_domain=tuple(PowerDomain(one, f"p{one}") for one in range(count)))


def test_as_many_resources_as_their_count_can_tell() -> None:
    most = many_domains(RESOURCES)
    check(most)
    assert Bench(most).call(MANAGER, "power", "PROTOCOL_ATTRIBUTES").body.attributes == RESOURCES
    with pytest.raises(PlatformError, match=f"power_domain: {RESOURCES + 1} entries"):
        check(many_domains(RESOURCES + 1))


def test_as_many_rates_as_their_count_can_tell() -> None:
    most = changed(**one_clock(rates=tuple(range(1, RATES + 1))))
    check(most)
    body = Bench(most).call(MANAGER, "clock", "CLOCK_DESCRIBE_RATES", clock.DescribeRates(5, 0)).body
    assert clock.NUM_RATES.get(body.num_rates_flags, "remaining") == RATES - 11
    with pytest.raises(PlatformError, match=r"clock\[0\].rates: 65536 of them"):
        check(changed(**one_clock(rates=tuple(range(1, RATES + 2)))))


def with_parents(count: int) -> Platform:
    parents = tuple(range(100, 100 + count))
    family = Clock(5, "one", (1,), 1, parents=parents)
    return changed(clock=(family, *(Clock(one, f"c{one}", (1,), 1) for one in parents)), device=())


def test_as_many_parents_as_their_count_can_tell() -> None:
    most = with_parents(PARENTS)
    check(most)
    request = clock.PossibleParentsGet(5, 0)
    reply = Bench(most).call(MANAGER, "clock", "CLOCK_POSSIBLE_PARENTS_GET", request)
    assert reply.status is Status.SUCCESS
    with pytest.raises(PlatformError, match=r"clock\[0\].parents: 256 parents"):
        check(with_parents(PARENTS + 1))
