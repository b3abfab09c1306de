"""What one agent does with what it alone was granted is nothing that another one can see.

The same story is told twice, with and without the first agent; whoever watches must not find a difference in
any answer, count, list, refusal or notification.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from bus.fields import encode
from bus.scmi import PROTOCOLS, header
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.status import Status
from nodes.contract import Tick
from nodes.firmware.core import FirmwareCore
from nodes.firmware.permissions import resources_of
from nodes.firmware.profile import PROFILES, FirmwareProfile
from tests.nodes import specimens
from tests.nodes.specimens import THREE, TWO

STEPS, STEP_NS = 80, 100_000
WATCHED = [one for one in PROFILES.values() if one.area == "smt" and not one.open_permissions]
APART = {"base", "system"}  # these are about the platform as a whole


def messages(core: FirmwareCore, agent: int) -> Iterator[tuple[Protocol, AnyCommand, int, bytes]]:
    """Every command for every resource but those that are in no device: these may be read by everybody."""
    in_devices = {resource for one in core.permissions.devices.values() for resource in resources_of(one)}
    for service in core.services:
        if service.table.key in APART:
            continue
        version = core.machine.spoken(agent, service.table.id)
        for command in service.table.commands:
            valid, row = specimens.request(service.table, command), command.resource
            if command.since > version:
                continue
            ids = [0]
            if row:  # by the agent's own numbers, which may be another's
                seen = {
                    one: core.machine.views.inward(agent, row.of, one) for one in service.resources[row.of]
                }
                ids = [one for one, found in seen.items() if found is None or (row.of, found) in in_devices]
            for one in sorted(ids):
                asked = msgspec.structs.replace(valid, **{row.name: one}) if row and valid else valid
                yield service.table, command, one, encode(asked, version) if asked is not None else b""


def send(core: FirmwareCore, agent: int, protocol: Protocol, command: AnyCommand, payload: bytes) -> Any:
    return core.ladder.answer(agent, header.pack(protocol.id, command.id), payload)[2:]


def watched(profile: FirmwareProfile, *, acts: bool) -> dict[Any, Any]:
    """All that agent 3 finds and hears, when agent 2 acts or does not."""
    core = specimens.core(profile)
    for device in core.permissions.devices:
        core.permissions.set_device(THREE, device, device != specimens.GRANTED)
    heard: list[tuple[int, bytes]] = []
    real = core.outbox.send

    def sent(agent: int, head: int, payload: bytes) -> bool:
        heard.extend([(head, payload)] if agent == THREE else [])
        return real(agent, head, payload)

    core.outbox.send = sent  # type: ignore[method-assign]
    for protocol, command, _, payload in list(messages(core, THREE)):
        if "NOTIFY" in command.name:
            send(core, THREE, protocol, command, payload)
    rnd, every, done = Random(profile.name), list(messages(core, TWO)), 0
    for at in range(1, STEPS + 1):
        protocol, command, _, payload = rnd.choice(every)
        core.machine.now_ns = at * STEP_NS
        if acts:
            done += send(core, TWO, protocol, command, payload)[0] is Status.SUCCESS
        while (due := core.deadline_ns()) is not None and due <= (at + 1) * STEP_NS:
            core.step(Tick(), due)
    assert done > STEPS / 4 or not acts, "agent 2 does something"
    core.machine.now_ns = STEPS * STEP_NS + STEP_NS
    found: dict[Any, Any] = {"heard": heard}
    for protocol, command, one, payload in messages(core, THREE):
        found[command.name, one] = send(core, THREE, protocol, command, payload)
    return found


@pytest.mark.parametrize("profile", WATCHED, ids=lambda one: one.name)
@pytest.mark.parametrize("looks", ["DENIED", "NOT_FOUND", "unlisted"])
def test_nobody_sees_what_another_does_with_its_own(profile: FirmwareProfile, looks: str) -> None:
    made = msgspec.structs.replace(profile, denied_resource=looks)
    alone, beside = watched(made, acts=False), watched(made, acts=True)
    assert [key for key in alone if alone[key] != beside[key]] == []


def test_what_may_be_read_is_seen() -> None:
    """The watcher's own test: where a denied resource may be read, agent 3 sees what agent 2 does."""
    made = msgspec.structs.replace(PROFILES["spec-strict"], denied_resource="restricted")
    alone, beside = watched(made, acts=False), watched(made, acts=True)
    assert [key for key in alone if alone[key] != beside[key]]


def test_every_protocol_with_resources_is_watched() -> None:
    core = specimens.core()
    assert {protocol.key for protocol, *_ in messages(core, THREE)} == {one.key for one in PROTOCOLS} - APART
