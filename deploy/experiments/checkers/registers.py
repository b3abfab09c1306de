"""What a shared resource is, made of everybody's wishes, as EL3.md says it: small models for checkers.

A state is a tuple of (agent, wish), so that equal states are equal. Only what stands for itself is modelled:
a clock that another hangs on, or a rail that a performance domain drives, is the business of the hardware.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from bus.scmi import clock, header, perf, power, voltage
from deploy.topology import Topology

Key = tuple[str, int, str]  # kind, id, aspect
State = tuple[tuple[Any, ...], ...]
ON, OFF = 0x7, 0x0  # of a voltage domain


class Model(Protocol):
    """One aspect of one resource. ``boot``: the state without a wish."""

    boot: State

    def wish(self, state: State, agent: int, value: Any) -> State: ...

    def drop(self, state: State, agent: int) -> State: ...

    def shown(self, state: State, agent: int, what: str) -> Any: ...


class VoteModel:
    """One number per agent; ``combine`` makes of all of them, the newest last, what is so.

    ``own``: an agent that has a wish reads that.
    """

    boot: State = ()

    def __init__(self, at_boot: int, combine: Callable[[list[int]], int], own: bool, newest: bool) -> None:
        self._at_boot = at_boot
        self._combine = combine
        self._own = own
        self._newest = newest

    def wish(self, state: State, agent: int, value: Any) -> State:
        votes: list[tuple[Any, ...]] = [*(one for one in state if one[0] != agent), (agent, value)]
        return tuple(votes if self._newest else sorted(votes))

    def drop(self, state: State, agent: int) -> State:
        return tuple(one for one in state if one[0] != agent)

    def shown(self, state: State, agent: int, what: str) -> Any:
        if not state:
            return self._at_boot
        if self._own:
            for one in state:
                if one[0] == agent:
                    return one[1]
        return self._combine([one[1] for one in state])


class Performance:
    """Levels and limits as places in the list of operating points: (agent, level, low, high), None: no wish.

    The highest minimum, the lowest maximum; where they cross the maximum is both; the highest level, within.
    """

    boot: State = ()

    def __init__(self, domain: Any, own: bool, keeps: bool) -> None:
        self._levels: list[int] = [opp.level for opp in domain.opp]
        self._at_boot: int = domain.boot_index
        self._own = own
        self._keeps = keeps

    def wish(self, state: State, agent: int, value: Any) -> State:
        mine = next((one for one in state if one[0] == agent), (agent, None, None, None))
        kind, *words = value
        if kind == "level":
            (level,) = words
            place = self._levels.index(level) if level in self._levels else None
            after = (agent, place, mine[2], mine[3])
        else:
            high, low = words
            lowest = mine[2] if self._keeps and not low else self._from(low)
            highest = mine[3] if self._keeps and not high else self._to(high)
            after = (agent, mine[1], lowest, highest)
        return tuple(sorted((*(one for one in state if one[0] != agent), after), key=_first))

    def _from(self, level: int) -> int:
        return sum(one < level for one in self._levels)

    def _to(self, level: int) -> int:
        return sum(one <= level for one in self._levels) - 1

    def drop(self, state: State, agent: int) -> State:
        return tuple(one for one in state if one[0] != agent)

    def shown(self, state: State, agent: int, what: str) -> Any:
        mine = next((one for one in state if one[0] == agent), None) if self._own else None
        low, high = self._limits(state)
        if mine is not None and (mine[2] is not None or mine[3] is not None):
            low, high = self._limits((mine,), crossed=False)
        if what == "limits":
            return self._levels[high], self._levels[low]
        asked = mine[1] if mine is not None else None
        if asked is None:
            low, high = self._limits(state)
            asked = max((one[1] for one in state if one[1] is not None), default=self._at_boot)
        return self._levels[max(low, min(asked, high))]

    def _limits(self, state: State, crossed: bool = True) -> tuple[int, int]:
        low = max((one[2] for one in state if one[2] is not None), default=0)
        high = min((one[3] for one in state if one[3] is not None), default=len(self._levels) - 1)
        return (min(low, high) if crossed else low), high


def _first(one: tuple[Any, ...]) -> int:
    return int(one[0])


class RegisterOperation(msgspec.Struct, frozen=True):
    """What a message does to a resource. ``value``: what it wishes; ``what``: what it reads, "" for a wish.

    ``later``: it is accepted now and done at another time.
    """

    key: Key
    what: str
    value: Any = None
    later: bool = False


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


class Registers:
    """``operation`` reads a request, ``model`` is what it is about, SEEN reads the answer to a reading."""

    def __init__(self, topology: Topology) -> None:
        platform, self._firmware = topology.platform, topology.firmware
        self._own = platform.agent_view == "own"
        self._clocks = {one.id: one for one in platform.clock}
        self._powers = {one.id: one for one in platform.power_domain}
        self._rails = {one.id: one for one in platform.voltage_domain}
        self._perfs = {one.id: one for one in platform.perf_domain}
        self._clock_parents = {parent for one in platform.clock for parent in one.parents}
        self._power_parents = {one.parent for one in platform.power_domain if one.parent is not None}
        self._driven = {("clock", one.clock) for one in platform.perf_domain}
        self._driven |= {("voltage_domain", one.voltage_domain) for one in platform.perf_domain}
        self._capped = {number for one in platform.powercap_domain for number in one.perf_domains}
        self._models: dict[Key, Model | None] = {}
        spoken = topology.firmware.versions.get(perf.PROTOCOL.id, perf.PROTOCOL.version)
        self._keeps = spoken >= 0x30000
        self.numbered = {view.agent for view in platform.view}
        self.dense = topology.firmware.denied_resource == "unlisted"

    # ---- models -------------------------------------------------------------------------------

    def model(self, key: Key) -> Model | None:
        """The model of an aspect; None for what depends on more than wishes for it."""
        if key not in self._models:
            self._models[key] = self._make(*key)
        return self._models[key]

    def _make(self, kind: str, number: int, aspect: str) -> Model | None:
        tables: dict[str, dict[int, Any]] = {
            "clock": self._clocks,
            "power_domain": self._powers,
            "voltage_domain": self._rails,
            "perf_domain": self._perfs,
        }
        spec = tables[kind].get(number)
        if spec is None or spec.sharing != "votes" or (kind, number) in self._driven:
            return None
        if kind == "clock":
            return self._clock(spec, aspect)
        if kind == "power_domain":
            return None if number in self._power_parents else self._power(spec)
        if kind == "voltage_domain":
            return self._rail(spec, aspect)
        if number in self._capped or spec.level_indexing or self._firmware.perf_limits == "own":
            return None
        return Performance(spec, self._own, self._keeps)

    def _clock(self, spec: Any, aspect: str) -> Model | None:
        if aspect == "rate":
            return None if spec.follows else VoteModel(spec.rate, max, self._own, newest=False)
        if spec.id in self._clock_parents:
            return None
        return VoteModel(int(spec.enabled), max, self._own, newest=False)

    def _power(self, spec: Any) -> Model:
        order = {word: at for at, word in enumerate(spec.words)}
        boot = power.ON if spec.state == "on" else power.OFF
        return VoteModel(
            boot, lambda votes: min(votes, key=lambda word: order[word]), self._own, newest=False
        )

    def _rail(self, spec: Any, aspect: str) -> Model:
        if aspect == "level":
            return VoteModel(spec.level, max, self._own, newest=False)
        return VoteModel(ON if spec.config == "on" else OFF, _mode, self._own, newest=True)

    # ---- messages -----------------------------------------------------------------------------

    def operation(self, head: int, payload: bytes) -> RegisterOperation | None:
        """What a request asks; None for what is about nothing that is modelled here."""
        read = READERS.get(head & KEY)
        found = read(self, payload) if read is not None else None
        return found if found is not None and self.model(found.key) is not None else None

    def rounded(self, number: int, wanted: int, flags: int) -> int | None:
        """The rate that a wish means: rounded down, up, or to the nearest, the lower of two as near."""
        spec = self._clocks.get(number)
        if spec is None or spec.follows:
            return None
        lower, upper = _neighbours(spec.rates, wanted)
        if lower is None or upper is None:
            return None
        if not flags & ~clock.RATE_SET_FLAGS.pack(async_set=1, no_delayed_response=1):
            return lower
        if clock.RATE_SET_FLAGS.get(flags, "round_auto"):
            return lower if wanted - lower <= upper - wanted else upper
        return upper


def _neighbours(rates: Any, wanted: int) -> tuple[int | None, int | None]:
    """The nearest rates not above and not below."""
    if isinstance(rates, tuple):
        below = [one for one in rates if one <= wanted]
        above = [one for one in rates if one >= wanted]
        return (max(below) if below else None), (min(above) if above else None)
    last = rates.min + (rates.max - rates.min) // rates.step * rates.step
    if not rates.min <= wanted <= last:
        return None, None
    lower = rates.min + (wanted - rates.min) // rates.step * rates.step
    return lower, lower if lower == wanted else lower + rates.step


def _mode(votes: list[int]) -> int:
    """On while anyone wants it on; the newest wish for on says the mode."""
    return next((one for one in reversed(votes) if one != OFF), OFF)


def _rate_set(registers: Registers, data: bytes) -> RegisterOperation | None:
    if len(data) != 16:
        return None
    flags, number, rate = _word(data, 0), _word(data, 4), int.from_bytes(data[8:16], "little")
    value = registers.rounded(number, rate, flags)
    return None if value is None else RegisterOperation(("clock", number, "rate"), "", value, bool(flags & 1))


def _clock_config_set(_registers: Registers, data: bytes) -> RegisterOperation | None:
    state = _word(data, 4) & 3
    if len(data) < 8 or state not in (clock.STATE_DISABLE, clock.STATE_ENABLE):
        return None
    return RegisterOperation(("clock", _word(data, 0), "state"), "", int(state == clock.STATE_ENABLE))


def _power_set(_registers: Registers, data: bytes) -> RegisterOperation | None:
    if len(data) != 12:
        return None
    return RegisterOperation(
        ("power_domain", _word(data, 4), "state"), "", _word(data, 8), bool(_word(data, 0) & 1)
    )


def _level_set(_registers: Registers, data: bytes) -> RegisterOperation | None:
    if len(data) != 12:
        return None
    level = int.from_bytes(data[8:12], "little", signed=True)
    return RegisterOperation(("voltage_domain", _word(data, 0), "level"), "", level, bool(_word(data, 4) & 1))


def _rail_config_set(_registers: Registers, data: bytes) -> RegisterOperation | None:
    return (
        RegisterOperation(("voltage_domain", _word(data, 0), "config"), "", _word(data, 4))
        if len(data) == 8
        else None
    )


def _perf_level_set(_registers: Registers, data: bytes) -> RegisterOperation | None:
    return (
        RegisterOperation(("perf_domain", _word(data, 0), ""), "", ("level", _word(data, 4)))
        if len(data) == 8
        else None
    )


def _limits_set(_registers: Registers, data: bytes) -> RegisterOperation | None:
    if len(data) != 12:
        return None
    return RegisterOperation(
        ("perf_domain", _word(data, 0), ""), "", ("limits", _word(data, 4), _word(data, 8))
    )


def _reading(kind: str, aspect: str, what: str) -> Callable[[Registers, bytes], RegisterOperation | None]:
    return lambda _registers, data: (
        RegisterOperation((kind, _word(data, 0), aspect), what) if len(data) >= 4 else None
    )


def _head(protocol: Any, command: Any) -> int:
    return header.pack(protocol.PROTOCOL.id, command.id)


KEY: Final = header.HEADER.pack(protocol_id=0xFF, message_type=3, message_id=0xFF)
READERS: Final[Mapping[int, Callable[[Registers, bytes], RegisterOperation | None]]] = {
    _head(clock, clock.CLOCK_RATE_SET): _rate_set,
    _head(clock, clock.CLOCK_RATE_GET): _reading("clock", "rate", "rate"),
    _head(clock, clock.CLOCK_CONFIG_SET): _clock_config_set,
    _head(clock, clock.CLOCK_CONFIG_GET): _reading("clock", "state", "config"),
    _head(clock, clock.CLOCK_ATTRIBUTES): _reading("clock", "state", "attributes"),
    _head(power, power.POWER_STATE_SET): _power_set,
    _head(power, power.POWER_STATE_GET): _reading("power_domain", "state", "state"),
    _head(voltage, voltage.VOLTAGE_LEVEL_SET): _level_set,
    _head(voltage, voltage.VOLTAGE_LEVEL_GET): _reading("voltage_domain", "level", "microvolts"),
    _head(voltage, voltage.VOLTAGE_CONFIG_SET): _rail_config_set,
    _head(voltage, voltage.VOLTAGE_CONFIG_GET): _reading("voltage_domain", "config", "state"),
    _head(perf, perf.PERFORMANCE_LEVEL_SET): _perf_level_set,
    _head(perf, perf.PERFORMANCE_LEVEL_GET): _reading("perf_domain", "", "state"),
    _head(perf, perf.PERFORMANCE_LIMITS_SET): _limits_set,
    _head(perf, perf.PERFORMANCE_LIMITS_GET): _reading("perf_domain", "", "limits"),
}
SEEN: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "rate": lambda data: int.from_bytes(data[4:12], "little"),
    "config": lambda data: _word(data, 8) & 1,
    "attributes": lambda data: _word(data, 4) & 1,
    "state": lambda data: _word(data, 4),
    "microvolts": lambda data: int.from_bytes(data[4:8], "little", signed=True),
    "limits": lambda data: (_word(data, 4), _word(data, 8)),
}
