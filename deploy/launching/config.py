"""What a node's process is started with: a file of its own, JSON, that nobody else may read.

It says who the process is and where the registry is; all else it hears from there. Keys are in files of their
own, never on a command line or in the environment.
"""

import os
import socket
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
from zmq.utils import z85

from deploy.errors import UserError
from deploy.files import private, read_text
from deploy.launching.identity import ROLES, is_cluster
from deploy.launching.wires import KEY_BYTES

BYTES_MAX: Final = 65_536
KEY_CHARACTERS: Final = 40  # Z85 of KEY_BYTES
PATIENCE_S: Final = 20.0
FORM: Final = "LAUNCHING.md says what a node's config holds"
AUTO: Final = "auto"


class NodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``registry``: "tcp://HOST:PORT"; ``registry_key``: its public key, Z85; ``key_file``: the node's own.

    ``incarnation`` 0: whichever is expected, and ``cluster`` may be empty: the registry's. The node asks for
    ``patience_s``. ``address``: where others reach this machine, AUTO: from where it reaches the registry;
    Xen listens there. ``metrics``: the address for the metrics port, "" for what the supervisor says;
    ``metrics_port`` 0: of the system's choice. ``folder``: where the node's private folder is made, "" for
    the machine's usual one.
    """

    cluster: str
    role: str
    name: str
    registry: str
    registry_key: str
    key_file: str
    incarnation: int = 0
    address: str = "127.0.0.1"
    metrics: str = ""
    metrics_port: int = 0
    folder: str = ""
    patience_s: float = PATIENCE_S


def write(folder: Path, config: NodeConfig, secret: bytes) -> Path:
    """Put the node's secret key and its config, which names it, there; gives the config's path.

    Both are new files of mode 0600. Raises OSError.
    """
    stem = f"{config.role}-{quote(config.name, safe='')}-{config.incarnation}"
    key = folder / f"{stem}.key"
    put(key, z85.encode(secret))
    path = folder / f"{stem}.json"
    put(path, msgspec.json.encode(msgspec.structs.replace(config, key_file=str(key.absolute()))))
    return path


def put(path: Path, content: bytes) -> None:
    """A new file of mode 0600. Raises OSError."""
    path.unlink(missing_ok=True)
    with open(path, "xb", opener=private) as file:
        file.write(content)


def load(path: Path, role: str) -> NodeConfig:
    """Raises UserError that names file, key, rule and remedy."""
    content = own_text(path)
    try:
        config = msgspec.json.decode(content, type=NodeConfig)
    except msgspec.DecodeError as error:
        raise UserError(f"{path}: {error}; {FORM}") from None
    problem = _problem(config, role)
    if problem:
        raise UserError(f"{path}: {problem}")
    return config


def _problem(config: NodeConfig, role: str) -> str:
    """The first key that is wrong, the rule, the remedy; empty if all is well."""
    checks = (
        (
            is_cluster(config.cluster) or not (config.cluster or config.incarnation),
            "cluster: not 32 hexadecimal digits; copy it, or leave it empty and the incarnation out",
        ),
        (config.role in ROLES, f"role: not one of {', '.join(ROLES)}; correct it"),
        (config.role == role, f"role: is {config.role!r}, the command line says {role!r}; make them agree"),
        (0 < len(config.name) <= 255, "name: must have 1 to 255 characters; correct it"),
        (config.incarnation >= 0, "incarnation: must not be negative; leave it out to be told"),
        (config.registry.startswith("tcp://"), "registry: not tcp://HOST:PORT; correct it"),
        (
            len(raw_key(config.registry_key)) == KEY_BYTES,
            "registry_key: not a key of 40 Z85 characters; copy it",
        ),
        (0 <= config.metrics_port <= 65535, "metrics_port: no port; give 0 to 65535"),
        (config.patience_s > 0, "patience_s: must be more than 0; correct it"),
    )
    return next((told for holds, told in checks if not holds), "")


def raw_key(text: str) -> bytes:
    """A key of KEY_CHARACTERS; empty if it is none."""
    try:
        return z85.decode(text.encode()) if len(text) == KEY_CHARACTERS else b""
    except (KeyError, ValueError, OverflowError):
        return b""


def registry_key(config: NodeConfig) -> bytes:
    """The registry's public key, raw."""
    return raw_key(config.registry_key)


def own_address(config: NodeConfig) -> str:
    """Where others reach this machine. Raises OSError while the registry's name means nothing."""
    if config.address != AUTO:
        return config.address
    host, _, port = config.registry.removeprefix("tcp://").rpartition(":")
    family, kind, protocol, _, peer = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:  # nothing is sent
        probe.connect(peer)
        found = str(probe.getsockname()[0])
    return f"[{found}]" if family == socket.AF_INET6 else found


def secret_key(config: NodeConfig, path: Path) -> bytes:
    """The node's secret key, raw; ``path`` is the config's. Raises UserError."""
    key_path = Path(config.key_file)
    found = raw_key(own_text(key_path, f"{path}: key_file: ").strip())
    if len(found) != KEY_BYTES:
        raise UserError(
            f"{path}: key_file: {key_path} holds no key of {KEY_CHARACTERS} Z85 characters; copy it"
        )
    return found


def own_text(path: Path, where: str = "") -> str:
    """The text of a file that only its owner may read, and the owner is this process' user or root."""
    try:
        content = read_text(path, BYTES_MAX)
        found = path.stat()
    except UserError as error:
        raise UserError(f"{where}{error}") from None
    except OSError as error:
        raise UserError(f"{where}{path}: {error.strerror}") from None
    if found.st_uid not in (0, os.geteuid()):
        raise UserError(f"{where}{path}: belongs to user {found.st_uid}; it must be yours: run 'chown' on it")
    mode = stat.S_IMODE(found.st_mode)
    if lets_others_in(mode, found.st_uid, found.st_gid, os.geteuid(), (os.getegid(), *os.getgroups())):
        raise UserError(f"{where}{path}: mode {mode:04o} lets others in; run 'chmod 600 {path}'")
    return content


def lets_others_in(mode: int, owner: int, group: int, me: int, groups: Collection[int]) -> bool:
    """Whether others than its owner may use a file. What root hands to a process of another user through that
    one's group, to be read only, is that process' own: so containers get their secrets.
    """
    handed = owner == 0 and me != 0 and group in groups
    return bool(mode & (0o037 if handed else 0o077))
