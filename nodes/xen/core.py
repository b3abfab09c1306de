"""The Xen core: traps in, SMCs out, hypercalls run to their next wait.

A frame counts for what its link proves its sender to be: a domain, EL3, the toolstack, or nobody.
The two hot paths (a guest's doorbell, EL3's return) build their frames at once; everything else
goes through ``_cold``. The page behind a trap is moved, never looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from bus import frames
from bus.shmem import Memory
from nodes.contract import Boot, Effect, Event, Log, Note, Received, Send, Tick, Undelivered
from nodes.meters import Meters
from nodes.story import Story
from nodes.window import Window
from nodes.xen import traps
from nodes.xen.answers import error, not_running, reply
from nodes.xen.channel import Channel
from nodes.xen.config import XenConfig
from nodes.xen.console import Console
from nodes.xen.domain import Domain, State
from nodes.xen.errno import Errno
from nodes.xen.gate import Gate
from nodes.xen.hypercalls import RunningHypercalls
from nodes.xen.hypervisor import Hypervisor, Reports
from nodes.xen.interrupts import Injector
from nodes.xen.metering import Reason
from nodes.xen.reporting import Reporter
from nodes.xen.retired import Past, Retired
from nodes.xen.underway import UnderWay, gone

VERSION: Final = frames.PROTOCOL_VERSION
ANSWERS: Final = (frames.Return, frames.Undef, frames.Error)
FIRMWARE = "firmware"  # the role whose process Xen depends on
ENDS = {"destroy": "destroyed", "reboot": "rebooted"}  # how a link's end is told; others as their reason says


class XenCore:
    """``firmware`` and ``toolstack`` are the link identities of EL3 and the control domain's toolstack.

    ``next_firmware`` gives EL3's identity as a later incarnation; what came before is ``retired``.
    """

    def __init__(
        self,
        config: XenConfig,
        memory: Memory,
        identities: Iterator[bytes],
        firmware: bytes,
        toolstack: bytes,
        *,
        next_firmware: Callable[[int], bytes] | None = None,
    ) -> None:
        self.meters = Meters("xen")
        self.story = Story()
        self._carried = config.carried
        self._firmware = firmware
        self._toolstack = toolstack
        self._out: list[Effect] = []
        self._console = Console(self.meters, firmware, config.tuning.first_request)
        self._traps = self.meters.counter("trapline_smc_traps_total")
        self._drops = self.meters.counter("trapline_bus_dropped_total")
        self._ledger = self.meters.counter("trapline_trap_ledger_total")
        tuning = config.tuning
        waits = tuning.metering.answer or config.profile.metered
        self._record = tuning.record
        self.incarnation = frames.incarnation_of(tuning.first_request)
        self._cluster, self._el3 = config.epoch.cluster, config.epoch.firmware
        self._next_firmware = next_firmware or (lambda incarnation: b"%s#%d" % (firmware, incarnation))
        self.retired = Retired(self.meters, toolstack, tuning.record)
        self._gate = Gate(tuning.metering, waits, self.meters, record=tuning.record)
        self._smcs = UnderWay(config, self._out, self.meters, self.story, firmware)
        self._timed = self._smcs.patience is not None or self._gate.holds
        self._numbers = Window()
        self._report = Reporter(self._out, self.meters, toolstack, self._console)
        report = self._report
        reports = Reports(report.log, self._tell, report.count_reset, report.hazard)
        self.hypervisor = Hypervisor(config, memory, identities, reports)
        self._by_link = self.hypervisor.by_link
        self._interrupts = Injector(self.hypervisor.routes, self.meters, firmware)
        self._hypercalls = RunningHypercalls(
            self.hypervisor, self._out, self._smcs.exchange, self._smcs.hand_over
        )
        self._smcs.resume = self._hypercalls.resume

    @property
    def booted(self) -> bool:
        """Whether every boot domain runs."""
        return self._hypercalls.booted

    def deadline_ns(self) -> int | None:
        """Xen never polls, and an SMC is synchronous: only what an experiment sets has a time."""
        return self._next_ns() if self._timed else None

    def _next_ns(self) -> int | None:
        patience = self._smcs.patience
        overdue = None if patience is None else patience.deadline_ns()
        due = self._gate.deadline_ns()
        return due if overdue is None or (due is not None and due < overdue) else overdue

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """Take one event; every Trap and Domctl gets exactly one answer, perhaps in a later step."""
        if type(event) is Received:
            kind = type(event.frame)
            if kind is frames.Trap:
                domain = self._by_link.get(event.peer)
                if domain is not None:
                    return self._trap(domain, event, now_ns)
            elif kind is frames.SmcReturn and event.peer == self._firmware:
                effects = self._smcs.returned(event, now_ns)
                return self._settle(now_ns) if effects is None else effects
        return self._cold(event, now_ns)

    # ---- the two hot paths --------------------------------------------------------------------

    def _trap(self, domain: Domain, event: Received, now_ns: int) -> Sequence[Effect]:
        frame, numbers = event.frame, domain.numbers
        if frame.request == numbers.ordinary:
            numbers.ordinary += 1
        elif not numbers.admit(frame.request):
            return self._duplicate(frame)
        channel = domain.channel
        if (
            frame.x[0] & 0xFFFF_FFFF != domain.doorbell
            or frame.immediate
            or domain.state is not State.RUNNING
            or channel is None
            or self._smcs.platform_gone
        ):
            return self._other_trap(domain, event, now_ns)
        if channel.lock.held or domain.allowance is not None:
            return self._doorbell(domain, channel, event, now_ns)
        channel.lock.held = True
        return (self._smcs.forward(domain, channel, event, None, now_ns),)

    # ---- traps off the hot path ---------------------------------------------------------------

    def _doorbell(self, domain: Domain, channel: Channel, event: Received, now_ns: int) -> Sequence[Effect]:
        """A domain's own doorbell: past metering, if it is metered, to the channel."""
        allowance = domain.allowance
        if allowance is not None:
            reason = self._gate.judge(domain, channel, now_ns)
            if reason:
                said = self._gate.stop(domain, channel, event, reason, now_ns)
                if self._gate.enforces:
                    if said and type(said[-1]) is Send:
                        self._traps[(domain.name, "doorbell", "refused")] += 1
                    return said
                # What enforcement would not let through costs the domain nothing.
                return (*said, *self._smcs.enter(domain, channel, event, None, now_ns))
        return self._smcs.enter(domain, channel, event, allowance, now_ns)

    def _other_trap(self, domain: Domain, event: Received, now_ns: int) -> Sequence[Effect]:
        frame = event.frame
        if domain.state is not State.RUNNING:
            return (not_running(domain, event),)
        decided = traps.decide(domain, self.hypervisor.sci, frame)
        if decided.forward and self._smcs.platform_gone:
            self._traps[(domain.name, "doorbell", "refused")] += 1
            return (gone(event),)
        if decided.forward:
            assert domain.channel is not None
            return self._doorbell(domain, domain.channel, event, now_ns)
        self._traps[(domain.name, decided.function, decided.verdict)] += 1
        self.story.add(now_ns, f"trap {decided.function} {decided.verdict}", frame.request, frame.x[0])
        if self._record and decided.verdict in ("refused", "undef"):
            numbers = (domain.domid, frame.x[0] & 0xFFFF_FFFF)
            what = f"{decided.function} {decided.verdict}"
            self._out.append(Note("trap_refused", frame.request, numbers, what))
        if decided.undef:
            self._out.append(Send(event.peer, frames.Undef(VERSION, frame.request, frame.cause)))
            return self._settle(now_ns)
        if decided.shutdown:
            self.hypervisor.shut_down(domain, decided.shutdown)
            self._out.append(error(event.peer, frame, "shutdown", False, "the domain ended itself"))
            return self._settle(now_ns)
        self._out.extend(traps.answered(domain, event, decided))
        return self._settle(now_ns)

    # ---- everything else ----------------------------------------------------------------------

    def _cold(self, event: Event, now_ns: int) -> Sequence[Effect]:
        self._smcs.now_ns = now_ns
        if isinstance(event, Received):
            self._received(event)
        elif isinstance(event, Undelivered):
            self._undelivered(event)
        elif isinstance(event, Tick):
            self._tick(now_ns)
        elif isinstance(event, Boot):
            self._out.append(Log("info", "Xen waits for EL3"))
        return self._settle(now_ns)

    def _settle(self, now_ns: int) -> Sequence[Effect]:
        """Run every task that can go on, then hand out what was collected."""
        self._smcs.now_ns = now_ns
        self._hypercalls.settle()
        out = tuple(self._out)
        self._out.clear()
        return out

    def _received(self, event: Received) -> None:
        frame, peer = event.frame, event.peer
        if isinstance(frame, frames.Hello):
            self._hello(peer, frame)
        elif isinstance(frame, frames.Domctl | frames.Console) and peer == self._toolstack:
            if self._numbers.admit(frame.request):
                self._asked(peer, frame)
            else:
                self._out.extend(self._duplicate(frame))
        elif isinstance(frame, frames.ConsoleReply) and (peer in self._by_link or peer == self._firmware):
            self._out.extend(self._console.reply(self._by_link.get(peer), frame))
        elif isinstance(frame, frames.Interrupt) and peer == self._firmware:
            fresh = not frame.request or self._interrupts.numbers.admit(frame.request)
            self._out.extend(self._interrupts.raised(event) if fresh else self._duplicate(frame))
        elif isinstance(frame, frames.EndOfInterrupt) and peer in self._by_link:
            ended = self._interrupts.ended(self._by_link[peer], event)
            self._out.extend(self._duplicate(frame) if ended is None else ended)
        else:
            self._refuse(peer, frame)

    def _asked(self, peer: bytes, frame: frames.Domctl | frames.Console) -> None:
        """Something that the toolstack asks for."""
        if isinstance(frame, frames.Console):
            domain = self.hypervisor.domains.get(frame.domid)
            self._out.append(self._console.request(domain, peer, frame))
        elif isinstance(frame.op, frames.NodeLost | frames.NodeExpected):
            self._node_lost(peer, frame, frame.op)
        else:
            self._hypercalls.domctl(peer, frame)

    def _duplicate(self, frame: Any) -> Sequence[Effect]:
        """A message that came before, be it that only its first copy was answered: nothing happens twice."""
        self._drops[("duplicate",)] += 1
        self._ledger[("duplicate",)] += isinstance(frame, frames.Trap)
        return (Note("duplicate", frame.request, (), type(frame).__name__.lower()),) if self._record else ()

    def _refuse(self, peer: bytes, frame: Any) -> None:
        """A frame that this link may not send, or a link that is nobody's."""
        stale = self.retired.refuse(peer, frame, self._smcs.now_ns)
        if stale is not None:
            self._out.extend(stale)
            return
        known = peer in self._by_link or peer in (self._firmware, self._toolstack)
        self._drops[("not_allowed" if known else "unknown_link",)] += 1
        self._ledger[("refused",)] += isinstance(frame, frames.Trap)
        kind = type(frame).__name__
        detail = f"this link may not send {kind}" if known else "this link belongs to no domain"
        self._out.append(Log("warning", f"refused {kind}: {detail}"))
        if not isinstance(frame, frames.Error):
            self._ledger[("error",)] += 1
            self._out.append(error(peer, frame, "refused", True, detail))

    def _hello(self, peer: bytes, frame: frames.Hello) -> None:
        domain = self._by_link.get(peer)
        if not frames.same_cluster(self._cluster, frame.cluster):
            detail = f"this is cluster {self._cluster.hex()}, you say {frame.cluster.hex()}"
            self._drops[("not_allowed",)] += 1
            self._ledger[("error",)] += 1
            self._out.append(Log("warning", f"refused Hello of another cluster: {frame.cluster.hex()}"))
            self._out.append(error(peer, frame, frames.OTHER_CLUSTER, True, detail))
        elif domain is not None and self._is(peer, frame, domain.name, domain.incarnation):
            if frame.request != domain.hello:  # whoever comes again with another number counts anew
                domain.hello, domain.numbers = frame.request, Window()
            domain.link_up = True
            self._out.append(Send(peer, self._welcome(frame, domain.domid, domain.name)))
            self._tell(domain, "link_up", "")
        elif peer == self._toolstack:
            self._out.append(Send(peer, self._welcome(frame, 0, frame.role)))
        elif peer == self._firmware and self._is(peer, frame, FIRMWARE, self._el3):
            self._out.append(Send(peer, self._welcome(frame, 0, frame.role)))
            self._smcs.platform_gone = False
            self._hypercalls.boot()
        elif domain is None and peer != self._firmware:
            self._refuse(peer, frame)

    def _welcome(self, frame: frames.Hello, domid: int, name: str) -> frames.Welcome:
        return frames.Welcome(
            VERSION, frame.request, frame.cause, domid, name, self._cluster, self.incarnation
        )

    def _is(self, peer: bytes, frame: frames.Hello, name: str, incarnation: int) -> bool:
        """Whether who says Hello claims no other incarnation than its link's; else it is refused."""
        claimed = frame.incarnation
        if claimed in (0, incarnation):
            return True
        older = claimed < incarnation
        self._drops[("stale" if older else "not_allowed",)] += 1
        self._ledger[("error",)] += 1
        detail = f"this link is that of {name}#{incarnation}, you say #{claimed}"
        self._out.append(Log("warning", f"refused Hello: {detail}"))
        self._out.append(error(peer, frame, frames.STALE if older else "refused", True, detail))
        return False

    # ---- the platform or a domain is gone -----------------------------------------------------

    def _tell(self, domain: Domain, event: str, detail: str) -> None:
        """A life-cycle event; what metering holds back of a domain that runs no more ends here."""
        self._report.tell(domain, event, detail)
        if event in ("shutdown", "dying"):
            self._out.extend(not_running(domain, one) for one in self._gate.end(domain))
        elif event == "dead":
            why = ENDS.get(domain.reason, f"destroyed ({domain.reason})")
            past = Past(domain.domid, domain.name, "guest", domain.incarnation, why, self._smcs.now_ns)
            self.retired.add(domain.link, past)

    def _undelivered(self, event: Undelivered) -> None:
        self._drops[("undelivered",)] += 1
        self._ledger[("undelivered",)] += isinstance(event.frame, ANSWERS)
        if event.peer == self._firmware and isinstance(event.frame, frames.Smc):
            self._smcs.lost(event.frame.request, definite=True)
        elif isinstance(event.frame, frames.Console):
            self._out.extend(self._console.lost(event.frame.request, definite=True))
        elif event.peer in self._by_link:
            domain = self._by_link[event.peer]
            domain.link_up = False
            if isinstance(event.frame, frames.Interrupt):
                self._interrupts.undelivered(domain, event.frame)

    def _node_lost(
        self, peer: bytes, frame: frames.Domctl, op: frames.NodeLost | frames.NodeExpected
    ) -> None:
        """EL3's process is gone: nothing in flight will be answered; whether it happened is unknown.

        Until EL3 says Hello again nothing more is sent to it. If another one is expected, the link of the
        one before is retired, be it that its process lives on somewhere.
        """
        if op.role != FIRMWARE:
            detail = f"Xen does not depend on a {op.role!r}"
            self._out.append(reply(peer, frame, -Errno.EINVAL, 0, detail))
            return
        if isinstance(op, frames.NodeExpected):
            if op.incarnation <= self._el3:
                detail = f"EL3 is incarnation {self._el3}, the next one must be newer"
                self._out.append(reply(peer, frame, -Errno.EINVAL, 0, detail))
                return
            self._replace_firmware(op.incarnation)
        self._out.append(Log("error", "EL3 is lost"))
        self._smcs.platform_gone = True
        self._interrupts.again()
        for request in [*self._smcs.calls, *self._smcs.exchanges]:
            self._smcs.lost(request, definite=False)
        self._out.extend(self._console.gone(None))
        self._out.append(reply(peer, frame, 0))

    def _replace_firmware(self, incarnation: int) -> None:
        """Another EL3 is about to start, on a link of its own."""
        past = Past(frames.EL3_DOMID, "EL3", FIRMWARE, self._el3, "replaced", self._smcs.now_ns)
        self.retired.add(self._firmware, past)
        self._el3 = incarnation
        self._firmware = link = self._next_firmware(incarnation)
        self._smcs.firmware = self._console.firmware = self._interrupts.firmware = link

    # ---- time ---------------------------------------------------------------------------------

    def _tick(self, now_ns: int) -> None:
        self._smcs.overdue()
        for domain, event, reason in self._gate.due(now_ns):
            self._released(domain, event, reason, now_ns)

    def _released(self, domain: Domain, event: Received, reason: Reason, now_ns: int) -> None:
        """A trap that metering held back."""
        channel = domain.channel
        if domain.state is not State.RUNNING or channel is None:
            self._out.append(not_running(domain, event))
        elif self._smcs.platform_gone:
            self._out.append(gone(event))
        elif reason:
            self._out.extend(self._gate.stop(domain, channel, event, reason, now_ns))
        else:
            self._out.extend(self._smcs.enter(domain, channel, event, domain.allowance, now_ns))
