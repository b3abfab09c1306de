"""Who wants to be told of what: the subscriptions to one notification of a protocol.

Telling costs what there are subscribers of that resource; it knows nothing of pages and queues.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bus.fields import Message
from bus.scmi import header
from bus.scmi.header import MessageType
from bus.scmi.protocol import Notification, Protocol
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry

if TYPE_CHECKING:
    from nodes.firmware.machine import Machine

Made = Message | Callable[[int], Message | None]
NOBODY = 0  # the platform itself, as the cause of a change


class Subscriptions:
    """One notification's subscribers, per resource. ``kind`` is the resources', "" for a system-wide one."""

    def __init__(self, machine: "Machine", table: Protocol, notification: Notification, kind: str) -> None:
        self._machine = machine
        self._table = table
        self._kind = kind
        self.notification = notification
        self._command = (table.key, notification.enabled_by)
        self.on_lost: Callable[[int, int], None] = lambda agent, resource_id: None
        self._by_resource: dict[int, dict[int, int]] = {}
        self._by_agent: dict[int, dict[int, int]] = {}
        self._head = header.pack(table.id, notification.id, 0, MessageType.NOTIFICATION)
        machine.subscriptions.append(self)

    def set(self, agent: int, resource_id: int, enable: int, detail: int = 1) -> Status:
        """Subscribe or not; NOT_SUPPORTED for an agent that nothing can be sent to."""
        if not self._machine.outbox.reaches(agent):
            return Status.NOT_SUPPORTED
        if enable:
            self._by_resource.setdefault(resource_id, {})[agent] = detail
            self._by_agent.setdefault(agent, {})[resource_id] = detail
        else:
            self._drop(agent, resource_id)
        return Status.SUCCESS

    def _drop(self, agent: int, resource_id: int) -> None:
        self._by_agent.get(agent, {}).pop(resource_id, None)
        subscribers = self._by_resource.get(resource_id)
        if subscribers is not None:
            subscribers.pop(agent, None)
            if not subscribers:
                del self._by_resource[resource_id]

    def of(self, resource_id: int) -> dict[int, int]:
        """The subscribers of a resource, each with the detail that it gave."""
        return self._by_resource.get(resource_id, {})

    def tell(self, resource_id: int, message: Made, but: int = -1) -> None:
        """Send to every subscriber except ``but``; a callable makes the message for one agent (None: none).

        An agent that may not subscribe to the resource any more hears nothing.
        """
        for agent in sorted(self._by_resource.get(resource_id, ())):
            if agent == but:
                continue
            made = message(agent) if callable(message) else message
            if made is not None:
                self.tell_one(agent, resource_id, made)

    def tell_one(self, agent: int, resource_id: int, message: Message) -> None:
        """Send to one agent, unless it may not subscribe any more or speaks a version without the message."""
        machine = self._machine
        version = machine.spoken(agent, self._table.id)
        if version < self.notification.since:
            return
        resource = (self._kind, resource_id)
        if self._kind and not machine.permissions.may(agent, resource, changes=False, command=self._command):
            return
        machine.outbox.send(agent, self._head, machine.encode(agent, message, version))

    def withdraw(self, agent: int) -> None:
        """Take back every subscription of the agent; ``on_lost`` hears of each (agent, resource id)."""
        for resource_id in sorted(self._by_agent.pop(agent, ())):
            self._drop(agent, resource_id)
            self.on_lost(agent, resource_id)

    def ledger(self, agent: int) -> list[Entry]:
        name, kind = self.notification.name, self._kind
        return [
            Entry("subscription", self._table.key, f"{kind} {one}" if kind else "", name, detail)
            for one, detail in sorted(self._by_agent.get(agent, {}).items())
        ]
