"""What Xen tells others on the side: log lines, the toolstack's life-cycle events, counts of both.

It collects effects into ``out``, which the core hands out with everything else.
"""

from typing import Final

from bus import frames
from nodes.contract import Effect, Log, Send
from nodes.meters import Meters
from nodes.metric_labels import REASON
from nodes.xen.console import Console
from nodes.xen.domain import Domain, State

VERSION: Final = frames.PROTOCOL_VERSION
DETAIL_CHARACTERS_MAX: Final = 1024  # of frames.Text


class Reporter:
    """``toolstack`` is the link that life-cycle events go to."""

    def __init__(self, out: list[Effect], meters: Meters, toolstack: bytes, console: Console) -> None:
        self._out = out
        self._toolstack = toolstack
        self._console = console
        self._hazards = meters.counter("trapline_xen_hazards_total")
        self._events = meters.counter("trapline_domain_lifecycle_events_total")
        self._resets = meters.counter("trapline_agent_resets_total")
        self._states = meters.counter("trapline_domain_state")
        self._traps = meters.counter("trapline_smc_traps_total")
        names = ("trapline_scmi_inflight_calls", "trapline_scmi_waiting_calls")
        self._of_agents = [meters.counter(name) for name in names]
        self._owners = meters.counter("trapline_agent_info")
        self._told: dict[str, tuple[str, str]] = {}  # of each agent, its labels in there
        self._agents: dict[int, str] = {}  # by domid

    def log(self, level: str, text: str) -> None:
        self._out.append(Log(level, text))

    def hazard(self, name: str, text: str) -> None:
        """The driver did what nobody wants."""
        self._hazards[(name,)] += 1
        self._out.append(Log("warning", f"driver hazard {name}: {text}"))

    def tell(self, domain: Domain, event: str, detail: str) -> None:
        """A life-cycle event; one that ends the domain also ends what waits for its console."""
        if event == "created":
            self._expect(domain)
            self._owned(domain)
        elif event == "reset":
            self._given_back(domain)
        self._events[(domain.name, event)] += 1
        for state in State:
            self._states.put((domain.name, state.value), int(state is domain.state))
        text = detail[:DETAIL_CHARACTERS_MAX]
        frame = frames.Lifecycle(VERSION, 0, 0, domain.domid, domain.name, event, text)
        self._out.append(Send(self._toolstack, frame))
        if event == "dead":
            self._out.extend(self._console.gone(domain))

    def _expect(self, domain: Domain) -> None:
        """What will be counted of it begins at 0, so that a rate sees the first."""
        for verdict in ("forwarded", "refused"):
            self._traps.expect((domain.name, "doorbell", verdict))
        if domain.channel is not None:
            for agent in self._of_agents:
                agent.expect(domain.channel.key)
            for reason in REASON.values[:-1]:
                self._resets.expect((domain.channel.label, reason))

    def _owned(self, domain: Domain) -> None:
        """Of each agent one domain is told: who has it, or had it last."""
        if domain.channel is None:
            return
        agent = self._agents[domain.domid] = domain.channel.label
        if agent in self._told:
            self._owners.pop(self._told[agent], None)
        self._told[agent] = (agent, domain.name)
        self._owners.put(self._told[agent], 1)

    def _given_back(self, domain: Domain) -> None:
        self._owners.put(self._told[self._agents.pop(domain.domid)], 0)

    def count_reset(self, agent_id: int, reason: str) -> None:
        self._resets[(str(agent_id), reason)] += 1
