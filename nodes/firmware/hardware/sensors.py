"""What the sensors measure: values made of time and of the rest of the board.

A value depends on when it is asked for and on the board's history, on nothing else: two stories that are
equal give equal readings, noise included. Times count from boot.
"""

from collections.abc import Callable
from math import pi, sin
from typing import TYPE_CHECKING

from nodes.firmware.hardware.lag import Lag
from nodes.firmware.platform import sensors as described
from nodes.firmware.platform.sensors import Axis, Sensor

if TYPE_CHECKING:
    from nodes.firmware.hardware import Board

Read = Callable[[], float]
MASK = (1 << 64) - 1
MICRO = -6


class Heat:
    """A temperature: a lag behind the power of performance domains, in microwatts."""

    def __init__(self, board: "Board", source: described.Temperature) -> None:
        self._board = board
        self.source = source
        self._lag = Lag(source.time_constant_ms * 1_000_000)

    def start(self) -> None:
        self._lag.start(self._board.machine.now_ns, 0)
        self.follow()

    def follow(self) -> None:
        """The power of one of the domains changed."""
        power = sum(self._board.perf.power_uw(one) for one in self.source.perf_domains)
        self._lag.aim(self._board.machine.now_ns, power)

    def read(self) -> float:
        power_uw = self._lag.at(self._board.machine.now_ns)
        return self.source.ambient + self.source.per_watt * power_uw / 1_000_000


class Sensors:
    """``sensors`` by id. ``values`` measures one, ``fail`` breaks it or mends it."""

    def __init__(self, board: "Board") -> None:
        self._board = board
        self._machine = board.machine
        self._seed = board.machine.platform.seed
        self._boot_ns = 0
        self._failed: set[int] = set()
        self._heats: list[Heat] = []
        self._heated: dict[int, list[Heat]] = {}
        self.sensors = {one.id: one for one in board.machine.platform.sensor}
        self._parts = {
            one.id: [(axis, self._reader(axis, one)) for axis in one.parts] for one in self.sensors.values()
        }
        board.perf.on_change.append(self._follow)

    def boot(self) -> None:
        """Time begins; everything is as cold as its surroundings."""
        self._boot_ns = self._machine.now_ns
        for heat in self._heats:
            heat.start()

    def _follow(self, perf_domain: int) -> None:
        for heat in self._heated.get(perf_domain, ()):
            heat.follow()

    @property
    def since_boot_ns(self) -> int:
        return self._machine.now_ns - self._boot_ns

    def fail(self, sensor_id: int, broken: bool) -> None:
        """Fault injection: a broken sensor gives no value."""
        if broken:
            self._failed.add(sensor_id)
        else:
            self._failed.discard(sensor_id)

    def failed(self, sensor_id: int) -> bool:
        return sensor_id in self._failed

    def next_sample_ns(self, sensor_id: int) -> int:
        """When its next sample begins."""
        sample_ns = self.sensors[sensor_id].sample_us * 1000
        return self._boot_ns + (self.since_boot_ns // sample_ns + 1) * sample_ns

    def values(self, sensor_id: int) -> tuple[int, ...]:
        """One value per axis, one for a scalar sensor, in the sensor's unit."""
        sample = self.since_boot_ns // (self.sensors[sensor_id].sample_us * 1000)
        return tuple(
            bounded(axis, round(read()) + noise(axis.noise, (self._seed, sensor_id, number, sample)))
            for number, (axis, read) in enumerate(self._parts[sensor_id])
        )

    def _reader(self, axis: Axis, sensor: Sensor) -> Read:
        source = axis.source
        board = self._board
        exponent = sensor.unit_exponent if axis.unit_exponent is None else axis.unit_exponent
        match source:
            case described.Constant():
                return lambda: source.value
            case described.Wave():
                return lambda: wave(source, self.since_boot_ns)
            case described.Steps():
                count = len(source.values)
                return lambda: source.values[self.since_boot_ns // (source.step_us * 1000) % count]
            case described.Temperature():
                return self._heat(source).read
            case described.Rail():
                return lambda: scaled(board.voltages.output_uv(source.voltage_domain), MICRO - exponent)
            case described.Rate():
                return lambda: scaled(
                    board.clocks.rate(source.clock) if board.clocks.on(source.clock) else 0, -exponent
                )
            case described.Power():
                return self._power(source, exponent)

    def _heat(self, source: described.Temperature) -> Heat:
        heat = Heat(self._board, source)
        self._heats.append(heat)
        for one in source.perf_domains:
            self._heated.setdefault(one, []).append(heat)
        return heat

    def _power(self, source: described.Power, exponent: int) -> Read:
        board = self._board
        domain, cap = source.perf_domain, source.powercap_domain
        if domain is not None:
            return lambda: scaled(board.perf.power_uw(domain), MICRO - exponent)
        assert cap is not None
        return lambda: scaled(board.powercap.measured_uw(cap), MICRO - exponent)


def wave(source: described.Wave, since_ns: int) -> float:
    """The value of a periodic source, ``since_ns`` after boot."""
    period_ns = source.period_us * 1000
    part = (since_ns + source.phase_us * 1000) % period_ns / period_ns
    match source.shape:
        case "sine":
            height = sin(2 * pi * part)
        case "triangle":
            height = 4 * part if part < 0.25 else (2 - 4 * part if part < 0.75 else 4 * part - 4)
        case "square":
            height = 1 if part < 0.5 else -1
        case "sawtooth":
            height = 2 * part - 1
    return source.offset + source.amplitude * height


def scaled(value: int, exponent: int) -> int:
    """``value`` times ten to the power of ``exponent``, cut towards zero."""
    if exponent >= 0:
        return value * int(10**exponent)
    size = abs(value) // int(10**-exponent)
    return size if value >= 0 else -size


def noise(most: int, of: tuple[int, ...]) -> int:
    """A number from ``-most`` to ``most`` that depends on ``of`` alone."""
    if not most:
        return 0
    state = 0
    for one in of:
        state = (state ^ one) + 0x9E37_79B9_7F4A_7C15 & MASK
        state = (state ^ state >> 30) * 0xBF58_476D_1CE4_E5B9 & MASK
        state = (state ^ state >> 27) * 0x94D0_49BB_1331_11EB & MASK
        state ^= state >> 31
    return state % (2 * most + 1) - most


def bounded(axis: Axis, value: int) -> int:
    low = -(2**63) if axis.min is None else axis.min
    high = 2**63 - 1 if axis.max is None else axis.max
    return max(low, min(value, high))
