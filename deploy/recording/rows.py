"""One row of what a node saw, as cheap as can be: a tuple.

(at_ns, node, peer, event, envelope, page). A message is a row of its receiver; one that could not be handed
over is a row of its sender. ``node`` and ``peer`` are names: "xen", "firmware", "toolstack", "run" (the
experiment itself), and for a domain its name and incarnation, "ivi#2". For a NOTE ``envelope`` is the
msgpack of ``nodes.contract.Note`` as a list, ``page`` empty.
"""

from typing import Final

Row = tuple[int, str, str, int, bytes, bytes]
RECEIVED: Final = 0
BOOTED: Final = 1  # the node's first event
TICKED: Final = 2
UNDELIVERED: Final = 3  # ``peer`` could not be reached; without a message: it is gone for good
LOST: Final = 4  # a link fault took it; a row of the sender
NOTE: Final = 5
INCARNATION_DIGITS: Final = 18  # a name in a file that somebody made may have thousands
EVENTS: Final = ("received", "booted", "ticked", "undelivered", "lost", "note")


def incarnate(name: str, incarnation: int) -> str:
    """How a domain is named in rows: "ivi#2"."""
    return f"{name}#{incarnation}"


def retired_name(role: str, incarnation: int) -> str:
    """How a platform's node that was replaced, and still speaks, is named in rows: "firmware~1"."""
    return f"{role}~{incarnation}"


def domain_of(node: str) -> str:
    """The name that ``incarnate`` was given: of "ivi#2" it is "ivi", of "xen" "xen"."""
    return node.partition("#")[0]


def incarnation_of(node: str) -> int:
    """Which life of a domain "ivi#2" is; 0 for a node that has none, as "xen"."""
    life = node.partition("#")[2]
    return int(life) if life.isdecimal() and len(life) <= INCARNATION_DIGITS else 0


def is_domain(node: str) -> bool:
    """Whether a node's name in rows is that of a domain."""
    return "#" in node
