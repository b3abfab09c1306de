"""The guest core: one call after the other, and who hears how each ended. One SMC in flight, as on a vCPU.

How a call is rung and judged is in ``channel.py``, what the platform says unasked in ``receiving.py``.
Work comes from a source (``sources.py``) and, first in line, from the console (``answers.py``).
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from bus import frames, shmem, smccc
from bus.scmi import header
from nodes.contract import ALONE, Boot, Effect, Epoch, Event, Halt, Received, Send, Tick
from nodes.epochs import Belonging, final
from nodes.guest import answers, calls, console
from nodes.guest.accounts import Accounts
from nodes.guest.calls import HOSTILE, Ask, Flight, Outcome, platform_lost, refused, surely_not_done
from nodes.guest.channel import IDLE_REGISTERS, Channel
from nodes.guest.config import GuestConfig
from nodes.guest.hostile import Hostility, Scribble
from nodes.guest.load import WorkPlan, make
from nodes.guest.receiving import Receiver
from nodes.guest.sources import Source
from nodes.limits import CONSOLE_CALLS, HELLO_AGAIN_NS
from nodes.meters import Meters
from nodes.story import Story

__all__ = ["GuestConfig", "GuestCore"]
VERSION: Final = frames.PROTOCOL_VERSION
BACKOFF_NS = 1_000_000  # between tries of work that could not even ring


class GuestCore:
    """``peer`` is the link to Xen; ``page`` and ``p2a_page`` are the guest's view of its shared pages."""

    def __init__(
        self,
        config: GuestConfig,
        page: shmem.Buffer | None,
        peer: bytes,
        p2a_page: shmem.Buffer | None = None,
        epoch: Epoch = ALONE,
    ) -> None:
        self.config = config
        self.meters = Meters("guest")
        self.story = Story()
        self._peer = peer
        self._channel = Channel(config.binding, page, config.carried)
        self._polling = self._channel.completion is None
        way_back = config.binding.p2a if config.binding else None
        self._receiver: Receiver | None = None
        if way_back is not None and p2a_page is not None:
            self._receiver = Receiver(config.name, way_back, p2a_page, config.carried, self.meters)
        self._flight: Flight | None = None
        self._late: set[int] = set()
        self._request = 0
        self._token = 0
        self._console: deque[tuple[int, console.Request]] = deque()
        self._source: Source | None = None
        self._hostility: Hostility | None = None
        self._hold_ns = 0
        self.welcome = False
        self._hello_ns: int | None = None  # when to say it again
        self._belonging = Belonging(epoch, "guest", self.meters, config.record)
        self._accounts = Accounts((config.name, config.agent), config.record, self.meters, self.story)
        self._drops = self.meters.counter("trapline_bus_dropped_total")
        self._received_lines = self.meters.counter("trapline_guest_received_total")

    @property
    def scribble(self) -> Scribble | None:
        """What the engine shall do to mapped pages while EL3 reads them, None for nothing."""
        return self._hostility.scribble if self._hostility is not None else None

    @property
    def outstanding(self) -> int:
        """Calls that have begun and not ended."""
        waiting = len(self._receiver.pending) if self._receiver is not None else 0
        return int(self._flight is not None) + waiting

    def deadline_ns(self) -> int | None:
        """The end of the guest's patience with a call, or the time of its next one, or of its next Hello."""
        if not self.welcome:
            return self._hello_ns
        due_ns = None
        if self._flight is not None:
            due_ns = self._flight.started_ns + self.config.timeout_ns
        elif self._source is not None and self._source.due_ns is not None:
            due_ns = max(self._source.due_ns, self._hold_ns)
        receiver = self._receiver
        hostile = self._hostility
        if hostile is None and (receiver is None or not receiver.pending):
            return due_ns
        promised_ns = receiver.due_ns() if receiver is not None else None
        strike_ns = hostile.due_ns(self._flight is not None) if hostile is not None else None
        known = [one for one in (due_ns, promised_ns, strike_ns) if one is not None]
        return min(known, default=None)

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """Take one event; effects are the next trap, answers to the console, the ends of interrupts."""
        if type(event) is Received and type(event.frame) is frames.Return:
            flight = self._flight
            if flight is not None and event.frame.request == flight.request:
                x = event.frame.x
                if self._polling or x[0] or flight.ask is None or flight.console == HOSTILE:
                    outcome = self._channel.judge(flight, x[0], event.page, now_ns - flight.started_ns)
                    return self._finish(flight, outcome, now_ns, x)
                self._channel.returned(x, event.page)
                return self._completed(flight, now_ns)
        return self._cold(event, now_ns)

    # ---- a call -------------------------------------------------------------------------------

    def _ring(self, wanted: Ask, console_request: int, now_ns: int, intended_ns: int) -> tuple[Effect, ...]:
        """Claim the channel and ring the doorbell, or end the call at once."""
        refusal = self._channel.refusal(wanted)
        if refusal is not None:
            return self._fail(wanted, console_request, now_ns, intended_ns, refusal)
        if (head := wanted.header) is None:
            self._token = token = self._token + 1 & header.TOKEN_MAX
            head = header.pack(wanted.protocol_id, wanted.message_id, token)
        if wanted.delayed:
            refusal = self._receiver.refusal(head) if self._receiver is not None else answers.NO_WAY_BACK
            if refusal is not None:
                return self._fail(wanted, console_request, now_ns, intended_ns, refusal)
        self._request = request = self._request + 1
        self._flight = flight = Flight(request, head, wanted, console_request, now_ns, intended_ns)
        if wanted.delayed and self._receiver is not None:
            self._receiver.expect(flight, wanted)
        return (Send(self._peer, *self._channel.claim(request, head, wanted.payload)),)

    def _fail(
        self, wanted: Ask, console_request: int, now_ns: int, intended_ns: int, refusal: tuple[str, str]
    ) -> tuple[Effect, ...]:
        code, detail = refusal
        flight = Flight(0, 0, wanted, console_request, now_ns, intended_ns)
        return self._end(flight, Outcome(code, True, 0, b"", detail, 0), now_ns, ())

    def _completed(self, flight: Flight, now_ns: int) -> tuple[Effect, ...]:
        """The SMC returned or the completion interrupt came: once it is both, the call is over."""
        page = self._channel.result()
        if page is None:
            return ()
        outcome = self._channel.judge(flight, 0, page, now_ns - flight.started_ns)
        return self._finish(flight, outcome, now_ns, self._channel.x or ())

    def _finish(
        self, flight: Flight, outcome: Outcome, now_ns: int, x: tuple[int, ...]
    ) -> tuple[Effect, ...]:
        """The channel is done with a call; one that has to wait for its delayed response is not over."""
        self._flight = None
        if flight.ask is not None and flight.ask.delayed and self._receiver is not None:
            ending = self._receiver.immediate(flight, outcome, now_ns)
            if ending is None:
                return self._go_on(now_ns)
            outcome = ending
        return self._end(flight, outcome, now_ns, x)

    def _end(self, flight: Flight, outcome: Outcome, now_ns: int, x: tuple[int, ...]) -> tuple[Effect, ...]:
        """Count the call, tell whoever asked, go on with what is next."""
        hostility = self._hostility
        if hostility is not None:
            if flight.console == HOSTILE:
                if hostility.struck(outcome, x):
                    self._late.clear()
                return self._go_on(now_ns)
            if outcome.code == "channel-error" and hostility.muddled(flight):
                outcome = msgspec.structs.replace(outcome, definite=False)
        told = self._accounts.ended(flight, outcome, now_ns)
        source = self._source
        if flight.console:
            told += (answers.answer(self._peer, flight.console, outcome, x),)
        elif source is not None:
            source.ended(outcome, now_ns)
            if not flight.request:
                self._hold_ns = now_ns + BACKOFF_NS
            if source.dropped:
                told += self._accounts.not_tried(source)
        return told + self._go_on(now_ns)

    def _go_on(self, now_ns: int) -> tuple[Effect, ...]:
        """Start the next call if there is one to start: the console first, then the work that is due."""
        if self._flight is not None:
            return ()
        if self._console:
            return self._serve(*self._console.popleft(), now_ns)
        source = self._source
        if source is not None and (source.due_ns is None or now_ns < max(source.due_ns, self._hold_ns)):
            source = None
        if self._hostility is not None:
            strike = self._hostility.strike(now_ns, give_way=source is not None)
            if strike is not None:
                self._flight, ringing = strike
                return (ringing,)
        if source is None or not self.welcome:
            return ()
        wanted = source.take(now_ns)
        rung = self._ring(wanted, 0, now_ns, source.intended_ns)
        return self._accounts.not_tried(source) + rung if source.dropped else rung

    # ---- everything else ----------------------------------------------------------------------

    def _cold(self, event: Event, now_ns: int) -> Sequence[Effect]:
        if isinstance(event, Received):
            return self._received(event, now_ns)
        if isinstance(event, Tick):
            return self._tick(now_ns)
        if isinstance(event, Boot):
            return (self._hello(now_ns),)
        return self._over(calls.XEN_LOST, Halt(1, "the link to Xen is gone"), now_ns)

    def _received(self, event: Received, now_ns: int) -> Sequence[Effect]:
        frame = event.frame
        flight = self._flight
        if (over := final(frame)) is not None:
            return self._over(frame, over, now_ns)
        if isinstance(frame, frames.Welcome) and (refused_ := self._belonging.refuses(frame)) is not None:
            return refused_
        if isinstance(frame, frames.Welcome) and not self.welcome:
            self.welcome = True
            if self.config.work:
                self._start_work(self.config.plan or WorkPlan(think_ns=self.config.think_ns), now_ns)
            return self._go_on(now_ns)
        if isinstance(frame, frames.Console):
            return self._console_request(frame, now_ns)
        if isinstance(frame, frames.Interrupt):
            return self._interrupted(event, now_ns)
        if flight is not None and frame.request == flight.request and not calls.of_interrupt(frame):
            if flight.ask is not None:
                self._freed_by(frame)
            outcome = refused(frame, now_ns - flight.started_ns)
            if outcome is not None:
                return self._finish(flight, outcome, now_ns, ())
        if isinstance(frame, frames.Error) and not self.welcome:
            return (Halt(1, f"Xen refuses this link: {frame.detail}"),)
        if self._hostility is not None and self._hostility.back(event, now_ns):
            return (*self._hostility.loose(now_ns), *self._go_on(now_ns))
        return self._stray(frame)

    def _freed_by(self, frame: frames.Frame) -> None:
        """The end of a call that EL3 never saw, or will never answer, gives the channel back."""
        if surely_not_done(frame):
            self._channel.free()
        elif platform_lost(frame):
            self._channel.platform_lost()

    def _interrupted(self, event: Received, now_ns: int) -> Sequence[Effect]:
        """Take what the line announces and end the interrupt, be it one that nobody waits for."""
        frame = event.frame
        receiver = self._receiver
        if receiver is not None and frame.intid == receiver.interrupt:
            end, page, ended = receiver.receive(event, now_ns)
            back = Send(self._peer, end, page)
            return (back, *self._end(ended.flight, ended.outcome, now_ns, ())) if ended else (back,)
        end = frames.EndOfInterrupt(VERSION, frame.request, frame.cause, frame.intid, 0)
        flight = self._flight
        stray = frame.intid != self._channel.completion or flight is None or flight.ask is None
        if stray or flight is None or self._channel.somebody_else_s(flight, event.page):
            self._received_lines[self.config.name, "stray"] += 1
            if frame.intid == self._channel.completion and flight is None and not self._late:
                self._channel.late(event.page)
            return (Send(self._peer, end), *self._go_on(now_ns))
        self._channel.signalled(event.page)
        return (Send(self._peer, end), *self._completed(flight, now_ns))

    def _stray(self, frame: frames.Frame) -> Sequence[Effect]:
        """An answer after the guest lost patience, or one that nobody asked for."""
        if frame.request in self._late and not calls.of_interrupt(frame):
            self._late.discard(frame.request)
            if isinstance(frame, frames.Return) or surely_not_done(frame):
                self._channel.late()
            elif platform_lost(frame):
                self._channel.platform_lost()
        self._drops[("late",)] += 1
        return ()

    def _hello(self, now_ns: int) -> Send:
        """Said until Xen welcomes the link: a link with faults may lose it."""
        self._hello_ns = now_ns + HELLO_AGAIN_NS
        return Send(self._peer, self._belonging.hello())

    def _tick(self, now_ns: int) -> Sequence[Effect]:
        if not self.welcome:
            return (self._hello(now_ns),)
        effects: list[Effect] = []
        flight = self._flight
        if flight is not None and now_ns >= flight.started_ns + self.config.timeout_ns:
            returned = flight.ask is not None and self._channel.x is not None
            if returned:
                self._channel.give_up()
            elif flight.ask is not None:
                self._late = {flight.request}
            detail = "returned, but no completion interrupt came in time" if returned else "no answer in time"
            outcome = Outcome("timeout", False, 0, b"", detail, now_ns - flight.started_ns)
            effects.extend(self._finish(flight, outcome, now_ns, ()))
        if self._receiver is not None:
            for ended in self._receiver.expired(now_ns):
                effects.extend(self._end(ended.flight, ended.outcome, now_ns, ()))
        if self._hostility is not None:
            effects.extend(self._hostility.loose(now_ns))
        return (*effects, *self._go_on(now_ns))

    def _over(self, why: frames.Error, halt: Halt, now_ns: int) -> Sequence[Effect]:
        """The end of all that is outstanding: what has rung may have happened, what waits has not."""
        effects: list[Effect] = [*self._stop_work()]
        waiting, self._console = self._console, deque()
        if self._hostility is not None:
            self._hostility.abandon(now_ns)
        flight = self._flight
        if flight is not None:
            definite = why.definite and why.request == flight.request
            outcome = Outcome(why.code, definite, 0, b"", why.detail, now_ns - flight.started_ns)
            effects.extend(self._finish(flight, outcome, now_ns, ()))
        for ended in self._receiver.abandoned(now_ns) if self._receiver is not None else ():
            effects.extend(self._end(ended.flight, ended.outcome, now_ns, ()))
        effects.extend(answers.refused(self._peer, request, why.code, why.detail) for request, _ in waiting)
        return (*effects, halt)

    # ---- console ------------------------------------------------------------------------------

    def _console_request(self, frame: frames.Console, now_ns: int) -> Sequence[Effect]:
        try:
            wanted = console.decode_request(frame.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return (answers.refused(self._peer, frame.request, "bad-console", str(error)),)
        if isinstance(wanted, console.Take):
            return (answers.taken(self._peer, frame.request, self._receiver),)  # it needs no channel
        if isinstance(wanted, console.Hostile):
            return (self._switch(frame.request, wanted, now_ns), *self._go_on(now_ns))
        if len(self._console) >= CONSOLE_CALLS:
            self._drops[("overflow",)] += 1
            detail = f"{CONSOLE_CALLS} requests wait already"
            return (answers.refused(self._peer, frame.request, "queue-full", detail),)
        self._console.append((frame.request, wanted))
        return self._go_on(now_ns)

    def _serve(self, request: int, wanted: console.Request, now_ns: int) -> tuple[Effect, ...]:
        if isinstance(wanted, console.Call | console.Message):
            return self._ring(answers.asked(wanted), request, now_ns, now_ns)
        if isinstance(wanted, console.Work):
            return (*self._change_work(request, wanted, now_ns), *self._go_on(now_ns))
        if isinstance(wanted, console.Poweroff):
            function = smccc.PSCI_SYSTEM_RESET if wanted.reboot else smccc.PSCI_SYSTEM_OFF
            stopped = self._stop_work()
            if self._hostility is not None:
                self._hostility.quiet()
            x = (function, *IDLE_REGISTERS)
            return (*stopped, self._trap(request, self._channel.ec, 0, x, now_ns))
        assert isinstance(wanted, console.RawTrap)
        return (self._trap(request, wanted.ec, wanted.immediate, wanted.x, now_ns),)

    def _trap(
        self, request: int, ec: frames.TrapClass, immediate: int, x: frames.Registers, now_ns: int
    ) -> Send:
        """A raw trap: the page goes along as it is, nobody claimed it."""
        self._request += 1
        self._flight = Flight(self._request, 0, None, request, now_ns, now_ns)
        return Send(self._peer, *self._channel.raw(self._request, ec, immediate, x))

    # ---- work ---------------------------------------------------------------------------------

    def _change_work(self, request: int, wanted: console.Work, now_ns: int) -> Sequence[Effect]:
        stopped = self._stop_work()
        try:
            if wanted.run:
                self._start_work(wanted.plan or WorkPlan(think_ns=wanted.think_ns), now_ns)
        except ValueError as error:
            return (*stopped, answers.refused(self._peer, request, "bad-plan", str(error)))
        return (*stopped, answers.answer(self._peer, request, answers.DONE))

    def _stop_work(self) -> Sequence[Effect]:
        """Nothing new begins; gives the notes of what will not be tried."""
        source, self._source = self._source, None
        if self._receiver is not None:
            self._receiver.forget_work()
        if source is None:
            return ()
        source.stop()
        return self._accounts.not_tried(source)

    def _start_work(self, plan: WorkPlan, now_ns: int) -> None:
        """Raises ValueError for a plan with problems."""
        self._source = make(plan, self.config.binding, now_ns)

    def _switch(self, request: int, wanted: console.Hostile, now_ns: int) -> Send:
        """Start or stop one kind of hostility."""
        if self.config.binding is None:
            return answers.refused(self._peer, request, "no-scmi", "the guest has no SCMI channel")
        if self._hostility is None:
            self._hostility = Hostility(self.config, self._channel, self._peer, self._number, self.meters)
        try:
            self._hostility.switch(wanted, now_ns)
        except ValueError as error:
            return answers.refused(self._peer, request, "bad-plan", str(error))
        return answers.answer(self._peer, request, answers.DONE)

    def _number(self) -> int:
        self._request += 1
        return self._request
