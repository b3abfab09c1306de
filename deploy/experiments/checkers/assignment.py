"""What a toolstack assigned is what EL3 was told: each device id that the host tree lists, for that agent."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bus.scmi import header
from bus.scmi.status import Status
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.calls import said
from deploy.experiments.checkers.grants import SET_DEVICE
from deploy.experiments.checkers.roster import agent_in
from deploy.recording.events import Asked, Began, Executed, Lived, Replied

COMPATIBLE: Final = "arm,scmi-smc"
CELLS: Final = "#access-controller-cells"
COMMAND: Final = header.HEADER.pack(protocol_id=0xFF, message_type=3, message_id=0xFF)
OPEN_MAX: Final = 4096  # hypercalls under way
DOMAINS_MAX: Final = 4096


class Assigning:
    """One assign_device under way: what EL3 has to be told, what it was; ``refused``: something else came."""

    __slots__ = ("agent", "asked", "granted", "refused", "wanted")

    def __init__(self, asked: Asked, agent: int, wanted: frozenset[int]) -> None:
        self.asked = asked
        self.agent = agent
        self.wanted = wanted
        self.granted: set[int] = set()
        self.refused = False


class Assignment(Judge):
    name = "assignment"
    claim = "A device that was assigned was granted to the domain's agent, with every id that it lists."
    knows = "assign_device hypercalls and their answers, `access-controllers` of the host tree, Xen's grants"
    cannot = "judge what builders give at boot, an assignment that EL3 refused in part, mapped pages"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        topology = self.context.topology
        self._tree = topology.host
        nodes = [node.path for node in self._tree if node.compatible(COMPATIBLE) and node.u32(CELLS) == 1]
        self._provider = nodes[0] if len(nodes) == 1 else ""
        self._speaks = topology.profile.driver == "multiagent" and topology.profile.assign != "none"
        self._agents: dict[int, int | None] = {}
        self._open: dict[int, Assigning] = {}

    def on(self) -> Mapping[type, Handler]:
        return {
            Lived: self._lived,
            Asked: self._asked,
            Executed: self._executed,
            Replied: self._replied,
            Began: self._began,
        }

    def _lived(self, event: Lived) -> Iterable[Violation]:
        if event.event == "created":
            self._agents[event.domid] = agent_in(event.detail)
            if len(self._agents) > DOMAINS_MAX:
                del self._agents[next(iter(self._agents))]
        return ()

    def _began(self, event: Began) -> Iterable[Violation]:
        if event.node == "xen":
            self._open.clear()
            self._agents.clear()
        return ()

    def _asked(self, event: Asked) -> Iterable[Violation]:
        if event.op != "assign_device" or not self._speaks:
            return ()
        agent = self._agents.get(event.domid)
        wanted = self._listed(event.fields.partition("path=")[2])
        if agent is not None and wanted and len(self._open) < OPEN_MAX:
            self._open[event.request] = Assigning(event, agent, wanted)
        return ()

    def _listed(self, path: str) -> frozenset[int]:
        """The device ids that a node of the host tree lists at the SCMI node."""
        node = self._tree.get(path)
        cells = node.cells("access-controllers") if node is not None and self._provider else None
        found, at = set(), 0
        while cells and at < len(cells):
            provider = self._tree.by_phandle(cells[at])
            count = provider.u32(CELLS) if provider is not None else None
            if provider is None or count is None:
                break
            if provider.path == self._provider and count == 1 and at + 1 < len(cells):
                found.add(cells[at + 1])
            at += 1 + count
        return frozenset(found)

    def _executed(self, event: Executed) -> Iterable[Violation]:
        call = self.evidence.calls.step.call
        smc = call.smc if call is not None and self._open else None
        if smc is None or smc.cause or smc.head < 0 or smc.head & COMMAND != SET_DEVICE:
            return ()
        words = [int.from_bytes(smc.payload[at : at + 4], "little") for at in (0, 4, 8)]
        for one in self._open.values():
            if said(event) != Status.SUCCESS:
                one.refused = True
            elif words[0] == one.agent and words[2] & 1:
                one.granted.add(words[1])
        return ()

    def _replied(self, event: Replied) -> Iterable[Violation]:
        one = self._open.pop(event.request, None)
        if one is None or event.rc:
            return ()
        if one.refused or not self._seen():
            self.abstained += 1
            return ()
        self.judged += 1
        lacking = sorted(one.wanted - one.granted)
        if not lacking:
            return ()
        path = one.asked.fields.partition("path=")[2]
        text = f"{path} was assigned to domain {one.asked.domid}, but EL3 was not told to let"
        text += f" agent {one.agent} have {', '.join(f'device {device}' for device in lacking)}"
        return (self.wrong(event, text, "", one.asked),)

    def _seen(self) -> bool:
        """Whether what Xen says to EL3 can be read, and nothing of it was lost."""
        return not self.evidence.calls.unread and not self.evidence.calls.lost_smcs and self.context.complete

    def more(self) -> Mapping[str, Any]:
        return {}
