"""Pins as they are: settings and function of each, by pin. Groups are their pins; agents are not known."""

from collections.abc import Mapping, Sequence

from nodes.firmware.platform import Pin, PinFunction, PinGroup
from nodes.firmware.platform.pins import config_number


class PinState:
    """One pin's legal values and what it is set to; ``function`` None: none."""

    __slots__ = ("boot_function", "function", "legal", "values")

    def __init__(self, pin: Pin) -> None:
        self.legal: dict[int, tuple[int, ...]] = {}
        for name, values in pin.configs.items():
            number = config_number(name)
            if number is not None:
                self.legal[number] = values
        self.legal = dict(sorted(self.legal.items()))
        self.boot_function = self.function = pin.function
        self.values = self.boot_values()

    def boot_values(self) -> dict[int, int]:
        return {number: values[0] if values else 0 for number, values in self.legal.items()}


class Pins:
    """``pins``, ``groups`` and ``functions`` as declared, ``states`` as they are now, all by id."""

    def __init__(
        self, pins: Sequence[Pin], groups: Sequence[PinGroup], functions: Sequence[PinFunction]
    ) -> None:
        self.pins = {pin.id: pin for pin in pins}
        self.groups = {group.id: group for group in groups}
        self.functions = {function.id: function for function in functions}
        self.states = {pin.id: PinState(pin) for pin in pins}

    def apply(self, pin_id: int, function: int | None, values: Mapping[int, int]) -> None:
        """Set what is given; a ``function`` of None leaves it."""
        state = self.states[pin_id]
        if function is not None:
            state.function = function
        state.values.update(values)

    def restore(self, pin_id: int) -> None:
        """As at boot."""
        state = self.states[pin_id]
        state.function, state.values = state.boot_function, state.boot_values()
