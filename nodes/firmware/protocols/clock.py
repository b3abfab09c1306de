"""EL3's clocks: on while anyone wants it on, the highest rate asked for wins."""

from bisect import bisect_left

from bus.scmi import clock
from bus.scmi.protocol import fits
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import Clock, RateRange
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.votes import Votes


class ClockService(Served):
    """State, rate and parent of a clock follow the agents' votes; without a vote they are as at boot.

    The newest wish for a parent wins; when it is withdrawn the boot-time parent comes back.
    """

    table = clock.PROTOCOL

    def __init__(self, machine: Machine) -> None:
        self.clocks: dict[int, Clock] = {one.id: one for one in machine.platform.clock}
        self.resources = {"clock": self.clocks}
        self.permissions = machine.permissions
        payload_bytes = machine.payload_bytes
        self._rates_fit = fits(clock.DescribeRatesReply, payload_bytes)
        self._parents_fit = fits(clock.PossibleParentsGetReply, payload_bytes)
        self.states, self.rates, self.parents = Votes(), Votes(), Votes()
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "CLOCK_ATTRIBUTES": self.attributes,
            "CLOCK_DESCRIBE_RATES": self.describe_rates,
            "CLOCK_RATE_SET": self.rate_set,
            "CLOCK_RATE_GET": self.rate_get,
            "CLOCK_CONFIG_SET": self.config_set,
            "CLOCK_NAME_GET": self.name_get,
            "CLOCK_RATE_NOTIFY": not_yet,
            "CLOCK_RATE_CHANGE_REQUESTED_NOTIFY": not_yet,
            "CLOCK_CONFIG_GET": self.config_get,
            "CLOCK_POSSIBLE_PARENTS_GET": self.possible_parents_get,
            "CLOCK_PARENT_SET": self.parent_set,
            "CLOCK_PARENT_GET": self.parent_get,
            "CLOCK_GET_PERMISSIONS": self.get_permissions,
        }

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        return clock.ProtocolAttributesReply(clock.ATTRIBUTES.pack(num_clocks=len(self.clocks)))

    def attributes(self, agent: int, request: clock.ClockAttributes) -> Answer:
        one = self.clocks[request.clock_id]
        bits = clock.CLOCK.pack(
            enabled=self.enabled(one.id),
            extended_name=len(one.name) > 15,
            parents=bool(one.parents),
            restricted=not self.permissions.may(agent, ("clock", one.id), changes=True),
        )
        return clock.ClockAttributesReply(bits, one.name, one.enable_delay_us)

    def describe_rates(self, _agent: int, request: clock.DescribeRates) -> Answer:
        rates = self.clocks[request.clock_id].rates
        if isinstance(rates, RateRange):
            if request.rate_index:
                return Status.OUT_OF_RANGE
            bits = clock.NUM_RATES.pack(triplet=1, returned=3)
            return clock.DescribeRatesReply(bits, (rates.min, rates.max, rates.step))
        if request.rate_index >= len(rates):
            return Status.OUT_OF_RANGE
        page = rates[request.rate_index : request.rate_index + self._rates_fit]
        remaining = len(rates) - request.rate_index - len(page)
        return clock.DescribeRatesReply(clock.NUM_RATES.pack(remaining=remaining, returned=len(page)), page)

    def rate_set(self, agent: int, request: clock.RateSet) -> Answer:
        if clock.RATE_SET_FLAGS.get(request.flags, "async_set"):
            return Status.NOT_SUPPORTED
        rate = _reachable(self.clocks[request.clock_id].rates, request.rate, request.flags)
        if rate is None:
            return Status.INVALID_PARAMETERS
        self.rates.cast(agent, request.clock_id, rate)
        return Status.SUCCESS

    def rate(self, clock_id: int) -> int:
        """The real rate in Hz."""
        votes = self.rates.of(clock_id)
        return max(votes.values()) if votes else self.clocks[clock_id].rate

    def rate_get(self, _agent: int, request: clock.RateGet) -> Answer:
        return clock.RateGetReply(self.rate(request.clock_id))

    def enabled(self, clock_id: int) -> bool:
        """The real state."""
        votes = self.states.of(clock_id)
        return any(votes.values()) if votes else self.clocks[clock_id].enabled

    def config_set(self, agent: int, request: clock.ConfigSet) -> Answer:
        state = clock.CONFIG_SET.get(request.attributes, "state")
        extended = clock.CONFIG_SET.get(request.attributes, "extended_config_type")
        if state == clock.STATE_RESERVED or (state == clock.STATE_UNCHANGED and not extended):
            return Status.INVALID_PARAMETERS
        if extended:
            return Status.NOT_SUPPORTED
        self.states.cast(agent, request.clock_id, state == clock.STATE_ENABLE)
        return Status.SUCCESS

    def config_get(self, _agent: int, request: clock.ConfigGet) -> Answer:
        if clock.CONFIG_GET_FLAGS.get(request.flags, "extended_config_type"):
            return Status.NOT_SUPPORTED
        return clock.ConfigGetReply(0, clock.CONFIG.pack(enabled=self.enabled(request.clock_id)), 0)

    def name_get(self, _agent: int, request: clock.ClockNameGet) -> Answer:
        return clock.ClockNameGetReply(0, self.clocks[request.clock_id].name)

    def possible_parents_get(self, _agent: int, request: clock.PossibleParentsGet) -> Answer:
        parents = self.clocks[request.clock_id].parents
        if not parents:
            return Status.NOT_SUPPORTED
        page = parents[request.skip_parents : request.skip_parents + self._parents_fit]
        remaining = max(0, len(parents) - request.skip_parents - len(page))
        bits = clock.NUM_PARENTS.pack(remaining=remaining, returned=len(page))
        return clock.PossibleParentsGetReply(bits, page)

    def parent_set(self, agent: int, request: clock.ParentSet) -> Answer:
        parents = self.clocks[request.clock_id].parents
        if not parents:
            return Status.NOT_SUPPORTED
        if request.parent_id not in parents:
            return Status.INVALID_PARAMETERS
        self.parents.drop(agent, request.clock_id)
        self.parents.cast(agent, request.clock_id, request.parent_id)
        return Status.SUCCESS

    def parent_get(self, _agent: int, request: clock.ParentGet) -> Answer:
        parents = self.clocks[request.clock_id].parents
        if not parents:
            return Status.NOT_SUPPORTED
        votes = self.parents.of(request.clock_id)
        return clock.ParentGetReply(list(votes.values())[-1] if votes else parents[0])

    def get_permissions(self, agent: int, request: clock.GetPermissions) -> Answer:
        allowed = self.permissions.may(agent, ("clock", request.clock_id), changes=True)
        bits = clock.PERMISSIONS.pack(state_control=allowed, parent_control=allowed, rate_control=allowed)
        return clock.GetPermissionsReply(bits)

    def reset(self, agent_id: int) -> None:
        for votes in (self.states, self.rates, self.parents):
            votes.withdraw(agent_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        wishes = (("enabled", self.states), ("rate", self.rates), ("parent", self.parents))
        return [
            Entry("vote", "clock", f"clock {clock_id}", what, int(value))
            for what, votes in wishes
            for clock_id, value in sorted(votes.held_by(agent_id).items())
        ]


def not_yet(_agent_id: int, _request: object) -> Status:
    return Status.NOT_SUPPORTED


def _reachable(rates: tuple[int, ...] | RateRange, wanted: int, flags: int) -> int | None:
    """The rate that ``wanted`` is rounded to, in Hz; None outside the clock's range.

    Rounding is down, up, or (platform's choice) to the nearest, the lower one of two as near.
    """
    lower, upper = _neighbours(rates, wanted)
    if lower is None or upper is None:
        return None
    if clock.RATE_SET_FLAGS.get(flags, "round_auto"):
        return lower if wanted - lower <= upper - wanted else upper
    return upper if clock.RATE_SET_FLAGS.get(flags, "round_up") else lower


def _neighbours(rates: tuple[int, ...] | RateRange, wanted: int) -> tuple[int | None, int | None]:
    """The nearest rates not above and not below ``wanted``; None where there is none."""
    if isinstance(rates, RateRange):
        last = rates.min + (rates.max - rates.min) // rates.step * rates.step
        if not rates.min <= wanted <= last:
            return None, None
        lower = rates.min + (wanted - rates.min) // rates.step * rates.step
        return lower, lower if lower == wanted else lower + rates.step
    at = bisect_left(rates, wanted)
    if at < len(rates) and rates[at] == wanted:
        return wanted, wanted
    return (rates[at - 1] if at else None), (rates[at] if at < len(rates) else None)
