"""Typed calls: a command of the tables and its request in, its reply or an honest failure out.

Coroutines as in ``workload.py``: they yield what to ask and are sent how it ended, so they know neither
channels nor time. Layouts are those of the version that is spoken, per protocol. ``client.py`` adds lists.
"""

from collections.abc import Generator
from typing import TypeVar

from bus.fields import Message, WrongSize, decode, encode
from bus.scmi import sensor
from bus.scmi.protocol import (
    NEGOTIATE_PROTOCOL_VERSION,
    PROTOCOL_MESSAGE_ATTRIBUTES,
    PROTOCOL_VERSION,
    AnyCommand,
    Command,
    MessageAttributes,
    NegotiateVersion,
    Nothing,
    Protocol,
    VersionReply,
)
from bus.scmi.tables import STANDARD, Tables
from nodes.guest.calls import Ask, Outcome
from nodes.guest.result import Result, malformed, not_in_version, refused, succeeded, unanswered
from nodes.limits import CLIENT_TRIES

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)
D = TypeVar("D", bound=Message)
S = TypeVar("S")
Asking = Generator[Ask, Outcome, S]


class Caller:
    """One agent's typed calls over its channel.

    ``versions`` are the versions spoken, by protocol id; the newest known where nothing was negotiated. A
    call is tried ``tries`` times at most: again if the platform was busy, or if its end is uncertain and the
    command may be repeated.
    """

    def __init__(self, tables: Tables = STANDARD, tries: int = CLIENT_TRIES) -> None:
        if tries < 1:
            raise ValueError(f"tries is {tries}: a call is tried at least once")
        self.tables = tables
        self.tries = tries
        self.versions: dict[int, int] = {}

    def version(self, protocol: Protocol) -> int:
        """The version of ``protocol`` that is spoken."""
        return self.versions.get(protocol.id, protocol.version)

    def call(
        self, command: Command[Q, R], request: Q | None = None, protocol: Protocol | None = None
    ) -> Asking[Result[R]]:
        """Send ``command`` and give its reply. ``request`` None: it has no fields.

        ``protocol`` is needed for the commands that every protocol has. The reply of an older version is
        given as the newest has it. Raises ValueError for a request that is not the command's, and for a value
        that does not fit its field.
        """
        spoken = self._protocol(command, protocol)
        version = self.version(spoken)
        payload = self._payload(command, request, version)
        if payload is None:
            return not_in_version(f"{command.name} came with {command.since:#x}, {version:#x} is spoken")
        ask = Ask(spoken.id, command.id, payload, spoken.key)
        outcome = yield from self._tried(ask, command)
        return _read(outcome, command.reply, command.reply_at(version), version)

    def wait(self, command: Command[Q, R], request: Q, complete: type[D]) -> Asking[Result[D]]:
        """Send ``command`` with its asynchronous flag set by the caller, and give its delayed response.

        ``complete`` is the delayed response's table. "delayed-timeout" means that the platform had accepted.
        Raises ValueError for a command that has no such delayed response.
        """
        if command.delayed is not complete:
            raise ValueError(f"{command.name} has no delayed response {complete.__name__}")
        spoken = self._protocol(command, None)
        version = self.version(spoken)
        payload, table = self._payload(command, request, version), command.delayed_at(version)
        if payload is None or table is None:
            return not_in_version(f"{command.name} has no delayed response in {version:#x}")
        ask = Ask(spoken.id, command.id, payload, spoken.key, delayed=True)
        outcome = yield from self._tried(ask, command)
        return _read(outcome, complete, table, version)

    def start(self, protocol: Protocol) -> Asking[Result[VersionReply]]:
        """Agree on a version as Linux does: ask the platform's, and negotiate only down from a newer one.

        The older of the platform's version and ours is spoken afterwards, negotiated or not.
        """
        told = yield from self.call(PROTOCOL_VERSION, None, protocol)
        if told.value is None:
            return told
        theirs = told.value.version
        if theirs > protocol.version:
            wanted = MessageAttributes(NEGOTIATE_PROTOCOL_VERSION.id)
            there = yield from self.call(PROTOCOL_MESSAGE_ATTRIBUTES, wanted, protocol)
            if there.ok:
                yield from self.negotiate(protocol, protocol.version)
        self.versions[protocol.id] = min(theirs, protocol.version)
        return told

    def negotiate(self, protocol: Protocol, version: int) -> Asking[Result[Nothing]]:
        """Ask the platform to speak ``version`` from now on; it is spoken here as well if it agrees."""
        wanted = NegotiateVersion(version)
        result = yield from self.call(NEGOTIATE_PROTOCOL_VERSION, wanted, protocol)
        if result.ok:
            self.versions[protocol.id] = version
        return result

    def _protocol(self, command: AnyCommand, protocol: Protocol | None) -> Protocol:
        found = protocol or self.tables.protocol_of(command)
        if found is None:
            raise ValueError(f"{command.name}: in no table, or in every one; say which protocol is meant")
        return found

    def _payload(self, command: AnyCommand, request: Message | None, version: int) -> bytes | None:
        """The request's bytes; None if the version lacks the command."""
        wanted = command.request_at(version)
        made = Nothing() if request is None else request
        if not isinstance(made, wanted):
            raise ValueError(f"{command.name} asks for {wanted.__name__}, not for {type(made).__name__}")
        return encode(made, version) if version >= command.since else None

    def _tried(self, ask: Ask, command: AnyCommand) -> Asking[Outcome]:
        """The first end of a call that another try would not mend, or the last there is."""
        for _ in range(self.tries - 1):
            outcome = yield ask
            if not _again(outcome, command):
                return outcome
        return (yield ask)


def _again(outcome: Outcome, command: AnyCommand) -> bool:
    """Whether to try once more: a mere retry of what was uncertain is for commands that may be repeated."""
    if outcome.answered and not outcome.status:
        return False
    ended: Result[Message] = refused(outcome.status) if outcome.answered else unanswered(outcome)
    if outcome.answered or ended.definite:
        return ended.passing
    return command.repeatable and outcome.code != "xen-lost"


def _read(outcome: Outcome, newest: type[R], table: type[Message], version: int) -> Result[R]:
    if not outcome.answered:
        return unanswered(outcome)
    if outcome.status:
        return refused(outcome.status)
    try:
        found = _lifted(decode(table, outcome.payload, version))
    except WrongSize as error:
        return malformed(str(error))
    if not isinstance(found, newest):
        raise TypeError(f"nobody knows {type(found).__name__} as a {newest.__name__}")
    return succeeded(found)


def _lifted(message: Message) -> Message:
    """A reply of an older version as the newest has it."""
    if isinstance(message, sensor.ReadingGetReplyOld):
        return sensor.ReadingGetReply((sensor.SensorReading(message.value, 0),))
    if isinstance(message, sensor.ReadingCompleteOld):
        return sensor.ReadingComplete(message.sensor_id, (sensor.SensorReading(message.value, 0),))
    return message
