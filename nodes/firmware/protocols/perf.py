"""EL3's performance domains: the highest level asked for wins, within the limits that everybody can bear.

The limits in force are what all agents' limits and the platform's own cap have in common. Where they have
nothing in common, the lowest of the maxima is minimum and maximum: a ceiling protects, a floor only serves.
(Where a firmware keeps limits by agent, each agent's bind its own wish only, and the highest of those wins.)
A level that was asked for before stays a wish and comes into force when the limits allow it. An exclusive
domain belongs to the first agent that sets it, until that agent is reset. What a level drives is
``hardware.perf``'s business; here levels are places in the list of operating points, and become numbers
where they are told. LEVEL_GET and LIMITS_GET tell what is in force, or, where the platform's ``agent_view``
says so, an agent's own wish if it has one, within its own limits; then LEVEL_SET is judged by those too.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from bus.scmi import perf
from bus.scmi.protocol import fits
from bus.scmi.status import Status
from nodes.firmware.hardware import Board
from nodes.firmware.holds import Holds
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import PerfDomain
from nodes.firmware.protocols import fastchannel
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.subscriptions import Subscriptions
from nodes.firmware.votes import Votes

KIND = "perf_domain"
FAST, NAMED, INDEXED = 0x2_0000, 0x3_0000, 0x4_0000  # the versions that brought fast channels, names, indices
LENIENT = 0x3_0000  # from here on zeros leave limits as they are, and an index too big is OUT_OF_RANGE


class PerfService(Served):
    """Votes on levels and limits, and subscriptions; without a vote a domain is as at boot."""

    table = perf.PROTOCOL

    def __init__(self, machine: Machine, board: Board) -> None:
        self.machine = machine
        self.board = board.perf
        self.domains = board.perf.domains
        self.resources = {KIND: self.domains}
        self._fit = {
            one: fits(perf.DescribeLevelsReply, machine.payload_bytes, one) for one in self.table.versions
        }
        self._own_view = machine.platform.agent_view == "own"
        self._own_limits = machine.profile.perf_limits == "own"
        self._levels = {one.id: [opp.level for opp in one.opp] for one in self.domains.values()}
        self._fast = {
            f"PERFORMANCE_{fast.message}" for one in self.domains.values() for fast in one.fastchannel
        }
        self.levels, self.lows, self.highs = Votes(), Votes(), Votes()
        self.holds = Holds("perf", KIND, self.domains.values())
        self.limits_changed = Subscriptions(machine, self.table, perf.PERFORMANCE_LIMITS_CHANGED, KIND)
        self.level_changed = Subscriptions(machine, self.table, perf.PERFORMANCE_LEVEL_CHANGED, KIND)
        board.perf.on_limits.append(self._limits_moved)
        board.perf.on_level.append(self._level_moved)
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "PERFORMANCE_DOMAIN_ATTRIBUTES": self.attributes,
            "PERFORMANCE_DESCRIBE_LEVELS": self.describe_levels,
            "PERFORMANCE_LIMITS_SET": self.limits_set,
            "PERFORMANCE_LIMITS_GET": self.limits_get,
            "PERFORMANCE_LEVEL_SET": self.level_set,
            "PERFORMANCE_LEVEL_GET": self.level_get,
            "PERFORMANCE_NOTIFY_LIMITS": lambda agent, request: self._notify(
                agent, request, self.limits_changed
            ),
            "PERFORMANCE_NOTIFY_LEVEL": lambda agent, request: self._notify(
                agent, request, self.level_changed
            ),
            "PERFORMANCE_DESCRIBE_FASTCHANNEL": self.describe_fastchannel,
            "PERFORMANCE_DOMAIN_NAME_GET": self.name_get,
        }

    # ---- what is told -------------------------------------------------------------------------

    def message_attributes(self, command: str) -> int:
        return int(self.machine.version >= FAST and command in self._fast)

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        unit = self.machine.platform.perf_power_unit
        bits = perf.ATTRIBUTES.pack(
            power_in_microwatts=unit == "uW" and self.machine.version >= NAMED,
            power_in_milliwatts=unit == "mW",
            num_domains=len(self.domains),
        )
        return perf.ProtocolAttributesReply(bits, 0, 0)

    def attributes(self, agent: int, request: perf.DomainAttributes) -> Answer:
        domain = self.domains[request.domain_id]
        version = self.machine.version
        may = self.machine.permissions.may
        notifies = domain.notifications and self.machine.outbox.reaches(agent)
        bits = perf.DOMAIN.pack(
            can_set_limits=domain.set_limits
            and may(agent, (KIND, domain.id), True, ("perf", "PERFORMANCE_LIMITS_SET")),
            can_set_level=domain.set_level
            and may(agent, (KIND, domain.id), True, ("perf", "PERFORMANCE_LEVEL_SET")),
            limits_notify=notifies,
            level_notify=notifies,
            fastchannels=version >= FAST and bool(domain.fastchannel),
            extended_name=version >= NAMED and len(domain.name) > 15,
            level_indexing=self._indexed(domain, version),
        )
        sustained = domain.opp[domain.sustained_index]
        return perf.DomainAttributesReply(
            bits, domain.rate_limit_us, sustained.frequency_khz, sustained.level, domain.name
        )

    def describe_levels(self, _agent: int, request: perf.DescribeLevels) -> Answer:
        opps, first, version = self.domains[request.domain_id].opp, request.level_index, self.machine.version
        if first >= len(opps):
            return Status.OUT_OF_RANGE if version >= LENIENT else Status.INVALID_PARAMETERS
        page = tuple(
            perf.PerfLevel(
                opp.level,
                opp.power_cost,
                perf.LEVEL.pack(transition_latency_us=opp.latency_us),
                opp.frequency_khz,
                at,
            )
            for at, opp in enumerate(opps[first : first + self._fit[version]], first)
        )
        bits = perf.NUM_LEVELS.pack(remaining=len(opps) - first - len(page), returned=len(page))
        return perf.DescribeLevelsReply(bits, page)

    def name_get(self, _agent: int, request: perf.DomainNameGet) -> Answer:
        return perf.DomainNameGetReply(0, self.domains[request.domain_id].name)

    def describe_fastchannel(self, _agent: int, request: perf.DescribeFastchannel) -> Answer:
        channels = self.domains[request.domain_id].fastchannel
        return fastchannel.describe(
            self.table, self.machine.version, request.message_id, "PERFORMANCE_", channels
        )

    # ---- limits -------------------------------------------------------------------------------

    def limits_set(self, agent: int, request: perf.LimitsSet) -> Answer:
        domain = self.domains[request.domain_id]
        if not domain.set_limits or self.holds.taken(agent, domain.id):
            return Status.DENIED
        indexed = self._indexed(domain, self.machine.version)
        keeps = self.machine.version >= LENIENT and not indexed
        high, low = (None if keeps and one == 0 else one for one in (request.range_max, request.range_min))
        if high is None and low is None:
            return self.machine.profile.limits_both_zero
        if high is not None and low is not None and low > high:
            return Status.INVALID_PARAMETERS
        scale: list[int] | range = range(len(domain.opp)) if indexed else self._levels[domain.id]
        if any(one is not None and not scale[0] <= one <= scale[-1] for one in (high, low)):
            return Status.OUT_OF_RANGE
        return self._wish_limits(
            agent,
            domain,
            None if low is None else bisect_left(scale, low),
            None if high is None else bisect_right(scale, high) - 1,
        )

    def _wish_limits(self, agent: int, domain: PerfDomain, low: int | None, high: int | None) -> Status:
        """Limits as places; None leaves one as it is."""
        lowest = self.lows.of(domain.id).get(agent, 0) if low is None else low
        highest = self.highs.of(domain.id).get(agent, len(domain.opp) - 1) if high is None else high
        if lowest > highest:
            # Between two levels there is none; against a limit set before, the minimum is above the maximum.
            return Status.INVALID_PARAMETERS if low is None or high is None else Status.OUT_OF_RANGE
        self.holds.take(agent, domain.id)
        if low is not None:
            self.lows.cast(agent, domain.id, low)
        if high is not None:
            self.highs.cast(agent, domain.id, high)
        self._ask(domain.id)
        return Status.SUCCESS

    def limits_get(self, agent: int, request: perf.LimitsGet) -> Answer:
        domain = self.domains[request.domain_id]
        low, high = self._limits(agent, domain.id)
        version = self.machine.version
        return perf.LimitsGetReply(self._number(domain, high, version), self._number(domain, low, version))

    def _limits(self, agent: int, domain_id: int) -> tuple[int, int]:
        """The limits that the agent sees, as places: its own, if it has set any and sees its own wishes."""
        lows, highs = self.lows.of(domain_id), self.highs.of(domain_id)
        if self._own_view and (agent in lows or agent in highs):
            return self._own(agent, domain_id)
        lowest, highest = self.board.limits(domain_id)
        if self._own_limits:
            low, high = self._own(agent, domain_id)
            highest = min(high, highest)
            lowest = min(low, highest)
        return lowest, highest

    def _own(self, agent: int, domain_id: int) -> tuple[int, int]:
        """The limits that the agent set itself, as places."""
        last = len(self.domains[domain_id].opp) - 1
        return self.lows.of(domain_id).get(agent, 0), self.highs.of(domain_id).get(agent, last)

    # ---- level --------------------------------------------------------------------------------

    def level_set(self, agent: int, request: perf.LevelSet) -> Answer:
        domain = self.domains[request.domain_id]
        if not domain.set_level or self.holds.taken(agent, domain.id):
            return Status.DENIED
        place = self._place(domain, request.performance_level)
        low, high = self._limits(agent, domain.id)
        if place is None or not low <= place <= high:
            return Status.OUT_OF_RANGE
        self.holds.take(agent, domain.id)
        self.levels.cast(agent, domain.id, place)
        self._ask(domain.id)
        return Status.SUCCESS

    def level_get(self, agent: int, request: perf.LevelGet) -> Answer:
        domain = self.domains[request.domain_id]
        place = self.board.level(domain.id)
        own = self.levels.of(domain.id).get(agent) if self._own_view else None
        if own is not None:
            low, high = self._limits(agent, domain.id)
            place = max(low, min(own, high))
        return perf.LevelGetReply(self._number(domain, place, self.machine.version))

    def _indexed(self, domain: PerfDomain, version: int) -> bool:
        return domain.level_indexing and version >= INDEXED

    def _number(self, domain: PerfDomain, place: int, version: int) -> int:
        """A place as an agent that speaks ``version`` is told it: the level, or the place itself."""
        return place if self._indexed(domain, version) else domain.opp[place].level

    def _place(self, domain: PerfDomain, number: int) -> int | None:
        """The place of a level that is described; None for any other."""
        levels = self._levels[domain.id]
        if self._indexed(domain, self.machine.version):
            return number if number < len(levels) else None
        at = bisect_left(levels, number)
        return at if at < len(levels) and levels[at] == number else None

    def _ask(self, domain_id: int) -> None:
        last = len(self.domains[domain_id].opp) - 1
        if self._own_limits:
            self.board.ask(domain_id, max(self._bound(domain_id), default=None), 0, last)
            return
        self.board.ask(
            domain_id,
            max(self.levels.of(domain_id).values(), default=None),
            max(self.lows.of(domain_id).values(), default=0),
            min(self.highs.of(domain_id).values(), default=last),
        )

    def _bound(self, domain_id: int) -> Iterator[int]:
        """What each agent wishes within its own limits; without a wish for a level, of that at boot."""
        levels, boot = self.levels.of(domain_id), self.domains[domain_id].boot_index
        for agent in levels.keys() | self.lows.of(domain_id).keys() | self.highs.of(domain_id).keys():
            low, high = self._own(agent, domain_id)
            yield max(low, min(levels.get(agent, boot), high))

    # ---- notifications ------------------------------------------------------------------------

    def _notify(
        self, agent: int, request: perf.NotifyLimits | perf.NotifyLevel, which: Subscriptions
    ) -> Answer:
        if not self.domains[request.domain_id].notifications:
            return Status.NOT_SUPPORTED
        return which.set(agent, request.domain_id, perf.NOTIFY.get(request.notify_enable, "enable"))

    def _limits_moved(self, domain_id: int) -> None:
        domain, cause = self.domains[domain_id], self.machine.cause
        low, high = self.board.limits(domain_id)

        def told(agent: int) -> perf.LimitsChanged:
            spoken = self.machine.spoken(agent, self.table.id)
            limits = self._number(domain, high, spoken), self._number(domain, low, spoken)
            return perf.LimitsChanged(cause, domain_id, *limits)

        self.limits_changed.tell(domain_id, told)

    def _level_moved(self, domain_id: int) -> None:
        domain, cause, place = self.domains[domain_id], self.machine.cause, self.board.level(domain_id)

        def told(agent: int) -> perf.LevelChanged:
            spoken = self.machine.spoken(agent, self.table.id)
            return perf.LevelChanged(cause, domain_id, self._number(domain, place, spoken))

        self.level_changed.tell(domain_id, told)

    # ---- what agents hold ---------------------------------------------------------------------

    def reset(self, agent_id: int) -> None:
        self.holds.withdraw(agent_id)
        concerned = {
            one for votes in (self.levels, self.lows, self.highs) for one in votes.withdraw(agent_id)
        }
        for domain_id in sorted(concerned):
            self._ask(domain_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        wishes = (("level", self.levels), ("minimum", self.lows), ("maximum", self.highs))
        votes = [
            Entry("vote", "perf", f"{KIND} {domain_id}", what, self._levels[domain_id][place])
            for what, votes in wishes
            for domain_id, place in sorted(votes.held_by(agent_id).items())
        ]
        asked = (*self.limits_changed.ledger(agent_id), *self.level_changed.ledger(agent_id))
        return [*votes, *self.holds.ledger(agent_id), *asked]
