"""A platform that answers a guest's coroutine from a script: what was asked is kept, nothing is simulated."""

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from bus.fields import Message, decode, encode
from bus.scmi.protocol import PROTOCOL_VERSION, VersionReply
from bus.scmi.status import Status
from bus.scmi.tables import STANDARD, Tables
from nodes.guest.calls import Ask, Outcome

S = TypeVar("S")
Said = Message | Status | Outcome
ASKS_MAX = 200_000


def timeout(*, definite: bool = False, code: str = "timeout") -> Outcome:
    """A call that nothing was answered to."""
    return Outcome(code, definite, 0, b"", "as the script says", 7)


class Platform:
    """``says[command name]`` is what it answers, or what makes it from the request.

    A list is taken from the front, its last item stays. ``versions`` are those it speaks, by protocol key:
    the newest with a layout where none is given. Without a script it answers NOT_SUPPORTED.
    """

    def __init__(
        self, says: dict[str, Any], versions: dict[str, int] | None = None, tables: Tables = STANDARD
    ) -> None:
        self.says = says
        self.tables = tables
        self.versions = versions or {}
        self.asked: list[str] = []
        self.requests: list[Message] = []
        self.asks: list[Ask] = []

    def run(self, work: Generator[Ask, Outcome, S]) -> S:
        """Answer ``work`` until it ends; gives its result."""
        try:
            ask = next(work)
            for _ in range(ASKS_MAX):
                ask = work.send(self.answer(ask))
        except StopIteration as end:
            result: S = end.value
            return result
        raise AssertionError(f"{ASKS_MAX} messages and no end")

    def answer(self, ask: Ask) -> Outcome:
        protocol = self.tables.by_id(ask.protocol_id)
        assert protocol is not None
        command = protocol.command(ask.message_id)
        assert command is not None
        version = self.versions.get(protocol.key, protocol.version)
        request = decode(command.request_at(version), ask.payload, version)
        self.asked.append(command.name)
        self.requests.append(request)
        self.asks.append(ask)
        if command is PROTOCOL_VERSION and command.name not in self.says:
            return self._outcome(VersionReply(version), version)
        return self._outcome(self._said(f"{protocol.key}.{command.name}", command.name, request), version)

    def _said(self, full: str, name: str, request: Message) -> Said:
        said: Any = self.says.get(full, self.says.get(name, Status.NOT_SUPPORTED))
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        made: Said = said(request) if isinstance(said, Callable) else said  # type: ignore[arg-type]
        return made

    def _outcome(self, said: Said, version: int) -> Outcome:
        if isinstance(said, Outcome):
            return said
        if isinstance(said, Status):
            return Outcome("", False, said, b"", "", 5)
        return Outcome("", False, 0, encode(said, version), "", 5)
