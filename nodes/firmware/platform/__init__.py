"""What EL3 owns, as declared in ``platform.toml``: agents with their channels, resources, devices.

One module per topic: its structs say which keys exist and of which type, its ``problems`` which values
make no sense together. Reading the file is ``deploy.topology``'s business.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec

from bus.shmem import PAGE_BYTES
from nodes.firmware.platform import (
    agents,
    clocks,
    fastchannels,
    perf,
    pins,
    power,
    powercaps,
    resets,
    rights,
    sensors,
    voltages,
)
from nodes.firmware.platform.agents import Agent, Device
from nodes.firmware.platform.clocks import Clock, RateRange
from nodes.firmware.platform.described import Described, Id, Name, PlatformError, repeated, says
from nodes.firmware.platform.perf import Opp, PerfChannel, PerfDomain
from nodes.firmware.platform.pins import Pin, PinControl, PinFunction, PinGroup
from nodes.firmware.platform.power import PowerDomain, PowerState, SystemPower
from nodes.firmware.platform.powercaps import Averaging, CapChannel, CapLevel, CapRange, PowercapDomain
from nodes.firmware.platform.resets import ResetDomain
from nodes.firmware.platform.rights import Right, VendorProtocol, View
from nodes.firmware.platform.sensors import (
    Axis,
    Constant,
    IntervalRange,
    Power,
    Rail,
    Rate,
    Sensor,
    Steps,
    Temperature,
    Wave,
)
from nodes.firmware.platform.voltages import LevelRange, VoltageDomain
from nodes.firmware.profile import DEFAULT, chosen
from nodes.limits import AGENTS, AREA_BYTES, RESOURCES

__all__ = [
    "Agent",
    "Averaging",
    "Axis",
    "CapChannel",
    "CapLevel",
    "CapRange",
    "Clock",
    "Constant",
    "Described",
    "Device",
    "IntervalRange",
    "LevelRange",
    "Opp",
    "PerfChannel",
    "PerfDomain",
    "Pin",
    "PinControl",
    "PinFunction",
    "PinGroup",
    "Platform",
    "PlatformError",
    "Power",
    "PowerDomain",
    "PowerState",
    "PowercapDomain",
    "Rail",
    "Rate",
    "RateRange",
    "ResetDomain",
    "Right",
    "Sensor",
    "Steps",
    "SystemPower",
    "Temperature",
    "VendorProtocol",
    "View",
    "VoltageDomain",
    "Wave",
    "check",
    "problems",
]

TABLES = (
    "agent",
    "power_domain",
    "perf_domain",
    "clock",
    "sensor",
    "reset_domain",
    "voltage_domain",
    "powercap_domain",
    "pin",
    "pin_group",
    "pin_function",
    "device",
)
RULES: tuple[Callable[[Any], Iterator[str]], ...] = (
    agents.problems,
    power.problems,
    clocks.problems,
    voltages.problems,
    perf.problems,
    sensors.problems,
    resets.problems,
    powercaps.problems,
    fastchannels.problems,
    pins.problems,
    rights.problems,
)


class Platform(Described, frozen=True):
    """The whole of ``platform.toml``."""

    name: Annotated[Name, says("the platform's, for people")]
    agent: Annotated[tuple[Agent, ...], says("the agents and their channels")]
    vendor: Annotated[str, msgspec.Meta(max_length=15), says("as BASE_DISCOVER_VENDOR tells it")] = "Trapline"
    sub_vendor: Annotated[str, msgspec.Meta(max_length=15), says("as BASE_DISCOVER_SUB_VENDOR tells it")] = ""
    implementation_version: Annotated[Id, says("as BASE_DISCOVER_IMPLEMENTATION_VERSION tells it")] = 1
    area_bytes: Annotated[
        int,
        msgspec.Meta(ge=AREA_BYTES, le=PAGE_BYTES),
        says("each channel's shared memory; a message's payload has 28 bytes less"),
    ] = AREA_BYTES
    default_permission: Annotated[
        Literal["deny", "allow"],
        says("of an agent that is not trusted; allow: it has every device until one is taken from it"),
    ] = "deny"
    agent_view: Annotated[
        Literal["physical", "own"],
        says("what an agent reads of a shared clock or domain: what is so, or what it asked for itself"),
    ] = "physical"
    perf_power_unit: Annotated[
        Literal["abstract", "mW", "uW"],
        says("of every `power_cost`; the model's own physics takes an abstract cost for milliwatts"),
    ] = "abstract"
    powercap_version: Annotated[
        Literal[0x10000, 0x20000, 0x30000],
        says("the newest version that Powercap speaks; 0x30000 is not final"),
    ] = 0x20000
    seed: Annotated[Id, says("another one gives the sensors another noise")] = 0
    profile: Annotated[
        str, says("the firmware that EL3 plays, `NAME` or `NAME+OPTION`; `trapline profiles` lists them")
    ] = DEFAULT.name
    system_power: Annotated[
        SystemPower | None, says("what may be done to the system; absent: the protocol is not served")
    ] = None
    power_domain: Annotated[tuple[PowerDomain, ...], says("the power domains")] = ()
    perf_domain: Annotated[tuple[PerfDomain, ...], says("the performance domains")] = ()
    clock: Annotated[tuple[Clock, ...], says("the clocks")] = ()
    sensor: Annotated[tuple[Sensor, ...], says("the sensors")] = ()
    reset_domain: Annotated[tuple[ResetDomain, ...], says("the reset domains")] = ()
    voltage_domain: Annotated[tuple[VoltageDomain, ...], says("the voltage domains")] = ()
    powercap_domain: Annotated[tuple[PowercapDomain, ...], says("the power capping domains")] = ()
    pin: Annotated[tuple[Pin, ...], says("the pins")] = ()
    pin_group: Annotated[tuple[PinGroup, ...], says("groups of pins")] = ()
    pin_function: Annotated[tuple[PinFunction, ...], says("functions of pins and groups")] = ()
    pin_control: Annotated[PinControl, says("what else pin control has")] = PinControl()
    device: Annotated[tuple[Device, ...], says("groups of resources that are granted as a whole")] = ()
    right: Annotated[tuple[Right, ...], says("rights of single agents, beside devices")] = ()
    view: Annotated[tuple[View, ...], says("an agent's own numbering of resources")] = ()
    vendor_protocol: Annotated[tuple[VendorProtocol, ...], says("protocols that plug-ins bring")] = ()


def check(platform: Platform) -> None:
    """Raise PlatformError for the first rule that the description breaks."""
    for problem in problems(platform):
        raise PlatformError(problem)


def problems(platform: Platform) -> Iterator[str]:
    """Every broken rule, as ``key: rule; how to fix it``."""
    if not platform.agent:
        yield "agent: the platform has no agent; add an [[agent]] for Xen and one for each domain"
    yield from _profile_problems(platform)
    for table in TABLES:
        rows: Sequence[Any] = getattr(platform, table)
        limit = AGENTS if table == "agent" else RESOURCES
        if len(rows) > limit:
            yield f"{table}: {len(rows)} entries, the limit is {limit}; leave some out"
        yield from repeated(table, "id", [row.id for row in rows])
        yield from repeated(table, "name", [row.name for row in rows])
    for rule in RULES:
        yield from rule(platform)


def _profile_problems(platform: Platform) -> Iterator[str]:
    try:
        chosen(platform.profile)
    except ValueError as error:
        yield f"profile: {error}; choose one of them"
