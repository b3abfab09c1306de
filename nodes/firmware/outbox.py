"""The way back: each agent's P2A page and interrupt, and the bounded queue behind it.

A page takes one message at a time. What comes while the agent has not given it back waits, up to a limit;
beyond that a notification is dropped and counted, so an agent must read state again after it enabled a
notification. A delayed response is never dropped: how many can be pending is limited where they start.
"""

from collections import deque
from typing import Final

from bus import frames, shmem
from bus.scmi.header import MessageType, message_type
from nodes.contract import Effect, Log, Send
from nodes.firmware.platform import Agent
from nodes.limits import P2A_QUEUE
from nodes.meters import Meters

VERSION: Final = frames.PROTOCOL_VERSION
NOTIFICATION: Final = "notification"


def kind_of(head: int) -> str:
    """How a message is counted."""
    return NOTIFICATION if message_type(head) == MessageType.NOTIFICATION else "delayed"


class WayBack:
    """One agent's P2A channel; ``busy`` from the interrupt (numbered ``request``) to the page's return.

    ``head`` is that of the message in the page.
    """

    __slots__ = ("address", "busy", "head", "intid", "label", "page", "queue", "request")

    def __init__(self, agent: Agent, address: int, intid: int, page: shmem.Buffer) -> None:
        self.label = str(agent.id)
        self.address = address
        self.intid = intid
        self.page = page
        self.queue: deque[tuple[int, bytes]] = deque()
        self.busy = False
        self.head = 0
        self.request = 0


class Outbox:
    """``send`` queues a message for an agent, ``effects`` hands out what can go now.

    ``carried``: pages travel in frames. Agents without a way back are not ``reached``. ``queue_max``: how
    many messages may wait behind the one in an agent's page before notifications are dropped.
    """

    def __init__(
        self,
        agents: tuple[Agent, ...],
        memory: shmem.Memory,
        peer: bytes,
        meters: Meters,
        *,
        carried: bool,
        queue_max: int = P2A_QUEUE,
    ) -> None:
        self._peer = peer
        self._ways: dict[int, WayBack] = {}
        self._by_intid: dict[int, WayBack] = {}
        self._out: list[Effect] = []
        self._request = 0
        self._carried = carried
        self._queue_max = queue_max
        self._sent = meters.counter("trapline_p2a_messages_total")
        for agent in agents:
            if agent.p2a_shmem is not None and agent.p2a_interrupt is not None:
                page = memory.map(agent.p2a_shmem)
                way = WayBack(agent, agent.p2a_shmem, agent.p2a_interrupt, page)
                self._ways[agent.id] = self._by_intid[way.intid] = way

    def reaches(self, agent_id: int) -> bool:
        """Whether anything can be sent to the agent unasked."""
        return agent_id in self._ways

    def send(self, agent_id: int, head: int, payload: bytes) -> bool:
        """Queue a notification or a delayed response; False when it was dropped."""
        way = self._ways.get(agent_id)
        if way is None:
            return False
        if way.busy and not self._carried and shmem.status_of(way.page) & shmem.FREE:
            way.busy = False  # given back, be it that the interrupt has not ended, or ended before
            self._ring(way)
        kind = kind_of(head)
        if kind == NOTIFICATION and way.busy and len(way.queue) >= self._queue_max:
            self._sent[(way.label, kind, "dropped")] += 1
            return False
        self._sent[(way.label, kind, "queued")] += 1
        way.queue.append((head, payload))
        self._ring(way)
        return True

    def _ring(self, way: WayBack) -> None:
        if way.busy or not way.queue:
            return
        head, payload = way.queue.popleft()
        content = shmem.request(head, payload)
        way.busy, way.head = True, head
        shmem.publish(way.page, content)
        way.request = self._raise(way.intid, way.address, content if self._carried else b"")

    def _raise(self, intid: int, address: int, page: bytes) -> int:
        self._request += 1
        frame = frames.Interrupt(VERSION, self._request, 0, intid, address)
        self._out.append(Send(self._peer, frame, page))
        return self._request

    def log(self, text: str) -> None:
        """A line for EL3's log."""
        self._out.append(Log("info", text))

    def put(self, effect: Effect) -> None:
        """Anything else that has to leave: a note for the record, an answer that was held back."""
        self._out.append(effect)

    def lose(self, intid: int) -> bool:
        """Whether an interrupt was about to be raised that now is not."""
        kept = [one for one in self._out if not _raises(one, intid)]
        lost, self._out = len(kept) < len(self._out), kept
        return lost

    def complete(self, intid: int) -> None:
        """Raise an agent's completion interrupt: its answer is in its page."""
        self._raise(intid, 0, b"")

    def ended(self, frame: frames.EndOfInterrupt, page: bytes) -> None:
        """The agent is done with an interrupt; in carried mode its page came along, if it is that page.

        The end of one from before the agent's reset says nothing of what is in the page now.
        """
        way = self._by_intid.get(frame.intid)
        if way is None or not way.busy or frame.request != way.request:
            return
        if self._carried:
            if frame.page != way.address:
                return  # what EL3 looks at is the agent's own page, and that is as it was
            header = page[: shmem.PAYLOAD_AT]
            way.page[: len(header)] = header
        if shmem.status_of(way.page) & shmem.FREE:
            way.busy = False
            self._ring(way)

    def waiting(self, agent_id: int) -> int:
        """How many messages are under way to the agent, the one in its page included."""
        way = self._ways.get(agent_id)
        return 0 if way is None else len(way.queue) + way.busy

    def reset(self, agent_id: int) -> None:
        """Take back, and count, what is under way to the agent; its page is free again."""
        way = self._ways.get(agent_id)
        if way is None:
            return
        for head in ((way.head,) if way.busy else ()) + tuple(head for head, _ in way.queue):
            self._sent[(way.label, kind_of(head), "withdrawn")] += 1
        way.queue.clear()
        way.busy = False
        self._out = [one for one in self._out if not _raises(one, way.intid)]
        shmem.publish(way.page, shmem.IDLE)

    def boot(self) -> None:
        for way in self._ways.values():
            shmem.publish(way.page, shmem.IDLE)

    @property
    def ready(self) -> bool:
        """Whether ``effects`` has something."""
        return bool(self._out)

    def effects(self) -> list[Effect]:
        """What has to be sent since the last call."""
        out, self._out = self._out, []
        return out


def _raises(effect: Effect, intid: int) -> bool:
    """Whether it is an interrupt of that line that has not left yet."""
    return (
        isinstance(effect, Send)
        and isinstance(effect.frame, frames.Interrupt)
        and effect.frame.intid == intid
    )
