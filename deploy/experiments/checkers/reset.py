"""A reset gives an agent back as it was at boot, and every agent is reset before somebody else gets it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bus.scmi.status import Status
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.calls import said
from deploy.experiments.checkers.excuses import VALUE_LATE, WISH_SCRIBBLED
from deploy.experiments.checkers.grants import RESET
from deploy.experiments.checkers.registers import KEY, SEEN, Key, RegisterOperation, Registers, State
from deploy.experiments.checkers.roster import agent_in
from deploy.recording.events import Began, Executed, Forwarded, Lived, Missed, Noted

OPEN_MAX: Final = 1 << 16  # commands under way
NOTE_NUMBERS: Final = 4
DOM0: Final = 0
GIVEN_BACK: Final = "reset"  # the life-cycle event
NOT_TOLD: Final = "not told"  # in its detail: by a driver that knows no agents


class Wishes:
    """What EL3 was asked for one aspect of a resource, in its own order, and what resets took from whom."""

    __slots__ = ("open", "stale", "state")

    def __init__(self) -> None:
        self.state: State = ()
        self.stale: dict[int, tuple[tuple[Any, ...], ...]] = {}
        self.open: set[int] = set()


class Reset(Judge):
    name = "reset"
    claim = "After a reset an agent holds nothing, nor any grant; no agent changes hands without a reset."
    knows = (
        "EL3's note of what was left, wishes and readings in EL3's order, grants of the life before, what "
        "the toolstack heard of domains"
    )
    cannot = (
        "see a left wish that changes no reading; in mapped mode only EL3's own notes and the domains' lives"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.resets = 0
        self.handed_over = 0
        self.readings = 0
        self._grants = evidence.grants
        self._registers = Registers(self.context.topology)
        self._wishes: dict[Key, Wishes] = {}
        self._under_way: dict[int, tuple[int, RegisterOperation]] = {}
        self._fresh: dict[int, bool] = {}
        self._last_words = False  # of a Xen that has ended: the next one tells of Dom0 first
        self._judges_values = self.context.complete and not evidence.planned(VALUE_LATE)
        self._speaks = self.context.topology.profile.driver == "multiagent"

    def on(self) -> Mapping[type, Handler]:
        return {
            Noted: self._noted,
            Lived: self._lived,
            Began: self._began,
            Forwarded: self._forwarded,
            Executed: self._executed,
            Missed: self._missed,
        }

    # ---- what EL3 says itself -----------------------------------------------------------------

    def _noted(self, event: Noted) -> Iterable[Violation]:
        if event.what != "reset" or event.node != "firmware" or len(event.numbers) < NOTE_NUMBERS:
            return ()
        agent, before, _, leaks = event.numbers[:NOTE_NUMBERS]
        self.judged += 1
        if not leaks:
            return ()
        text = f"after its reset agent {agent} still holds {leaks} of {before} things: {event.text}"
        return (self.wrong(event, text),)

    # ---- lives --------------------------------------------------------------------------------

    def _lived(self, event: Lived) -> Iterable[Violation]:
        if (event.domid, event.event) == (DOM0, "created"):
            self._last_words = False
        agent = agent_in(event.detail)
        if (
            self._last_words
            or agent is None
            or not self._speaks
            or self.evidence.calls.unread
            or not self.context.complete
        ):
            return ()
        if event.event == "created":
            fresh = self._fresh.get(agent, True)
            self._fresh[agent] = False
            return self._given(event, fresh, f"{event.name} got agent {agent}")
        if event.event == GIVEN_BACK and NOT_TOLD not in event.detail:
            return self._given(event, self._fresh.get(agent, True), f"{event.name} gave agent {agent} back")
        return ()

    def _given(self, event: Lived, fresh: bool, what: str) -> Iterable[Violation]:
        self.judged += 1
        self.handed_over += 1
        if fresh:
            return ()
        return (self.wrong(event, f"{what}, which EL3 has not reset since its last domain had it"),)

    def _began(self, event: Began) -> Iterable[Violation]:
        if event.node == "xen":
            self._fresh.clear()
            self._last_words = True
        elif event.node == "firmware":
            self._wishes.clear()
            self._under_way.clear()
        return ()

    # ---- wishes, in EL3's order ---------------------------------------------------------------

    def _forwarded(self, event: Forwarded) -> Iterable[Violation]:
        if event.head < 0 or not self._judges_values or self.evidence.calls.step.earlier is not None:
            return ()
        agent = self.evidence.roster.agent_of_function.get(event.function)
        registers = self._registers
        operation = registers.operation(event.head, event.payload)
        if operation is None or agent is None or registers.dense or agent in registers.numbered:
            return ()
        wishes = self._wishes.setdefault(operation.key, Wishes())
        if not operation.what:
            wishes.open.add(event.request)
        self._under_way[event.request] = (agent, operation)
        if len(self._under_way) > OPEN_MAX:
            del self._under_way[next(iter(self._under_way))]
        return ()

    def _executed(self, event: Executed) -> Iterable[Violation]:
        call = self.evidence.calls.step.call
        smc = call.smc if call is not None else None
        if call is None or smc is None or smc.head < 0:
            return ()
        if smc.head & KEY == RESET:
            self._reset(event, smc)
            return ()
        found = self._inherited(event)
        under_way = self._under_way.pop(event.request, None)
        if under_way is None:
            return found
        agent, operation = under_way
        wishes = self._wishes.get(operation.key)
        if wishes is None or self.evidence.touched(WISH_SCRIBBLED, call.domain, smc.at_ns, event.at_ns):
            return found
        if operation.what:
            return [*found, *self._read(event, wishes, agent, operation)]
        self._wished(event, wishes, agent, operation)
        return found

    def _wished(self, event: Executed, wishes: Wishes, agent: int, operation: RegisterOperation) -> None:
        if said(event) == Status.SUCCESS and operation.later:
            return  # done at a time that nobody tells: the resource stays open
        wishes.open.discard(event.request)
        if said(event) == Status.SUCCESS:
            model = self._registers.model(operation.key)
            assert model is not None
            wishes.state = model.wish(wishes.state, agent, operation.value)
            wishes.stale.pop(agent, None)

    def _reset(self, event: Executed, smc: Forwarded) -> None:
        agent = int.from_bytes(smc.payload[:4], "little")
        if not smc.cause and said(event) in (Status.SUCCESS, Status.NOT_SUPPORTED):
            self._fresh[agent] = True
        if said(event) != Status.SUCCESS:
            return
        self.resets += 1
        for wishes in self._wishes.values():
            taken = tuple(one for one in wishes.state if one[0] == agent)
            if taken:
                wishes.stale[agent] = taken
                wishes.state = tuple(one for one in wishes.state if one[0] != agent)

    def _read(
        self, event: Executed, wishes: Wishes, agent: int, operation: RegisterOperation
    ) -> Iterable[Violation]:
        """A reading that only a wish from before a reset explains."""
        if said(event) != Status.SUCCESS or wishes.open or len(event.payload) < 8:
            return ()
        model = self._registers.model(operation.key)
        assert model is not None
        value = SEEN[operation.what](event.payload)
        self.judged += 1
        self.readings += 1
        if model.shown(wishes.state, agent, operation.what) == value:
            return ()
        kind, number, aspect = operation.key
        for other, left in wishes.stale.items():
            if model.shown((*wishes.state, *left), agent, operation.what) == value:
                text = f"agent {agent} read {value!r} as {aspect or operation.what} of {kind} {number}: "
                text += f"what agent {other} wished before its reset still counts"
                return (self.wrong(event, text),)
        return ()

    def _missed(self, event: Missed) -> Iterable[Violation]:
        """An answer that was lost: nobody knows any more what the resource is."""
        if event.kind == "smcreturn":
            self._under_way.pop(event.request, None)
        return ()

    # ---- grants -------------------------------------------------------------------------------

    def _inherited(self, event: Executed) -> list[Violation]:
        judged = self._grants.judged
        if judged is None or not judged.past or judged.status != Status.SUCCESS:
            return []
        named = judged.named
        text = f"agent {judged.agent} sent {named.command} for {named.kind} {judged.number} and got SUCCESS: "
        text += "what it was granted before its reset still counts"
        return [self.wrong(event, text, judged.smc.domain, judged.smc)]

    def more(self) -> Mapping[str, Any]:
        return {"resets": self.resets, "handed_over": self.handed_over, "readings": self.readings}
