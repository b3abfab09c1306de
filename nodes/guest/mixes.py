"""Mixes of messages: what is sent how often, to which resources, and with which values.

Resources are those that the domain's own tree names, or those that a part gives; rates and levels are
asked for first, as Linux does. A menu is all that may be sent, made once; a call is a draw from it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate, product
from struct import error, pack
from typing import Any

import msgspec

from bus.chance import begun, further
from bus.fields import Field, Message, encode, fields_of
from bus.scmi import base, perf
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.tables import STANDARD, Tables
from nodes.guest.binding import Binding
from nodes.guest.caller import Asking
from nodes.guest.calls import Ask
from nodes.guest.client import Client
from nodes.guest.workload import rates_of
from nodes.limits import MENU_ASKS, MENU_VALUES

FIELD_OF = {  # kind of resource -> field of Consumer
    "clock": "clocks",
    "power_domain": "power_domains",
    "reset_domain": "reset_domains",
    "perf_domain": "perf_domains",
    "sensor": "sensors",
    "voltage_domain": "voltage_domains",
}
Values = tuple[int, ...]
# (message, field) -> what it may be set to, where that need not be asked for
VALUES: Mapping[tuple[str, str], Values] = {
    ("CLOCK_CONFIG_SET", "attributes"): (1, 0),  # enable, disable
    ("POWER_STATE_SET", "power_state"): (0, 1 << 30),  # on, off
    ("VOLTAGE_CONFIG_SET", "config"): (7, 0),  # on, off
    ("RESET", "flags"): (1,),  # autonomous
}
LEARNT = {("CLOCK_RATE_SET", "rate"), ("PERFORMANCE_LEVEL_SET", "performance_level")}
LEARNT |= {("VOLTAGE_LEVEL_SET", "voltage_level")}


class Part(msgspec.Struct, frozen=True):
    """One kind of message: ``message`` as "clock.CLOCK_RATE_GET", ``weight`` against the others'.

    ``fields``: values of its fields; what is not given is drawn from what the domain's tree names.
    """

    message: str
    weight: float = 1.0
    fields: Mapping[str, int] = {}


_READS = (
    Part("clock.CLOCK_RATE_GET", 4),
    Part("clock.CLOCK_ATTRIBUTES"),
    Part("power.POWER_STATE_GET", 2),
    Part("perf.PERFORMANCE_LEVEL_GET", 2),
    Part("sensor.SENSOR_READING_GET", 2),
    Part("voltage.VOLTAGE_LEVEL_GET"),
)
_RATES = (
    Part("clock.CLOCK_RATE_SET", 2),
    Part("clock.CLOCK_RATE_GET", 2),
    Part("perf.PERFORMANCE_LEVEL_SET"),
    Part("perf.PERFORMANCE_LEVEL_GET"),
    Part("voltage.VOLTAGE_LEVEL_SET"),
    Part("voltage.VOLTAGE_LEVEL_GET"),
)
_POWER = (
    Part("power.POWER_STATE_SET", 2),
    Part("power.POWER_STATE_GET", 2),
    Part("clock.CLOCK_CONFIG_SET"),
    Part("clock.CLOCK_ATTRIBUTES"),
)
_SHARED = (
    Part("clock.CLOCK_RATE_SET"),
    Part("clock.CLOCK_RATE_GET"),
    Part("clock.CLOCK_CONFIG_SET"),
    Part("clock.CLOCK_ATTRIBUTES"),
    Part("power.POWER_STATE_SET"),
    Part("power.POWER_STATE_GET"),
    Part("perf.PERFORMANCE_LEVEL_SET"),
    Part("perf.PERFORMANCE_LEVEL_GET"),
)
# "shared": changes and reads in equal parts, so that agents which share a resource meet there
MIXES: Mapping[str, tuple[Part, ...]] = {
    "reads": _READS,
    "rates": _RATES,
    "power": _POWER,
    "mixed": (Part("base.BASE_DISCOVER_IMPLEMENTATION_VERSION"), *_READS, *_RATES, *_POWER),
    "shared": _SHARED,
}
NOTHING_ELSE = Ask(base.PROTOCOL.id, base.BASE_DISCOVER_IMPLEMENTATION_VERSION.id, b"", base.PROTOCOL.key)


def found(message: str, tables: Tables = STANDARD) -> tuple[Protocol, AnyCommand] | None:
    """The protocol and the command of "clock.CLOCK_RATE_GET"; None: there is no such message."""
    key, _, name = message.partition(".")
    protocol = tables.by_key(key)
    command = protocol.command(name) if protocol else None
    return (protocol, command) if protocol and command else None


def problem_of(part: Part, tables: Tables = STANDARD) -> str:
    """What is wrong with a part, with the fix; empty if nothing is."""
    known = found(part.message, tables)
    if known is None:
        return f"there is no message {part.message!r}; write protocol.MESSAGE, as in clock.CLOCK_RATE_GET"
    if not part.weight >= 0:
        return f"{part.message}: weight is {part.weight:g}; give more, or leave the message out"
    rows = {row.name: row for row in _rows(known[1])}
    for name, value in part.fields.items():
        if name not in rows:
            return f"{part.message} has no field {name!r}; it has {', '.join(rows) or 'none'}"
        if not _fits(rows[name], value):
            return (
                f"{part.message}.{name}: {value} cannot be given; give a number that fits {rows[name].kind}"
            )
    return ""


def _fits(row: Field, value: int) -> bool:
    if row.count or row.is_text:
        return False
    try:
        pack("<" + row.code, value)
    except error:
        return False
    return True


class Menu:
    """All that may be sent, by part; ``draw`` takes the same for the same number."""

    def __init__(self, courses: list[tuple[float, tuple[Ask, ...]]], seed: int) -> None:
        kept = [(weight, asks) for weight, asks in courses if asks and weight > 0] or [(1.0, (NOTHING_ELSE,))]
        whole = sum(weight for weight, _ in kept)
        self.courses = tuple(asks for _, asks in kept)
        # 32 bits of a draw say which part, the others which of its asks
        self._ends = [int(end / whole * 2**32) for end in accumulate(weight for weight, _ in kept)][:-1]
        self._begun = begun(seed)

    def draw(self, number: int) -> Ask:
        bits = further(self._begun, number)
        asks = self.courses[bisect_right(self._ends, bits & 0xFFFF_FFFF)]
        return asks[(bits >> 32) % len(asks)]


def learn(client: Client, parts: tuple[Part, ...], binding: Binding, seed: int) -> Asking[Menu]:
    """Ask for what is needed to send the parts: versions, and rates and levels where they are set.

    What the domain does not have is left out; if nothing is left, it asks Base for its version.
    """
    started: dict[int, bool] = {}
    learnt: dict[tuple[str, int], Values] = {}
    courses = []
    for part in parts:
        known = found(part.message, client.tables)
        if known is None:
            continue
        protocol, command = known
        if protocol.id not in started:
            started[protocol.id] = (yield from client.start(protocol)).ok
        resources = _resources(part, command, binding)
        if not started[protocol.id] and not part.fields:
            continue
        for one in resources if any((command.name, name) in LEARNT for name in _open(part, command)) else ():
            if (command.name, one) not in learnt:
                learnt[command.name, one] = yield from _values(client, command, one)
        courses.append((part.weight, tuple(_asks(client, part, resources, learnt))[:MENU_ASKS]))
    return Menu(courses, seed)


def _rows(command: AnyCommand) -> tuple[Field, ...]:
    table: type[Message] = command.request
    return fields_of(table)


def _open(part: Part, command: AnyCommand) -> list[str]:
    """The fields that the part does not give."""
    return [row.name for row in _rows(command) if row.name not in part.fields]


def _resources(part: Part, command: AnyCommand, binding: Binding) -> Values:
    """The ids that the command may be sent about; one 0 if it is about none."""
    row = command.resource
    if row is None:
        return (0,)
    if row.name in part.fields:
        return (part.fields[row.name],)
    field = FIELD_OF.get(row.of)
    named = (getattr(device, field) for device in binding.consumers) if field else ()
    return tuple(dict.fromkeys(one for ids in named for one in ids))


def _values(client: Client, command: AnyCommand, one: int) -> Asking[Values]:
    """The rates or levels that a resource may be set to, a few of them; none if it does not say."""
    if command.name == "CLOCK_RATE_SET":
        return _few(rates_of((yield from client.every_rate(one))))
    if command.name == "VOLTAGE_LEVEL_SET":
        return _few(rates_of((yield from client.every_voltage(one))))
    told = yield from client.call(perf.PERFORMANCE_DOMAIN_ATTRIBUTES, perf.DomainAttributes(one))
    by_index = told.value is not None and perf.DOMAIN.get(told.value.attributes, "level_indexing")
    listing = yield from client.every_level(one)
    return _few(tuple(level.level_index if by_index else level.level for level in listing.items))


def _few(values: Values) -> Values:
    """The ends of a list and some between."""
    if len(values) <= MENU_VALUES:
        return values
    return tuple(values[at * (len(values) - 1) // (MENU_VALUES - 1)] for at in range(MENU_VALUES))


def _asks(
    client: Client, part: Part, resources: Values, learnt: Mapping[tuple[str, int], Values]
) -> Iterator[Ask]:
    """Every message that the part may mean, in the version that is spoken."""
    known = found(part.message, client.tables)
    assert known is not None
    protocol, command = known
    version = client.version(protocol)
    if version < command.since:
        return
    table = command.request_at(version)
    for one in resources:
        choices = [_choice(part, command, row, one, learnt) for row in fields_of(table)]
        for values in product(*choices):
            yield Ask(protocol.id, command.id, encode(_made(table, values), version), protocol.key)


def _made(table: type[Message], values: tuple[Any, ...]) -> Message:
    return table(*values)


def _choice(
    part: Part, command: AnyCommand, row: Field, one: int, learnt: Mapping[tuple[str, int], Values]
) -> tuple[Any, ...]:
    """What one field may be."""
    if row.name in part.fields:
        return (part.fields[row.name],)
    if command.resource is not None and row.name == command.resource.name:
        return (one,)
    if (command.name, row.name) in LEARNT:
        return learnt.get((command.name, one), ())
    return VALUES.get((command.name, row.name), (row.empty,))
