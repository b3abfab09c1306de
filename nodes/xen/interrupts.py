"""Physical interrupts: who may have one, whom it is routed to, and what is in flight in a domain.

``Routes`` is what hypercalls and the builders change; ``Injector`` moves Interrupt and EndOfInterrupt
between EL3 and the domains. A line behaves as on a GIC: while one is in flight in a domain, a further
raise sets the line's pending bit, once; it is injected when the domain ends the first.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from bus import frames
from nodes.contract import NO_PAGE, Effect, Log, Received, Send
from nodes.interrupts import SPIS
from nodes.meters import Meters
from nodes.window import Window
from nodes.xen.answers import error
from nodes.xen.domain import Domain, State
from nodes.xen.errno import Errno, XenError

VERSION: Final = frames.PROTOCOL_VERSION
NO_INTERRUPT: Final = "no-interrupt"  # its request number is EL3's, and may equal one of the domain's
NOBODY = "none"  # the label of an interrupt that is routed nowhere


class Route:
    """Where a line goes. ``in_flight``: injected and not ended; ``pending``: raised again meanwhile.

    ``request`` is the number of the interrupt that was injected last.
    """

    __slots__ = ("domain", "in_flight", "pending", "request")

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.in_flight = False
        self.pending: Received | None = None
        self.request = 0

    def ended_before(self, request: int) -> bool:
        """Whether that interrupt was ended already: it is an earlier one, or the last and not in flight."""
        return 0 < request < self.request + (not self.in_flight)


class Routes:
    """``by_line`` by interrupt ID.

    Access is checked against the caller of a hypercall, as Xen does, and that is Dom0, which has every SPI
    that it did not take from itself. What another domain is permitted nobody ever asks for.
    """

    def __init__(self) -> None:
        self.by_line: dict[int, Route] = {}
        self._lost_by_dom0: set[int] = set()

    def permit(self, domain: Domain, irq: int, allow: bool) -> None:
        """XEN_DOMCTL_irq_permission; EINVAL for what is no SPI, EPERM for what Dom0 may not have itself."""
        self._check_access(irq)
        if domain.domid == 0 and not allow:
            self._lost_by_dom0.add(irq)

    def bind(self, domain: Domain, irq: int, virq: int) -> None:
        """XEN_DOMCTL_bind_pt_irq.

        EINVAL for a ``virq`` of another number, for what is no SPI, for a dying domain; EPERM for what Dom0
        may not have itself; EBUSY for a line that is routed already, be it to this very domain.
        """
        if irq != virq:
            raise XenError(
                Errno.EINVAL, f"interrupt {irq} cannot be {virq} in the domain: the numbers are equal"
            )
        self._check_access(irq)
        if domain.state in (State.DYING, State.DEAD):
            raise XenError(Errno.EINVAL, f"domain {domain.name} is {domain.state}")
        found = self.by_line.get(irq)
        if found is not None:
            raise XenError(Errno.EBUSY, f"interrupt {irq} is routed to {found.domain.name} already")
        self.by_line[irq] = Route(domain)

    def build(self, domain: Domain, irqs: Iterable[int]) -> None:
        """What a domain's builder routes; its devices may share a line. EBUSY for another domain's."""
        for irq in irqs:
            found = self.by_line.setdefault(irq, Route(domain))
            if found.domain is not domain:
                raise XenError(Errno.EBUSY, f"interrupt {irq} is routed to {found.domain.name} already")

    def release(self, domain: Domain) -> None:
        """The domain is gone: its lines are nobody's, with nothing in flight."""
        self.by_line = {irq: route for irq, route in self.by_line.items() if route.domain is not domain}

    def _check_access(self, irq: int) -> None:
        if irq not in SPIS:
            raise XenError(Errno.EINVAL, f"{irq} is no SPI, those are {SPIS[0]}..{SPIS[-1]}")
        if irq in self._lost_by_dom0:
            raise XenError(Errno.EPERM, f"Dom0 has no access to interrupt {irq} itself")


class Injector:
    """``firmware`` is EL3's link. Every raise and every end is counted by what became of it."""

    def __init__(self, routes: Routes, meters: Meters, firmware: bytes) -> None:
        self._routes = routes
        self.firmware = firmware
        self._verdicts = meters.counter("trapline_interrupts_total")
        self._ledger = meters.counter("trapline_trap_ledger_total")
        self._told: set[int] = set()
        self.numbers = Window()

    def again(self) -> None:
        """EL3 begins anew, its numbers with it."""
        self.numbers = Window()

    def raised(self, event: Received) -> Sequence[Effect]:
        """EL3 raised a line: inject it, or remember it once, or drop it with its count."""
        route = self._routes.by_line.get(event.frame.intid)
        if route is None:
            self._verdicts[NOBODY, "unrouted"] += 1
            return self._told_once(event.frame.intid)
        if route.in_flight:
            if route.pending is not None:
                self._verdicts[route.domain.name, "merged"] += 1
            route.pending = event
            return ()
        return self._inject(route, event)

    def _told_once(self, intid: int) -> Sequence[Effect]:
        """A line in the log for each line of the GIC: a log is bounded, and a timer may raise it for ever."""
        if intid in self._told or intid not in SPIS:
            return ()
        self._told.add(intid)
        return (Log("warning", f"interrupt {intid} is routed to no domain"),)

    def _inject(self, route: Route, event: Received) -> Sequence[Effect]:
        domain, frame = route.domain, event.frame
        if domain.state is not State.RUNNING:
            self._verdicts[domain.name, "not_running"] += 1
            return ()
        if not domain.link_up:
            self._verdicts[domain.name, "undelivered"] += 1
            return ()
        route.in_flight, route.request = True, frame.request
        self._verdicts[domain.name, "injected"] += 1
        page = domain.guest_address(frame.page) if frame.page else 0
        onward = frames.Interrupt(VERSION, frame.request, frame.cause, frame.intid, page)
        return (Send(domain.link, onward, event.page if page else NO_PAGE),)

    def ended(self, domain: Domain, event: Received) -> Sequence[Effect] | None:
        """A domain deactivates a line: pass it on, and inject what is pending. It must be in flight there.

        None for the end of an earlier one, which has come before.
        """
        frame = event.frame
        route = self._routes.by_line.get(frame.intid)
        if route is not None and route.domain is domain and route.ended_before(frame.request):
            return None
        if route is None or route.domain is not domain or not route.in_flight:
            self._verdicts[domain.name, "refused"] += 1
            detail = f"interrupt {frame.intid} is not in flight in {domain.name}"
            self._ledger[("error",)] += 1
            return (error(event.peer, frame, NO_INTERRUPT, True, detail),)
        route.in_flight = False
        self._verdicts[domain.name, "ended"] += 1
        page = domain.machine_address(frame.page) if frame.page else 0
        onward = frames.EndOfInterrupt(VERSION, frame.request, frame.cause, frame.intid, page)
        ended = Send(self.firmware, onward, event.page)
        again, route.pending = route.pending, None
        return (ended, *self._inject(route, again)) if again is not None else (ended,)

    def undelivered(self, domain: Domain, frame: frames.Interrupt) -> None:
        """The domain's process was gone: nothing is in flight there any more."""
        route = self._routes.by_line.get(frame.intid)
        lost = 1
        if route is not None and route.domain is domain:
            lost += route.pending is not None
            route.in_flight, route.pending = False, None
        self._verdicts[domain.name, "undelivered"] += lost
