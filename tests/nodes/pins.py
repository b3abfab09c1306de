"""Pins on the bench: a platform that has every kind of them, and what tests do to them."""

from typing import Any

from bus.fields import Message
from bus.scmi import pinctrl
from bus.scmi.status import Status
from nodes.firmware.platform import (
    Pin,
    PinFunction,
    PinGroup,
    Platform,
)
from tests.nodes.el3 import TWO, Bench
from tests.nodes.unasked import platform

OK, NO, BAD = Status.SUCCESS, Status.DENIED, Status.INVALID_PARAMETERS
PIN, GROUP, FUNCTION, NOTHING = 0, 1, 2, 3
PULL_UP, STRENGTH, OEM, OPEN_DRAIN = 0x4, 0xA, 0xC0, 0x7
CONFIGS = {"drive_strength": (2, 4, 8), "bias_pull_up": (0, 1), "oem_192": ()}
NONE = 0xFFFF_FFFF
UART, SPI, GPIO = 0, 1, 2
ONE, ALL, ONLY_FUNCTION = 0, 1, 2
BOOT = {PULL_UP: 0, STRENGTH: 2, OEM: 0}


def described(**tables: Any) -> Platform:
    """Eight pins, two groups that overlap in pin 2, functions for groups and one for single pins."""
    given: dict[str, Any] = {
        "pin": tuple(Pin(one, f"pin{one}", CONFIGS if one < 6 else {}) for one in range(8)),
        "pin_group": (
            PinGroup(0, "uart-group-with-a-long-name", (1, 0, 2)),
            PinGroup(1, "spi", (2, 3)),
        ),
        "pin_function": (
            PinFunction(UART, "uart", groups=(0,)),
            PinFunction(SPI, "spi", groups=(1, 0)),
            PinFunction(GPIO, "gpio", pins=(5, 4, 0), pin_only=True, gpio=True),
        ),
    }
    return platform(**given | tables)


def call(bench: Bench, name: str, request: Message, agent: int = TWO) -> Any:
    """The body of the reply, or the status that is not SUCCESS."""
    reply = bench.call(agent, "pinctrl", f"PINCTRL_{name}", request)
    return reply.body if reply.status is OK else reply.status


def status(bench: Bench, name: str, request: Message, agent: int = TWO) -> Status:
    return bench.status(agent, "pinctrl", f"PINCTRL_{name}", request)


def settings(bench: Bench, kind: int, number: int, flag: int, type_: int = 0, *, skip: int = 0) -> Any:
    word = pinctrl.SETTINGS_GET.pack(config_flag=flag, selector=kind, skip_configs=skip, config_type=type_)
    body = call(bench, "SETTINGS_GET", pinctrl.SettingsGet(number, word))
    if isinstance(body, Status):
        return body
    bits = pinctrl.NUM_CONFIGS.unpack(body.num_configs)
    assert bits["returned"] == len(body.configs)
    return (
        body.function_selected,
        {one.config_type: one.config_value for one in body.configs},
        bits["remaining"],
    )


def configure(
    bench: Bench,
    kind: int,
    number: int,
    *pairs: tuple[int, int],
    function: int | None = None,
    agent: int = TWO,
) -> Status:
    word = pinctrl.SETTINGS_CONFIGURE.pack(
        function_id_valid=function is not None, num_configs=len(pairs), selector=kind
    )
    configs = tuple(pinctrl.PinConfig(*pair) for pair in pairs)
    chosen = 0xDEAD if function is None else function
    return status(
        bench, "SETTINGS_CONFIGURE", pinctrl.SettingsConfigure(number, chosen, word, configs), agent
    )
