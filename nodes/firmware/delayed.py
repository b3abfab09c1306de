"""Commands that end later: accepted now, done and answered by a delayed response when their time has come.

How many one agent may have pending, or done and not fetched yet, is limited (BUSY beyond). An agent's reset
takes them back undone.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bus.fields import Message
from bus.scmi import header
from bus.scmi.header import MessageType
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.schedule import Timer
from nodes.limits import DELAYED_PENDING

if TYPE_CHECKING:
    from nodes.firmware.machine import Machine

Finish = Callable[[], Message | Status]
DELAYED = header.HEADER.pack(message_type=MessageType.DELAYED_RESPONSE)


class Pending:
    """One command under way; ``resource`` is (kind, id)."""

    __slots__ = ("head", "protocol", "resource", "timer", "what")

    def __init__(self, protocol: str, what: str, resource: tuple[str, int], head: int, timer: Timer) -> None:
        self.protocol = protocol
        self.what = what
        self.resource = resource
        self.head = head
        self.timer = timer


class Delayed:
    """``start`` is what an asynchronous command's handler answers with."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._pending: dict[int, dict[int, Pending]] = {}
        self._number = 0

    def start(
        self,
        agent: int,
        resource: tuple[str, int],
        delay_us: int,
        finish: Finish,
        *,
        silent: bool = False,
        changes: bool = True,
    ) -> Status:
        """Do ``finish`` after ``delay_us`` and send what it gives: SUCCESS (accepted), BUSY or NOT_SUPPORTED.

        For the message being handled now. ``silent``: the caller wants no delayed response. An agent that
        nothing can be sent to gets NOT_SUPPORTED, unless it is silent. If the agent has lost the right to
        the resource by then (to change it, or to read it without ``changes``), nothing is done and the
        response says DENIED. It speaks the version in which the command came, whatever was negotiated since.
        """
        machine = self._machine
        if not silent and not machine.outbox.reaches(agent):
            return Status.NOT_SUPPORTED
        mine = self._pending.setdefault(agent, {})
        if len(mine) + machine.outbox.waiting(agent) >= DELAYED_PENDING:
            return Status.BUSY
        self._number = number = self._number + 1
        head, version = machine.head, machine.version
        command = machine.command

        def due() -> None:
            mine.pop(number, None)
            allowed = machine.permissions.may(agent, resource, changes=changes, command=command)
            with machine.caused_by(agent):
                answer = finish() if allowed else Status.DENIED
            if not silent:
                self._send(agent, head | DELAYED, answer, version)

        timer = machine.schedule.at(machine.now_ns + delay_us * 1000, due)
        mine[number] = Pending(*command, resource, head, timer)
        return Status.SUCCESS

    def _send(self, agent: int, head: int, answer: Message | Status, version: int) -> None:
        if isinstance(answer, Status):
            payload = answer.word
        else:
            payload = Status.SUCCESS.word + self._machine.encode(agent, answer, version)
        self._machine.outbox.send(agent, head, payload)

    def outstanding(self, agent: int, protocol: str) -> int:
        """How many commands of a protocol the agent has pending."""
        return sum(one.protocol == protocol for one in self._pending.get(agent, {}).values())

    def under_way(self, resource: tuple[str, int]) -> bool:
        """Whether anybody has a command pending on the resource."""
        return any(one.resource == resource for mine in self._pending.values() for one in mine.values())

    def withdraw(self, agent: int) -> None:
        """Take back everything the agent has pending, undone and unanswered."""
        for one in self._pending.pop(agent, {}).values():
            one.timer.cancel()

    def ledger(self, agent: int) -> list[Entry]:
        return [
            Entry("pending", one.protocol, f"{one.resource[0]} {one.resource[1]}", one.what, one.head)
            for _, one in sorted(self._pending.get(agent, {}).items())
        ]
