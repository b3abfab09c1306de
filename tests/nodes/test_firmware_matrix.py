"""Every command against every standing of its caller, and against a reset."""

import pytest

from bus.scmi import PROTOCOLS
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.status import Status
from tests.nodes import specimens
from tests.nodes.matrix import (
    ALWAYS,
    OTHERS,
    TRUSTED_ONLY,
    callers,
    held_after,
    named,
    prepared,
    readings,
    reset,
    send,
)
from tests.nodes.specimens import TWO

COMMANDS = [
    pytest.param(protocol, command, id=f"{protocol.key}-{command.name}")
    for protocol in PROTOCOLS
    for command in protocol.commands
]
REFUSED = {"not granted", "revoked", "protocol denied"}


def wanted(protocol: Protocol, command: AnyCommand, standing: str) -> Status:
    """The cell as the rules have it."""
    if standing == "trusted":
        return Status.SUCCESS
    if command.name in TRUSTED_ONLY:
        return Status.DENIED
    if standing == "not granted" and command.name in OTHERS:
        return OTHERS[command.name]
    if standing == "granted":
        return Status.SUCCESS
    if standing == "no protocol" and protocol.key != "base":
        return Status.DENIED
    if standing == "command denied" and command.name not in ALWAYS:
        return Status.DENIED
    if standing in REFUSED and named(protocol, command):
        return Status.DENIED
    if standing == "protocol denied" and protocol.key == "system":
        return Status.DENIED  # nothing of it is left: it has no resources
    return Status.SUCCESS


@pytest.mark.parametrize(("protocol", "command"), COMMANDS)
def test_who_may_send_it(protocol: Protocol, command: AnyCommand) -> None:
    found = callers(protocol, command)
    assert found == {standing: wanted(protocol, command, standing) for standing in found}


@pytest.mark.parametrize(("protocol", "command"), COMMANDS)
def test_a_reset_takes_everything_back(protocol: Protocol, command: AnyCommand) -> None:
    untouched = readings(specimens.core())
    core = prepared(protocol, command, specimens.core())
    assert send(core, TWO, protocol, command) in (Status.SUCCESS, Status.DENIED)
    assert reset(core) is Status.SUCCESS
    assert core.ledger(TWO) == []
    assert core.machine.schedule.deadline_ns() == specimens.core().machine.schedule.deadline_ns()
    assert readings(core) == untouched


def test_what_changes_something_is_in_the_ledger() -> None:
    """But for what acts once and is over, and what takes something back."""
    silent = {
        command.name
        for protocol in PROTOCOLS
        for command in protocol.commands
        if command.changes and not held_after(protocol, command) and command.name not in TRUSTED_ONLY
    }
    assert silent == {"BASE_RESET_AGENT_CONFIGURATION", "PINCTRL_RELEASE"}
