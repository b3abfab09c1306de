"""The Xen core: traps in, SMCs out, hypercalls run to their next wait.

A frame counts for what its link proves its sender to be: a domain, EL3, the toolstack, or nobody.
The two hot paths (a guest's doorbell, EL3's return) build their frames at once; everything else
goes through ``_cold``. The page behind a trap is moved, never looked at.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bus import frames
from bus.shmem import Memory
from nodes.contract import NO_PAGE, Boot, Effect, Event, Halt, Log, Received, Send, Undelivered
from nodes.limits import HYPERCALLS
from nodes.metrics import Meters
from nodes.story import Story
from nodes.xen import traps
from nodes.xen.answers import error, reply
from nodes.xen.calls import Call, Waiting
from nodes.xen.channel import Channel
from nodes.xen.config import XenConfig
from nodes.xen.console import Console
from nodes.xen.domain import Domain, State
from nodes.xen.errno import Errno, XenError
from nodes.xen.hypervisor import Hypervisor, Panic, Reports
from nodes.xen.interrupts import Injector
from nodes.xen.reporting import Reporter
from nodes.xen.tasks import Acquire, Exchange, Lock, Release, Running, Task, platform_lost

VERSION: Final = frames.PROTOCOL_VERSION
LOST = "el3-lost"
FIRMWARE = "firmware"  # the role whose process Xen depends on


class XenCore:
    """``firmware`` and ``toolstack`` are the link identities of EL3 and the control domain's toolstack."""

    def __init__(
        self,
        config: XenConfig,
        memory: Memory,
        identities: Iterator[bytes],
        firmware: bytes,
        toolstack: bytes,
    ) -> None:
        self.meters = Meters("xen")
        self.story = Story()
        self._carried = config.carried
        self._firmware = firmware
        self._toolstack = toolstack
        self._out: list[Effect] = []
        self._ready: deque[tuple[Running, Any]] = deque()
        self._request = config.tuning.first_request
        self._calls: dict[int, Call] = {}
        self._exchanges: dict[int, tuple[Running, Exchange]] = {}
        self._console = Console(self.meters, firmware)
        self._running = 0
        self._boot_lock = Lock()
        self._boot_lock.held = True
        self._boot_begun = False
        self._platform_gone = False
        self.booted = False
        self._now_ns = 0
        self._traps = self.meters.counter("trapline_smc_traps_total")
        self._inflight = self.meters.counter("trapline_scmi_inflight_calls")
        self._waits = self.meters.histogram("trapline_scmi_queue_wait_seconds")
        self._drops = self.meters.counter("trapline_bus_dropped_total")
        report = Reporter(self._out, self.meters, toolstack, self._console)
        self._tell = report.tell
        reports = Reports(report.log, report.tell, report.count_reset, report.hazard)
        self.hypervisor = Hypervisor(config, memory, identities, reports)
        self._by_link = self.hypervisor.by_link
        self._interrupts = Injector(self.hypervisor.routes, self.meters, firmware)

    def deadline_ns(self) -> int | None:
        """Xen never polls and never times out: an SMC is synchronous."""
        return None

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """Take one event; every Trap and Domctl gets exactly one answer, perhaps in a later step."""
        if type(event) is Received:
            kind = type(event.frame)
            if kind is frames.Trap:
                domain = self._by_link.get(event.peer)
                if domain is not None:
                    return self._trap(domain, event, now_ns)
            elif kind is frames.SmcReturn and event.peer == self._firmware:
                return self._returned(event, now_ns)
        return self._cold(event, now_ns)

    # ---- the two hot paths --------------------------------------------------------------------

    def _trap(self, domain: Domain, event: Received, now_ns: int) -> Sequence[Effect]:
        frame = event.frame
        if (
            frame.x[0] & 0xFFFF_FFFF != domain.doorbell
            or frame.immediate
            or domain.state is not State.RUNNING
            or domain.channel is None
            or self._platform_gone
        ):
            return self._other_trap(domain, event, now_ns)
        lock = domain.channel.lock
        if lock.held:
            return self._queue(domain, event, now_ns)
        lock.held = True
        return (self._forward(domain, domain.channel, event),)

    def _forward(self, domain: Domain, channel: Channel, event: Received) -> Send:
        """The SMC for a trap whose channel lock is held."""
        frame = event.frame
        self._request = request = self._request + 1
        self._calls[request] = Call(domain, channel, event.peer, frame.request, frame.cause)
        self._traps[domain.forwarded] += 1
        self._inflight[(channel.label,)] += 1
        address = domain.machine_address(frame.page) if frame.page else 0
        return Send(self._firmware, frames.Smc(VERSION, request, frame.cause, frame.x, address), event.page)

    def _returned(self, event: Received, now_ns: int) -> Sequence[Effect]:
        frame = event.frame
        call = self._calls.pop(frame.request, None)
        if call is None:
            return self._exchange_returned(event, now_ns)
        self._inflight[(call.channel.label,)] -= 1
        answer = Send(call.link, frames.Return(VERSION, call.request, call.cause, frame.x), event.page)
        lock = call.channel.lock
        if not lock.waiters:
            lock.held = False
            return (answer,)
        self._out.append(answer)
        self._hand_over(lock, now_ns)
        return self._settle(now_ns)

    # ---- traps off the hot path ---------------------------------------------------------------

    def _queue(self, domain: Domain, event: Received, now_ns: int) -> Sequence[Effect]:
        """Another vCPU of the domain (or a hypercall) holds the channel."""
        channel = domain.channel
        if channel is not None and channel.lock.wait(Waiting(domain, event, now_ns)):
            return ()
        self._traps[(domain.name, "doorbell", "overflow")] += 1
        return (error(event.peer, event.frame, "overflow", True, "too many calls wait for the channel"),)

    def _other_trap(self, domain: Domain, event: Received, now_ns: int) -> Sequence[Effect]:
        frame = event.frame
        if domain.state is not State.RUNNING:
            detail = f"domain {domain.name} is {domain.state}"
            return (error(event.peer, frame, "not-running", True, detail),)
        decided = traps.decide(domain, self.hypervisor.sci, frame)
        if decided.forward and self._platform_gone:
            self._traps[(domain.name, "doorbell", "refused")] += 1
            return (error(event.peer, frame, LOST, True, "EL3 is gone"),)
        if decided.forward:
            if domain.channel is None or domain.channel.lock.held:
                return self._queue(domain, event, now_ns)
            domain.channel.lock.held = True
            return (self._forward(domain, domain.channel, event),)
        self._traps[(domain.name, decided.function, decided.verdict)] += 1
        self.story.add(now_ns, f"trap {decided.function} {decided.verdict}", frame.request, frame.x[0])
        if decided.undef:
            return (Send(event.peer, frames.Undef(VERSION, frame.request, frame.cause)),)
        if decided.shutdown:
            self.hypervisor.shut_down(domain, decided.shutdown)
            self._out.append(error(event.peer, frame, "shutdown", False, "the domain ended itself"))
            return self._settle(now_ns)
        x = frame.x
        answer = Send(
            event.peer, frames.Return(VERSION, frame.request, frame.cause, (decided.x0, x[1], x[2], x[3]))
        )
        if decided.verdict == "refused":
            what = decided.warning or f"Unhandled SMC/HVC: {x[0]:#x} ({decided.function})"
            return (Log("warning" if decided.warning else "debug", f"d{domain.domid} {what}"), answer)
        return (answer,)

    # ---- everything else ----------------------------------------------------------------------

    def _cold(self, event: Event, now_ns: int) -> Sequence[Effect]:
        self._now_ns = now_ns
        if isinstance(event, Received):
            self._received(event, now_ns)
        elif isinstance(event, Undelivered):
            self._undelivered(event)
        elif isinstance(event, Boot):
            self._out.append(Log("info", "Xen waits for EL3"))
        return self._settle(now_ns)

    def _settle(self, now_ns: int) -> Sequence[Effect]:
        """Run every task that can go on, then hand out what was collected."""
        self._now_ns = now_ns
        while self._ready:
            self._advance(*self._ready.popleft())
        out = tuple(self._out)
        self._out.clear()
        return out

    def _received(self, event: Received, now_ns: int) -> None:
        frame, peer = event.frame, event.peer
        if isinstance(frame, frames.Hello):
            self._hello(peer, frame, now_ns)
        elif isinstance(frame, frames.Domctl) and peer == self._toolstack:
            self._domctl(peer, frame, now_ns)
        elif isinstance(frame, frames.Console) and peer == self._toolstack:
            domain = self.hypervisor.domains.get(frame.domid)
            self._out.append(self._console.request(domain, peer, frame))
        elif isinstance(frame, frames.ConsoleReply) and (peer in self._by_link or peer == self._firmware):
            self._out.extend(self._console.reply(self._by_link.get(peer), frame))
        elif isinstance(frame, frames.Interrupt) and peer == self._firmware:
            self._out.extend(self._interrupts.raised(event))
        elif isinstance(frame, frames.EndOfInterrupt) and peer in self._by_link:
            self._out.extend(self._interrupts.ended(self._by_link[peer], event))
        else:
            self._refuse(peer, frame)

    def _refuse(self, peer: bytes, frame: Any) -> None:
        """A frame that this link may not send, or a link that is nobody's."""
        known = peer in self._by_link or peer in (self._firmware, self._toolstack)
        self._drops[("not_allowed" if known else "unknown_link",)] += 1
        kind = type(frame).__name__
        detail = f"this link may not send {kind}" if known else "this link belongs to no domain"
        self._out.append(Log("warning", f"refused {kind}: {detail}"))
        if not isinstance(frame, frames.Error):
            self._out.append(error(peer, frame, "refused", True, detail))

    def _hello(self, peer: bytes, frame: frames.Hello, now_ns: int) -> None:
        domain = self._by_link.get(peer)
        if domain is not None:
            domain.link_up = True
            self._out.append(
                Send(peer, frames.Welcome(VERSION, frame.request, frame.cause, domain.domid, domain.name))
            )
            self._tell(domain, "link_up", "")
        elif peer in (self._firmware, self._toolstack):
            self._out.append(Send(peer, frames.Welcome(VERSION, frame.request, frame.cause, 0, frame.role)))
            if peer == self._firmware:
                self._platform_gone = False
            if peer == self._firmware and not self._boot_begun:
                self._boot_begun = True
                self._start(self._boot(), "boot", now_ns)
        else:
            self._refuse(peer, frame)

    # ---- hypercalls ---------------------------------------------------------------------------

    def _boot(self) -> Task[None]:
        try:
            yield from self.hypervisor.boot()
        except Panic as panic:
            self._out.append(Halt(1, f"Xen panics: {panic}"))
            return
        self.booted = True
        self._out.append(Log("info", f"boot done, {len(self.hypervisor.domains)} domains"))
        yield Release(self._boot_lock)

    def _domctl(self, peer: bytes, frame: frames.Domctl, now_ns: int) -> None:
        if isinstance(frame.op, frames.NodeLost):
            self._node_lost(peer, frame, frame.op.role)
        elif isinstance(frame.op, frames.ListDomains) and self.booted:
            self._list(peer, frame)
        elif self._running >= HYPERCALLS:
            detail = f"{HYPERCALLS} hypercalls are under way"
            self._out.append(reply(peer, frame, -Errno.EBUSY, 0, detail))
        else:
            self._start(self._serve(peer, frame), type(frame.op).__name__, now_ns)

    def _serve(self, peer: bytes, frame: frames.Domctl) -> Task[None]:
        if not self.booted:
            yield Acquire(self._boot_lock)
            yield Release(self._boot_lock)
        try:
            if isinstance(frame.op, frames.ListDomains):
                self._list(peer, frame)
                return
            domid = yield from self.hypervisor.do(frame.op)
        except XenError as refusal:
            self._out.append(reply(peer, frame, -refusal.errno, 0, str(refusal)))
            return
        self._out.append(reply(peer, frame, 0, domid))

    def _list(self, peer: bytes, frame: frames.Domctl) -> None:
        rows = tuple(domain.info() for domain in self.hypervisor.domains.values())
        self._out.append(reply(peer, frame, 0, domains=rows))

    def _start(self, task: Task[None], name: str, now_ns: int) -> None:
        self._running += 1
        self._ready.append((Running(task, name, now_ns), None))

    def _advance(self, running: Running, value: Any) -> None:
        """Run a task until it waits; ``value`` is what it waited for, or the error to raise in it."""
        while True:
            try:
                if isinstance(value, XenError):
                    request = running.task.throw(value)
                else:
                    request = running.task.send(value)
            except StopIteration:
                self._running -= 1
                return
            value = None
            if isinstance(request, Release):
                self._hand_over(request.lock, self._now_ns)
            elif isinstance(request, Acquire):
                if not request.lock.held:
                    request.lock.held = True
                elif request.lock.wait(running):
                    return
                else:
                    value = XenError(Errno.EBUSY, "too many wait for the lock")
            elif self._platform_gone:
                value = platform_lost()
            else:
                self._exchange(running, request)
                return

    def _exchange(self, running: Running, request: Exchange) -> None:
        self._request += 1
        self._exchanges[self._request] = (running, request)
        self.story.add(self._now_ns, running.name, self._request, request.func_id)
        x = (request.func_id, 0, 0, 0, 0, 0, 0, 0)
        page = bytes(request.page[: request.page_bytes]) if self._carried else NO_PAGE
        self._out.append(
            Send(self._firmware, frames.Smc(VERSION, self._request, 0, x, request.address), page)
        )

    def _exchange_returned(self, event: Received, now_ns: int) -> Sequence[Effect]:
        found = self._exchanges.pop(event.frame.request, None)
        if found is None:
            self._drops[("late",)] += 1
            return (Log("warning", f"EL3 answered request {event.frame.request}, which nobody waits for"),)
        running, exchange = found
        if event.page:
            exchange.page[: len(event.page)] = event.page
        self._ready.append((running, event.frame.x[0]))
        return self._settle(now_ns)

    def _hand_over(self, lock: Lock, now_ns: int) -> None:
        """Give the lock to the next in line, or leave it free."""
        while lock.waiters:
            waiter = lock.waiters.popleft()
            if isinstance(waiter, Running):
                self._ready.append((waiter, None))
                return
            domain = waiter.domain
            if self._platform_gone:
                self._out.append(error(waiter.event.peer, waiter.event.frame, LOST, True, "EL3 is gone"))
                continue
            if domain.state is State.RUNNING and domain.channel is not None:
                self._waits[(domain.channel.label,)].observe(now_ns - waiter.since_ns)
                self._out.append(self._forward(domain, domain.channel, waiter.event))
                return
            detail = f"domain {domain.name} is {domain.state}"
            event = waiter.event
            self._out.append(error(event.peer, event.frame, "not-running", True, detail))
        lock.held = False

    # ---- the platform or a domain is gone -----------------------------------------------------

    def _undelivered(self, event: Undelivered) -> None:
        self._drops[("undelivered",)] += 1
        if event.peer == self._firmware and isinstance(event.frame, frames.Smc):
            self._lost_call(event.frame.request, definite=True)
        elif isinstance(event.frame, frames.Console):
            self._out.extend(self._console.lost(event.frame.request, definite=True))
        elif event.peer in self._by_link:
            domain = self._by_link[event.peer]
            domain.link_up = False
            if isinstance(event.frame, frames.Interrupt):
                self._interrupts.undelivered(domain, event.frame)

    def _node_lost(self, peer: bytes, frame: frames.Domctl, role: str) -> None:
        """EL3's process is gone: nothing in flight will be answered; whether it happened is unknown.

        Until EL3 says Hello again nothing more is sent to it.
        """
        if role != FIRMWARE:
            self._out.append(reply(peer, frame, -Errno.EINVAL, 0, f"Xen does not depend on a {role!r}"))
            return
        self._out.append(Log("error", "EL3 is lost"))
        self._platform_gone = True
        for request in [*self._calls, *self._exchanges]:
            self._lost_call(request, definite=False)
        self._out.extend(self._console.gone(None))
        self._out.append(reply(peer, frame, 0))

    def _lost_call(self, request: int, definite: bool) -> None:
        call = self._calls.pop(request, None)
        if call is not None:
            self._inflight[(call.channel.label,)] -= 1
            self._out.append(error(call.link, call, LOST, definite, "EL3 is gone"))
            self._hand_over(call.channel.lock, self._now_ns)
            return
        found = self._exchanges.pop(request, None)
        if found is not None:
            self._ready.append((found[0], platform_lost()))
