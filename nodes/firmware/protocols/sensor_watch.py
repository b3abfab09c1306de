"""What sensors tell by themselves: trip points that were crossed, and continuous updates.

Trip points are looked at once per sample of the sensor (``sample_us``), and only while somebody who has
set one is subscribed; updates come at the interval in force. Otherwise nothing is planned at all.
"""

from collections.abc import Callable

from bus.scmi import sensor
from bus.scmi.sensor import SENSOR_TRIP_POINT_EVENT, SENSOR_UPDATE, TRIP_POINT_MODE
from bus.scmi.status import Status
from nodes.firmware.hardware.sensors import Sensors
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.protocols.periodic import Periodic
from nodes.firmware.schedule import Timer
from nodes.firmware.subscriptions import NOBODY, Subscriptions

KIND = "sensor"
RISING, FALLING = TRIP_POINT_MODE["POSITIVE"], TRIP_POINT_MODE["NEGATIVE"]
Trips = dict[int, tuple[int, int]]  # trip point -> (mode, value)
Readings = Callable[[int], tuple[sensor.SensorReading, ...]]


class TripPoints:
    """Every agent has trip points of its own; ``readable`` says whether a sensor gives values now."""

    def __init__(self, machine: Machine, sensors: Sensors, readable: Callable[[int], bool]) -> None:
        self._machine = machine
        self._sensors = sensors
        self._readable = readable
        self._subscribed = Subscriptions(machine, sensor.PROTOCOL, SENSOR_TRIP_POINT_EVENT, KIND)
        self._subscribed.on_lost = lambda _agent, sensor_id: self.plan(sensor_id)
        self._trips: dict[int, dict[int, Trips]] = {}
        self._of_agent: dict[int, dict[int, None]] = {}
        self._watched: dict[int, tuple[Timer, int | None]] = {}

    def subscribe(self, agent: int, sensor_id: int, enable: int) -> Status:
        status = self._subscribed.set(agent, sensor_id, enable)
        self.plan(sensor_id)
        return status

    def set(self, agent: int, sensor_id: int, trip: int, mode: int, value: int) -> None:
        """Give the agent's trip point a value; mode 0 takes it away."""
        if mode:
            self._trips.setdefault(sensor_id, {}).setdefault(agent, {})[trip] = (mode, value)
            self._of_agent.setdefault(agent, {})[sensor_id] = None
        else:
            self._trips.get(sensor_id, {}).get(agent, {}).pop(trip, None)
        self.plan(sensor_id)

    def plan(self, sensor_id: int) -> None:
        """Begin to look at a sensor, or cease to."""
        listeners = self._subscribed.of(sensor_id)
        trips = self._trips.get(sensor_id, {})
        wanted = self._readable(sensor_id) and any(trips.get(agent) for agent in listeners)
        if not wanted:
            watched = self._watched.pop(sensor_id, None)
            if watched is not None:
                watched[0].cancel()
        elif sensor_id not in self._watched:
            self._look_again(sensor_id, self._value(sensor_id))

    def _value(self, sensor_id: int) -> int | None:
        return None if self._sensors.failed(sensor_id) else self._sensors.values(sensor_id)[0]

    def _look_again(self, sensor_id: int, value: int | None) -> None:
        due_ns = self._sensors.next_sample_ns(sensor_id)
        timer = self._machine.schedule.at(due_ns, lambda: self._look(sensor_id))
        self._watched[sensor_id] = (timer, value)

    def _look(self, sensor_id: int) -> None:
        _, before = self._watched.pop(sensor_id)
        after = self._value(sensor_id)
        # A failed sensor keeps its last value: what it crosses meanwhile is told once it is mended.
        self._look_again(sensor_id, before if after is None else after)
        if before is None or after is None or before == after:
            return
        for agent in list(self._subscribed.of(sensor_id)):
            for trip, (mode, value) in sorted(self._trips.get(sensor_id, {}).get(agent, {}).items()):
                if crossed(before, after, mode, value):
                    bits = sensor.TRIP_POINT_DESC.pack(positive_direction=after > before, trip_point_id=trip)
                    event = sensor.TripPointEvent(NOBODY, sensor_id, bits)
                    self._subscribed.tell_one(agent, sensor_id, event)

    def withdraw(self, agent: int) -> None:
        """Take back an agent's trip points."""
        for sensor_id in self._of_agent.pop(agent, {}):
            self._trips[sensor_id].pop(agent, None)
            self.plan(sensor_id)

    def ledger(self, agent: int) -> list[Entry]:
        set_by_it = [
            Entry("hold", "sensor", f"{KIND} {sensor_id}", f"trip point {trip}", value)
            for sensor_id in sorted(self._of_agent.get(agent, {}))
            for trip, (_, value) in sorted(self._trips[sensor_id].get(agent, {}).items())
        ]
        return [*set_by_it, *self._subscribed.ledger(agent)]


def crossed(before: int, after: int, mode: int, value: int) -> bool:
    """Whether a trip point lies between two samples: upwards it counts when reached, downwards when left."""
    if before < value <= after:
        return bool(mode & RISING)
    if after < value <= before:
        return bool(mode & FALLING)
    return False


class Updates:
    """SENSOR_UPDATE at the interval in force, which ``interval_us`` gives (0: the sensor gives no values)."""

    def __init__(
        self, machine: Machine, sensors: Sensors, interval_us: Callable[[int], int], readings: Readings
    ) -> None:
        self._sensors = sensors
        self._interval_us = interval_us
        self._readings = readings
        self._subscribed = Subscriptions(machine, sensor.PROTOCOL, SENSOR_UPDATE, KIND)
        self._subscribed.on_lost = lambda _agent, sensor_id: self.plan(sensor_id)
        self._updates = Periodic(machine, self._wanted_us, self._update)

    def subscribe(self, agent: int, sensor_id: int, enable: int) -> Status:
        status = self._subscribed.set(agent, sensor_id, enable)
        self.plan(sensor_id)
        return status

    def plan(self, sensor_id: int) -> None:
        """Begin, cease, or go on at another interval."""
        self._updates.plan(sensor_id)

    def _wanted_us(self, sensor_id: int) -> int:
        return self._interval_us(sensor_id) if self._subscribed.of(sensor_id) else 0

    def _update(self, sensor_id: int, _interval_us: int) -> None:
        if not self._sensors.failed(sensor_id):
            message = sensor.Update(NOBODY, sensor_id, self._readings(sensor_id))
            self._subscribed.tell(sensor_id, message)

    def ledger(self, agent: int) -> list[Entry]:
        return self._subscribed.ledger(agent)
