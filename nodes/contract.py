"""The contract of every core: ``step(event, now_ns) -> effects`` and ``deadline_ns()``.

Events and effects are frozen values. A core never learns which engine calls it: frames may have
come through ZeroMQ or through the simulated link, and time may be real or virtual.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from nodes.meters import Meters
from nodes.story import Story

NO_PAGE = b""
REPLACED = 75  # the exit code of a node that is not the one any more: EX_TEMPFAIL


class Boot(msgspec.Struct, frozen=True, gc=False):
    """The node's process is up and its link is open. The first event, once."""


class Received(msgspec.Struct, frozen=True, gc=False):
    """A frame came in. ``peer`` is what the link proves the sender to be; ``page`` may be empty."""

    peer: bytes
    frame: Any
    page: bytes


class Undelivered(msgspec.Struct, frozen=True, gc=False):
    """A frame could not be handed to its peer: there is no such link any more."""

    peer: bytes
    frame: Any


class Tick(msgspec.Struct, frozen=True, gc=False):
    """The core's own deadline has passed."""


class Epoch(msgspec.Struct, frozen=True, gc=False):
    """Which cluster a node was started in, and as which incarnation of its name, from 1.

    An empty cluster and 0 claim nothing: a node on its own, as in most tests.
    """

    cluster: bytes = b""
    incarnation: int = 0


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send ``frame`` to ``peer``, with the page bytes behind it when there are any."""

    peer: bytes
    frame: Any
    page: bytes = NO_PAGE


class SendBytes(msgspec.Struct, frozen=True, gc=False):
    """Send bytes that need not be a frame at all: what a hostile node puts on its link."""

    peer: bytes
    envelope: bytes
    page: bytes = NO_PAGE


class Log(msgspec.Struct, frozen=True, gc=False):
    """A line for the node's log; ``level`` is debug, info, warning or error."""

    level: str
    text: str


class Note(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A fact for the record that no frame shows; a core makes them only if its configuration says so.

    ``what`` names it (the table is in ``deploy.recording.notes``), ``request`` is the one it is
    about or 0, ``numbers`` and ``text`` are its values.
    """

    what: str
    request: int
    numbers: tuple[int, ...] = ()
    text: str = ""


class Halt(msgspec.Struct, frozen=True, gc=False):
    """The node is done: 0 for an orderly end, anything else for a failure it cannot outlive."""

    code: int
    reason: str


Event = Boot | Received | Undelivered | Tick
Effect = Send | SendBytes | Log | Note | Halt


ALONE = Epoch()


class Core(Protocol):
    """What an engine needs to know of a core."""

    meters: Meters
    story: Story

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """Take one event at a time in nanoseconds; the only method that changes the core."""
        ...

    def deadline_ns(self) -> int | None:
        """When the core wants a Tick, or None."""
        ...
