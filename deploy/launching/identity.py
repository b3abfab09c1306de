"""Who a process is: which cluster, which role, which name, and the how many-th of that name it is.

The supervisor gives identities out; a process never makes its own up. Whoever holds an older incarnation than
somebody else of its name is stale. It does not know how an identity is proven (``bus.links``) or told.
"""

import re
import secrets
from typing import Final, Literal

import msgspec

Role = Literal["xen", "firmware", "guest"]
ROLES: Final = ("xen", "firmware", "guest")
CLUSTER_BYTES: Final = 16
_CLUSTER: Final = re.compile(rf"[0-9a-f]{{{2 * CLUSTER_BYTES}}}")


class Identity(msgspec.Struct, frozen=True):
    """``cluster``: CLUSTER_BYTES random bytes as hex, new with every start of a platform. ``incarnation``
    counts from 1 for each name of a cluster.
    """

    cluster: str
    role: Role
    name: str
    incarnation: int

    def __str__(self) -> str:
        """For people: "ivi#2"."""
        return f"{self.name}#{self.incarnation}"


NOBODY: Final = Identity("", "guest", "", 0)


def new_cluster() -> str:
    """A cluster that nobody else has."""
    return secrets.token_hex(CLUSTER_BYTES)


def is_cluster(text: str) -> bool:
    """Whether it could be one."""
    return _CLUSTER.fullmatch(text) is not None


class Identities:
    """Gives out the identities of one cluster. ``newest``: the last incarnation of each name."""

    def __init__(self) -> None:
        self.cluster = new_cluster()
        self.newest: dict[str, int] = {}

    def next(self, role: Role, name: str) -> Identity:
        """The next of that name."""
        return self._give(role, name, self.newest.get(name, 0) + 1)

    def domain(self, name: str, incarnation: int) -> Identity:
        """The process of a domain that Xen calls its ``incarnation``-th: a Xen that is started again is told
        how many there were, and goes on from there.
        """
        return self._give("guest", name, incarnation)

    def _give(self, role: Role, name: str, incarnation: int) -> Identity:
        self.newest[name] = incarnation
        return Identity(self.cluster, role, name, incarnation)
