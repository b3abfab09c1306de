"""Whether what clients saw of one resource can be put into one order that respects time.

Every operation has a moment between its beginning and its end at which it took effect. The history is
processed once what became of its next operation is known; kept are all states that the resource may be in,
each with the pending wishes that have had their effect in it (Lowe's just-in-time form of Wing and Gong's
search). A wish whose end nobody knows may take effect at any time, or never, until a later call of its agent
ends or the agent is reset.
"""

from collections import deque
from enum import Enum
from typing import Any, Final

from deploy.experiments.checkers.registers import Model, State

QUEUE_MAX: Final = 512  # steps that wait for an outcome; then the oldest counts as never told
STATES_MAX: Final = 2048  # possible states at one time; beyond, the resource is undecided
PENDING_MAX: Final = 24  # wishes that may still take effect; beyond, the resource is undecided

Config = tuple[State, frozenset[int]]


class OpKind(Enum):
    WISH = "wish"
    READ = "read"
    RESET = "reset"


class OpFate(Enum):
    """What became of an operation: not known yet, done, certainly not done, perhaps done."""

    UNKNOWN = 0
    DONE = 1
    VOID = 2
    OPEN = 3


class Op:
    """One operation. ``what`` and ``value``: of a reading what was read; ``event``: the number of its
    beginning; ``later``: accepted, done at another time.
    """

    __slots__ = ("agent", "event", "fate", "kind", "later", "serial", "value", "what")

    def __init__(self, kind: OpKind, agent: int, event: int, what: str = "", value: Any = None) -> None:
        self.kind = kind
        self.agent = agent
        self.event = event
        self.what = what
        self.value = value
        self.later = False
        self.fate = OpFate.UNKNOWN
        self.serial = -1


class Undecided(Exception):  # noqa: N818 - an outcome, not a mistake
    """A bound was reached: nobody can tell."""


class Search:
    """One resource. ``begin`` and ``settle`` tell what happened; ``advance`` gives the operation that nothing
    explains (after it the resource is not judged any more). ``undecided``: a bound was reached.
    """

    def __init__(self, model: Model, ordered: bool) -> None:
        self.undecided = False
        self.over = False
        self.widest = 1
        self.explained = 0
        self._model = model
        self._ordered = ordered
        self._serial = 0
        self._queue: deque[tuple[str, Op | None]] = deque()
        self._unknown: dict[int, Op] = {}
        self._wishes: dict[int, Op] = {}
        self._reads: dict[int, Op] = {}
        self._configs: set[Config] = {(model.boot, frozenset())}

    # ---- what happened ------------------------------------------------------------------------

    def begin(self, op: Op) -> None:
        """An operation begins."""
        if self.over:
            return
        self._serial = op.serial = self._serial + 1
        self._unknown[op.serial] = op
        self._queue.append(("begin", op))

    def settle(self, op: Op, fate: OpFate) -> None:
        """What became of it; with DONE it ends now."""
        if self.over or op.fate is not OpFate.UNKNOWN:
            return
        op.fate = OpFate.VOID if fate is OpFate.OPEN and op.kind is OpKind.READ else fate
        self._unknown.pop(op.serial, None)
        if fate is OpFate.DONE:
            self._queue.append(("end", op))

    def fulfil(self, op: Op, done: bool) -> None:
        """What was to be done later is done by now, or was certainly not done."""
        if not self.over:
            self._queue.append(("end" if done else "cancel", op))

    def give_up(self, agent: int | None, but: Op | None = None) -> None:
        """Nobody will tell what became of what is under way, of one agent or (None) of all."""
        for op in list(self._unknown.values()):
            if op is not but and (agent is None or op.agent == agent):
                self.settle(op, OpFate.OPEN)

    def restart(self) -> None:
        """Everything is as at boot."""
        if self.over:
            return
        self.give_up(None)
        self._queue.append(("restart", None))

    # ---- the search ---------------------------------------------------------------------------

    def advance(self) -> Op | None:
        """Process what is known; the operation that nothing explains, or None."""
        queue = self._queue
        while queue and not self.over:
            step, op = queue[0]
            if op is not None and op.fate is OpFate.UNKNOWN:
                if len(queue) < QUEUE_MAX:
                    return None
                self.settle(op, OpFate.OPEN)
            queue.popleft()
            try:
                if not self._take(step, op):
                    self.stop()
                    return op
            except Undecided:
                self.undecided = True
                self.stop()
        return None

    def stop(self) -> None:
        """Judge no more."""
        self.over = True
        self._queue.clear()
        self._configs.clear()
        self._unknown.clear()

    def _take(self, step: str, op: Op | None) -> bool:
        if op is None:
            self._reads.clear()
            self._configs = {(self._model.boot, frozenset())}
            return True
        if step == "begin":
            self._begun(op)
            return True
        if step == "cancel":
            self._cancel(op)
            return bool(self._configs)
        if op.kind is not OpKind.READ and op.serial not in self._wishes:
            return True  # overtaken by a restart or a reset
        return self._ended(op)

    def _begun(self, op: Op) -> None:
        if op.fate is OpFate.VOID:
            return
        if op.kind is OpKind.READ:
            self._reads[op.serial] = op
            self._configs = {
                (state, mask | {op.serial}) if self._fits(state, op) else (state, mask)
                for state, mask in self._configs
            }
            return
        self._wishes[op.serial] = op
        if len(self._wishes) > PENDING_MAX:
            raise Undecided

    def _fits(self, state: State, op: Op) -> bool:
        return bool(self._model.shown(state, op.agent, op.what) == op.value)

    def _cancel(self, op: Op) -> None:
        self._wishes.pop(op.serial, None)
        self._configs = {one for one in self._configs if op.serial not in one[1]}

    def _ended(self, op: Op) -> bool:
        """Keep the states in which the operation has had its effect; False if there is none."""
        serial = op.serial
        if any(self._told_of_no_more(op, other) for other in self._wishes.values()):
            self._configs = self._reachable()
        if op.kind is OpKind.READ and all(serial in mask for _, mask in self._configs):
            self._configs = {(state, mask - {serial}) for state, mask in self._configs}
            del self._reads[serial]
            self._forget(op)
            self.explained += 1
            return True
        found: set[Config] = set()
        seen = set(self._configs)
        left = list(seen)
        while left:
            state, mask = left.pop()
            if serial in mask:
                found.add((state, mask - {serial}))
                continue
            for config in self._next(state, mask):
                if config not in seen:
                    seen.add(config)
                    left.append(config)
            if len(seen) > STATES_MAX:
                raise Undecided
        self.widest = max(self.widest, len(seen))
        self._configs = found
        self._forget(op)
        self.explained += 1
        return bool(found)

    def _told_of_no_more(self, op: Op, other: Op) -> bool:
        """Whether the end of ``op`` is the last moment for a wish whose own end nobody knows."""
        if other.fate is not OpFate.OPEN or other.agent != op.agent or other.serial >= op.serial or op.later:
            return False
        return op.kind is OpKind.RESET or (self._ordered and not other.later)

    def _reachable(self) -> set[Config]:
        """The states that there may be, and all that pending wishes can make of them."""
        seen = set(self._configs)
        left = list(seen)
        while left:
            for config in self._next(*left.pop()):
                if config not in seen:
                    seen.add(config)
                    left.append(config)
            if len(seen) > STATES_MAX:
                raise Undecided
        return seen

    def _next(self, state: State, mask: frozenset[int]) -> list[Config]:
        """Every state that one more pending wish makes."""
        found = []
        for serial, op in self._wishes.items():
            if serial in mask or self._too_late(op, mask):
                continue
            after = (
                self._model.drop(state, op.agent)
                if op.kind is OpKind.RESET
                else self._model.wish(state, op.agent, op.value)
            )
            done = {serial}
            done.update(
                one for one, read in self._reads.items() if one not in mask and self._fits(after, read)
            )
            found.append((after, mask | done))
        return found

    def _too_late(self, op: Op, mask: frozenset[int]) -> bool:
        """Whether a later call of the same agent has had its effect already: a channel keeps their order."""
        if not self._ordered:
            return False
        for serial in mask:
            other = self._wishes.get(serial)
            later = other is not None and serial > op.serial and other.agent == op.agent
            if later and other is not None and (other.kind is OpKind.RESET or not (op.later or other.later)):
                return True
        return False

    def _forget(self, op: Op) -> None:
        """The operation is over, and with it what its agent began before and nobody told the end of."""
        gone = {op.serial}
        self._wishes.pop(op.serial, None)
        self._reads.pop(op.serial, None)
        gone.update(serial for serial, other in self._wishes.items() if self._told_of_no_more(op, other))
        for serial in gone:
            self._wishes.pop(serial, None)
        self._configs = {(state, mask - gone) for state, mask in self._configs}
