"""The keys of one platform's registry and nodes: who may register as whom.

``FreshKeys`` makes them anew each time. A secret leaves it for the node's own file only (``config.write``).
"""

from typing import Protocol

from deploy.launching.registry import Who
from deploy.launching.wires import new_keys, public_of


class Keys(Protocol):
    """What a registered launcher needs. Keys are raw; ``who`` is asked by several threads."""

    secret: bytes
    public: bytes

    def node(self, role: str, name: str) -> bytes:
        """The secret key of that node."""
        ...

    def who(self, key: bytes) -> Who | None:
        """Whose public key it is."""
        ...


class FreshKeys:
    """A key for the registry, and one for each name that is asked for."""

    def __init__(self) -> None:
        self.public, self.secret = new_keys()
        self._secrets: dict[Who, bytes] = {}
        self._whose: dict[bytes, Who] = {}

    def node(self, role: str, name: str) -> bytes:
        who = (role, name)
        if who not in self._secrets:
            self._secrets[who] = new_keys()[1]
            self._whose[public_of(self._secrets[who])] = who
        return self._secrets[who]

    def who(self, key: bytes) -> Who | None:
        return self._whose.get(key)
