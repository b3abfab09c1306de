"""What the demonstration shows of the way back: an agent that has one is told, one without is refused.

It speaks through the guests' consoles, on either engine; the screen is in ``deploy.cli.demo``.
"""

from collections.abc import Callable, Sequence

import msgspec

from bus.fields import encode
from bus.frames import DomainInfo
from bus.scmi import clock, header, trace
from bus.scmi.protocol import AnyCommand
from bus.scmi.status import name as status_name
from bus.scmi.status import read
from deploy.scenario import THINK_NS
from deploy.topology import Topology
from nodes.guest import console
from nodes.guest.binding import Binding

Ask = Callable[[str, console.Request], console.Answer]
TOKEN = 0x3A0  # of what is asked here; the guest's own calls may use it as well, the answers are matched


class Said(msgspec.Struct, frozen=True):
    """One line: who did or heard what; ``as_it_has_to_be`` False is a problem."""

    domain: str
    what: str
    answer: str
    as_it_has_to_be: bool


def show(topology: Topology, domains: Sequence[DomainInfo], ask: Ask) -> list[Said]:
    """Subscribe, change, be told, with the first domain that can hear; then with one that cannot.

    Nothing with a firmware that knows no notifications of clocks or changes none asynchronously.
    """
    firmware = topology.firmware
    version = firmware.versions.get(clock.PROTOCOL.id, clock.PROTOCOL.version)
    if version < clock.CLOCK_RATE_NOTIFY.since or not firmware.clock_async:
        return []
    bindings = {guest.name: guest.binding for guest in topology.guests} | dict(topology.bindings)
    running = [info.name for info in domains if info.agent_id is not None]
    hearing = next((name for name in running if _subject(topology, bindings.get(name), True)), None)
    deaf = next((name for name in running if _subject(topology, bindings.get(name), False)), None)
    if hearing is None:
        return []
    found = _hear(topology, hearing, bindings[hearing], ask)
    if deaf is not None:
        subject = _subject(topology, bindings[deaf], False)
        assert subject is not None
        answer = _send(ask, deaf, clock.CLOCK_RATE_NOTIFY, clock.RateNotify(subject, 1))
        fits = answer == "NOT_SUPPORTED"
        found.append(Said(deaf, f"the same for clock {subject}; it has no way back", answer, fits))
    return found


def _subject(topology: Topology, binding: Binding | None, way_back: bool) -> int | None:
    """A clock of a domain with, or without, a way back; None when there is none to show."""
    if binding is None or (binding.p2a is not None) is not way_back:
        return None
    mine = {one for consumer in binding.consumers for one in consumer.clocks}
    later = [one.id for one in topology.platform.clock if one.id in mine and (one.async_set or not way_back)]
    return later[0] if later else None


def _hear(topology: Topology, domain: str, binding: Binding | None, ask: Ask) -> list[Said]:
    subject = _subject(topology, binding, True)
    assert subject is not None
    ask(domain, console.Work(False))
    ask(domain, console.Take())
    subscribed = _send(ask, domain, clock.CLOCK_RATE_NOTIFY, clock.RateNotify(subject, 1))
    found = [Said(domain, f"wants to hear when clock {subject} changes", subscribed, subscribed == "SUCCESS")]
    now = ask(domain, console.Call(clock.PROTOCOL.id, clock.CLOCK_RATE_GET.id, subject.to_bytes(4, "little")))
    rate = _another_rate(topology, subject, int.from_bytes(now.payload, "little"))
    flags = clock.RATE_SET_FLAGS.pack(async_set=1)
    changed = _send(ask, domain, clock.CLOCK_RATE_SET, clock.RateSet(flags, subject, rate), delayed=True)
    fits = changed.startswith("SUCCESS(")
    found.append(Said(domain, f"sets it to {rate:,} Hz asynchronously".replace(",", " "), changed, fits))
    heard = [trace.notification_line(*message) for message in ask(domain, console.Take()).messages]
    told = next((line for line in heard if "CLOCK_RATE_CHANGED" in line), "nothing")
    found.append(Said(domain, "hears", told, told != "nothing"))
    _send(ask, domain, clock.CLOCK_RATE_NOTIFY, clock.RateNotify(subject, 0))
    ask(domain, console.Work(True, THINK_NS))
    return found


def _another_rate(topology: Topology, clock_id: int, now: int) -> int:
    """A rate of the clock that it does not have now."""
    rates = next(one.rates for one in topology.platform.clock if one.id == clock_id)
    choices = rates if isinstance(rates, tuple) else (rates.max, rates.min)
    return next((rate for rate in reversed(choices) if rate != now), choices[0])


def _send(
    ask: Ask, domain: str, command: AnyCommand, request: msgspec.Struct, *, delayed: bool = False
) -> str:
    """The answer in words; of a delayed one when it came."""
    head = header.pack(clock.PROTOCOL.id, command.id, TOKEN)
    answer = ask(domain, console.Message(head, encode(request), delayed))  # type: ignore[arg-type]
    if answer.code:
        return f"{answer.code}: {answer.detail}"
    if delayed:
        return trace.reply_line(answer.header, answer.payload)
    return status_name(read(answer.payload))
