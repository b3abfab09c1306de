"""A platform that a test tells what to say: looks made by hand, a source that publishes them when told to."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from deploy import control
from deploy.resets import AgentReset
from deploy.summary import AgentRow, Buckets
from deploy.top.model import Event, Look, Status
from deploy.top.source import Answered, Gone, News
from nodes.metrics import LATENCY_BUCKETS_NS

BUCKETS = len(LATENCY_BUCKETS_NS) + 1


def counts(**by_bucket: int) -> list[int]:
    """Bucket counts: ``counts(b3=7)`` has seven in the fourth bucket."""
    return [by_bucket.get(f"b{at}", 0) for at in range(BUCKETS)]


def row(name: str, agent: int | None, calls: int = 0, **more: Any) -> AgentRow:
    plain = AgentRow(
        domid=(agent or 0) + 10, name=name, state="running", incarnation=1,
        agent_id=agent, smc_id=None, shmem=None,
        devices=("/soc/gpu@fd000000",), calls=calls, p50_us=0.0, p99_us=0.0, refused=0,
        denied=0, errors=0, resets=0,
        statuses={},
    )  # fmt: skip
    return msgspec.structs.replace(plain, **more)


def look(
    at_s: float,
    *rows: AgentRow,
    votes: Mapping[int, int] | None = None,
    told: Mapping[str, float] | None = None,
    buckets: Mapping[str, Buckets] | None = None,
    resets: Mapping[str, AgentReset] | None = None,
    events: tuple[Event, ...] = (),
) -> Look:
    """What is told ``at_s`` seconds after the start; ``told``: when nodes told their numbers, if not now."""
    names = ["firmware", "xen", *(one.name for one in rows)]
    status = Status(
        platform="automotive", firmware="spec-strict", profile="v11", uptime_s=at_s,
        link="ipc", pages="carried",
        nodes={name: {} for name in names}, told_at_s=dict.fromkeys(names, at_s) | dict(told or {}),
        domains=list(rows),
        buckets={one.name: Buckets(counts(), counts(), counts()) for one in rows} | dict(buckets or {}),
        resets=dict(resets or {}), events=list(events),
    )  # fmt: skip
    return Look(status, votes)


class Scripted:
    """A ``deploy.top.source.Source``. ``answers``: result or words of an error by type of request."""

    def __init__(self) -> None:
        self.asked: list[control.Request] = []
        self.traced: list[int] = []
        self.answers: dict[type, Any] = {}
        self.held: list[tuple[control.Request, Answered]] = []
        self.hold = False
        self.shown: tuple[int, ...] = ()
        self.waited_s = 0.0
        self.ended = False
        self._publish: Callable[[News], None] = lambda news: None

    def begin(self, publish: Callable[[News], None]) -> None:
        self._publish = publish

    def tell(self, news: Look | Gone) -> None:
        self._publish(news)

    def show(self, agents: tuple[int, ...]) -> None:
        self.shown = agents

    def ask(self, request: control.Request, answered: Answered) -> None:
        self.asked.append(request)
        if self.hold:
            self.held.append((request, answered))
            return
        answer = self.answers.get(type(request))
        if isinstance(answer, str):
            answered(None, answer)
        else:
            answered(answer, None)

    def latest(self, agent: int, answered: Answered) -> None:
        self.traced.append(agent)
        answered([f"ivi({agent}) clock.CLOCK_RATE_GET() = SUCCESS"], None)

    def waiting_s(self) -> float:
        return self.waited_s

    def end(self) -> None:
        self.ended = True
