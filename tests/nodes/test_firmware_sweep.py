"""Every command of every protocol, at every version, for every firmware profile: what is nearly valid.

A refusal must be the one that the ladder demands and change nothing that anybody can see.
"""

import pytest

from bus.fields import Message
from bus.scmi import PROTOCOLS, header
from bus.scmi.protocol import (
    NEGOTIATE_PROTOCOL_VERSION,
    PROTOCOL_MESSAGE_ATTRIBUTES,
    PROTOCOL_VERSION,
    AnyCommand,
    MessageAttributes,
    NegotiateVersion,
    Protocol,
)
from bus.scmi.status import Status
from nodes.firmware.core import FirmwareCore
from nodes.firmware.profile import DEFAULT, PROFILES, FirmwareProfile
from tests.nodes import specimens
from tests.nodes.specimens import MANAGER, TWO
from tests.nodes.sweeping import Case, cases

MANAGERS_OWN = {"BASE_SET_DEVICE_PERMISSIONS", "BASE_SET_PROTOCOL_PERMISSIONS", "PINCTRL_SET_PERMISSIONS"}
SUBJECTS = [
    pytest.param(profile, protocol, version, id=f"{profile.name}-{protocol.key}-{version:#x}")
    for profile in PROFILES.values()
    for protocol in PROTOCOLS
    for version in protocol.versions
]


def speaking(profile: FirmwareProfile, protocol: Protocol, version: int) -> FirmwareCore | None:
    """An EL3 with which the callers have agreed on ``version``; None when it does not speak that."""
    core = specimens.core(profile)
    for agent in (MANAGER, TWO):
        spoken = core.machine.default_versions.get(protocol.id)
        if spoken is None:
            return None
        if spoken != version:
            head = header.pack(protocol.id, NEGOTIATE_PROTOCOL_VERSION.id)
            payload = version.to_bytes(4, "little")
            if core.ladder.answer(agent, head, payload)[2] is not Status.SUCCESS:
                return None
    return core


def valid(protocol: Protocol, command: AnyCommand, version: int) -> Message | None:
    if command is PROTOCOL_MESSAGE_ATTRIBUTES:
        return MessageAttributes(0)
    if command is NEGOTIATE_PROTOCOL_VERSION:
        return NegotiateVersion(version)
    return specimens.request(protocol, command)


def seen(core: FirmwareCore) -> list[object]:
    return [core.ledger(agent.id) for agent in core.platform.agent]


def served(core: FirmwareCore, protocol: Protocol, command: AnyCommand) -> bool:
    """Whether the firmware implements the command, in its own words."""
    head = header.pack(protocol.id, PROTOCOL_MESSAGE_ATTRIBUTES.id)
    status = core.ladder.answer(MANAGER, head, command.id.to_bytes(4, "little"))[2]
    return status is Status.SUCCESS


@pytest.mark.parametrize(("profile", "protocol", "version"), SUBJECTS)
def test_what_is_nearly_valid(profile: FirmwareProfile, protocol: Protocol, version: int) -> None:
    core = speaking(profile, protocol, version)
    if core is None:
        # It does not serve the protocol, or not in this version: then it must say so.
        core = specimens.core(profile)
        if protocol.id not in core.machine.default_versions:
            head = header.pack(protocol.id, PROTOCOL_VERSION.id)
            assert core.ladder.answer(TWO, head, b"")[2] is Status.NOT_SUPPORTED
        else:
            head = header.pack(protocol.id, NEGOTIATE_PROTOCOL_VERSION.id)
            status = core.ladder.answer(TWO, head, version.to_bytes(4, "little"))[2]
            assert status is Status.NOT_SUPPORTED
        assert profile is not DEFAULT, "which speaks every version of every protocol"
        return
    swept = 0
    for command in protocol.every_command():
        if command.since > version or not served(core, protocol, command):
            continue
        caller = MANAGER if command.name in MANAGERS_OWN else TWO
        for case in cases(protocol, command, valid(protocol, command, version), version, profile):
            core = judge(core, caller, command, case, lambda: speaking(profile, protocol, version))
            swept += 1
    assert swept


def judge(core, caller: int, command: AnyCommand, case: Case, fresh) -> FirmwareCore:
    before = seen(core)
    _, _, status, _ = core.ladder.answer(caller, case.head, case.payload)
    assert status in case.wanted, f"{command.name}, {case.name}: {status.name}"
    if status is Status.SUCCESS:
        return fresh()
    assert seen(core) == before, f"{command.name}, {case.name}: refused, yet something changed"
    return core


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda one: one.name)
def test_unknown_ids(profile: FirmwareProfile) -> None:
    core = specimens.core(profile)
    for protocol_id in (0x00, 0x0F, 0x1A, 0x7F, 0x80, 0xFF):
        assert core.ladder.answer(TWO, header.pack(protocol_id, 0), b"")[2] is Status.NOT_SUPPORTED
    for protocol in PROTOCOLS:
        if protocol.id in core.machine.default_versions:
            beyond = max(command.id for command in protocol.every_command()) + 1
            for message_id in (beyond, 0xFF):
                status = core.ladder.answer(TWO, header.pack(protocol.id, message_id), b"")[2]
                assert status is profile.unknown_message
