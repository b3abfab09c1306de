"""What a guest is to do, as data: the plan of its load, what is wrong with one, and the source that it makes.

A plan travels in the guest's configuration and in a console request. It knows neither scenarios nor
phases; ``sources.py`` carries it out, ``arrivals.py`` has the times, ``mixes.py`` the messages.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from bus.scmi.tables import STANDARD, Tables
from nodes.guest.arrivals import Rates, intended_ns
from nodes.guest.binding import Binding
from nodes.guest.caller import Asking
from nodes.guest.calls import Ask
from nodes.guest.client import Client
from nodes.guest.mixes import MIXES, Menu, Part, learn, problem_of
from nodes.guest.sources import ArrivalSchedule, ClosedLoop, Forever, OpenLoop, Source
from nodes.guest.workload import linux_like
from nodes.limits import ARRIVALS_WAITING

Kind = Literal["linux", "closed", "open", "replay", "idle"]
Byte = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]
Whole = Annotated[int, msgspec.Meta(ge=0)]


class RecordedMessage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message of a trace: ``at_ns`` from its beginning."""

    at_ns: Whole
    protocol_id: Byte
    message_id: Byte
    payload: bytes


class WorkPlan(msgspec.Struct, frozen=True):
    """The load of one guest.

    ``kind``: "linux" (discovery, then a driver's daily life), "closed" (a mix, one call after the other),
    "open" (a mix, calls arrive whether earlier ones are done or not), "replay" (``trace``, at its times) or
    "idle". ``think_ns``: the pause between two calls of the first two, up to ``think_max_ns`` if that is
    more. ``rate``: arrivals per second; with ``ramp_ns`` it moves evenly to ``rate_end`` in that time and
    stays there. ``arrival``: evenly or as a Poisson process. ``burst_calls`` arrive at once every
    ``burst_every_ns``, on top. ``mix``: a name of ``MIXES``, or parts. ``backlog``: arrivals that may wait.

    ``start_ns`` and ``stop_ns`` (0: never) count from ``epoch_ns``, a time of the guest's own clock; None:
    when the work begins. What was due before a guest was there never arrived.
    """

    kind: Kind = "linux"
    think_ns: Whole = 0
    think_max_ns: Whole = 0
    rate: float = 0.0
    rate_end: float = 0.0
    ramp_ns: Whole = 0
    arrival: Literal["constant", "poisson"] = "constant"
    burst_calls: Whole = 0
    burst_every_ns: Whole = 0
    mix: str | tuple[Part, ...] = "mixed"
    trace: tuple[RecordedMessage, ...] = ()
    backlog: Whole = ARRIVALS_WAITING
    start_ns: Whole = 0
    stop_ns: Whole = 0
    epoch_ns: int | None = None
    seed: int = 0


def problems(plan: WorkPlan, tables: Tables = STANDARD) -> list[str]:
    """What is wrong with a plan: key, rule and fix, a sentence each."""
    wrong = []
    if min(plan.rate, plan.rate_end) < 0:
        wrong.append("rate: calls per second are not negative; give 0 or more")
    if plan.burst_calls and not plan.burst_every_ns:
        wrong.append("burst_every: bursts need a time between them; give more than 0")
    if plan.kind == "open" and not (plan.rate or plan.burst_calls or (plan.ramp_ns and plan.rate_end)):
        wrong.append("rate: an open loop at no rate does nothing; give a rate, or take kind idle")
    if plan.kind == "replay" and not plan.trace:
        wrong.append("trace: there is nothing to replay; give a trace, or take kind idle")
    if plan.think_max_ns and plan.think_max_ns < plan.think_ns:
        wrong.append("think: the range ends before it begins; give the shorter pause first")
    if plan.stop_ns and plan.stop_ns <= plan.start_ns:
        wrong.append("stop: the load stops before it starts; give a later time")
    if isinstance(plan.mix, str):
        if plan.mix not in MIXES:
            wrong.append(f"mix: there is none named {plan.mix!r}; take one of {', '.join(MIXES)}")
        return wrong
    found = [problem_of(part, tables) for part in plan.mix] or ["it is empty; give a message at least"]
    return [*wrong, *(f"mix: {one}" for one in found if one)]


def make(plan: WorkPlan, binding: Binding | None, now_ns: int) -> Source | None:
    """The source that carries out ``plan`` from now on; None if nothing is to be done.

    Raises ValueError for a plan with problems.
    """
    wrong = problems(plan)
    if wrong:
        raise ValueError("; ".join(wrong))
    if plan.kind == "idle" or binding is None:
        return None
    epoch_ns = now_ns if plan.epoch_ns is None else plan.epoch_ns
    begin_ns = epoch_ns + plan.start_ns
    stop_ns = epoch_ns + plan.stop_ns if plan.stop_ns else None
    if plan.kind in ("linux", "closed"):
        work = linux_like(binding) if plan.kind == "linux" else _mixing(plan, binding)
        think = (plan.think_ns, max(plan.think_ns, plan.think_max_ns))
        return ClosedLoop(work, max(now_ns, begin_ns), stop_ns, think, plan.seed)
    if plan.kind == "replay":
        replayed = ArrivalSchedule(
            lambda since_ns: _recorded(plan, since_ns), begin_ns, stop_ns, plan.backlog
        )
        return OpenLoop(_trace(plan), replayed, now_ns)
    rates = Rates(plan.rate, plan.rate_end if plan.ramp_ns else plan.rate, plan.ramp_ns)
    bursts = (plan.burst_calls, plan.burst_every_ns)
    seed = plan.seed if plan.arrival == "poisson" else None
    schedule = ArrivalSchedule(
        lambda since_ns: intended_ns(rates, bursts, seed, since_ns), begin_ns, stop_ns, plan.backlog
    )
    return OpenLoop(learn(Client(), _parts(plan), binding, plan.seed), schedule, now_ns)


def _parts(plan: WorkPlan) -> tuple[Part, ...]:
    return MIXES[plan.mix] if isinstance(plan.mix, str) else plan.mix


def _mixing(plan: WorkPlan, binding: Binding) -> Forever:
    """A mix, one call after the other."""
    menu = yield from learn(Client(), _parts(plan), binding, plan.seed)
    number = 0
    while True:
        yield menu.draw(number)
        number += 1


def _recorded(plan: WorkPlan, since_ns: int) -> Iterator[tuple[int, int]]:
    """(when, which) of a trace, in order of time."""
    order = sorted(range(len(plan.trace)), key=lambda at: plan.trace[at].at_ns)
    return ((plan.trace[at].at_ns, at) for at in order if plan.trace[at].at_ns >= since_ns)


class Trace(Menu):
    """What was recorded, by number."""

    def __init__(self, plan: WorkPlan) -> None:
        super().__init__([(1.0, tuple(_ask(one) for one in plan.trace))], plan.seed)

    def draw(self, number: int) -> Ask:
        return self.courses[0][number]


def _ask(one: RecordedMessage) -> Ask:
    known = STANDARD.by_id(one.protocol_id)
    return Ask(one.protocol_id, one.message_id, one.payload, known.key if known else "vendor")


def _trace(plan: WorkPlan) -> Asking[Menu]:
    """A recorded trace needs nothing to be asked for first."""
    yield from ()
    return Trace(plan)
