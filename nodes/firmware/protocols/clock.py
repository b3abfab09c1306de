"""EL3's clocks: on while anyone wants it on, the highest rate asked for wins, the newest wish for a parent.

An exclusive clock belongs to the first agent that changes it, until that agent disables it or is reset. The
votes are here; what they do to the tree, and to the clocks that follow, is ``hardware.clocks``'s business.
Notifications tell what is physically so. What the platform's ``agent_view`` makes an agent see of a clock
that it has a wish for, its own wish or the real state, is what ATTRIBUTES, CONFIG_GET, RATE_GET and
PARENT_GET say.
"""

from collections.abc import Callable

from bus.scmi import clock
from bus.scmi.protocol import fits
from bus.scmi.status import Status
from nodes.firmware.hardware import Board
from nodes.firmware.holds import Holds
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.platform import Clock, RateRange
from nodes.firmware.protocols.clock_rates import reachable
from nodes.firmware.service import Answer, Handler, Served
from nodes.firmware.subscriptions import Subscriptions
from nodes.firmware.votes import Votes
from nodes.limits import CLOCK_ASYNC

NOTIFYING, EXTENDED = 0x2_0000, 0x3_0000  # the versions that brought notifications, and all the rest
EXTENDED_MAX = {clock.DUTY_CYCLE: 100, clock.PHASE: 359}
EXTENDED_NAMES = {clock.DUTY_CYCLE: "duty_cycle", clock.PHASE: "phase"}


class ClockService(Served):
    """Votes and subscriptions of the clocks; without a vote a clock is as at boot."""

    table = clock.PROTOCOL

    def __init__(self, machine: Machine, board: Board) -> None:
        self.machine = machine
        self.board = board.clocks
        self.clocks = board.clocks.clocks
        self.resources = {"clock": self.clocks}
        payload_bytes = machine.payload_bytes
        self._rates_fit = fits(clock.DescribeRatesReply, payload_bytes)
        self._parents_fit = fits(clock.PossibleParentsGetReply, payload_bytes)
        self._own_view = machine.platform.agent_view == "own"
        self._async = machine.profile.clock_async and any(one.async_set for one in self.clocks.values())
        self.states, self.rates, self.parents = Votes(), Votes(), Votes()
        self.extended = {clock.DUTY_CYCLE: Votes(), clock.PHASE: Votes()}
        self.holds = Holds("clock", "clock", self.clocks.values())
        self.changed = Subscriptions(machine, self.table, clock.CLOCK_RATE_CHANGED, "clock")
        self.requested = Subscriptions(machine, self.table, clock.CLOCK_RATE_CHANGE_REQUESTED, "clock")
        board.clocks.on_rate.append(self._moved)
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "CLOCK_ATTRIBUTES": self.attributes,
            "CLOCK_DESCRIBE_RATES": self.describe_rates,
            "CLOCK_RATE_SET": self.rate_set,
            "CLOCK_RATE_GET": self.rate_get,
            "CLOCK_CONFIG_SET": self.config_set,
            "CLOCK_NAME_GET": self.name_get,
            "CLOCK_RATE_NOTIFY": lambda agent, request: self._notify(agent, request, self.changed),
            "CLOCK_RATE_CHANGE_REQUESTED_NOTIFY": lambda agent, request: self._notify(
                agent, request, self.requested
            ),
            "CLOCK_CONFIG_GET": self.config_get,
            "CLOCK_POSSIBLE_PARENTS_GET": self.possible_parents_get,
            "CLOCK_PARENT_SET": self.parent_set,
            "CLOCK_PARENT_GET": self.parent_get,
            "CLOCK_GET_PERMISSIONS": self.get_permissions,
        }

    # ---- what is told -------------------------------------------------------------------------

    def protocol_attributes(self, agent: int, _request: object) -> Answer:
        most = CLOCK_ASYNC if self._async and self.machine.outbox.reaches(agent) else 0
        bits = clock.ATTRIBUTES.pack(max_async_requests=most, num_clocks=len(self.clocks))
        return clock.ProtocolAttributesReply(bits)

    def attributes(self, agent: int, request: clock.ClockAttributes) -> Answer:
        one = self.clocks[request.clock_id]
        version = self.machine.version
        notifies = version >= NOTIFYING and one.notifications and self.machine.outbox.reaches(agent)
        newest = version >= EXTENDED
        bits = clock.CLOCK.pack(
            enabled=self._enabled(agent, one.id),
            rate_change_notify=notifies,
            rate_change_requested_notify=notifies,
            extended_name=version >= NOTIFYING and len(one.name) > 15,
            parents=newest and bool(one.parents),
            extended_config=newest and (one.duty_cycle is not None or one.phase is not None),
            restricted=newest and not all(self._rights(agent, one)),
        )
        return clock.ClockAttributesReply(bits, one.name, one.enable_delay_us)

    def describe_rates(self, _agent: int, request: clock.DescribeRates) -> Answer:
        rates = self._rates(self.clocks[request.clock_id])
        if isinstance(rates, RateRange):
            if request.rate_index:
                return Status.OUT_OF_RANGE
            bits = clock.NUM_RATES.pack(triplet=1, returned=3)
            return clock.DescribeRatesReply(bits, rates.triplet)
        if request.rate_index >= len(rates):
            return Status.OUT_OF_RANGE
        page = rates[request.rate_index : request.rate_index + self._rates_fit]
        remaining = len(rates) - request.rate_index - len(page)
        return clock.DescribeRatesReply(clock.NUM_RATES.pack(remaining=remaining, returned=len(page)), page)

    def _rates(self, one: Clock) -> tuple[int, ...] | RateRange:
        """What the clock can be set to: one that follows its parent, to what it is."""
        return (self.board.rate(one.id),) if one.follows else one.rates

    def name_get(self, _agent: int, request: clock.ClockNameGet) -> Answer:
        return clock.ClockNameGetReply(0, self.clocks[request.clock_id].name)

    def possible_parents_get(self, agent: int, request: clock.PossibleParentsGet) -> Answer:
        parents = self.clocks[request.clock_id].parents
        if not parents:
            return Status.NOT_SUPPORTED
        parents = tuple(self.machine.views.listed(agent, "clock", parents))
        page = parents[request.skip_parents : request.skip_parents + self._parents_fit]
        remaining = max(0, len(parents) - request.skip_parents - len(page))
        bits = clock.NUM_PARENTS.pack(remaining=remaining, returned=len(page))
        return clock.PossibleParentsGetReply(bits, page)

    def get_permissions(self, agent: int, request: clock.GetPermissions) -> Answer:
        state, parent, rate = self._rights(agent, self.clocks[request.clock_id])
        bits = clock.PERMISSIONS.pack(state_control=state, parent_control=parent, rate_control=rate)
        return clock.GetPermissionsReply(bits)

    def _rights(self, agent: int, one: Clock) -> tuple[bool, bool, bool]:
        """Whether the agent may change state, parent and rate."""
        may = self.machine.permissions.may
        return (
            one.state_control and may(agent, ("clock", one.id), True, ("clock", "CLOCK_CONFIG_SET")),
            one.parent_control and may(agent, ("clock", one.id), True, ("clock", "CLOCK_PARENT_SET")),
            one.rate_control and may(agent, ("clock", one.id), True, ("clock", "CLOCK_RATE_SET")),
        )

    # ---- rate ---------------------------------------------------------------------------------

    def rate_set(self, agent: int, request: clock.RateSet) -> Answer:
        one = self.clocks[request.clock_id]
        if not one.rate_control or self.holds.taken(agent, one.id):
            return Status.DENIED
        later = clock.RATE_SET_FLAGS.get(request.flags, "async_set")
        if later and not (self._async and one.async_set and self.machine.outbox.reaches(agent)):
            return Status.NOT_SUPPORTED
        rate = reachable(self._rates(one), request.rate, request.flags)
        if rate is None:
            return Status.INVALID_PARAMETERS
        status = self._rate_later(agent, one, rate, request.flags) if later else Status.SUCCESS
        if status is Status.SUCCESS:
            self.holds.take(agent, one.id)
            if self.requested.of(one.id):
                self.requested.tell(one.id, clock.RateChangeRequested(agent, one.id, rate), but=agent)
            if not later:
                self._wish_rate(agent, one, rate)
        return status

    def _rate_later(self, agent: int, one: Clock, rate: int, flags: int) -> Status:
        if self.machine.delayed.outstanding(agent, "clock") >= CLOCK_ASYNC:
            return Status.BUSY

        def finish() -> Answer:
            if self.holds.taken(agent, one.id):
                return Status.DENIED
            self.holds.take(agent, one.id)
            self._wish_rate(agent, one, rate)
            return clock.RateSetComplete(one.id, self._rate(agent, one.id))

        silent = bool(clock.RATE_SET_FLAGS.get(flags, "no_delayed_response"))
        return self.machine.delayed.start(agent, ("clock", one.id), one.set_us, finish, silent=silent)

    def _wish_rate(self, agent: int, one: Clock, rate: int) -> None:
        if not one.follows:
            self.rates.cast(agent, one.id, rate)
            self._ask_rate(one.id)

    def _ask_rate(self, clock_id: int) -> None:
        self.board.ask_rate(clock_id, max(self.rates.of(clock_id).values(), default=None))

    def _rate(self, agent: int, clock_id: int) -> int:
        return self._seen(agent, clock_id, self.rates, self.board.rate(clock_id))

    def rate_get(self, agent: int, request: clock.RateGet) -> Answer:
        return clock.RateGetReply(self._rate(agent, request.clock_id))

    def _moved(self, clock_id: int) -> None:
        if self.changed.of(clock_id):
            self.changed.tell(
                clock_id, clock.RateChanged(self.machine.cause, clock_id, self.board.rate(clock_id))
            )

    def _notify(
        self, agent: int, request: clock.RateNotify | clock.RateChangeRequestedNotify, which: Subscriptions
    ) -> Answer:
        if not self.clocks[request.clock_id].notifications:
            return Status.NOT_SUPPORTED
        return which.set(agent, request.clock_id, clock.NOTIFY.get(request.notify_enable, "enable"))

    # ---- state and what goes with it ----------------------------------------------------------

    def config_set(self, agent: int, request: clock.ConfigSet) -> Answer:
        one = self.clocks[request.clock_id]
        state = clock.CONFIG_SET.get(request.attributes, "state")
        extended = clock.CONFIG_SET.get(request.attributes, "extended_config_type")
        value = request.extended_config_val
        if not one.state_control or self.holds.taken(agent, one.id):
            return Status.DENIED
        if state == clock.STATE_RESERVED or (state == clock.STATE_UNCHANGED and not extended):
            return Status.INVALID_PARAMETERS
        if extended:
            if _setting(one, extended) is None:
                return Status.NOT_SUPPORTED
            if value > EXTENDED_MAX[extended]:
                return Status.INVALID_PARAMETERS
            _newest(self.extended[extended], agent, one.id, value)
        self.holds.take(agent, one.id)
        if state != clock.STATE_UNCHANGED:
            self.states.cast(agent, one.id, state == clock.STATE_ENABLE)
            self._ask_state(one.id)
        if state == clock.STATE_DISABLE and self.holds.drop(agent, one.id):
            self._give_back(agent, one.id)
        return Status.SUCCESS

    def _give_back(self, agent: int, clock_id: int) -> None:
        """An exclusive clock that its holder disabled: nothing but that wish stays."""
        for votes, ask in self._others():
            votes.drop(agent, clock_id)
            ask(clock_id)

    def _ask_state(self, clock_id: int) -> None:
        votes = self.states.of(clock_id)
        self.board.ask_state(clock_id, any(votes.values()) if votes else None)

    def _enabled(self, agent: int, clock_id: int) -> int:
        return self._seen(agent, clock_id, self.states, self.board.on(clock_id))

    def config_get(self, agent: int, request: clock.ConfigGet) -> Answer:
        one = self.clocks[request.clock_id]
        extended = clock.CONFIG_GET_FLAGS.get(request.flags, "extended_config_type")
        value = 0
        if extended:
            setting = _setting(one, extended)
            if setting is None:
                return Status.NOT_SUPPORTED
            votes = self.extended[extended]
            value = self._seen(agent, one.id, votes, _last(votes, one.id, setting))
        return clock.ConfigGetReply(0, clock.CONFIG.pack(enabled=self._enabled(agent, one.id)), value)

    # ---- parent -------------------------------------------------------------------------------

    def parent_set(self, agent: int, request: clock.ParentSet) -> Answer:
        one = self.clocks[request.clock_id]
        if not one.parents:
            return Status.NOT_SUPPORTED
        if not one.parent_control or self.holds.taken(agent, one.id):
            return Status.DENIED
        if request.parent_id not in one.parents:
            return Status.INVALID_PARAMETERS
        self.holds.take(agent, one.id)
        _newest(self.parents, agent, one.id, request.parent_id)
        self._ask_parent(one.id)
        return Status.SUCCESS

    def _ask_parent(self, clock_id: int) -> None:
        self.board.ask_parent(clock_id, next(reversed(self.parents.of(clock_id).values()), None))

    def parent_get(self, agent: int, request: clock.ParentGet) -> Answer:
        parent = self.board.parent(request.clock_id)
        if parent is None:
            return Status.NOT_SUPPORTED
        return clock.ParentGetReply(self._seen(agent, request.clock_id, self.parents, parent))

    # ---- what agents hold ---------------------------------------------------------------------

    def _seen(self, agent: int, clock_id: int, votes: Votes, physical: int) -> int:
        return votes.of(clock_id).get(agent, physical) if self._own_view else physical

    def _others(self) -> list[tuple[Votes, Callable[[int], None]]]:
        """The votes beside those on the state, each with what makes the board follow them."""
        nothing: Callable[[int], None] = lambda _clock_id: None  # noqa: E731 - nothing in the tree depends on it
        settings = [(votes, nothing) for votes in self.extended.values()]
        return [(self.rates, self._ask_rate), (self.parents, self._ask_parent), *settings]

    def reset(self, agent_id: int) -> None:
        self.holds.withdraw(agent_id)
        for votes, ask in ((self.states, self._ask_state), *self._others()):
            for clock_id in votes.withdraw(agent_id):
                ask(clock_id)

    def ledger(self, agent_id: int) -> list[Entry]:
        settings = tuple((EXTENDED_NAMES[kind], votes) for kind, votes in self.extended.items())
        wishes = (("enabled", self.states), ("rate", self.rates), ("parent", self.parents), *settings)
        votes = [
            Entry("vote", "clock", f"clock {clock_id}", what, int(value))
            for what, votes in wishes
            for clock_id, value in sorted(votes.held_by(agent_id).items())
        ]
        asked = (*self.changed.ledger(agent_id), *self.requested.ledger(agent_id))
        return [*votes, *self.holds.ledger(agent_id), *asked]


def _newest(votes: Votes, agent: int, clock_id: int, value: int) -> None:
    """A wish of the kind where the newest wins: it goes to the end of the line."""
    votes.drop(agent, clock_id)
    votes.cast(agent, clock_id, value)


def _last(votes: Votes, clock_id: int, otherwise: int) -> int:
    return next(reversed(votes.of(clock_id).values()), otherwise)


def _setting(one: Clock, extended: int) -> int | None:
    """A setting at boot by its extended type; None: the clock has no such setting."""
    name = EXTENDED_NAMES.get(extended)
    found: int | None = getattr(one, name) if name else None
    return found
