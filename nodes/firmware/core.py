"""The EL3 core: an SMC's function id picks the channel, the channel is the agent, the ladder answers.

The page is read once into a private snapshot; only the snapshot is judged. In carried mode the
snapshot came with the frame and the answer goes back with it; in mapped mode both are the shared
page. Nothing here knows who trapped: whoever rings a channel's doorbell is its agent. What EL3 has to
do later (delayed responses, the hardware's own life) is in the machine's schedule.
"""

from collections.abc import Callable, Sequence
from typing import Final

from bus import frames, shmem, smccc
from bus.scmi.status import Status
from nodes.contract import ALONE, Boot, Effect, Epoch, Event, Halt, Log, Note, Received, Send, Tick
from nodes.epochs import Belonging, final
from nodes.firmware import console
from nodes.firmware import profile as profiles
from nodes.firmware.channel import Bare, Channel, transport
from nodes.firmware.faults import Faults, Judging, Smc
from nodes.firmware.hardware import Board
from nodes.firmware.ladder import SUCCESS, Ladder
from nodes.firmware.ledger import Entry
from nodes.firmware.lifecycle import Lifecycle, ResetRecord
from nodes.firmware.machine import Machine
from nodes.firmware.outbox import Outbox
from nodes.firmware.permissions import Permissions
from nodes.firmware.platform import Platform
from nodes.firmware.platform.rights import check_plugins
from nodes.firmware.profile import FirmwareProfile
from nodes.firmware.protocols import BaseService, services
from nodes.firmware.service import Service
from nodes.firmware.subscriptions import NOBODY
from nodes.limits import HELLO_AGAIN_NS, NOTE_CHARACTERS_MAX, P2A_QUEUE
from nodes.meters import Meters
from nodes.story import Story
from nodes.window import Window

VERSION: Final = frames.PROTOCOL_VERSION


class FirmwareCore:
    """``step`` takes Boot, SMCs, ends of interrupts, console requests, Ticks.

    ``ledger(agent_id)`` tells all an agent holds. ``take`` answers an SMC and ``judge`` a message:
    ``faults`` may come between.

    ``peer`` is the link to Xen; ``memory`` is where the channels' pages are; ``vendor`` makes the services of
    plug-ins' protocols, which are served as all the others are. ``record``: what no frame shows is told as
    notes. ``epoch``: who this EL3 is; it takes nothing from a Xen older than the newest that welcomed it.
    """

    def __init__(
        self,
        platform: Platform,
        memory: shmem.Memory,
        peer: bytes,
        profile: FirmwareProfile = profiles.DEFAULT,
        *,
        carried: bool = True,
        vendor: Sequence[Callable[[Machine], Service]] = (),
        record: bool = False,
        epoch: Epoch = ALONE,
    ) -> None:
        self.platform = platform
        self.profile = profile
        self.meters = Meters("firmware")
        self.story = Story()
        self._peer = peer
        self._record = record
        self._smcs, self._consoles = Window(), Window()
        self._belonging = Belonging(epoch, "firmware", self.meters, record)
        self._welcome = False
        self.channels = {agent.smc_id: Channel(agent, memory.map(agent.shmem)) for agent in platform.agent}
        self._by_agent = {channel.agent_id: channel for channel in self.channels.values()}
        self.permissions = Permissions(platform, profile)
        queue_max = P2A_QUEUE if profile.p2a_full == "queue" else 0
        self.outbox = Outbox(platform.agent, memory, peer, self.meters, carried=carried, queue_max=queue_max)
        self.machine = Machine(platform, profile, self.permissions, self.outbox)
        self.board = Board(self.machine)
        others = (*services(self.machine, self.board), *(make(self.machine) for make in vendor))
        check_plugins(platform, others)
        self.base = BaseService(
            self.machine,
            others,
            self._drop_configuration,
            self._permission_changed,
        )
        self.services: tuple[Service, ...] = (self.base, *others)
        self.ladder = Ladder(self.services, self.machine)
        self.transport = transport(profile, platform.area_bytes, self._serve, self.meters)
        self.transport.on_bad_length = self._bad_length
        self.transport.on_failed = self._done
        self._bare = self.transport if isinstance(self.transport, Bare) else None
        self.lifecycle = Lifecycle(
            self.machine,
            self.ladder,
            self.services,
            self.meters,
            idle=lambda agent_id: self.transport.start(self._by_agent[agent_id]),
            channel=lambda agent_id: self.transport.ledger(self._by_agent[agent_id]),
        )
        self.lifecycle.boot()
        if record:
            self.lifecycle.on_reset = self._tell_reset
        self.machine.restart = self.lifecycle.restart
        self.take: Smc = self._smc
        self.judge: Judging = self.ladder.answer
        self.faults = Faults(self)
        self._calls = self.meters.counter("trapline_scmi_calls_total")
        self._unknown = self.meters.counter("trapline_smc_unknown_total")
        self._drops = self.meters.counter("trapline_bus_dropped_total")
        self._duplicates = self.meters.counter("trapline_smc_duplicates_total")
        self._stale = self.meters.counter("trapline_smc_stale_total")
        self._changes = self.meters.counter("trapline_device_permission_changes_total")
        for channel in self.channels.values():
            self._expect(channel.label)

    def _expect(self, agent: str) -> None:
        """What will be counted of an agent begins at 0, so that a rate sees the first denial and reset."""
        self._calls.expect((agent, "base", "PROTOCOL_VERSION", "SUCCESS"))
        self._calls.expect((agent, "other", "other", "DENIED"))
        for name in ("trapline_scmi_transport_errors_total", "trapline_agent_resets_applied_total"):
            self.meters.counter(name).expect((agent,))

    def deadline_ns(self) -> int | None:
        """When something that EL3 began is due."""
        return self.machine.schedule.deadline_ns()

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """Take one event; every SMC gets exactly one SmcReturn, and happens once, however often it comes."""
        self.machine.now_ns = now_ns
        if type(event) is Received and type(event.frame) is frames.Smc:
            request, numbers = event.frame.request, self._smcs
            if request == numbers.ordinary:
                numbers.ordinary += 1
            elif self._belonging.outlived(request) or not numbers.admit(request):
                return self._unwanted(event.frame)
            answer = self.take(event.frame, event.page, now_ns)
            if answer is None:
                return self.outbox.effects()
            return (answer, *self.outbox.effects()) if self.outbox.ready else (answer,)
        return self._cold(event, now_ns)

    def _unwanted(self, frame: frames.Smc | frames.Console) -> Sequence[Effect]:
        """What came before, or from a Xen that has been replaced: it is not done."""
        if self._belonging.outlived(frame.request):
            self._stale[()] += isinstance(frame, frames.Smc)
            return self._belonging.stale(frame, frames.incarnation_of(frame.request))
        self._drops[("duplicate",)] += 1
        self._duplicates[()] += isinstance(frame, frames.Smc)
        return (Note("duplicate", frame.request, (), type(frame).__name__.lower()),) if self._record else ()

    def _cold(self, event: Event, now_ns: int) -> Sequence[Effect]:
        self.machine.cause = NOBODY
        if isinstance(event, Tick):
            self.machine.schedule.run(now_ns)
            return self.outbox.effects()
        if isinstance(event, Received):
            if isinstance(event.frame, frames.EndOfInterrupt):
                self.outbox.ended(event.frame, event.page)
                return self.outbox.effects()
            if isinstance(event.frame, frames.Console):
                request = event.frame.request
                if self._belonging.outlived(request) or not self._consoles.admit(request):
                    return self._unwanted(event.frame)
                body = console.answer(self, event.frame.body, now_ns)
                reply = frames.ConsoleReply(VERSION, event.frame.request, event.frame.cause, body)
                return (Send(self._peer, reply),)
            if isinstance(event.frame, frames.Welcome):
                return self._welcomed(event.frame)
            if isinstance(event.frame, frames.Error):
                return self._refused(event.frame, now_ns)
            return (Log("warning", f"EL3 takes SMCs only, not {type(event.frame).__name__}"),)
        if isinstance(event, Boot):
            for channel in self.channels.values():
                self.transport.start(channel)
            self.outbox.boot()
            self.board.boot()
            return (Send(self._peer, self._belonging.hello()), *self.outbox.effects())
        return (Halt(1, "the link to Xen is gone"),)

    def _welcomed(self, frame: frames.Welcome) -> Sequence[Effect]:
        """From now on this Xen is served; a newer one's first number makes that of an older one no ordinary
        one any more, so that the hot path need not ask.
        """
        before = self._belonging.newest
        refused = self._belonging.refuses(frame)
        if refused is None and max(before, 1) < frame.incarnation:
            first = frames.first_request(frame.incarnation)
            self._smcs.admit(first)
            self._consoles.admit(first)
        self._welcome = self._welcome or refused is None
        return refused or ()

    def _refused(self, frame: frames.Error, now_ns: int) -> Sequence[Effect]:
        """Xen may not know this link yet: EL3 says Hello again. One that is stale ends."""
        over = final(frame)
        if over is not None:
            return (over,)
        if not self._welcome:
            again = Send(self._peer, self._belonging.hello())
            self.machine.schedule.at(now_ns + HELLO_AGAIN_NS, lambda: self.outbox.put(again))
        return (Log("warning", f"Xen refuses EL3's link: {frame.detail}"),)

    def _smc(self, frame: frames.Smc, page: bytes, now_ns: int) -> Send | None:
        x = frame.x
        self.machine.request = frame.request
        channel = self.channels.get(x[0] & 0xFFFF_FFFF)
        if channel is None:
            self._unknown[()] += 1
            return self._return(frame, smccc.NOT_SUPPORTED, b"")
        self.story.add(now_ns, "doorbell", frame.request, x[0])
        if page and frame.page != channel.shmem:
            # What EL3 looks at is the channel's own page, and nobody wrote a message there.
            self.transport.misplaced(channel)
            return self._return(frame, smccc.SUCCESS, b"")
        if self._bare is not None:
            x0, x1, answer = self._bare.message(channel, page, x[1])
            reply = frames.SmcReturn(VERSION, frame.request, frame.cause, (x0, x1, x[2], x[3]))
            return Send(self._peer, reply, answer if page else b"")
        if page:
            return self._return(frame, smccc.SUCCESS, self.transport.exchange(channel, page))
        self.transport.exchange_shared(channel)
        return self._return(frame, smccc.SUCCESS, b"")

    def _return(self, frame: frames.Smc, x0: int, page: bytes) -> Send:
        x = frame.x
        reply = frames.SmcReturn(VERSION, frame.request, frame.cause, (x0, x[1], x[2], x[3]))
        return Send(self._peer, reply, page)

    def _serve(self, channel: Channel, head: int, payload: bytes, flags: int) -> bytes:
        """The payload that answers one message on a channel."""
        protocol, message, code, reply = self.judge(channel.agent_id, head, payload)
        self._calls[(channel.label, protocol, message, code._name_)] += 1  # as .name, without its descriptor
        if code is not SUCCESS and self._record:
            self._tell_refused(channel.agent_id, head, payload, code)
        if channel.completion is not None:
            self._done(channel, flags)
        return reply

    def _done(self, channel: Channel, flags: int) -> None:
        """The page is its agent's again, with an answer or with ERROR: it may want an interrupt for that."""
        if channel.completion is not None and flags & shmem.INTERRUPT:
            self.outbox.complete(channel.completion)

    def _bad_length(self, channel: Channel, head: int) -> None:
        """No answer could carry the refusal: whoever asked to be told of errors is."""
        self.base.transport_error(channel.agent_id, head, Status.PROTOCOL_ERROR)

    # ---- the life of an agent -----------------------------------------------------------------

    def _drop_configuration(self, caller: int, agent_id: int, also_permissions: bool) -> None:
        self.lifecycle.reset(caller, agent_id, also_permissions)

    def _permission_changed(self, agent_id: int, device_id: int, allow: bool) -> None:
        key = (str(agent_id), str(device_id), "allow" if allow else "deny")
        self._changes[key] += 1

    def _tell_refused(self, agent_id: int, head: int, payload: bytes, status: Status) -> None:
        """Which rung refused a message, and what stands behind it, for the record."""
        told = self.ladder.told(agent_id, head, payload, status)
        numbers = (agent_id, head, status.value)
        self.outbox.put(Note("refused_at", self.machine.request, numbers, told))

    def _tell_reset(self, agent_id: int, record: ResetRecord) -> None:
        numbers = (agent_id, len(record.before), len(record.after), len(record.leaks))
        text = "; ".join(entry.thing for entry in record.leaks)[:NOTE_CHARACTERS_MAX]
        self.outbox.put(Note("reset", self.machine.request, numbers, text))

    def ledger(self, agent_id: int) -> list[Entry]:
        """All that an agent holds."""
        return self.lifecycle.ledger(agent_id)

    @property
    def last_reset(self) -> dict[int, ResetRecord]:
        """Each agent's last reset, by agent id."""
        return self.lifecycle.last_reset
