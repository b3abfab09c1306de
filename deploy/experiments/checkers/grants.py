"""What each agent was granted at the moment when EL3 judged its message, in EL3's own order.

The order is that in which EL3 received SMCs. A change counts if its answer says SUCCESS; while that is open,
what came behind it is judged under both outcomes, and only if they agree. What a lost answer leaves open
stays open until the agent's next reset.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Final

from bus.scmi import base, header, system
from bus.scmi.status import Status
from deploy.experiments.checkers.calls import said
from deploy.experiments.checkers.excuses import ANSWER_SCRIBBLED
from deploy.experiments.checkers.rules import KEY, NAMED, Held, Named, Rules
from deploy.recording.events import Executed, Forwarded

if TYPE_CHECKING:
    from deploy.experiments.checkers.base import Evidence

SET_DEVICE: Final = header.pack(base.PROTOCOL.id, base.BASE_SET_DEVICE_PERMISSIONS.id)
SET_PROTOCOL: Final = header.pack(base.PROTOCOL.id, base.BASE_SET_PROTOCOL_PERMISSIONS.id)
RESET: Final = header.pack(base.PROTOCOL.id, base.BASE_RESET_AGENT_CONFIGURATION.id)
SYSTEM_SET: Final = header.pack(system.PROTOCOL.id, system.SYSTEM_POWER_STATE_SET.id)
ABOUT: Final = {SET_DEVICE: 12, SET_PROTOCOL: 16, RESET: 8}  # payload bytes
RESETTING: Final = 3  # states of the system below this (shutdown, cold and warm reset) put everything back
UNKNOWN_MAX: Final = 4  # changes whose outcome is open that are tried both ways; later ones count as undone
PENDING_MAX: Final = 64  # of one agent; beyond, it is not judged until its next reset
ASKS_MAX: Final = 1 << 16


class Change:
    """A permission command on its way. ``outcome`` None: not known (yet)."""

    __slots__ = ("allow", "caller", "device", "kind", "outcome", "protocol", "smc", "subject")

    def __init__(self, smc: Forwarded, caller: int) -> None:
        words = [int.from_bytes(smc.payload[at : at + 4], "little") for at in range(0, len(smc.payload), 4)]
        self.kind = smc.head & KEY
        self.smc = smc
        self.caller = caller
        self.subject = words[0]
        self.device = words[1] if self.kind != RESET else 0
        self.protocol = words[2] & 0xFF if self.kind == SET_PROTOCOL else 0
        self.allow = bool(words[-1] & 1)
        self.outcome: bool | None = None

    @property
    def resets(self) -> bool:
        return self.kind == RESET

    @property
    def absolute(self) -> bool:
        """Whether what was before does not matter any more: a reset of the permissions."""
        return self.kind == RESET and self.allow


class Judged:
    """A command on a known resource. ``may``: whether it was granted, None if nobody can tell.

    ``past``: it would be with what the agent's life before was granted. ``behind``: what the agent held, and
    the changes whose outcome was open when EL3 judged the command.
    """

    __slots__ = ("agent", "behind", "may", "named", "number", "past", "smc", "status")

    def __init__(self, agent: int, named: Named, number: int, smc: Forwarded) -> None:
        self.agent = agent
        self.named = named
        self.number = number
        self.smc = smc
        self.may: bool | None = None
        self.past = False
        self.behind: tuple[Held, tuple[Change, ...]] | None = None
        self.status: int | None = None


class Grants:
    """``judged`` is what the newest event says of a command, ``changed`` of a permission command."""

    def __init__(self, evidence: "Evidence") -> None:
        self.rules = Rules(evidence.context.topology)
        self.judged: Judged | None = None
        self.changed: Change | None = None
        self._evidence = evidence
        self._firmware = evidence.context.topology.firmware
        self._agents = evidence.roster.agent_of_function
        self.restarted()

    def restarted(self) -> None:
        """EL3 starts (again): everything as at boot; what was under way is nobody's."""
        self._held = {agent: self.rules.at_boot(agent) for agent in self._agents.values()}
        self._pending: dict[int, deque[Change]] = {}
        self._changes: dict[int, Change] = {}
        self._asks: dict[int, Judged] = {}
        self._system: set[int] = set()
        self._lost = False

    # ---- towards EL3 --------------------------------------------------------------------------

    def forwarded(self, event: Forwarded) -> None:
        """EL3 judges a message now."""
        if event.head < 0 or self._evidence.calls.step.earlier is not None:
            return
        agent = self._agents.get(event.function)
        key = event.head & KEY
        if agent is None:
            return
        named = NAMED.get(key)
        if named is not None:
            self._ask(event, agent, named)
        elif ABOUT.get(key) == len(event.payload):
            self._change(Change(event, agent))
        elif key == SYSTEM_SET and int.from_bytes(event.payload[4:8], "little") < RESETTING:
            self._system.add(event.request)

    def _change(self, change: Change) -> None:
        pending = self._pending.setdefault(change.subject, deque())
        if change.subject in self._held and len(pending) < PENDING_MAX:
            pending.append(change)
            self._changes[change.smc.request] = change

    def _ask(self, event: Forwarded, agent: int, named: Named) -> None:
        number = named.number(event.payload)
        if number is None or not self.rules.known(named.kind, number):
            return
        ask = self._asks[event.request] = Judged(agent, named, number, event)
        if len(self._asks) > ASKS_MAX:
            del self._asks[next(iter(self._asks))]
        held, pending = self._held[agent], self._pending.get(agent)
        if pending:
            ask.behind = held.copy(), tuple(pending)
        elif self.rules.judges(agent) and not self._lost and not self._system:
            ask.may = self.rules.may(agent, held, named, number)
            ask.past = not ask.may and self._past(ask, held)

    def _past(self, ask: Judged, held: Held) -> bool:
        before = held.copy()
        before.devices |= held.past
        return bool(held.past) and self.rules.may(ask.agent, before, ask.named, ask.number)

    # ---- back ---------------------------------------------------------------------------------

    def executed(self, event: Executed) -> None:
        """EL3 has answered: what became of a change, or whether a command was rightly judged."""
        self.judged = self.changed = None
        request = event.request
        ask = self._asks.pop(request, None)
        if ask is not None:
            ask.status = said(event)
            if self._unreliable(ask.smc, event):
                ask.may = None
            elif ask.behind is not None:
                self._decide(ask, *ask.behind)
            self.judged = ask
            return
        change = self._changes.pop(request, None)
        if change is not None:
            if not self._unreliable(change.smc, event):
                change.outcome = said(event) == Status.SUCCESS
            self._settle(change)
            self.changed = change
        elif request in self._system:
            self._system.discard(request)
            self._lost = self._lost or said(event) == Status.SUCCESS

    def _unreliable(self, smc: Forwarded, event: Executed) -> bool:
        """Whether a planned fault may have changed what EL3 said."""
        return self._evidence.touched(ANSWER_SCRIBBLED, smc.domain, smc.at_ns, event.at_ns)

    def _decide(self, ask: Judged, held: Held, changes: Sequence[Change]) -> None:
        """The verdict, if every possible outcome of what is open gives the same."""
        if not self.rules.judges(ask.agent) or self._lost:
            return
        found = set()
        for state in self._states(held, changes):
            may = self.rules.may(ask.agent, state, ask.named, ask.number)
            found.add((may, not may and self._past(ask, state)))
        if len({may for may, _ in found}) == 1:
            ask.may = next(iter(found))[0]
            ask.past = all(past for _, past in found)

    def _states(self, held: Held, changes: Sequence[Change]) -> Iterator[Held]:
        unknown = [one for one in changes if one.outcome is None]
        if len(unknown) > UNKNOWN_MAX:
            unknown = unknown[:UNKNOWN_MAX]
        for outcomes in product((False, True), repeat=len(unknown)):
            told = dict(zip(map(id, unknown), outcomes, strict=True))
            state = held.copy()
            for change in changes:
                if told.get(id(change), change.outcome):
                    self._apply(state, change)
            yield state

    def _settle(self, change: Change) -> None:
        """Apply what is known, in EL3's order."""
        pending = self._pending[change.subject]
        if change.outcome and change.absolute and self._firmware.reset != "none":
            while pending and pending[0] is not change:
                pending.popleft()  # whatever became of it, the reset has put it back
        while pending and pending[0].outcome is not None:
            done = pending.popleft()
            if done.outcome:
                self._apply(self._held[done.subject], done)

    def _apply(self, held: Held, change: Change) -> None:
        if change.kind == RESET:
            if change.allow:
                boot = self.rules.at_boot(change.subject)
                held.past = frozenset(held.devices - boot.devices)
                held.devices, held.ever, held.denied = boot.devices, boot.ever, set()
        elif change.kind == SET_PROTOCOL:
            pair = (change.device, change.protocol)
            (held.denied.discard if change.allow else held.denied.add)(pair)
        elif change.allow:
            held.devices.add(change.device)
            held.ever.add(change.device)
        else:
            held.devices.discard(change.device)

    # ---- notifications ------------------------------------------------------------------------

    def could_hear(self, agent: int, named: Named, number: int) -> bool | None:
        """Whether the agent may have subscribed to this at some time of its life; None: nobody can tell."""
        if self._pending.get(agent) or self._lost or not self.rules.judges(agent):
            return None
        if not self.rules.known(named.kind, number):
            return None
        held = self._held[agent].copy()
        held.devices, held.denied = held.ever, set()
        return self.rules.may(agent, held, named, number)
