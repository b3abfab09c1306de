"""The board against a slow second opinion: after any wishes in any order, everything is what it would be if
it were worked out from nothing. And whoever listens has heard of every change, and of nothing else.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.firmware.hardware import Board
from nodes.firmware.hardware.clocks import Clocks
from nodes.firmware.platform import Clock, Opp, PerfDomain, PowerDomain, VoltageDomain
from tests.nodes.clocks import XTAL
from tests.nodes.el3 import Bench
from tests.nodes.unasked import platform

RATES = (10, 20, 30)
WISHES = st.one_of(st.none(), st.sampled_from(RATES))


@st.composite
def trees(draw: Any) -> tuple[Clock, ...]:
    """Clocks whose parents come before them."""
    clocks = [Clock(XTAL, "c0", RATES, 10, enabled=draw(st.booleans()))]
    for one in range(1, draw(st.integers(2, 8))):
        parents = tuple(draw(st.lists(st.integers(0, one - 1), max_size=3, unique=True)))
        follows = bool(parents) and draw(st.booleans())
        clocks.append(
            Clock(
                one,
                f"c{one}",
                () if follows else RATES,
                0 if follows else draw(st.sampled_from(RATES)),
                enabled=draw(st.booleans()),
                parents=parents,
                multiply=draw(st.integers(1, 3)) if follows else 1,
                divide=draw(st.integers(1, 3)) if follows else 1,
            )
        )
    return tuple(clocks)


class Slow:
    """The same tree, worked out anew each time."""

    def __init__(self, clocks: tuple[Clock, ...]) -> None:
        self.clocks = clocks
        self.state: dict[int, bool | None] = {}
        self.rate: dict[int, int | None] = {}
        self.parent: dict[int, int | None] = {}
        self.demand: dict[tuple[int, str], int] = {}

    def parent_of(self, one: Clock) -> int | None:
        chosen = self.parent.get(one.id)
        return (one.parents[0] if chosen is None else chosen) if one.parents else None

    def rate_of(self, clock_id: int) -> int:
        one = self.clocks[clock_id]
        parent = self.parent_of(one)
        if one.follows and parent is not None:
            return self.rate_of(parent) * one.multiply // one.divide
        wanted = [rate for (which, _), rate in self.demand.items() if which == clock_id]
        asked = self.rate.get(clock_id)
        return max([*wanted, *([] if asked is None else [asked])], default=one.rate)

    def on(self, clock_id: int) -> bool:
        asked = self.state.get(clock_id)
        wanted = self.clocks[clock_id].enabled if asked is None else asked
        demanded = any(which == clock_id for which, _ in self.demand)
        return (
            wanted
            or demanded
            or any(self.parent_of(one) == clock_id and self.on(one.id) for one in self.clocks)
        )

    def everything(self) -> list[tuple[int, bool, int | None]]:
        return [(self.rate_of(one.id), self.on(one.id), self.parent_of(one)) for one in self.clocks]


def seen(tree: Clocks) -> list[tuple[int, bool, int | None]]:
    return [(tree.rate(one), tree.on(one), tree.parent(one)) for one in tree.clocks]


@settings(max_examples=300, deadline=None)
@given(clocks=trees(), data=st.data())
def test_clocks_are_what_follows_from_the_wishes(clocks: tuple[Clock, ...], data: st.DataObject) -> None:
    tree, slow = Clocks(clocks), Slow(clocks)
    heard: list[tuple[str, int]] = []
    tree.on_rate.append(lambda one: heard.append(("rate", one)))
    tree.on_change.append(lambda one: heard.append(("change", one)))
    assert seen(tree) == slow.everything()
    for _ in range(data.draw(st.integers(1, 12))):
        one = data.draw(st.sampled_from(clocks))
        before = seen(tree)
        heard.clear()
        kind = data.draw(st.sampled_from(("state", "rate", "parent", "demand")))
        if kind == "state":
            slow.state[one.id] = on = data.draw(st.sampled_from((None, True, False)))
            tree.ask_state(one.id, on)
        elif kind == "rate" and not one.follows:
            slow.rate[one.id] = rate = data.draw(WISHES)
            tree.ask_rate(one.id, rate)
        elif kind == "parent" and one.parents:
            slow.parent[one.id] = parent = data.draw(st.sampled_from((None, *one.parents)))
            tree.ask_parent(one.id, parent)
        elif kind == "demand" and not one.follows:
            who, wanted = data.draw(st.sampled_from(("a", "b"))), data.draw(WISHES)
            slow.demand.pop((one.id, who), None)
            if wanted is not None:
                slow.demand[one.id, who] = wanted
            tree.demand(one.id, who, wanted)
        after = seen(tree)
        assert after == slow.everything()
        moved = {at for at, (was, now) in enumerate(zip(before, after, strict=True)) if was[0] != now[0]}
        changed = {at for at, (was, now) in enumerate(zip(before, after, strict=True)) if was[:2] != now[:2]}
        assert sorted(at for what, at in heard if what == "rate") == sorted(moved)
        assert sorted(at for what, at in heard if what == "change") == sorted(changed)


OPPS = tuple(Opp(at, at, at, at) for at in (1, 2, 3, 4))
PLATFORM = platform(
    power_domain=(PowerDomain(0, "power", "on"),),
    clock=(Clock(0, "clock", (1000, 2000, 3000, 4000), 1000),),
    voltage_domain=(VoltageDomain(0, "rail", (1, 2, 3, 4), 1),),
    perf_domain=(
        PerfDomain(0, "p0", OPPS, level=2, clock=0, voltage_domain=0),
        PerfDomain(1, "p1", OPPS, level=1, clock=0, voltage_domain=0, power_domain=0),
    ),
)


@settings(max_examples=200, deadline=None)
@given(
    wishes=st.lists(
        st.one_of(
            st.tuples(
                st.just("ask"),
                st.sampled_from((0, 1)),
                st.one_of(st.none(), st.integers(0, 3)),
                st.integers(0, 3),
                st.integers(0, 3),
            ),
            st.tuples(st.just("cap"), st.sampled_from((0, 1)), st.one_of(st.none(), st.integers(0, 3))),
            st.tuples(st.just("power"), st.booleans()),
        ),
        max_size=12,
    )
)
def test_two_domains_on_one_clock_and_rail(wishes: list[tuple[Any, ...]]) -> None:
    """Only domain 1 has a power domain; the clock and the rail serve the faster one of those that run."""
    board: Board = Bench(PLATFORM).core.board
    asked: dict[int, tuple[int | None, int, int]] = {0: (None, 0, 3), 1: (None, 0, 3)}
    caps: dict[int, int | None] = {0: None, 1: None}
    powered = True
    for what, *rest in wishes:
        if what == "ask":
            domain, level, low, high = rest
            asked[domain] = (level, low, high)
            board.perf.ask(domain, level, low, high)
        elif what == "cap":
            caps[rest[0]] = rest[1]
            board.perf.limit(*rest)
        else:
            powered = rest[0]
            board.power.demand(0, 0 if powered else 1 << 30)
        levels = []
        for domain, boot in ((0, 1), (1, 0)):
            level, low, high = asked[domain]
            top = min(high, 3 if caps[domain] is None else caps[domain] or 0)
            bottom = min(low, top)
            levels.append(max(bottom, min(boot if level is None else level, top)))
            assert board.perf.limits(domain) == (bottom, top)
        assert [board.perf.level(0), board.perf.level(1)] == levels
        running = levels if powered else levels[:1]
        assert board.clocks.rate(0) == 1000 * (max(running) + 1)
        assert board.voltages.output_uv(0) == max(running) + 1
        assert [board.perf.power_uw(one) for one in (0, 1)] == [
            1000 * (levels[0] + 1),
            1000 * (levels[1] + 1) if powered else 0,
        ]
