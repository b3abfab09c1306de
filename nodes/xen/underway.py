"""SMCs that EL3 has in hand: a guest's, or an exchange of a task; sent, returned, given up.

It numbers them, keeps the locks of their channels going, and knows how long Xen waits (``Patience``). Which
trap may become one is decided in ``core.py``.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from bus import frames
from bus.shmem import IDLE, publish
from nodes.contract import NO_PAGE, Effect, Log, Note, Received, Send
from nodes.meters import Meters
from nodes.story import Story
from nodes.xen.answers import error, not_running
from nodes.xen.calls import Call, Waiting
from nodes.xen.channel import Channel
from nodes.xen.config import XenConfig
from nodes.xen.domain import Domain, State
from nodes.xen.errno import XenError
from nodes.xen.metering import Allowance
from nodes.xen.patience import Patience
from nodes.xen.tasks import Exchange, Lock, Running, platform_lost, timed_out

VERSION: Final = frames.PROTOCOL_VERSION
LOST: Final = "el3-lost"
OVERDUE: Final = "el3-timeout"


def gone(event: Received) -> Send:
    """The answer to a trap that cannot go to EL3, for want of one."""
    return error(event.peer, event.frame, LOST, True, "EL3 is gone")


class UnderWay:
    """``calls`` and ``exchanges`` by Xen's request number; ``platform_gone``: nothing is sent to EL3.

    ``resume`` lets a task go on with what it waited for, or with the error to raise in it. ``now_ns`` is the
    step's. What is sent on the way goes into ``out``.
    """

    def __init__(
        self, config: XenConfig, out: list[Effect], meters: Meters, story: Story, firmware: bytes
    ) -> None:
        self.calls: dict[int, Call] = {}
        self.exchanges: dict[int, tuple[Running, Exchange]] = {}
        self.platform_gone = False
        self.now_ns = 0
        self.resume: Callable[[Running, Any], None] = lambda running, value: None
        patience_ns = config.tuning.patience_ns
        self.patience = Patience(patience_ns, self.calls, self.exchanges) if patience_ns else None
        self._request = config.tuning.first_request
        self._carried = config.carried
        self._record = config.tuning.record
        self._out = out
        self._story = story
        self.firmware = firmware
        self._traps = meters.counter("trapline_smc_traps_total")
        self._inflight = meters.counter("trapline_scmi_inflight_calls")
        self._waiting = meters.counter("trapline_scmi_waiting_calls")
        self._waits = meters.histogram("trapline_scmi_queue_wait_seconds")
        self._services = meters.histogram("trapline_scmi_service_seconds")
        self._drops = meters.counter("trapline_bus_dropped_total")

    # ---- guests' ------------------------------------------------------------------------------

    def forward(
        self, domain: Domain, channel: Channel, event: Received, allowance: Allowance | None, now_ns: int
    ) -> Send:
        """The SMC for a trap whose channel lock is held."""
        frame = event.frame
        self._request = request = self._request + 1
        self.calls[request] = Call(domain, channel, event.peer, frame.request, frame.cause, allowance, now_ns)
        self._traps[domain.forwarded] += 1
        self._inflight[channel.key] += 1
        if self.patience is not None:
            self.patience.sent(request, now_ns)
        address = domain.machine_address(frame.page) if frame.page else 0
        return Send(self.firmware, frames.Smc(VERSION, request, frame.cause, frame.x, address), event.page)

    def enter(
        self, domain: Domain, channel: Channel, event: Received, allowance: Allowance | None, now_ns: int
    ) -> Sequence[Effect]:
        """To EL3, or to the end of the line: another vCPU (or a hypercall) may hold the channel."""
        if not channel.lock.held:
            channel.lock.held = True
            return (self.forward(domain, channel, event, allowance, now_ns),)
        if channel.lock.wait(Waiting(domain, channel.label, event, allowance, now_ns)):
            self._waiting[channel.key] += 1
            return ()
        self._traps[(domain.name, "doorbell", "overflow")] += 1
        return (error(event.peer, event.frame, "overflow", True, "too many calls wait for the channel"),)

    def returned(self, event: Received, now_ns: int) -> Sequence[Effect] | None:
        """EL3 is done with one; None if more follows from that, in ``out`` or for tasks."""
        frame = event.frame
        call = self.calls.pop(frame.request, None)
        if call is None:
            return self._exchange_returned(event)
        key = call.channel.key
        self._inflight[key] -= 1
        self._services[key].observe(now_ns - call.sent_ns)
        if call.allowance is not None:
            call.allowance.spend(now_ns - call.sent_ns, now_ns)
        answer = Send(call.link, frames.Return(VERSION, call.request, call.cause, frame.x), event.page)
        lock = call.channel.lock
        if not lock.waiters:
            lock.held = False
            return (answer,)
        self._out.append(answer)
        self.now_ns = now_ns
        self.hand_over(lock)
        return None

    def hand_over(self, lock: Lock) -> None:
        """Give the lock to the next in line, or leave it free."""
        while lock.waiters:
            waiter = lock.waiters.popleft()
            if isinstance(waiter, Running):
                self.resume(waiter, None)
                return
            self._waiting[(waiter.label,)] -= 1
            domain, event = waiter.domain, waiter.event
            if self.platform_gone:
                self._out.append(gone(event))
            elif domain.state is State.RUNNING and domain.channel is not None:
                waited_ns = self.now_ns - waiter.since_ns
                self._waits[domain.channel.key].observe(waited_ns)
                if self._record:
                    numbers = (domain.channel.agent_id, waited_ns)
                    self._out.append(Note("waited", event.frame.request, numbers))
                self._out.append(self.forward(domain, domain.channel, event, waiter.allowance, self.now_ns))
                return
            else:
                self._out.append(not_running(domain, event))
        lock.held = False

    # ---- tasks' -------------------------------------------------------------------------------

    def exchange(self, running: Running, request: Exchange) -> XenError | None:
        """Ring for a task; the error if nobody will answer."""
        if self.platform_gone:
            return platform_lost()
        self._request = number = self._request + 1
        self.exchanges[number] = (running, request)
        self._story.add(self.now_ns, running.name, number, request.func_id)
        x = (request.func_id, 0, 0, 0, 0, 0, 0, 0)
        page = bytes(request.page[: request.page_bytes]) if self._carried else NO_PAGE
        self._out.append(Send(self.firmware, frames.Smc(VERSION, number, 0, x, request.address), page))
        if self.patience is not None:
            self.patience.sent(number, self.now_ns)
        return None

    def _exchange_returned(self, event: Received) -> Sequence[Effect] | None:
        found = self.exchanges.pop(event.frame.request, None)
        if found is None:
            self._drops[("late",)] += 1
            return (Log("warning", f"EL3 answered request {event.frame.request}, which nobody waits for"),)
        running, exchange = found
        if event.page:
            exchange.page[: len(event.page)] = event.page
        self.resume(running, event.frame.x[0])
        return None

    # ---- without an answer --------------------------------------------------------------------

    def lost(self, request: int, definite: bool) -> None:
        """EL3 will not answer this one; ``definite``: it did not even get it."""
        if request in self.calls:
            self._give_up(request, LOST, definite, "EL3 is gone")
        elif request in self.exchanges:
            self.resume(self.exchanges.pop(request)[0], platform_lost())

    def overdue(self) -> None:
        """End what EL3 has not answered in time; what it does about it later is dropped."""
        for request in self.patience.overdue(self.now_ns) if self.patience is not None else ():
            if request in self.calls:
                self._give_up(request, OVERDUE, False, "EL3 has not answered")
                continue
            running, exchange = self.exchanges.pop(request)
            if self._carried:
                publish(exchange.page, IDLE)  # Xen's own copy, which no late answer will be written to
            self.resume(running, timed_out())

    def _give_up(self, request: int, code: str, definite: bool, detail: str) -> None:
        """End a trap's SMC without an answer; its channel goes on to the next."""
        call = self.calls.pop(request)
        self._inflight[call.channel.key] -= 1
        if call.allowance is not None:
            call.allowance.spend(self.now_ns - call.sent_ns, self.now_ns)
        self._out.append(error(call.link, call, code, definite, detail))
        self.hand_over(call.channel.lock)
