"""The guest core: claims its channel, rings, judges what comes back. One SMC in flight, as on a real vCPU.

The page is written and read here (it is the guest's memory); in carried mode its bytes travel
behind the trap, in mapped mode only the registers do. Work comes from ``workload.py`` and, first
in line, from the console.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from bus import frames, shmem, smccc
from bus.scmi import header
from bus.scmi.status import STATUS_BYTES, read
from bus.smccc import ExceptionClass
from nodes.contract import Boot, Effect, Event, Halt, Received, Send, Tick
from nodes.guest import console
from nodes.guest.binding import Binding
from nodes.guest.calls import Ask, Outcome
from nodes.guest.workload import Work, linux_like
from nodes.limits import CALL_TIMEOUT_NS, CONSOLE_CALLS
from nodes.metrics import Meters
from nodes.story import Story

VERSION: Final = frames.PROTOCOL_VERSION
IDLE_REGISTERS = (0, 0, 0, 0, 0, 0, 0)
BACKOFF_NS = 1_000_000  # between tries of work that could not even ring


class GuestConfig(msgspec.Struct, frozen=True):
    """Who the guest is and how it behaves. ``binding`` None: its tree has no SCMI node.

    ``carried``: the page travels behind the trap. ``agent`` is the label of its metrics.
    """

    name: str
    agent: str
    binding: Binding | None
    carried: bool = True
    work: bool = False
    think_ns: int = 0
    timeout_ns: int = CALL_TIMEOUT_NS


class Flight(msgspec.Struct, frozen=True, gc=False):
    """The SMC in flight. ``ask`` is None for a raw trap; ``console`` is the request to answer, or 0."""

    request: int
    head: int
    ask: Ask | None
    console: int
    started_ns: int


class GuestCore:
    """``peer`` is the link to Xen; ``page`` the guest's view of its shared-memory page."""

    def __init__(self, config: GuestConfig, page: shmem.Buffer | None, peer: bytes) -> None:
        self.config = config
        self.meters = Meters("guest")
        self.story = Story()
        self._peer = peer
        self._page = page
        binding = config.binding
        self._registers = (binding.func_id if binding else 0, *IDLE_REGISTERS)
        hvc = binding is not None and binding.hvc
        self._ec: frames.TrapClass = ExceptionClass.HVC64.value if hvc else ExceptionClass.SMC64.value
        self._address = binding.shmem if binding else 0
        self._flight: Flight | None = None
        self._late: set[int] = set()
        self._request = 0
        self._token = 0
        self._console: deque[tuple[int, console.Request]] = deque()
        self._work: Work | None = None
        self._next: Ask | None = None
        self._next_ns = 0
        self._think_ns = config.think_ns
        self.welcome = False
        self._calls = self.meters.counter("trapline_guest_calls_total")
        self._drops = self.meters.counter("trapline_bus_dropped_total")
        self._latency = self.meters.histogram("trapline_scmi_call_duration_seconds")
        for outcome in ("answered", "definite_error", "indefinite_error"):
            self._calls[(config.name, outcome)] = 0

    def deadline_ns(self) -> int | None:
        """The end of the guest's patience with a call, or the time of its next one."""
        if self._flight is not None:
            return self._flight.started_ns + self.config.timeout_ns
        if self._next is not None and self.welcome:
            return self._next_ns
        return None

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """Take one event; effects are the next trap and answers to the console."""
        if type(event) is Received and type(event.frame) is frames.Return:
            flight = self._flight
            if flight is not None and event.frame.request == flight.request:
                return self._finish(flight, self._judge(flight, event, now_ns), now_ns, event.frame.x)
        return self._cold(event, now_ns)

    # ---- a call -------------------------------------------------------------------------------

    def _ring(self, wanted: Ask, console_request: int, now_ns: int) -> Sequence[Effect]:
        """Claim the channel and ring the doorbell, or end the call at once."""
        page = self._page
        if page is None or self.config.binding is None:
            return self._fail(wanted, console_request, now_ns, "no-scmi", "the guest has no SCMI channel")
        if len(wanted.payload) > shmem.PAYLOAD_BYTES_MAX:
            detail = f"{len(wanted.payload)} payload bytes, a page takes {shmem.PAYLOAD_BYTES_MAX}"
            return self._fail(wanted, console_request, now_ns, "too-long", detail)
        if not shmem.status_of(page) & shmem.FREE:
            return self._fail(wanted, console_request, now_ns, "channel-busy", "FREE is not set in the page")
        self._token = token = self._token + 1 & header.TOKEN_MAX
        head = header.pack(wanted.protocol_id, wanted.message_id, token)
        content = shmem.request(head, wanted.payload)
        page[: len(content)] = content
        self._request = request = self._request + 1
        self._flight = Flight(request, head, wanted, console_request, now_ns)
        trap = frames.Trap(VERSION, request, request, self._ec, 0, self._registers, self._address)
        return (Send(self._peer, trap, content if self.config.carried else b""),)

    def _fail(
        self, wanted: Ask, console_request: int, now_ns: int, code: str, detail: str
    ) -> Sequence[Effect]:
        flight = Flight(0, 0, wanted, console_request, now_ns)
        return self._finish(flight, Outcome(code, True, 0, b"", detail, 0), now_ns, ())

    def _judge(self, flight: Flight, event: Received, now_ns: int) -> Outcome:
        """What a return means: first x0, then the page (as Linux does, x0 != 0 means: do not look)."""
        elapsed_ns = now_ns - flight.started_ns
        x0 = event.frame.x[0]
        if flight.ask is None:
            return Outcome("", False, 0, b"", "", elapsed_ns)
        page = self._page
        assert page is not None
        if x0:
            self._free()
            return Outcome("smc-refused", True, 0, b"", f"x0 = {smccc.signed(x0)}", elapsed_ns)
        if 0 < len(event.page) < shmem.PAYLOAD_AT:
            detail = f"a page of {len(event.page)} bytes came back"
            return Outcome("bad-response", False, 0, b"", detail, elapsed_ns)
        if event.page:
            page[: len(event.page)] = event.page
        snapshot = event.page or bytes(page)
        if len(snapshot) < shmem.PAYLOAD_AT:
            return Outcome("bad-response", False, 0, b"", f"a page of {len(snapshot)} bytes", elapsed_ns)
        status, _, _, head = shmem.fields(snapshot)
        if status & shmem.ERROR:
            return Outcome("channel-error", True, 0, b"", "ERROR is set in the page", elapsed_ns)
        if not status & shmem.FREE:
            return Outcome("channel-busy", False, 0, b"", "returned, but FREE is not set", elapsed_ns)
        if head != flight.head:
            detail = f"header {head:#010x} answers {flight.head:#010x}"
            return Outcome("bad-response", False, 0, b"", detail, elapsed_ns)
        try:
            _, payload = shmem.read_message(snapshot)
            code = read(payload)
        except ValueError as error:
            return Outcome("bad-response", False, 0, b"", str(error), elapsed_ns)
        return Outcome("", False, code, payload[STATUS_BYTES:], "", elapsed_ns)

    def _free(self) -> None:
        """Nobody looks at the channel any more: the next call may have it."""
        if self._page is not None:
            self._page[shmem.STATUS_AT : shmem.STATUS_AT + 4] = shmem.FREE.to_bytes(4, "little")

    def _finish(self, flight: Flight, outcome: Outcome, now_ns: int, x: tuple[int, ...]) -> Sequence[Effect]:
        """Count the call, tell whoever asked, go on with what is next."""
        self._flight = None
        if outcome.code:
            ending = "definite_error" if outcome.definite else "indefinite_error"
            self.story.add(now_ns, outcome.code, flight.request, flight.head)
        else:
            ending = "answered"
            if flight.ask is not None:
                self._latency[(self.config.agent, flight.ask.key)].observe(outcome.elapsed_ns)
        self._calls[(self.config.name, ending)] += 1
        if flight.console:
            return (self._answer(flight.console, outcome, x), *self._go_on(now_ns))
        if self._work is not None:
            self._next = self._work.send(outcome)
            pause_ns = self._think_ns if flight.request else max(self._think_ns, BACKOFF_NS)
            self._next_ns = now_ns + pause_ns
        if flight.request and not self._think_ns and not self._console and self._next is not None:
            wanted, self._next = self._next, None
            return self._ring(wanted, 0, now_ns)
        return self._go_on(now_ns)

    def _go_on(self, now_ns: int) -> Sequence[Effect]:
        """Start the next call if there is one to start: the console first, then the work that is due."""
        if self._flight is not None:
            return ()
        if self._console:
            return self._serve(*self._console.popleft(), now_ns)
        if self._next is not None and now_ns >= self._next_ns and self.welcome:
            wanted, self._next = self._next, None
            return self._ring(wanted, 0, now_ns)
        return ()

    # ---- everything else ----------------------------------------------------------------------

    def _cold(self, event: Event, now_ns: int) -> Sequence[Effect]:
        if isinstance(event, Received):
            return self._received(event, now_ns)
        if isinstance(event, Tick):
            return self._tick(now_ns)
        if isinstance(event, Boot):
            return (Send(self._peer, frames.Hello(VERSION, 0, 0, "guest")),)
        return self._xen_lost(now_ns)

    def _received(self, event: Received, now_ns: int) -> Sequence[Effect]:
        frame = event.frame
        flight = self._flight
        if isinstance(frame, frames.Welcome):
            self.welcome = True
            if self.config.work:
                self._start_work(self.config.think_ns, now_ns)
            return self._go_on(now_ns)
        if isinstance(frame, frames.Console):
            return self._console_request(frame, now_ns)
        if flight is not None and frame.request == flight.request:
            if flight.ask is not None and _surely_not_done(frame):
                self._free()
            if isinstance(frame, frames.Undef):
                outcome = Outcome("undef", True, 0, b"", "undefined instruction", now_ns - flight.started_ns)
                return self._finish(flight, outcome, now_ns, ())
            if isinstance(frame, frames.Error):
                outcome = Outcome(
                    frame.code, frame.definite, 0, b"", frame.detail, now_ns - flight.started_ns
                )
                return self._finish(flight, outcome, now_ns, ())
        if isinstance(frame, frames.Error) and not self.welcome:
            return (Halt(1, f"Xen refuses this link: {frame.detail}"),)
        return self._stray(frame)

    def _stray(self, frame: frames.Frame) -> Sequence[Effect]:
        """An answer after the guest lost patience, or one that nobody asked for."""
        if frame.request in self._late:
            self._late.discard(frame.request)
            if isinstance(frame, frames.Return) or _surely_not_done(frame):
                self._free()  # the call is over for the caller; the channel is usable again
        self._drops[("late",)] += 1
        return ()

    def _tick(self, now_ns: int) -> Sequence[Effect]:
        flight = self._flight
        if flight is not None:
            if now_ns < flight.started_ns + self.config.timeout_ns:
                return ()
            if flight.ask is not None:
                self._late = {flight.request}
            outcome = Outcome("timeout", False, 0, b"", "no answer in time", now_ns - flight.started_ns)
            return self._finish(flight, outcome, now_ns, ())
        return self._go_on(now_ns)

    def _xen_lost(self, now_ns: int) -> Sequence[Effect]:
        flight = self._flight
        halt = Halt(1, "the link to Xen is gone")
        if flight is None:
            return (halt,)
        self._work, self._next = None, None
        outcome = Outcome("xen-lost", False, 0, b"", "Xen is gone", now_ns - flight.started_ns)
        return (*self._finish(flight, outcome, now_ns, ()), halt)

    # ---- console ------------------------------------------------------------------------------

    def _console_request(self, frame: frames.Console, now_ns: int) -> Sequence[Effect]:
        try:
            wanted = console.decode_request(frame.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return (self._answer(frame.request, Outcome("bad-console", True, 0, b"", str(error), 0), ()),)
        if len(self._console) >= CONSOLE_CALLS:
            self._drops[("overflow",)] += 1
            full = Outcome("queue-full", True, 0, b"", f"{CONSOLE_CALLS} requests wait already", 0)
            return (self._answer(frame.request, full, ()),)
        self._console.append((frame.request, wanted))
        return self._go_on(now_ns)

    def _serve(self, request: int, wanted: console.Request, now_ns: int) -> Sequence[Effect]:
        if isinstance(wanted, console.Call):
            return self._ring(Ask(wanted.protocol_id, wanted.message_id, wanted.payload), request, now_ns)
        if isinstance(wanted, console.Work):
            if wanted.run:
                self._start_work(wanted.think_ns, now_ns)
            else:
                self._work, self._next = None, None
            done = self._answer(request, Outcome("", True, 0, b"", "", 0), ())
            return (done, *self._go_on(now_ns))
        if isinstance(wanted, console.Poweroff):
            function = smccc.PSCI_SYSTEM_RESET if wanted.reboot else smccc.PSCI_SYSTEM_OFF
            self._work, self._next = None, None
            return self._trap(request, self._ec, 0, (function, *IDLE_REGISTERS), now_ns)
        return self._trap(request, wanted.ec, wanted.immediate, wanted.x, now_ns)

    def _trap(
        self, request: int, ec: frames.TrapClass, immediate: int, x: frames.Registers, now_ns: int
    ) -> Sequence[Effect]:
        """A raw trap: the page goes along as it is, nobody claimed it."""
        self._request += 1
        self._flight = Flight(self._request, 0, None, request, now_ns)
        page = bytes(self._page[: shmem.PAYLOAD_AT]) if self._page is not None else b""
        registers = frames.Trap(VERSION, self._request, self._request, ec, immediate, x, self._address)
        return (Send(self._peer, registers, page if self.config.carried else b""),)

    def _start_work(self, think_ns: int, now_ns: int) -> None:
        if self.config.binding is None:
            return
        self._think_ns = think_ns
        self._next_ns = now_ns
        self._work = linux_like(self.config.binding)
        self._next = next(self._work)

    def _answer(self, request: int, outcome: Outcome, x: tuple[int, ...]) -> Send:
        answer = console.Answer(
            outcome.code,
            outcome.definite,
            outcome.status,
            outcome.payload,
            outcome.detail,
            outcome.elapsed_ns,
            x,
        )
        return Send(self._peer, frames.ConsoleReply(VERSION, request, 0, console.encode(answer)))


def _surely_not_done(frame: frames.Frame) -> bool:
    """Whether this frame ends a call that nobody has seen the page of."""
    return isinstance(frame, frames.Undef) or (isinstance(frame, frames.Error) and frame.definite)
