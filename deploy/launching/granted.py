"""A registry's keys as files: its own secret, and whose each public key is. No node's secret is among them.

``registry.key`` is the secret, Z85; ``nodes.json`` maps "role/name" to the public key of who may register so.
"""

from pathlib import Path
from typing import Final

import msgspec
from zmq.utils import z85

from deploy.errors import UserError
from deploy.files import read_text
from deploy.launching import config
from deploy.launching.identity import ROLES
from deploy.launching.registry import Who
from deploy.launching.wires import KEY_BYTES, public_of

REGISTRY: Final = "registry.key"
NODES: Final = "nodes.json"
BYTES_MAX: Final = 1 << 20


class GrantedKeys:
    """``Keys`` for a launcher that starts no process: there is no secret of a node to give."""

    def __init__(self, secret: bytes, whose: dict[bytes, Who]) -> None:
        self.secret = secret
        self.public = public_of(secret)
        self._whose = whose

    def node(self, role: str, name: str) -> bytes:
        return b""

    def who(self, key: bytes) -> Who | None:
        return self._whose.get(key)


def contents(secret: bytes, nodes: dict[Who, bytes]) -> dict[str, bytes]:
    """The files by name, for ``nodes`` by their public keys."""
    return {REGISTRY: z85.encode(secret), NODES: listed(nodes)}


def listed(nodes: dict[Who, bytes]) -> bytes:
    """What NODES holds."""
    told = {f"{role}/{name}": z85.encode(key).decode() for (role, name), key in nodes.items()}
    return msgspec.json.encode(told)


def load(folder: Path) -> GrantedKeys:
    """Raises UserError that names file, key, rule and remedy."""
    path = folder / REGISTRY
    secret = config.raw_key(config.own_text(path).strip())
    if len(secret) != KEY_BYTES:
        raise UserError(f"{path}: holds no key of {config.KEY_CHARACTERS} Z85 characters; copy it")
    path = folder / NODES
    try:
        told = msgspec.json.decode(read_text(path, BYTES_MAX), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise UserError(f'{path}: {error}; give {{"guest/ivi": "PUBLIC KEY"}}') from None
    whose: dict[bytes, Who] = {}
    for who, text in told.items():
        role, _, name = who.partition("/")
        key = config.raw_key(text)
        if role not in ROLES or not name:
            raise UserError(f"{path}: {who!r}: not ROLE/NAME with a role of {', '.join(ROLES)}; correct it")
        if len(key) != KEY_BYTES:
            raise UserError(f"{path}: {who}: no key of {config.KEY_CHARACTERS} Z85 characters; copy it")
        if key in whose:
            raise UserError(f"{path}: {who}: has the key of {'/'.join(whose[key])}; give each its own")
        whose[key] = (role, name)
    return GrantedKeys(secret, whose)
