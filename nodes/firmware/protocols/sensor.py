"""EL3's sensors: enabled and timestamped while anyone wants it, the shortest update interval wins.

A sensor that nobody configured is as at boot. Trip points are each agent's own.
"""

from bus.scmi import sensor
from bus.scmi.protocol import fits
from bus.scmi.status import STATUS_BYTES, Status
from nodes.firmware.hardware import Board
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import Sensor
from nodes.firmware.platform.sensors import IntervalRange, interval_word
from nodes.firmware.protocols import sensor_words as words
from nodes.firmware.protocols.sensor_watch import KIND, TripPoints, Updates
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.votes import Votes
from nodes.limits import DELAYED_PENDING

COUNT_BYTES = 4
DESCRIPTOR_BYTES = 28  # the shortest there is
DESCRIPTORS_MAX, AXES_MAX = 0xFFF, 0x3F
ENABLED, TIMESTAMPED, INTERVAL_AT = 1, 2, 2  # a wish as one number: two bits, the interval above them


class SensorService(Served):
    """``wishes`` are the agents' configurations; ``board.sensors`` measures."""

    table = sensor.PROTOCOL

    def __init__(self, machine: Machine, board: Board) -> None:
        self._machine = machine
        self._sensors = board.sensors
        self.sensors: dict[int, Sensor] = board.sensors.sensors
        self.resources = {KIND: self.sensors}
        self._in_order = sorted(self.sensors)
        self._any_async = any(one.async_read for one in self.sensors.values())
        self._room = machine.payload_bytes - STATUS_BYTES - COUNT_BYTES
        self._intervals_fit = fits(sensor.ListUpdateIntervalsReply, machine.payload_bytes)
        self.wishes = Votes()
        self.trip_points = TripPoints(machine, board.sensors, self.enabled)
        self.updates = Updates(machine, board.sensors, self._update_interval_us, self.readings)
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "SENSOR_DESCRIPTION_GET": self.description_get,
            "SENSOR_TRIP_POINT_NOTIFY": self.trip_point_notify,
            "SENSOR_TRIP_POINT_CONFIG": self.trip_point_config,
            "SENSOR_READING_GET": self.reading_get,
            "SENSOR_AXIS_DESCRIPTION_GET": self.axis_description_get,
            "SENSOR_LIST_UPDATE_INTERVALS": self.list_update_intervals,
            "SENSOR_CONFIG_GET": self.config_get,
            "SENSOR_CONFIG_SET": self.config_set,
            "SENSOR_CONTINUOUS_UPDATE_NOTIFY": self.continuous_update_notify,
            "SENSOR_NAME_GET": self.name_get,
            "SENSOR_AXIS_NAME_GET": self.axis_name_get,
        }

    def _reached(self, agent: int) -> bool:
        return self._machine.outbox.reaches(agent)

    # ---- what there is ------------------------------------------------------------------------

    def protocol_attributes(self, agent: int, _request: object) -> Answer:
        most = DELAYED_PENDING if self._any_async and self._reached(agent) else 0
        bits = sensor.ATTRIBUTES.pack(max_async_requests=most, num_sensors=len(self.sensors))
        return sensor.ProtocolAttributesReply(bits, 0, 0)

    def description_get(self, agent: int, request: sensor.DescriptionGet) -> Answer:
        index, version = request.desc_index, self._machine.version
        listed = self._machine.views.listed(agent, KIND, self._in_order)
        if index >= len(listed):
            return Status.INVALID_PARAMETERS
        reached = self._reached(agent)
        candidates = [
            words.descriptor(self.sensors[one], version, reached=reached, interval_us=self.interval_us(one))
            for one in listed[index : index + self._room // DESCRIPTOR_BYTES]
        ]
        found = candidates[: words.page(candidates, self._room, version, DESCRIPTORS_MAX)]
        remaining = len(listed) - index - len(found)
        return sensor.DescriptionGetReply(
            sensor.NUM_SENSORS.pack(remaining=remaining, returned=len(found)), tuple(found)
        )

    def axis_description_get(self, _agent: int, request: sensor.AxisDescriptionGet) -> Answer:
        one, index, version = self.sensors[request.sensor_id], request.axis_desc_index, self._machine.version
        if not one.axes:
            return Status.NOT_SUPPORTED
        if index >= len(one.axes):
            return Status.INVALID_PARAMETERS
        axes = [words.axis_descriptor(one, number, version) for number in range(index, len(one.axes))]
        count = words.page(axes, self._room, version, AXES_MAX)
        bits = sensor.NUM_AXES.pack(remaining=len(axes) - count, returned=count)
        return sensor.AxisDescriptionGetReply(bits, tuple(axes[:count]))

    def axis_name_get(self, _agent: int, request: sensor.AxisNameGet) -> Answer:
        one, index = self.sensors[request.sensor_id], request.axis_desc_index
        if not one.axes:
            return Status.NOT_SUPPORTED
        if index >= len(one.axes):
            return Status.INVALID_PARAMETERS
        names = [sensor.AxisName(number, one.axes[number].name) for number in range(index, len(one.axes))]
        count = words.page(names, self._room, self._machine.version, AXES_MAX)
        bits = sensor.NUM_AXES.pack(remaining=len(names) - count, returned=count)
        return sensor.AxisNameGetReply(bits, tuple(names[:count]))

    def list_update_intervals(self, _agent: int, request: sensor.ListUpdateIntervals) -> Answer:
        given, index = self.sensors[request.sensor_id].intervals_us, request.index
        if not given:
            return Status.NOT_SUPPORTED
        if isinstance(given, IntervalRange):
            if index:
                return Status.INVALID_PARAMETERS
            bits = sensor.NUM_INTERVALS.pack(triplet=1, returned=3)
            triplet = tuple(words.interval(us) for us in given.triplet)
            return sensor.ListUpdateIntervalsReply(bits, triplet)
        if index >= len(given):
            return Status.INVALID_PARAMETERS
        found = tuple(words.interval(us) for us in given[index : index + self._intervals_fit])
        remaining = len(given) - index - len(found)
        bits = sensor.NUM_INTERVALS.pack(remaining=remaining, returned=len(found))
        return sensor.ListUpdateIntervalsReply(bits, found)

    def name_get(self, _agent: int, request: sensor.NameGet) -> Answer:
        return sensor.NameGetReply(0, self.sensors[request.sensor_id].name)

    # ---- readings -----------------------------------------------------------------------------

    def readings(self, sensor_id: int) -> tuple[sensor.SensorReading, ...]:
        """One per axis; the time is since boot, 0 unless somebody wants timestamps."""
        time = 0
        if any(wish & TIMESTAMPED for wish in self.wishes.of(sensor_id).values()):
            shift = self.sensors[sensor_id].timestamp_exponent + 9
            since_ns = self._sensors.since_boot_ns
            time = since_ns // 10**shift if shift >= 0 else since_ns * 10**-shift
        values = self._sensors.values(sensor_id)
        return tuple(sensor.SensorReading(value, time & 2**64 - 1) for value in values)

    def _unreadable(self, sensor_id: int) -> Status | None:
        if not self.enabled(sensor_id):
            return Status.PROTOCOL_ERROR
        return Status.HARDWARE_ERROR if self._sensors.failed(sensor_id) else None

    def reading_get(self, agent: int, request: sensor.ReadingGet) -> Answer:
        one, old = self.sensors[request.sensor_id], self._machine.version < words.NEW
        if sensor.READING_FLAGS.get(request.flags, "async_read"):
            return self._read_later(agent, one, old)
        refusal = self._unreadable(one.id)
        if refusal is not None:
            return refusal
        readings = self.readings(one.id)
        return sensor.ReadingGetReplyOld(readings[0].value) if old else sensor.ReadingGetReply(readings)

    def _read_later(self, agent: int, one: Sensor, old: bool) -> Status:
        if not one.async_read:
            return Status.NOT_SUPPORTED
        if not self.enabled(one.id):
            return Status.PROTOCOL_ERROR

        def finish() -> Answer:
            refusal = self._unreadable(one.id)
            if refusal is not None:
                return refusal
            readings = self.readings(one.id)
            if old:
                return sensor.ReadingCompleteOld(one.id, readings[0].value)
            return sensor.ReadingComplete(one.id, readings)

        return self._machine.delayed.start(agent, (KIND, one.id), one.read_us, finish, changes=False)

    # ---- configuration ------------------------------------------------------------------------

    def enabled(self, sensor_id: int) -> bool:
        """Whether the sensor measures."""
        wishes = self.wishes.of(sensor_id)
        return any(wish & ENABLED for wish in wishes.values()) if wishes else self.sensors[sensor_id].enabled

    def interval_us(self, sensor_id: int) -> int:
        """The update interval in force, 0 if the sensor has none."""
        wanted = [wish >> INTERVAL_AT for wish in self.wishes.of(sensor_id).values() if wish >> INTERVAL_AT]
        return min(wanted, default=self.sensors[sensor_id].boot_interval_us)

    def _update_interval_us(self, sensor_id: int) -> int:
        return self.interval_us(sensor_id) if self.enabled(sensor_id) else 0

    def config_get(self, _agent: int, request: sensor.ConfigGet) -> Answer:
        one = request.sensor_id
        count, power = interval_word(self.interval_us(one)) or (0, 0)
        bits = sensor.CONFIG.pack(
            interval_seconds=count,
            interval_exponent_signed=words.signed(power),
            timestamp_enabled=any(wish & TIMESTAMPED for wish in self.wishes.of(one).values()),
            enabled=self.enabled(one),
        )
        return sensor.ConfigGetReply(bits)

    def config_set(self, agent: int, request: sensor.ConfigSet) -> Answer:
        one = self.sensors[request.sensor_id]
        config = sensor.CONFIG_SET.unpack(request.sensor_config)
        if config["rounding"] > sensor.ROUNDING["AUTO"]:
            return Status.INVALID_PARAMETERS
        if config["timestamp_enable"] and not one.timestamps:
            return Status.NOT_SUPPORTED
        interval_us: int | None = self.wishes.held_by(agent).get(one.id, 0) >> INTERVAL_AT
        if config["interval_seconds"]:
            if not one.intervals_us:
                return Status.NOT_SUPPORTED
            power = words.exponent(config["interval_exponent_signed"])
            interval_us = words.wanted_interval(one, config["interval_seconds"], power, config["rounding"])
            if interval_us is None or interval_word(interval_us) is None:
                return Status.INVALID_PARAMETERS
        wish = ENABLED * config["enable"] | TIMESTAMPED * config["timestamp_enable"]
        self.wishes.cast(agent, one.id, wish | (interval_us or 0) << INTERVAL_AT)
        self._replan(one.id)
        return Status.SUCCESS

    def _replan(self, sensor_id: int) -> None:
        self.trip_points.plan(sensor_id)
        self.updates.plan(sensor_id)

    # ---- unasked ------------------------------------------------------------------------------

    def trip_point_notify(self, agent: int, request: sensor.TripPointNotify) -> Answer:
        if not self.sensors[request.sensor_id].trip_points:
            return Status.NOT_SUPPORTED
        return self.trip_points.subscribe(agent, request.sensor_id, request.sensor_event_control)

    def trip_point_config(self, agent: int, request: sensor.TripPointConfig) -> Answer:
        one = self.sensors[request.sensor_id]
        control = sensor.TRIP_POINT_CONTROL.unpack(request.trip_point_ev_ctrl)
        if control["trip_point_id"] >= (one.trip_points if self._reached(agent) else 0):
            return Status.INVALID_PARAMETERS
        self.trip_points.set(agent, one.id, control["trip_point_id"], control["mode"], request.trip_point_val)
        return Status.SUCCESS

    def continuous_update_notify(self, agent: int, request: sensor.ContinuousUpdateNotify) -> Answer:
        if not self.sensors[request.sensor_id].continuous:
            return Status.NOT_SUPPORTED
        return self.updates.subscribe(agent, request.sensor_id, request.sensor_event_control)

    # ---- the life of an agent -----------------------------------------------------------------

    def reset(self, agent_id: int) -> None:
        self.trip_points.withdraw(agent_id)
        for sensor_id in self.wishes.withdraw(agent_id):
            self._replan(sensor_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        wishes = self.wishes.held_by(agent_id)
        return [
            *(Entry("vote", "sensor", f"{KIND} {one}", "config", wishes[one]) for one in sorted(wishes)),
            *self.trip_points.ledger(agent_id),
            *self.updates.ledger(agent_id),
        ]
