"""What metering does to traps: lets them through, counts them, refuses them, or holds them back for a while.

The allowance of each domain is in ``metering.py``; this is the mediator's side of it. Neither knows pages.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Any, Final

from bus import frames, smccc
from nodes.contract import Effect, Note, Received, Send
from nodes.limits import METER_WAITERS
from nodes.meters import Meters
from nodes.xen.channel import Channel
from nodes.xen.domain import Domain
from nodes.xen.metering import MeterConfig, Reason

VERSION: Final = frames.PROTOCOL_VERSION


class Gate:
    """``enforces``: what passes a limit is stopped; otherwise it is counted and goes on. ``answer`` as in
    MeterConfig: "refuse" or "wait". ``record``: what passes a limit is told as a note.
    """

    def __init__(self, config: MeterConfig, answer: str, meters: Meters, *, record: bool) -> None:
        self.enforces = config.mode == "enforce"
        self.holds = self.enforces and answer == "wait"
        self._mode = config.mode
        self._record = record
        self._refusals = meters.counter("trapline_meter_refusals_total")
        self._waiting = meters.counter("trapline_scmi_waiting_calls")
        self._held: dict[bytes, deque[Received]] = {}
        self._labels: dict[bytes, str] = {}  # of the channels that they wait for
        self._due: list[tuple[int, int, Domain]] = []
        self._number = 0

    def judge(self, domain: Domain, channel: Channel, now_ns: int) -> Reason:
        """Which limit one more call of the domain passes; "": none, and its token is taken."""
        allowance = domain.allowance
        assert allowance is not None
        if domain.link in self._held:
            return "rate"  # in order of arrival
        reason = allowance.passed(channel.lock.held + len(channel.lock.waiters), now_ns)
        if not reason:
            allowance.take()
        return reason

    def stop(
        self, domain: Domain, channel: Channel, event: Received, reason: Reason, now_ns: int
    ) -> list[Effect]:
        """What is said of a call that passes a limit; with ``enforces`` it goes no further now."""
        frame = event.frame
        held = self.holds and reason != "in_flight" and self._hold(domain, channel, event, now_ns)
        self._refusals[(channel.label, reason, "wait" if held else self._mode)] += 1
        said: list[Effect] = []
        if self._record:
            said.append(Note("metered", frame.request, (channel.agent_id, int(self.enforces)), reason))
        if self.enforces and not held:
            said.append(refusal(event))
        return said

    # ---- held back ----------------------------------------------------------------------------

    def _hold(self, domain: Domain, channel: Channel, event: Received, now_ns: int) -> bool:
        waiting = self._held.setdefault(domain.link, deque())
        if len(waiting) >= METER_WAITERS:
            return False
        waiting.append(event)
        self._labels[domain.link] = channel.label
        self._waiting[channel.key] += 1
        if len(waiting) == 1:
            self._plan(domain, now_ns)
        return True

    def _plan(self, domain: Domain, now_ns: int) -> None:
        assert domain.allowance is not None
        self._number += 1
        heappush(self._due, (domain.allowance.ready_ns(now_ns), self._number, domain))

    def deadline_ns(self) -> int | None:
        """When the next held trap may go on."""
        while self._due and self._due[0][2].link not in self._held:
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def due(self, now_ns: int) -> Iterator[tuple[Domain, Received, Reason]]:
        """The traps that may go on now, their tokens taken, or the limit that they pass all the same."""
        while self._due and self._due[0][0] <= now_ns:
            domain = heappop(self._due)[2]
            waiting = self._held.pop(domain.link, None)
            while waiting and domain.allowance is not None and domain.channel is not None:
                if domain.allowance.ready_ns(now_ns) > now_ns:
                    self._held[domain.link] = waiting
                    self._plan(domain, now_ns)
                    break
                self._waiting[domain.channel.key] -= 1
                yield domain, waiting.popleft(), self.judge(domain, domain.channel, now_ns)

    def end(self, domain: Domain) -> Sequence[Received]:
        """The domain runs no more: what of it is held back will never go on."""
        ended = self._held.pop(domain.link, ())
        label = self._labels.pop(domain.link, None)
        if label is not None:
            self._waiting[(label,)] -= len(ended)
        return ended


def refusal(event: Received) -> Send:
    """x0 = -1, as for a doorbell that is nobody's: it surely did not happen, and the page is as it was."""
    frame: Any = event.frame
    x = (smccc.NOT_SUPPORTED, *frame.x[1:4])
    return Send(event.peer, frames.Return(VERSION, frame.request, frame.cause, x))
