"""The clock tree: what each clock physically does, from what agents and the board's own parts want of it.

``ask_*`` take what the agents' votes come to (None: no vote, as at boot), ``demand`` what a part of the
board needs by itself. The highest rate of both wins; a clock is on while it is asked for, demanded, or a
clock that is on hangs on it. A change costs what depends on the clock, not what the tree has.
"""

from collections.abc import Callable, Iterable, Sequence

from nodes.firmware.dense import rows
from nodes.firmware.platform import Clock

Listener = Callable[[int], None]


class _Node:
    """One clock now. ``users``: how many clocks that are on have it as their parent."""

    __slots__ = ("asked_on", "asked_rate", "demands", "followers", "on", "parent", "rate", "spec", "users")

    def __init__(self, spec: Clock) -> None:
        self.spec = spec
        self.parent: int | None = spec.parents[0] if spec.parents else None
        self.rate = spec.rate
        self.on = False
        self.users = 0
        self.asked_on: bool | None = None
        self.asked_rate: int | None = None
        self.demands: dict[str, int] | None = None
        self.followers: dict[int, None] | None = None

    @property
    def wanted(self) -> bool:
        asked = self.spec.enabled if self.asked_on is None else self.asked_on
        return asked or bool(self.demands) or self.users > 0

    @property
    def own_rate(self) -> int:
        """The rate of a clock with rates of its own: the highest that is wanted, else that at boot."""
        asked = self.asked_rate
        if self.demands:
            highest = max(self.demands.values())
            return highest if asked is None else max(highest, asked)
        return self.spec.rate if asked is None else asked


class Clocks:
    """``clocks`` by id; ``on_rate`` is called after each change of a rate, ``on_change`` of rate or state."""

    def __init__(self, clocks: Sequence[Clock]) -> None:
        self.clocks = {one.id: one for one in clocks}
        self.on_rate: list[Listener] = []
        self.on_change: list[Listener] = []
        nodes = {one.id: _Node(one) for one in clocks}
        self._nodes = rows(nodes)
        for clock_id, node in nodes.items():
            if node.parent is not None and node.spec.follows:
                self._follow(clock_id, node.parent)
        for clock_id, node in nodes.items():
            if node.followers and not node.spec.follows:
                self._spread(node.followers)
            if node.spec.enabled:
                self._turn(clock_id)

    # ---- what is so ---------------------------------------------------------------------------

    def rate(self, clock_id: int) -> int:
        """The real rate in Hz, whether the clock is on or not."""
        return self._nodes[clock_id].rate

    def on(self, clock_id: int) -> bool:
        """Whether the clock runs."""
        return self._nodes[clock_id].on

    def parent(self, clock_id: int) -> int | None:
        """The parent that is selected; None for a clock without parents."""
        return self._nodes[clock_id].parent

    # ---- what is wanted -----------------------------------------------------------------------

    def ask_state(self, clock_id: int, on: bool | None) -> None:
        """What the agents' votes on the state come to."""
        node = self._nodes[clock_id]
        node.asked_on = on
        if node.on != node.wanted:
            self._tell((), self._turn(clock_id))

    def ask_rate(self, clock_id: int, rate: int | None) -> None:
        """What the agents' votes on the rate come to, in Hz."""
        node = self._nodes[clock_id]
        node.asked_rate = rate
        if node.own_rate != node.rate and not node.spec.follows:
            self._tell(self._spread((clock_id,)), ())

    def ask_parent(self, clock_id: int, parent: int | None) -> None:
        """Which parent the agents want; a clock without parents has none to choose."""
        node = self._nodes[clock_id]
        before = node.parent
        if before is None:
            return None
        parent = node.spec.parents[0] if parent is None else parent
        if parent == before:
            return None
        node.parent = parent
        turned = []
        for side, sign in ((parent, 1), (before, -1)):
            if node.on:
                self._nodes[side].users += sign
                turned += self._turn(side)
        if not node.spec.follows:
            return self._tell((), turned)
        (self._nodes[before].followers or {}).pop(clock_id, None)
        self._follow(clock_id, parent)
        self._tell(self._spread((clock_id,)), turned)
        return None

    def demand(self, clock_id: int, who: str, rate: int | None) -> None:
        """A part of the board needs the clock on, at ``rate`` Hz at least; None: not any more."""
        node = self._nodes[clock_id]
        demands = node.demands = node.demands or {}
        if rate is None:
            demands.pop(who, None)
        else:
            demands[who] = rate
        self._tell(self._spread((clock_id,)), self._turn(clock_id))

    # ---- what follows -------------------------------------------------------------------------

    def _follow(self, clock_id: int, parent: int) -> None:
        source = self._nodes[parent]
        if source.followers is None:
            source.followers = {}
        source.followers[clock_id] = None

    def _turn(self, clock_id: int) -> list[int]:
        """Make a clock's state what it should be, and its parents'; the clocks that changed."""
        turned = []
        at: int | None = clock_id
        while at is not None:
            node = self._nodes[at]
            if node.on == node.wanted:
                break
            node.on = not node.on
            turned.append(at)
            at = node.parent
            if at is not None:
                self._nodes[at].users += 1 if node.on else -1
        return turned

    def _spread(self, clock_ids: Iterable[int]) -> list[int]:
        """Make the clocks' rates what they should be, and those of what follows; the clocks that changed."""
        moved = []
        todo = list(clock_ids)
        while todo:
            at = todo.pop()
            node = self._nodes[at]
            rate = self._rate_of(node)
            if rate != node.rate:
                node.rate = rate
                moved.append(at)
                if node.followers:
                    todo.extend(reversed(node.followers))
        return moved

    def _rate_of(self, node: _Node) -> int:
        spec = node.spec
        if spec.follows:
            source = 0 if node.parent is None else self._nodes[node.parent].rate
            return source * spec.multiply // spec.divide
        return node.own_rate

    def _tell(self, moved: Sequence[int], turned: Sequence[int]) -> None:
        for clock_id in moved:
            for listener in self.on_rate:
                listener(clock_id)
        if self.on_change:
            for clock_id in dict.fromkeys((*moved, *turned)):
                for listener in self.on_change:
                    listener(clock_id)
