"""What Linux asks at start: Base, then of each protocol its version, its attributes and its resources.

Coroutines over the typed client. A resource that the platform refuses to describe is passed over, as Linux
does; so is a protocol that does not answer. Only the first resources are looked at, ``DISCOVERED`` of each
protocol: a platform may have thousands that are not this guest's.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from bus.fields import Bits
from bus.scmi import base, clock, perf, pinctrl, power, powercap, reset, sensor, system, voltage
from bus.scmi.protocol import AnyCommand, Protocol
from nodes.guest.caller import Asking
from nodes.guest.client import Client
from nodes.guest.result import Result
from nodes.limits import DISCOVERED

PERF_FAST = (
    perf.PERFORMANCE_LIMITS_SET,
    perf.PERFORMANCE_LIMITS_GET,
    perf.PERFORMANCE_LEVEL_SET,
    perf.PERFORMANCE_LEVEL_GET,
)
POWERCAP_FAST = (
    powercap.POWERCAP_CAP_GET,
    powercap.POWERCAP_CAP_SET,
    powercap.POWERCAP_PAI_GET,
    powercap.POWERCAP_PAI_SET,
)


def discover(client: Client) -> Asking[list[Protocol]]:
    """Look at everything; gives the protocols that are listed, known here, and answer."""
    listed = yield from _base(client)
    known = []
    for protocol_id in listed:
        protocol = client.tables.by_id(protocol_id)
        if protocol is None:
            continue
        told = yield from client.start(protocol)
        if told.ok:
            known.append(protocol)
            look = LOOKS.get(protocol.key)
            yield from look(client) if look else _vendor(client, protocol)
    return known


def _base(client: Client) -> Asking[tuple[int, ...]]:
    """Base's part; gives the ids of the protocols that it lists."""
    yield from client.start(base.PROTOCOL)
    told = yield from client.call(base.PROTOCOL_ATTRIBUTES)
    yield from client.call(base.BASE_DISCOVER_VENDOR)
    yield from client.call(base.BASE_DISCOVER_SUB_VENDOR)
    yield from client.call(base.BASE_DISCOVER_IMPLEMENTATION_VERSION)
    word = told.value.attributes if told.value else 0
    listed = yield from client.listed_protocols(base.ATTRIBUTES.get(word, "num_protocols"))
    for agent in range(base.ATTRIBUTES.get(word, "num_agents")):
        yield from client.call(base.BASE_DISCOVER_AGENT, base.DiscoverAgent(agent))
    return listed.items


def _ids(told: Result[Any], bits: Bits, name: str, field: str = "attributes") -> range:
    """The resources that an attributes word counts, of those that are looked at."""
    count = bits.get(getattr(told.value, field), name) if told.value else 0
    return range(min(count, DISCOVERED))


def _has(told: Result[Any], bits: Bits, name: str) -> bool:
    return told.value is not None and bool(bits.get(told.value.attributes, name))


class Kind(NamedTuple):
    """Resources that a protocol counts in its attributes, describes one by one, and names where 15 characters
    are not enough. ``more`` asks what else there is to know of one, by its id and its description.
    """

    attributes: AnyCommand
    counts: Bits
    counted: str
    describe: AnyCommand
    description: Bits
    name: AnyCommand
    more: Callable[[Client, int, Result[Any]], Asking[None]] | None = None


def _every(client: Client, kind: Kind) -> Asking[None]:
    told = yield from client.call(kind.attributes)
    for one in _ids(told, kind.counts, kind.counted):
        found = yield from client.call(kind.describe, kind.describe.request(one))
        if _has(found, kind.description, "extended_name"):
            yield from client.call(kind.name, kind.name.request(one))
        if found.ok and kind.more:
            yield from kind.more(client, one, found)


def _more_of_perf(client: Client, one: int, found: Result[Any]) -> Asking[None]:
    yield from client.every_level(one)
    for command in PERF_FAST if _has(found, perf.DOMAIN, "fastchannels") else ():
        yield from client.call(
            perf.PERFORMANCE_DESCRIBE_FASTCHANNEL, perf.DescribeFastchannel(one, command.id)
        )


def _more_of_clock(client: Client, one: int, found: Result[Any]) -> Asking[None]:
    if _has(found, clock.CLOCK, "parents"):
        yield from client.every_parent(one)
    if _has(found, clock.CLOCK, "restricted"):
        yield from client.call(clock.CLOCK_GET_PERMISSIONS, clock.GetPermissions(one))
    yield from client.every_rate(one)


def _more_of_voltage(client: Client, one: int, _found: Result[Any]) -> Asking[None]:
    yield from client.every_voltage(one)


def _more_of_powercap(client: Client, one: int, found: Result[Any]) -> Asking[None]:
    yield from client.every_cap_level(one)
    for command in POWERCAP_FAST if _has(found, powercap.DOMAIN, "fastchannels") else ():
        yield from client.call(
            powercap.POWERCAP_DESCRIBE_FASTCHANNEL, powercap.DescribeFastchannel(one, command.id, 0)
        )


KINDS = {
    "power": Kind(
        power.PROTOCOL_ATTRIBUTES, power.ATTRIBUTES, "num_domains",
        power.POWER_DOMAIN_ATTRIBUTES, power.DOMAIN, power.POWER_DOMAIN_NAME_GET,
    ),
    "perf": Kind(
        perf.PROTOCOL_ATTRIBUTES, perf.ATTRIBUTES, "num_domains",
        perf.PERFORMANCE_DOMAIN_ATTRIBUTES, perf.DOMAIN, perf.PERFORMANCE_DOMAIN_NAME_GET, _more_of_perf,
    ),
    "clock": Kind(
        clock.PROTOCOL_ATTRIBUTES, clock.ATTRIBUTES, "num_clocks",
        clock.CLOCK_ATTRIBUTES, clock.CLOCK, clock.CLOCK_NAME_GET, _more_of_clock,
    ),
    "reset": Kind(
        reset.PROTOCOL_ATTRIBUTES, reset.ATTRIBUTES, "num_domains",
        reset.RESET_DOMAIN_ATTRIBUTES, reset.DOMAIN, reset.RESET_DOMAIN_NAME_GET,
    ),
    "voltage": Kind(
        voltage.PROTOCOL_ATTRIBUTES, voltage.ATTRIBUTES, "num_domains",
        voltage.VOLTAGE_DOMAIN_ATTRIBUTES, voltage.DOMAIN, voltage.VOLTAGE_DOMAIN_NAME_GET, _more_of_voltage,
    ),
    "powercap": Kind(
        powercap.PROTOCOL_ATTRIBUTES, powercap.ATTRIBUTES, "num_domains",
        powercap.POWERCAP_DOMAIN_ATTRIBUTES, powercap.DOMAIN, powercap.POWERCAP_DOMAIN_NAME_GET,
        _more_of_powercap,
    ),
}  # fmt: skip


def _system(client: Client) -> Asking[None]:
    yield from client.call(system.PROTOCOL_ATTRIBUTES)


def _sensor(client: Client) -> Asking[None]:
    told = yield from client.call(sensor.PROTOCOL_ATTRIBUTES)
    if not _ids(told, sensor.ATTRIBUTES, "num_sensors"):
        return
    every = yield from client.every_sensor()
    for one in every.items[:DISCOVERED]:
        if sensor.DESCRIPTOR_LOW.get(one.attributes_low, "extended_name"):
            yield from client.call(sensor.SENSOR_NAME_GET, sensor.NameGet(one.sensor_id))
        yield from client.every_interval(one.sensor_id)
        if client.version(sensor.PROTOCOL) < sensor.SENSOR_AXIS_DESCRIPTION_GET.since:
            continue
        if sensor.DESCRIPTOR_HIGH.get(one.attributes_high, "axis_support"):
            axes = yield from client.every_axis(one.sensor_id)
            if any(sensor.AXIS_LOW.get(axis.attributes_low, "extended_name") for axis in axes.items):
                yield from client.every_axis_name(one.sensor_id)


def _pinctrl(client: Client) -> Asking[None]:
    told = yield from client.call(pinctrl.PROTOCOL_ATTRIBUTES)
    counts = (
        ("PIN", _ids(told, pinctrl.ATTRIBUTES_LOW, "num_pins", "attributes_low")),
        ("GROUP", _ids(told, pinctrl.ATTRIBUTES_LOW, "num_groups", "attributes_low")),
        ("FUNCTION", _ids(told, pinctrl.ATTRIBUTES_HIGH, "num_functions", "attributes_high")),
    )
    for kind, ids in counts:
        for one in ids:
            yield from _pins_group_or_function(client, one, pinctrl.SELECTOR[kind])


def _pins_group_or_function(client: Client, one: int, selector: int) -> Asking[None]:
    """One pin, group or function; a pin has no associations."""
    flags = pinctrl.SELECTOR_FLAGS.pack(selector=selector)
    found = yield from client.call(pinctrl.PINCTRL_ATTRIBUTES, pinctrl.Attributes(one, flags))
    if not found.ok:
        return
    if _has(found, pinctrl.DESCRIPTION, "extended_name"):
        yield from client.call(pinctrl.PINCTRL_NAME_GET, pinctrl.NameGet(one, flags))
    if selector != pinctrl.SELECTOR["PIN"]:
        yield from client.every_association(one, selector)


def _vendor(client: Client, protocol: Protocol) -> Asking[None]:
    """Of a vendor's protocol only that it counts something is known."""
    attributes = protocol.command("PROTOCOL_ATTRIBUTES")
    assert attributes is not None
    yield from client.call(attributes)


LOOKS: Mapping[str, Callable[[Client], Asking[None]]] = {
    **{key: partial(_every, kind=kind) for key, kind in KINDS.items()},
    "system": _system,
    "sensor": _sensor,
    "pinctrl": _pinctrl,
}
