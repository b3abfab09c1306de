"""Small fleets for tests: a scenario that takes some milliseconds, plans, outcomes out of thin air."""

from pathlib import Path

from deploy.fleet.ledger import Done
from deploy.fleet.messages import AgentCount, Outcome, Times
from deploy.fleet.plan import Plan, make

SMALL = """title = "Small"
platform = { guests = 1, shared = 0 }
phases = { warm_up_ms = 1, faults_ms = 5, heal_ms = 2, drain_ms = 2 }

[[load]]
domains = "guests"
kind = "closed"
think_us = [200, 600]
"""
FAILING = SMALL + '\n[[threshold]]\nmeasure = "p99_us"\nat_most = 1\n'


def scenario(folder: Path, text: str = SMALL) -> str:
    """The path of a scenario's file."""
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def plan(folder: Path, *matrix: str, platforms: int | None = None, text: str = SMALL) -> Plan:
    return make(scenario(folder, text), matrix, platforms)


def agent(domain: str = "guest0", calls: int = 1, bucket: int = 600) -> AgentCount:
    times = Times({bucket: calls}, 40_000) if calls else Times()
    return AgentCount(domain, calls, calls, 0, 0, 0, 0, 0, 0, {"SUCCESS": calls}, {}, times)


def outcome(verdict: str = "pass", *agents: AgentCount) -> Outcome:
    """One that no run had."""
    return Outcome(verdict, "why", "trapline run small.toml", agents or (agent(),))  # type: ignore[arg-type]


def done(job: int, attempt: int = 1, verdict: str = "pass") -> Done:
    return Done(job, attempt, outcome(verdict))
