"""A domain's SCMI messages over the control socket, without a process for each of them."""

from typing import Any

import msgspec

from bus.fields import Message, encode
from bus.scmi import header, trace
from bus.scmi.header import MessageType
from bus.scmi.protocol import AnyCommand, Protocol
from bus.scmi.status import Status, read
from deploy import control
from deploy.cli.ledger import as_data
from deploy.holdings import Holdings
from deploy.rundir import RunDirectory
from tests.system.cluster import Cluster
from tests.system.processes import eventually

TOKEN = 0x2A5


def ask(cluster: Cluster, request: control.Request) -> Any:
    """A request of the toolstack's, as 'trapline xl' makes it."""
    return control.ask(RunDirectory(cluster.run), request)


def holdings(cluster: Cluster, who: str) -> dict[str, Any]:
    """What 'trapline ledger --json' prints of an agent or a domain."""
    return as_data(msgspec.convert(ask(cluster, control.Ledger(who)), Holdings))


class Speaker:
    """``name`` is the domain's. What it says has TOKEN."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self._run = RunDirectory(cluster.run)

    def send(self, table: Protocol, command: AnyCommand, request: Message | None, wait: bool = False) -> Any:
        """The answer as the control socket gives it; ``wait``: for the delayed response, once promised."""
        head = header.pack(table.id, command.id, TOKEN)
        payload = b"" if request is None else encode(request)
        return control.ask(self._run, control.Message(self.name, head, payload, wait))

    def status(self, table: Protocol, command: AnyCommand, request: Message | None = None) -> Status:
        """How an exchange that did happen ended."""
        answer = self.send(table, command, request)
        assert not answer["code"], answer
        return Status(read(answer["payload"]))

    def told(self) -> list[str]:
        """What waits in the inbox, as trace lines; taken with that."""
        answer = control.ask(self._run, control.Take(self.name))
        assert not answer["code"], answer
        return [_line(*message) for message in answer["messages"]]

    def hears(self, count: int = 1) -> list[str]:
        """So many messages, as they come."""
        found: list[str] = []

        def enough() -> bool:
            found.extend(self.told())
            return len(found) >= count

        eventually(enough, f"{count} messages for {self.name}")
        return found


def _line(head: int, payload: bytes) -> str:
    is_notification = header.message_type(head) == MessageType.NOTIFICATION
    return trace.notification_line(head, payload) if is_notification else trace.reply_line(head, payload)
