"""The typed client: every command, and the lists of SCMI read to their ends.

A list comes in pages: each tells how many entries it has and how many remain; the next one begins where it
ended. Linux' rule holds: nothing returned or nothing remaining ends the list. ``caller.py`` makes the calls.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from bus.fields import Message, count_in, fields_of
from bus.scmi import base, clock, perf, pinctrl, powercap, sensor, voltage
from bus.scmi.protocol import AnyCommand
from nodes.guest.caller import Asking, Caller
from nodes.guest.result import Listing, Result
from nodes.limits import LIST_ITEMS, LIST_PAGES

R = TypeVar("R", bound=Message)
Page = tuple[tuple[Any, ...], int, bool]
CONFIGS_MAX = 0xFF  # eight bits say how many to skip
ENDLESS: Result[Message] = Result(None, None, "endless-list", False, "more entries than can be asked for")


class Client(Caller):
    """Every list gives a ``Listing``: what was read, and the failure that kept it from its end, if any."""

    def every_protocol(self) -> Asking[Listing[int]]:
        """Ids of the protocols that this agent may use; Base is not among them.

        The page does not tell what remains, so PROTOCOL_ATTRIBUTES is asked how many there are.
        """
        told = yield from self.call(base.PROTOCOL_ATTRIBUTES)
        if told.value is None:
            return Listing((), cast(Result[Message], told))
        return (yield from self.listed_protocols(base.ATTRIBUTES.get(told.value.attributes, "num_protocols")))

    def listed_protocols(self, count: int) -> Asking[Listing[int]]:
        """The same, when it is known how many there are."""
        command = base.BASE_DISCOVER_LIST_PROTOCOLS
        return (yield from self._every(command, base.DiscoverListProtocols, count))

    def every_rate(self, clock_id: int) -> Asking[Listing[int]]:
        """Rates of a clock in Hz, ascending, or lowest, highest and step."""
        return (
            yield from self._every(clock.CLOCK_DESCRIBE_RATES, lambda at: clock.DescribeRates(clock_id, at))
        )

    def every_parent(self, clock_id: int) -> Asking[Listing[int]]:
        """Clocks that a clock may be fed from."""
        command = clock.CLOCK_POSSIBLE_PARENTS_GET
        return (yield from self._every(command, lambda at: clock.PossibleParentsGet(clock_id, at)))

    def every_level(self, domain_id: int) -> Asking[Listing[perf.PerfLevel]]:
        """Levels of a performance domain, ascending."""
        command = perf.PERFORMANCE_DESCRIBE_LEVELS
        return (yield from self._every(command, lambda at: perf.DescribeLevels(domain_id, at)))

    def every_voltage(self, domain_id: int) -> Asking[Listing[int]]:
        """Levels of a voltage domain in microvolts, ascending, or lowest, highest and step."""
        command = voltage.VOLTAGE_DESCRIBE_LEVELS
        return (yield from self._every(command, lambda at: voltage.DescribeLevels(domain_id, at)))

    def every_sensor(self) -> Asking[Listing[sensor.SensorDescriptor]]:
        """Descriptors of all sensors, in order of their ids."""
        return (yield from self._every(sensor.SENSOR_DESCRIPTION_GET, sensor.DescriptionGet))

    def every_axis(self, sensor_id: int) -> Asking[Listing[sensor.AxisDescriptor]]:
        """Descriptors of the axes of a sensor, in order."""
        command = sensor.SENSOR_AXIS_DESCRIPTION_GET
        return (yield from self._every(command, lambda at: sensor.AxisDescriptionGet(sensor_id, at)))

    def every_axis_name(self, sensor_id: int) -> Asking[Listing[sensor.AxisName]]:
        """Long names of the axes of a sensor, of those that have one."""
        command = sensor.SENSOR_AXIS_NAME_GET
        return (yield from self._every(command, lambda at: sensor.AxisNameGet(sensor_id, at)))

    def every_interval(self, sensor_id: int) -> Asking[Listing[int]]:
        """Update intervals of a sensor as ``sensor.INTERVAL`` words, or shortest, longest and step."""
        command = sensor.SENSOR_LIST_UPDATE_INTERVALS
        return (yield from self._every(command, lambda at: sensor.ListUpdateIntervals(sensor_id, at)))

    def every_cap_level(self, domain_id: int) -> Asking[Listing[powercap.CplDescriptor]]:
        """Cap levels of a power capping domain."""
        command = powercap.POWERCAP_CPC_ATTRIBUTES
        return (yield from self._every(command, lambda at: powercap.CpcAttributes(domain_id, at)))

    def every_association(self, identifier: int, selector: int) -> Asking[Listing[int]]:
        """Pins of a group, or groups of a function, as ``selector`` says."""
        flags = pinctrl.SELECTOR_FLAGS.pack(selector=selector)
        command = pinctrl.PINCTRL_LIST_ASSOCIATIONS
        return (yield from self._every(command, lambda at: pinctrl.ListAssociations(identifier, flags, at)))

    def every_config(self, identifier: int, selector: int) -> Asking[Listing[pinctrl.PinConfig]]:
        """All settings of a pin or a group."""
        every = pinctrl.CONFIG_FLAG["ALL"]

        def at(skip: int) -> pinctrl.SettingsGet:
            word = pinctrl.SETTINGS_GET.pack(config_flag=every, selector=selector, skip_configs=skip)
            return pinctrl.SettingsGet(identifier, word)

        return (yield from self._every(pinctrl.PINCTRL_SETTINGS_GET, at, most=CONFIGS_MAX))

    def _every(
        self,
        command: AnyCommand,
        at: Callable[[int], Message],
        total: int | None = None,
        most: int = LIST_ITEMS,
    ) -> Asking[Listing[Any]]:
        """Pages of ``command`` from 0 on; ``at`` makes the request for the entries from an index on.

        ``total`` is their number where a page does not tell what remains, ``most`` the last index to ask for.
        """
        found: list[Any] = []
        for _ in range(LIST_PAGES):
            result = yield from self.call(command, at(len(found)))
            if result.value is None:
                return Listing(tuple(found), result)
            items, remaining, triplet = _page(result.value)
            found.extend(items)
            done = remaining == 0 if total is None else len(found) >= total
            if triplet or done or not items:
                return Listing(tuple(found), None, triplet)
            if len(found) > most:
                break
        return Listing(tuple(found), ENDLESS)


def _page(reply: Message) -> Page:
    """(entries, how many remain, whether they are a triplet) of a reply that ends with a counted list."""
    rows = fields_of(type(reply))
    tail = rows[-1]
    items = getattr(reply, tail.name)
    assert len(items) == count_in(reply, tail)
    name = tail.count.partition("[")[0]
    word = getattr(reply, name)
    bits = next(row.bits for row in rows if row.name == name)
    told = bits.unpack(word) if bits is not None else {}
    return items, told.get("remaining", 0), bool(told.get("triplet", 0))
