"""Who is who: which incarnation of which domain has which agent and channel, and which of them are gone.

Read off the history alone: notes of the run, what the toolstack heard, first events of nodes. What it was
not told it does not know, and says so with None.
"""

from typing import Final

from deploy.recording.events import Began, Lived, Noted
from deploy.recording.rows import domain_of, incarnate, incarnation_of
from deploy.topology import Topology

INCARNATIONS_KEPT: Final = 4  # of one name: rows about the dead come late
ENDING: Final = ("shutdown", "dying", "refused", "reset", "dead")  # what is told of a domain that goes


def agent_in(detail: str) -> int | None:
    """The agent that the detail of a life-cycle event names: "agent 3", "agent 3 reset and free"."""
    words = detail.split(" ", 2)
    return int(words[1]) if len(words) > 1 and words[0] == "agent" and words[1].isdigit() else None


class Roster:
    """``restarts``: how often Xen, and EL3, have started so far, by node."""

    def __init__(self, topology: Topology) -> None:
        self.function_of_agent = {agent.id: agent.smc_id for agent in topology.platform.agent}
        self.agent_of_function = {agent.smc_id: agent.id for agent in topology.platform.agent}
        self.restarts = {"xen": 0, "firmware": 0}
        self._agents: dict[str, int | None] = {}
        self._claimed: dict[str, int | None] = {}
        self._by_domid: dict[int, str] = {}
        self._latest: dict[str, int] = {}
        self._ending: set[str] = set()
        self._begun: set[str] = set()

    # ---- what is told -------------------------------------------------------------------------

    def began(self, event: Began) -> bool:
        """A node's first event; whether a domain of this very name began before."""
        if event.node in self.restarts:
            self.restarts[event.node] += 1
            return False
        again = event.node in self._begun
        self._begun.add(event.node)
        if again:
            self._ending.discard(event.node)
        self._met(event.node)
        return again

    def _met(self, domain: str) -> None:
        name, incarnation = domain_of(domain), incarnation_of(domain)
        if incarnation <= self._latest.get(name, 0):
            return
        self._latest[name] = incarnation
        old = incarnate(name, incarnation - INCARNATIONS_KEPT)
        self._agents.pop(old, None)
        self._ending.discard(old)
        self._begun.discard(old)

    def noted(self, event: Noted) -> None:
        """The run's note of a domain that has started."""
        if event.what != "domain" or len(event.numbers) < 3:
            return
        domid, incarnation, agent = event.numbers[:3]
        domain = incarnate(domain_of(event.text), incarnation)
        self._met(domain)
        self._agents[domain] = agent if agent in self.function_of_agent else None
        self._by_domid[domid] = domain

    def lived(self, event: Lived) -> None:
        """What the toolstack heard of a domain."""
        if event.event == "created":
            self._claimed[event.name] = agent_in(event.detail)
            self._by_domid.pop(event.domid, None)
        elif event.event in ENDING:
            self._ending.add(self.domain_of(event))

    # ---- what is asked ------------------------------------------------------------------------

    def domain_of(self, event: Lived) -> str:
        """The incarnation that a life-cycle event is about, as far as that can be told."""
        known = self._by_domid.get(event.domid)
        if known is not None and domain_of(known) == event.name:
            return known
        return incarnate(event.name, self._latest.get(event.name, 1))

    def agent(self, domain: str) -> int | None:
        """The agent of a domain; None if it has none or nobody said."""
        if domain in self._agents:
            return self._agents[domain]
        return self._claimed.get(domain_of(domain))

    def function(self, domain: str) -> int | None:
        """The function id of a domain's own doorbell, as its agent's row of platform.toml has it."""
        agent = self.agent(domain)
        return None if agent is None else self.function_of_agent.get(agent)

    def gone(self, domain: str) -> bool:
        """Whether the domain is ending, has ended, or a later incarnation has begun."""
        if domain in self._ending:
            return True
        name, incarnation = domain_of(domain), incarnation_of(domain)
        return incarnation < self._latest.get(name, 0)
