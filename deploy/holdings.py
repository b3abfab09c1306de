"""What an agent holds in EL3, and whether its last reset freed everything: asked for in pieces, put together.

It asks through the toolstack, so it works on either engine. Screens are in ``deploy.cli.ledger``.
"""

from collections.abc import Callable, Sequence

import msgspec

from bus.frames import DomainInfo
from deploy.errors import UserError
from nodes.firmware import console
from nodes.firmware.ledger import Entry

Ask = Callable[[console.Request], console.Answer]


class LastReset(msgspec.Struct, frozen=True):
    """``age_s``: how long ago it was. ``leaks``: what should have gone with it, and is still there."""

    age_s: float
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]
    leaks: tuple[Entry, ...]

    @property
    def verdict(self) -> str:
        if not self.leaks:
            return "nothing left"
        named = ", ".join(one.thing or one.kind for one in self.leaks[:3])
        more = f" and {len(self.leaks) - 3} more" if len(self.leaks) > 3 else ""
        return f"LEAK: {named}{more}"


class Holdings(msgspec.Struct, frozen=True):
    """All that is known of one agent. ``domain`` is who has it now; ``reset`` None: it never was."""

    agent: int
    name: str
    domain: str | None
    firmware: str
    now: tuple[Entry, ...]
    reset: LastReset | None


def holdings(ask: Ask, domains: Sequence[DomainInfo], who: str) -> Holdings:
    """The ledger of an agent, by its number, its domain's name, or EL3's name for it; raises UserError."""
    agents, firmware = _agents(ask)
    agent = _resolve(who, agents, domains)
    held, answer = _part(ask, agent, "now")
    owner = next((info.name for info in domains if info.agent_id == agent), None)
    reset = None
    if answer.reset_ns is not None:
        before, after, leaks = (_part(ask, agent, part)[0] for part in ("before", "after", "leaks"))
        reset = LastReset((answer.now_ns - answer.reset_ns) / 1e9, before, after, leaks)
    return Holdings(agent, agents[agent], owner, firmware, held, reset)


def _agents(ask: Ask) -> tuple[dict[int, str], str]:
    found: dict[int, str] = {}
    while True:
        answer = ask(console.Agents(len(found)))
        found.update(answer.agents)
        if len(found) >= answer.total or not answer.agents:
            return found, answer.firmware


def _resolve(who: str, agents: dict[int, str], domains: Sequence[DomainInfo]) -> int:
    """A number is an agent's; a name is first a domain's, then an agent's."""
    for info in domains:
        if info.name == who:
            if info.agent_id is None:
                raise UserError(f"domain {who!r} has no agent: it does without SCMI; give an agent's number")
            return info.agent_id
    for agent, name in agents.items():
        if who in (str(agent), name):
            return agent
    there = ", ".join(f"{agent} ({name})" for agent, name in agents.items())
    raise UserError(f"there is no domain and no agent {who!r}; the agents are {there}")


def _part(ask: Ask, agent: int, part: console.Part) -> tuple[tuple[Entry, ...], console.Answer]:
    found: list[Entry] = []
    while True:
        answer = ask(console.Ledger(agent, part, len(found)))
        found.extend(answer.entries)
        if len(found) >= answer.total or not answer.entries:
            return tuple(sorted(found)), answer
