"""What EL3 itself costs: a message on a large platform against a small one, and the reset of a busy agent.

Cores on the bench, no processes: time is this process' CPU time.
"""

import time
from statistics import median

from bus import shmem
from bus.fields import Message, encode
from bus.links import XEN
from bus.scmi import base, clock, header, power
from bus.scmi.status import Status
from nodes.contract import Boot
from nodes.firmware.core import FirmwareCore
from nodes.firmware.platform import Agent, Clock, Device, Platform, PowerDomain, check

MANAGER, AGENT = 1, 2
SMALL, LARGE = 10, 10_000
MESSAGES = 2_000
VOTES, SUBSCRIPTIONS = 1_000, 100
RATES = (1_000, 2_000, 4_000)


def firmware(clocks: int, powers: int = 1) -> FirmwareCore:
    """EL3 with so many clocks and power domains, all granted to agent 2, which has a way back."""
    described = Platform(
        "bench",
        (
            Agent(MANAGER, "xen", 0x8200_0003, 0x47FF_1000, trusted=True),
            Agent(AGENT, "guest", 0x8200_0004, 0x47FF_2000, p2a_shmem=0x47FE_2000, p2a_interrupt=64),
        ),
        clock=tuple(Clock(one, f"clock{one}", RATES, RATES[0]) for one in range(clocks)),
        power_domain=tuple(PowerDomain(one, f"power{one}") for one in range(powers)),
        device=(Device(1, "all", clocks=tuple(range(clocks)), power_domains=tuple(range(powers))),),
    )
    check(described)
    core = FirmwareCore(described, shmem.PrivateMemory(), XEN)
    core.step(Boot(), 0)
    core.permissions.set_device(AGENT, 1, True)
    return core


def ask(core: FirmwareCore, agent: int, protocol: int, message: int, request: Message) -> None:
    status = core.ladder.answer(agent, header.pack(protocol, message), encode(request))[2]
    assert status is Status.SUCCESS, (message, status)


def message_ns(core: FirmwareCore, clocks: int) -> float:
    """Nanoseconds per message: rates set and read, spread over all clocks."""
    asked = []
    for number in range(MESSAGES):
        one = number * 7919 % clocks
        wanted: Message = clock.RateGet(one)
        message = 0x6
        if number % 2:
            wanted, message = clock.RateSet(0, one, RATES[number % len(RATES)]), 0x5
        asked.append((header.pack(clock.PROTOCOL.id, message), encode(wanted)))
    answer = core.ladder.answer
    start = time.process_time_ns()
    for head, payload in asked:
        answer(AGENT, head, payload)
    taken = time.process_time_ns() - start
    for head, payload in asked[:2]:
        assert answer(AGENT, head, payload)[2] is Status.SUCCESS, "refusals were measured"
    return taken / MESSAGES


def growth(rounds: int) -> tuple[list[float], list[float]]:
    """The ratios large to small, and small to small again, round by round."""
    small, large = firmware(SMALL), firmware(LARGE)
    message_ns(small, SMALL), message_ns(large, LARGE)
    ratios, control = [], []
    for _ in range(rounds):
        first = message_ns(small, SMALL)
        ratios.append(message_ns(large, LARGE) / first)
        control.append(message_ns(small, SMALL) / first)
    return ratios, control


def reset_ms() -> float:
    """Milliseconds of one RESET_AGENT_CONFIGURATION for an agent with many votes and subscriptions."""
    taken = []
    for _ in range(11):
        core = firmware(VOTES // 2, VOTES // 4)
        for one in range(VOTES // 2):
            ask(core, AGENT, clock.PROTOCOL.id, 0x5, clock.RateSet(0, one, RATES[1]))
        for one in range(VOTES // 4):
            ask(core, AGENT, clock.PROTOCOL.id, 0x7, clock.ConfigSet(one, 1, 0))
            ask(core, AGENT, power.PROTOCOL.id, 0x4, power.StateSet(0, one, power.ON))
        for one in range(SUBSCRIPTIONS):
            ask(core, AGENT, clock.PROTOCOL.id, 0x9, clock.RateNotify(one, 1))
        assert len(core.ledger(AGENT)) >= VOTES + SUBSCRIPTIONS
        request = base.ResetAgentConfiguration(AGENT, 1)
        start = time.process_time_ns()
        ask(core, MANAGER, base.PROTOCOL.id, 0xB, request)
        taken.append((time.process_time_ns() - start) / 1e6)
        assert not core.ledger(AGENT)
    return median(taken)
