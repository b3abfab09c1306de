"""Power capping: the average power of a tree of domains, and what the platform does when it is too much.

The power is averaged as a first-order lag over the averaging interval. When the average rises above the cap,
the platform lowers levels of the domain's performance domains until what they draw fits: the one that draws
most goes first, one operating point at a time. That choice depends only on what agents want and on the
caps, so it is made again when one of those changes, and never flips back and forth by itself: a limit stays
as long as what is wanted would not fit. If even the lowest levels draw too much, they stay the lowest.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from nodes.firmware.hardware.lag import Lag
from nodes.firmware.platform import PowercapDomain
from nodes.firmware.schedule import Timer

if TYPE_CHECKING:
    from nodes.firmware.hardware import Board


class _Node:
    """One domain now. ``wanting``: what agents want is more than the cap. ``acting``: the average was, too,
    and ``limits`` (perf domain -> place) are in force.
    """

    __slots__ = (
        "acting",
        "base_uw",
        "budget",
        "cap_uw",
        "limits",
        "measured",
        "perf",
        "power_uw",
        "spec",
        "timer",
        "wanting",
    )

    def __init__(self, spec: PowercapDomain) -> None:
        self.spec = spec
        self.base_uw = spec.base_uw
        self.power_uw = 0
        self.perf: list[int] = list(spec.perf_domains)
        self.measured = Lag(spec.pai.boot_us * 1000)
        self.budget = Lag(spec.every_level[0].cai.boot_us * 1000)
        self.cap_uw: int | None = None
        self.wanting = False
        self.acting = False
        self.limits: dict[int, int] = {}
        self.timer: Timer | None = None


class PowerCaps:
    """``measured_uw`` tells, ``cap`` and ``averaging`` set what the agents' votes come to."""

    def __init__(self, board: "Board") -> None:
        self._machine = board.machine
        self._perf = board.perf
        domains = board.machine.platform.powercap_domain
        self.domains = {one.id: one for one in domains}
        self._nodes = {one.id: _Node(one) for one in domains}
        self._chains: dict[int, list[int]] = {}
        self._drawn: dict[int, int] = {}
        self._in_force: dict[int, int] = {}
        self._regulating = False
        self._touched: dict[int, None] = {}
        for one in domains:
            chain = self._above(one.id)
            for perf_domain in one.perf_domains:
                self._chains[perf_domain] = chain
                self._drawn[perf_domain] = board.perf.power_uw(perf_domain)
            power_uw = one.base_uw + sum(self._drawn[perf_domain] for perf_domain in one.perf_domains)
            for above in chain:
                self._nodes[above].power_uw += power_uw
            for above in chain[1:]:
                self._nodes[above].base_uw += one.base_uw
                self._nodes[above].perf.extend(one.perf_domains)
        if domains:
            board.perf.on_change.append(self._changed)
            board.perf.on_demand.append(self._changed)

    def _above(self, domain_id: int) -> list[int]:
        """The domain and its parents, up to the root."""
        chain = []
        at: int | None = domain_id
        while at is not None:
            chain.append(at)
            at = self.domains[at].parent
        return chain

    def boot(self) -> None:
        """Time begins; the averages are what is drawn now."""
        for node in self._nodes.values():
            node.measured.start(self._machine.now_ns, node.power_uw)
            node.budget.start(self._machine.now_ns, node.power_uw)
        for one in self._nodes:
            self._regulate(self._above(one))

    def measured_uw(self, domain_id: int) -> int:
        """The average power over the averaging interval, in microwatts."""
        return round(self._nodes[domain_id].measured.at(self._machine.now_ns))

    def averaging(self, domain_id: int, pai_us: int) -> None:
        """Measure over another interval from now on."""
        self._nodes[domain_id].measured.lasting(self._machine.now_ns, pai_us * 1000)

    def cap(self, domain_id: int, cap_uw: int | None, cai_us: int) -> None:
        """The cap in force, None for none, and the interval over which it counts."""
        node = self._nodes[domain_id]
        node.budget.lasting(self._machine.now_ns, cai_us * 1000)
        node.cap_uw = cap_uw
        self._regulate(self._above(domain_id))

    # ---- what follows -------------------------------------------------------------------------

    def _changed(self, perf_domain: int) -> None:
        chain = self._chains.get(perf_domain)
        if chain is None:
            return
        before, after = self._drawn[perf_domain], self._perf.power_uw(perf_domain)
        self._drawn[perf_domain] = after
        for one in chain:
            node = self._nodes[one]
            node.power_uw += after - before
            node.measured.aim(self._machine.now_ns, node.power_uw)
            node.budget.aim(self._machine.now_ns, node.power_uw)
        self._touched.update(dict.fromkeys(chain))
        if not self._regulating:
            self._regulate(chain)

    def _regulate(self, chain: list[int]) -> None:
        """Decide again for a domain and its parents, the lowest first, and make it so."""
        self._regulating = True
        for one in chain:
            node = self._nodes[one]
            if node.cap_uw is not None or node.limits:
                before = node.limits
                self._decide(node)
                self._enforce(before.keys() | node.limits.keys())
        self._regulating = False
        touched, self._touched = self._touched, {}
        for one in dict.fromkeys((*chain, *touched)):
            self._wait(self._nodes[one])

    def _decide(self, node: _Node) -> None:
        wanted = {one: self._wanted(one, node) for one in node.perf}
        free_uw = node.base_uw + sum(self._perf.uw_at(one, place) for one, place in wanted.items())
        node.wanting = node.cap_uw is not None and free_uw > node.cap_uw
        if node.cap_uw is None or not node.wanting:
            node.acting = False
        elif node.budget.at(self._machine.now_ns) > node.cap_uw:
            node.acting = True
        node.limits = self._plan(node, wanted, free_uw) if node.acting else {}

    def _wanted(self, perf_domain: int, node: _Node) -> int:
        """The place that agents want, within the limits of the domains below ``node``."""
        place = self._perf.wanted(perf_domain)
        for below in self._chains[perf_domain]:
            if below == node.spec.id:
                break
            place = min(place, self._nodes[below].limits.get(perf_domain, place))
        return place

    def _plan(self, node: _Node, wanted: dict[int, int], power_uw: int) -> dict[int, int]:
        """The places at which everything fits under the cap, or the lowest."""
        places = dict(wanted)
        cap_uw = node.cap_uw or 0
        heap = [(-self._perf.uw_at(one, place), one) for one, place in places.items() if place]
        heapify(heap)
        while heap and power_uw > cap_uw:
            before, one = heappop(heap)
            places[one] -= 1
            after = self._perf.uw_at(one, places[one])
            power_uw += before + after
            if places[one]:
                heappush(heap, (-after, one))
        return {one: place for one, place in places.items() if place < self._perf.wanted(one)}

    def _enforce(self, perf_domains: Iterable[int]) -> None:
        for one in sorted(perf_domains):
            found = [self._nodes[above].limits.get(one) for above in self._chains[one]]
            limit = min((place for place in found if place is not None), default=None)
            if limit == self._in_force.get(one):
                continue
            if limit is None:
                del self._in_force[one]
            else:
                self._in_force[one] = limit
            self._perf.limit(one, limit)

    def _wait(self, node: _Node) -> None:
        """Look again when the average will be above the cap."""
        if node.timer is not None:
            node.timer.cancel()
            node.timer = None
        if node.cap_uw is None or node.acting or not node.wanting:
            return
        due_ns = node.budget.reaches_ns(self._machine.now_ns, node.cap_uw)
        if due_ns is not None:
            chain = self._above(node.spec.id)
            node.timer = self._machine.schedule.at(due_ns, lambda: self._regulate(chain))
