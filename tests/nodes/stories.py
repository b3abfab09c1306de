"""Random stories: agents send what is valid or nearly so, rights come and go, agents are reset, time passes.

After every message the teller looks at what must always hold. It knows no rule of any single command.
"""

import struct
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from bus import frames, shmem
from bus.fields import Message, decode, encode, fields_of, layout
from bus.links import XEN
from bus.scmi import BY_ID, PROTOCOLS, base, header
from bus.scmi.header import MessageType
from bus.scmi.protocol import NEGOTIATE_PROTOCOL_VERSION, AnyCommand, NegotiateVersion, Protocol
from bus.scmi.status import Status
from nodes.contract import Boot, Effect, Received, Send, Tick
from nodes.firmware.core import FirmwareCore
from nodes.firmware.platform import Platform, Right, View
from nodes.firmware.platform.kinds import PROTOCOL_OF
from nodes.firmware.profile import FirmwareProfile
from tests.nodes import specimens
from tests.nodes.specimens import DOM0, MANAGER, THREE, TWO
from tests.nodes.sweeping import ANY_COMMAND

SHARED = ("clock", "power_domain", "perf_domain", "voltage_domain", "reset_domain", "powercap_domain")
MEASURED = {"SENSOR_READING_GET", "POWERCAP_MEASUREMENTS_GET", "SYSTEM_POWER_STATE_GET"}  # history, by design
LADDER = ANY_COMMAND | {Status.NOT_SUPPORTED, Status.BUSY}
GRANT, TAKE, FORGET, TALK, KEEP = 0.08, 0.11, 0.13, 0.15, 0.1  # how likely, up to which number


def mixed(rnd: Random) -> Platform:
    """The specimens' platform with exclusive resources, views and rights."""
    rows = {
        table: tuple(
            msgspec.structs.replace(one, sharing="exclusive") if rnd.random() < 0.5 else one
            for one in getattr(specimens.PLATFORM, table)
        )
        for table in SHARED
    }
    views, rights = [], []
    for kind in PROTOCOL_OF:
        ids = [one.id for one in getattr(specimens.PLATFORM, kind)]
        if rnd.random() < 0.3:
            views.append(
                View(rnd.choice((TWO, THREE)), kind, tuple(rnd.sample(ids, rnd.randint(1, len(ids)))))
            )
        if rnd.random() < 0.3:
            rights.append(Right(rnd.choice((TWO, THREE)), rnd.random() < 0.5, (), kind, (rnd.choice(ids),)))
    return specimens.platform(view=tuple(views), right=tuple(rights), **rows)


class Teller:
    """``tell`` a story, then ``forget`` everything and look whether the platform is as it was at boot."""

    def __init__(self, rnd: Random, profile: FirmwareProfile, described: Platform) -> None:
        self.rnd, self.profile, self.described = rnd, profile, described
        self.core = FirmwareCore(described, shmem.PrivateMemory(), XEN, profile)
        self.core.step(Boot(), 0)
        self.now_ns = 0
        self.kept: list[frames.Interrupt] = []
        self.services = {one.table.id: one for one in self.core.services}
        self.at_boot, self.timers = self.readings(), self.planned()
        self.core.outbox.send = self._sent(self.core.outbox.send)  # type: ignore[method-assign]

    def planned(self) -> int:
        return sum(timer.action is not None for _, _, timer in self.core.machine.schedule._heap)

    # ---- telling ------------------------------------------------------------------------------

    def tell(self, steps: int) -> None:
        self.core.permissions.set_device(TWO, specimens.GRANTED, True)
        for _ in range(steps):
            self._pass()
            agent, protocol, command, message = self._chosen()
            if protocol.id in self.services:
                version = self.core.machine.spoken(agent, protocol.id)
                try:
                    payload = encode(message, version) if message is not None else b""
                except (ValueError, struct.error):
                    continue  # what does not fit its field cannot be sent
                self._send(agent, protocol, command, version, payload)

    def _pass(self) -> None:
        self.now_ns += self.rnd.choice((1, 1000, 10**6, 10**8))
        while (due := self.core.deadline_ns()) is not None and due <= self.now_ns:
            self._follow(self.core.step(Tick(), due))
        if self.kept and self.rnd.random() < KEEP:
            self._end(self.kept.pop())

    def _chosen(self) -> tuple[int, Protocol, AnyCommand, Message | None]:
        rnd, dice = self.rnd, self.rnd.random()
        agent = rnd.choice((DOM0, MANAGER, TWO, TWO, THREE, THREE))
        device = rnd.choice(self.described.device).id
        whom = rnd.choice((DOM0, TWO, THREE))
        allow = int(rnd.random() < 0.7)
        if dice < GRANT:
            granted = base.SetDevicePermissions(whom, device, allow)
            return MANAGER, base.PROTOCOL, base.BASE_SET_DEVICE_PERMISSIONS, granted
        if dice < TAKE:
            taken = base.SetProtocolPermissions(whom, device, rnd.randrange(0x11, 0x1A), allow)
            return MANAGER, base.PROTOCOL, base.BASE_SET_PROTOCOL_PERMISSIONS, taken
        if dice < FORGET:
            forgotten = base.ResetAgentConfiguration(whom, rnd.randrange(2))
            return rnd.choice((MANAGER, whom)), base.PROTOCOL, base.BASE_RESET_AGENT_CONFIGURATION, forgotten
        protocol = rnd.choice(PROTOCOLS)
        if dice < TALK:
            return (
                agent,
                protocol,
                NEGOTIATE_PROTOCOL_VERSION,
                NegotiateVersion(rnd.choice(protocol.versions)),
            )
        command = rnd.choice(protocol.commands)
        valid = specimens.request(protocol, command)
        return agent, protocol, command, None if valid is None else self._bent(protocol, valid)

    def _bent(self, protocol: Protocol, valid: Message) -> Message:
        """Some of its numbers are others."""
        for row in layout(type(valid)).rows:
            if row.count or row.is_text or self.rnd.random() > 0.35:
                continue
            now = getattr(valid, row.name)
            choice: list[int] = [0, 1, 2, 3, 5, now + 1, abs(now - 1), 2 * now, 1000, 0xFFFF_FFFF]
            if row.of and protocol.id in self.services:
                choice = sorted(self.services[protocol.id].resources.get(row.of, ())) or choice
            valid = msgspec.structs.replace(valid, **{row.name: self.rnd.choice(choice)})
        return valid

    # ---- what must hold -----------------------------------------------------------------------

    def _send(
        self, agent: int, protocol: Protocol, command: AnyCommand, version: int, payload: bytes
    ) -> None:
        self.core.machine.now_ns = self.now_ns
        head = header.pack(protocol.id, command.id)
        _, _, status, answer = self.core.ladder.answer(agent, head, payload)
        self._follow(self.core.outbox.effects())
        if status is not Status.SUCCESS:
            assert answer == status.word
            assert status in LADDER | set(command.errors) | {Status.PROTOCOL_ERROR}, (command.name, status)
        elif len(answer) > len(status.word):
            reply = decode(command.reply_at(version), answer[len(status.word) :], version)
            for row in fields_of(type(reply)):
                bits = row.bits_at(version)
                assert bits is None or not getattr(reply, row.name) & bits.reserved, (command.name, row.name)

    def _sent(self, send: Any) -> Any:
        """Whoever is told of a resource may read it, or was given the right to hear of it."""

        def sent(agent: int, head: int, payload: bytes) -> bool:
            table, machine = BY_ID[header.protocol_id(head)], self.core.machine
            if header.message_type(head) == MessageType.NOTIFICATION and not machine.views.special(agent):
                row = next(one for one in table.notifications if one.id == header.message_id(head))
                message = decode(row.payload, payload, machine.spoken(agent, table.id))
                by = (table.key, row.enabled_by)
                for field in fields_of(type(message)):
                    about = (field.of, getattr(message, field.name))
                    assert not field.of or self.core.permissions.may(agent, about, changes=False, command=by)
            return bool(send(agent, head, payload))

        return sent

    def _follow(self, effects: Any) -> None:
        for effect in effects:
            raised = _interrupt(effect)
            if raised is not None and self.rnd.random() < KEEP:
                self.kept.append(raised)
            elif raised is not None:
                self._end(raised)

    def _end(self, raised: frames.Interrupt) -> None:
        done = frames.EndOfInterrupt(1, raised.request, 0, raised.intid, raised.page)
        self._follow(self.core.step(Received(XEN, done, shmem.IDLE), self.now_ns))

    # ---- the end ------------------------------------------------------------------------------

    def forget(self) -> None:
        """Every agent is reset, whatever the firmware makes of the command."""
        self.core.lifecycle.restart()
        for agent in self.described.agent:
            assert not self.core.last_reset[agent.id].leaks, agent.name
        changed = [one for one, value in self.readings().items() if value != self.at_boot[one]]
        assert not changed, changed
        assert self.planned() <= self.timers

    def readings(self) -> dict[tuple[str, int], Any]:
        """Everything that the trusted agent can read and that does not depend on what was before."""
        return dict(self._read())

    def _read(self) -> Iterator[tuple[tuple[str, int], Any]]:
        for protocol in PROTOCOLS:
            for command in protocol.commands if protocol.id in self.services else ():
                version = self.core.machine.spoken(MANAGER, protocol.id)
                if command.changes or command.name in MEASURED or command.since > version:
                    continue
                valid, row = specimens.request(protocol, command), command.resource
                head = header.pack(protocol.id, command.id)
                for one in sorted(self.services[protocol.id].resources[row.of]) if row else (0,):
                    asked = msgspec.structs.replace(valid, **{row.name: one}) if row and valid else valid
                    payload = encode(asked, version) if asked is not None else b""
                    yield (command.name, one), self.core.ladder.answer(MANAGER, head, payload)[2:]


def _interrupt(effect: Effect) -> frames.Interrupt | None:
    found = effect.frame if isinstance(effect, Send) else None
    return found if isinstance(found, frames.Interrupt) and found.page else None
