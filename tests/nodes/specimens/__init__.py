"""One valid request for every command, and a platform on which they are: the ground that sweeps start from.

Each module is named after a protocol and has TABLES (platform.toml's tables, by key), DEVICE (what device 1
groups, by key of a [[device]]) and REQUESTS (by command; each succeeds, in this order, for agent 2, which was
granted device 1 and has a way back). Resources of kinds in TABLES that are not in DEVICE belong to device 2,
which nobody was granted, or to none.
"""

from importlib import import_module
from typing import Any

from bus import shmem
from bus.fields import Message
from bus.links import XEN
from bus.scmi import PROTOCOLS
from bus.scmi.protocol import AnyCommand, Protocol
from nodes.contract import Boot
from nodes.firmware.core import FirmwareCore
from nodes.firmware.platform import Agent, Device, Platform, check
from nodes.firmware.profile import DEFAULT, FirmwareProfile

DOM0, MANAGER, TWO, THREE = 0, 1, 2, 3
GRANTED = 1  # the device that agent 2 has
MODULES: dict[str, Any] = {one.key: import_module(f"{__name__}.{one.key}") for one in PROTOCOLS}


def platform(**changes: Any) -> Platform:
    """The platform of all specimens together; ``changes`` replace tables."""
    tables: dict[str, Any] = {}
    groups: dict[str, tuple[int, ...]] = {}
    for module in MODULES.values():
        for key, rows in module.TABLES.items():
            tables[key] = (*tables.get(key, ()), *rows) if isinstance(rows, tuple) else rows
        for key, ids in module.DEVICE.items():
            groups[key] = (*groups.get(key, ()), *ids)
    agents = tuple(
        Agent(
            one,
            name,
            0x8200_0002 + one,
            0x47FF_0000 + 0x1000 * one,
            trusted=one == MANAGER,
            p2a_shmem=0x47FE_0000 + 0x1000 * one if one != DOM0 else None,
            p2a_interrupt=100 + one if one != DOM0 else None,
        )
        for one, name in ((DOM0, "dom0"), (MANAGER, "xen"), (TWO, "two"), (THREE, "three"))
    )
    devices = (Device(GRANTED, "all", **groups), *tables.pop("device", ()))
    made = Platform("specimens", **{"agent": agents, "device": devices, **tables, **changes})
    check(made)
    return made


PLATFORM = platform()


def core(profile: FirmwareProfile = DEFAULT, described: Platform = PLATFORM) -> FirmwareCore:
    """A booted EL3 on which agent 2 has been granted device 1."""
    made = FirmwareCore(described, shmem.PrivateMemory(), XEN, profile)
    made.step(Boot(), 0)
    made.permissions.set_device(TWO, GRANTED, True)
    return made


def request(protocol: Protocol, command: AnyCommand) -> Message | None:
    """The specimen of a command; None for one whose request has no fields."""
    found = MODULES[protocol.key].REQUESTS.get(command.name)
    assert found is None or isinstance(found, Message)
    return found
