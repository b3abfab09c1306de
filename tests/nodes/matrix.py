"""For each command: what callers of every standing get, and what a reset takes back. Tests and docs read it.

A caller's standing is what differs between cells; the message is the specimen, the same for all.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from bus.fields import encode
from bus.scmi import PROTOCOLS, base, header
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.status import Status
from nodes.firmware.core import FirmwareCore
from nodes.firmware.platform import Right
from tests.nodes import specimens
from tests.nodes.specimens import GRANTED, MANAGER, THREE, TWO

TRUSTED_ONLY = frozenset(
    {
        "BASE_SET_DEVICE_PERMISSIONS",
        "BASE_SET_PROTOCOL_PERMISSIONS",
        "PINCTRL_SET_PERMISSIONS",
    }
)
# What agent 3 gets that is neither trusted nor named where agent 2 is.
OTHERS = {
    "BASE_RESET_AGENT_CONFIGURATION": Status.DENIED,
    "SYSTEM_POWER_STATE_SET": Status.DENIED,
    "SYSTEM_POWER_STATE_GET": Status.NOT_SUPPORTED,
}
ALWAYS = frozenset({"PROTOCOL_VERSION", "PROTOCOL_ATTRIBUTES", "PROTOCOL_MESSAGE_ATTRIBUTES"})


def send(core: FirmwareCore, agent: int, protocol: Protocol, command: AnyCommand) -> Status:
    """The specimen of a command as ``agent``."""
    message = specimens.request(protocol, command)
    payload = encode(message, core.machine.spoken(agent, protocol.id)) if message else b""
    return core.ladder.answer(agent, header.pack(protocol.id, command.id), payload)[2]


def prepared(protocol: Protocol, command: AnyCommand, core: FirmwareCore, agent: int = TWO) -> FirmwareCore:
    """``core`` after the specimens before this one, which it may build on."""
    for earlier in protocol.commands:
        if earlier is command:
            break
        send(core, agent, protocol, earlier)
    return core


def named(protocol: Protocol, command: AnyCommand) -> bool:
    """Whether the command names a resource that is somebody's: by its table, or by a selector."""
    return command.resource is not None or command.name.startswith("PINCTRL_")


def callers(protocol: Protocol, command: AnyCommand) -> Mapping[str, Status]:
    """The status by the caller's standing."""
    right = Right(agent=TWO, allow=False, commands=(f"{protocol.key}.{command.name}",))
    without = specimens.platform(right=() if command.name in ALWAYS else (right,))
    unserved = specimens.platform(
        agent=tuple(
            msgspec.structs.replace(one, protocols=tuple(row.key for row in PROTOCOLS if row is not protocol))
            if one.id == TWO
            else one
            for one in specimens.PLATFORM.agent
        )
    )
    granted = prepared(protocol, command, specimens.core())
    trusted = prepared(protocol, command, specimens.core(), MANAGER)
    revoked = specimens.core()
    revoked.permissions.set_device(TWO, GRANTED, False)
    protocol_denied = specimens.core()
    protocol_denied.permissions.set_protocol(TWO, GRANTED, protocol.id, False)
    cores: dict[str, tuple[FirmwareCore, int]] = {
        "granted": (granted, TWO),
        "trusted": (trusted, MANAGER),
        "not granted": (specimens.core(), THREE),
        "revoked": (revoked, TWO),
        "protocol denied": (protocol_denied, TWO),
        "command denied": (specimens.core(described=without), TWO),
        "no protocol": (specimens.core(described=unserved), TWO),
    }
    return {standing: send(core, agent, protocol, command) for standing, (core, agent) in cores.items()}


def held_after(protocol: Protocol, command: AnyCommand) -> list[str]:
    """What the agent holds because of this command alone, by kind."""
    core = prepared(protocol, command, specimens.core())
    before = set(core.ledger(TWO))
    send(core, TWO, protocol, command)
    return sorted({entry.kind for entry in set(core.ledger(TWO)) - before})


def readings(core: FirmwareCore) -> list[Any]:
    """Everything that can be read of the platform, as the trusted agent sees it."""
    found = []
    for protocol in PROTOCOLS:
        for command in protocol.commands:
            if not command.changes and command.name != "SENSOR_READING_GET":
                message = specimens.request(protocol, command)
                payload = encode(message, core.machine.spoken(MANAGER, protocol.id)) if message else b""
                found.append(core.ladder.answer(MANAGER, header.pack(protocol.id, command.id), payload))
    return found


def reset(core: FirmwareCore, agent: int = TWO) -> Status:
    """BASE_RESET_AGENT_CONFIGURATION by the trusted agent, permissions included."""
    request = encode(base.ResetAgentConfiguration(agent, 1))
    head = header.pack(base.PROTOCOL.id, base.BASE_RESET_AGENT_CONFIGURATION.id)
    return core.ladder.answer(MANAGER, head, request)[2]
