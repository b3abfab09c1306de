"""What the links of a platform are known by: tokens of EL3 and the toolstack, and on tcp Xen's CURVE key."""

from pathlib import Path

from deploy import specs
from deploy.launching.keyring import Keys
from deploy.launching.wires import new_keys, public_of


class Credentials:
    """``secret`` and ``server_key`` are None on ipc, where a token is all there is.

    EL3 has a token of its own as each incarnation (``firmware``), made of a root that only Xen knows besides.
    ``keys``: who keeps Xen's key; raises LaunchFailed if nobody has it.
    """

    def __init__(self, keys: Keys | None = None) -> None:
        self._keys = keys
        self._root, self.toolstack = next(specs.tokens()), next(specs.tokens())
        self.secret: bytes | None = None
        self.server_key: bytes | None = None

    @property
    def links(self) -> tuple[bytes, bytes]:
        """What Xen is told: the root of EL3's tokens, and the toolstack's."""
        return self._root, self.toolstack

    def firmware(self, incarnation: int) -> bytes:
        """EL3's token as its ``incarnation``-th."""
        return specs.firmware_token(self._root, incarnation)

    def bind(self, socket: Path, tcp_port: int | None, address: str = "127.0.0.1") -> str:
        """Where Xen listens; ``tcp_port`` None: ipc, 0: any. Xen keeps its key when it starts again."""
        if tcp_port is None:
            return f"ipc://{socket}"
        if self.secret is None:
            self.secret = new_keys()[1] if self._keys is None else self._keys.node("xen", "xen")
            self.server_key = public_of(self.secret)
        return f"tcp://{address}:{tcp_port or '*'}"
