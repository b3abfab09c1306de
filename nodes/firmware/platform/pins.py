"""Pins, groups of pins, functions: what can be set. Who holds what is known in ``protocols.holders``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from bus.scmi.pinctrl import CONFIG_TYPE
from nodes.firmware.platform.described import Described, Id, ResourceName, says, unknown

NAMED = {name.lower(): number for name, number in CONFIG_TYPE.items() if not name.startswith("OEM_")}
PinId = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
OwnId = Annotated[PinId, says("its number in messages and device trees")]


class Pin(Described, frozen=True):
    """A pin. Settings are named as in CONFIG_TYPE of the protocol, in lower case."""

    id: OwnId
    name: ResourceName
    configs: Annotated[
        Mapping[str, tuple[Id, ...]],
        says(
            "its settings, each with the legal values, that at boot first (bias_pull_up = [0, 1]); "
            "an empty list is any value, 0 at boot; oem_192 to oem_255 are the vendor's"
        ),
    ] = {}
    function: Annotated[PinId | None, says("its function at boot; absent: none")] = None


class PinGroup(Described, frozen=True):
    """A group of pins that are requested, configured and given a function together."""

    id: OwnId
    name: ResourceName
    pins: Annotated[tuple[PinId, ...], says("its pins, at least one")]


class PinFunction(Described, frozen=True):
    """A function that pins can be given."""

    id: OwnId
    name: ResourceName
    groups: Annotated[tuple[PinId, ...], says("the groups that can be given it")] = ()
    pins: Annotated[tuple[PinId, ...], says("the pins that can be given it, if it is pin_only")] = ()
    pin_only: Annotated[bool, says("it is given to single pins")] = False
    gpio: Annotated[bool, says("it makes GPIOs")] = False


class PinControl(Described, frozen=True):
    """What else pin control has."""

    set_permissions: Annotated[bool, says("PINCTRL_SET_PERMISSIONS, whose layout is not certain")] = False


def config_number(name: str) -> int | None:
    """The configuration type that a key of ``configs`` stands for; None if there is none of that name."""
    if name in NAMED:
        return NAMED[name]
    prefix, _, digits = name.partition("_")
    if prefix != "oem" or not digits.isdecimal():
        return None
    number = int(digits)
    return number if CONFIG_TYPE["OEM_FIRST"] <= number <= CONFIG_TYPE["OEM_LAST"] else None


def problems(platform: Any) -> Iterator[str]:
    """What is wrong with them."""
    pins, groups, functions = (
        {row.id for row in rows} for rows in (platform.pin, platform.pin_group, platform.pin_function)
    )
    for at, pin in enumerate(platform.pin):
        yield from _config_problems(f"pin[{at}].configs", pin.configs)
        if pin.function is not None:
            yield from unknown(f"pin[{at}].function", [pin.function], "pin_function", functions)
            yield from _function_problems(f"pin[{at}].function", pin, platform)
    for at, group in enumerate(platform.pin_group):
        yield from _members(f"pin_group[{at}].pins", group.pins, "pin", pins)
        if not group.pins:
            yield f"pin_group[{at}].pins: it has none; name its pins"
    for at, function in enumerate(platform.pin_function):
        yield from _members(f"pin_function[{at}].groups", function.groups, "pin_group", groups)
        yield from _members(f"pin_function[{at}].pins", function.pins, "pin", pins)
        if not function.pins and not function.groups:
            yield f"pin_function[{at}]: it can be given to nothing; name groups, or pins with pin_only"
        if function.pin_only and function.groups:
            yield f"pin_function[{at}].groups: a pin_only function has pins; move them to pins"
        if not function.pin_only and function.pins:
            yield f"pin_function[{at}].pins: only a pin_only function has pins; set that or name groups"


def _members(
    place: str, ids: Sequence[int], kind: Literal["pin", "pin_group"], known: set[int]
) -> Iterator[str]:
    yield from unknown(place, ids, kind, known)
    if len(set(ids)) != len(ids):
        yield f"{place}: a number is there twice; give each once"


def _function_problems(place: str, pin: Pin, platform: Any) -> Iterator[str]:
    """A pin can have a function that is given to it, or to a group that it is in."""
    groups = {group.id for group in platform.pin_group if pin.id in group.pins}
    for function in platform.pin_function:
        if function.id == pin.function and pin.id not in function.pins and groups.isdisjoint(function.groups):
            yield f"{place}: {function.name} is for other pins; name it there or choose another function"


def _config_problems(place: str, configs: Mapping[str, Sequence[int]]) -> Iterator[str]:
    for name, values in configs.items():
        if config_number(name) is None:
            yield f"{place}: there is no setting {name!r}; choose from {', '.join(NAMED)}, oem_192..oem_255"
        if len(set(values)) != len(values):
            yield f"{place}.{name}: a value is there twice; give each once"
