"""A cluster's authority: the registry's key pair, and whose each public key is, since when and until when.

Kept in a folder: ``registry.key`` and ``nodes/ROLE-NAME.key`` are secrets (Z85), ``authority.json`` is the
allow-list, ``nodes.json`` what of it is valid now, for others (``deploy.launching.granted``). A process that
has the authority open sees changes of the list at once. It knows no socket.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
from zmq.utils import z85

from deploy.errors import UserError
from deploy.files import read_text
from deploy.keys import folder
from deploy.launching import config, granted
from deploy.launching.identity import ROLES, new_cluster
from deploy.launching.launcher import LaunchFailed
from deploy.launching.registry import Who
from deploy.launching.wires import KEY_BYTES, new_keys, public_of

LIST: Final = "authority.json"
NODES: Final = "nodes"
BYTES_MAX: Final = 1 << 20
ENTRIES_MAX: Final = 4096  # the oldest that are valid no more make room
NAME_MAX: Final = 255


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public key (Z85) and who may come with it. Times are seconds of the Unix epoch; ``until`` 0: no end.
    ``revoked``: it ended because somebody said so.
    """

    role: str
    name: str
    public: str
    since: float
    until: float = 0.0
    revoked: bool = False

    def valid(self, now: float) -> bool:
        return self.since <= now and (not self.until or now < self.until)

    @property
    def who(self) -> Who:
        return (self.role, self.name)


class AllowList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``registry``: the public key that nodes expect. ``cluster`` tells authorities apart, for people."""

    cluster: str
    registry: str
    made: float
    nodes: tuple[Entry, ...] = ()


class Authority:
    """``Keys`` of a launcher, from a folder. ``now`` gives the time. Raises UserError, also if others may
    look into the folder. Never shows a secret. ``mend``: the registry's key is about to be replaced.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time, *, mend: bool = False) -> None:
        self.path = path
        self._now = now
        self._lock = threading.Lock()
        folder.check(path)
        self.secret = _secret(path / granted.REGISTRY)
        self.public = public_of(self.secret)
        self._read()
        if self.list.registry != _text(self.public) and not mend:
            raise UserError(
                f"{path / LIST}: registry: not the public key of {granted.REGISTRY}; "
                f"run 'trapline keys rotate {path} --authority'"
            )

    def __repr__(self) -> str:
        return f"Authority({str(self.path)!r})"

    # ---- what a launcher and a registry ask ---------------------------------------------------

    def node(self, role: str, name: str) -> bytes:
        """The secret key of that node; raises LaunchFailed if it may not come."""
        self._refresh()
        entry = self.current((role, name))
        if entry is None:
            remedy = f"run 'trapline keys add {self.path} {role}:{name}'"
            raise LaunchFailed(f"{self.path}: no valid key for {role} {name}; {remedy}")
        try:
            secret = _secret(self._key_file(role, name))
        except UserError as error:
            raise LaunchFailed(str(error)) from None
        if _text(public_of(secret)) != entry.public:
            raise LaunchFailed(f"{self._key_file(role, name)}: not the key on the list; rotate {name}")
        return secret

    def who(self, key: bytes) -> Who | None:
        """Whose public key it is, now."""
        self._refresh()
        entry = self._by_key.get(key)
        return entry.who if entry is not None and entry.valid(self._now()) else None

    # ---- the list -----------------------------------------------------------------------------

    def _key_file(self, role: str, name: str) -> Path:
        return self.path / NODES / f"{role}-{quote(name, safe='')}.key"

    def _read(self) -> None:
        path = self.path / LIST
        try:
            stamp = path.stat()
            found = msgspec.json.decode(read_text(path, BYTES_MAX), type=AllowList)
        except (msgspec.DecodeError, OSError) as error:
            raise UserError(f"{path}: {error}; 'trapline keys new DIR' makes a list") from None
        self._stamp = (stamp.st_mtime_ns, stamp.st_ino)
        self._by_key = {_raw(path, entry): entry for entry in found.nodes}
        self.list = found

    def _refresh(self) -> None:
        """Others may have changed it; a list that cannot be read lets nobody in."""
        with self._lock:
            try:
                stamp = (self.path / LIST).stat()
                if (stamp.st_mtime_ns, stamp.st_ino) != self._stamp:
                    self._read()
            except (OSError, UserError):
                self._stamp = (0, 0)
                self._by_key = {}

    def current(self, who: Who) -> Entry | None:
        """The newest valid entry of a node."""
        now = self._now()
        known = reversed(self._by_key.values())
        return next((one for one in known if one.who == who and one.valid(now)), None)

    # ---- changes ------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Nobody else changes the list meanwhile, and what others changed before is in it."""
        with folder.locked(self.path):
            self._read()
            yield

    def add(self, who: Iterable[Who]) -> None:
        """New keys for nodes that have no valid one; raises UserError for who has."""
        wanted = list(who)
        with self._changing():
            for one in wanted:
                if self.current(one) is not None:
                    raise UserError(f"{one[0]}:{one[1]}: has a valid key; rotate it, or revoke it first")
            self._save([*self.list.nodes, *(self._new(one) for one in wanted)])

    def _new(self, who: Who) -> Entry:
        public, secret = new_keys()
        folder.write(self._key_file(*who), z85.encode(secret))
        return Entry(*who, _text(public), self._now())

    def rotate(self, name: str, grace_s: float) -> Entry:
        """A new key for a node; the old one is valid for ``grace_s`` more. Raises UserError."""
        with self._changing():
            who = self.named(name)
            kept = self._all_ended(who, self._now() + grace_s, revoked=False)
            entry = self._new(who)
            self._save([*kept, entry])
        return entry

    def revoke(self, name: str) -> Who:
        """No key of that node is valid any more, at once. Raises UserError."""
        with self._changing():
            who = self.named(name)
            self._save(self._all_ended(who, self._now(), revoked=True))
            self._key_file(*who).unlink(missing_ok=True)
        return who

    def _all_ended(self, who: Who, until: float, *, revoked: bool) -> list[Entry]:
        """The list, with an end for each key of that node."""
        nodes = self.list.nodes
        return [self._ended(one, until, revoked=revoked) if one.who == who else one for one in nodes]

    def _ended(self, entry: Entry, until: float, *, revoked: bool) -> Entry:
        if not entry.valid(self._now()) or (entry.until and entry.until <= until):
            return entry
        return msgspec.structs.replace(entry, until=max(until, entry.since), revoked=revoked)

    def rotate_authority(self) -> None:
        """A new key pair for the registry; nodes that were given the old one do not find it any more."""
        with self._changing():
            public, secret = new_keys()
            _renew(self.path, secret, msgspec.structs.replace(self.list, registry=_text(public)), self._now())
            self.secret, self.public = secret, public
            self._read()

    def named(self, name: str) -> Who:
        """The node that NAME or ROLE:NAME means; raises UserError."""
        known = {one.who for one in self.list.nodes}
        found = sorted(who for who in known if name in (who[1], f"{who[0]}:{who[1]}"))
        if len(found) != 1:
            there = ", ".join(f"{role}:{one}" for role, one in sorted(known)) or "none"
            raise UserError(f"{name}: {'no' if not found else 'more than one'} such node; there are {there}")
        return found[0]

    def _save(self, nodes: list[Entry]) -> None:
        now = self._now()
        while len(nodes) > ENTRIES_MAX:
            spare = next((one for one in nodes if not one.valid(now)), None)
            if spare is None:
                raise UserError(f"{self.path}: {len(nodes)} keys, the limit is {ENTRIES_MAX}; revoke some")
            nodes.remove(spare)
        _put(self.path, msgspec.structs.replace(self.list, nodes=tuple(nodes)), now)
        self._read()


def create(path: Path, who: Iterable[Who], now: Callable[[], float] = time.time) -> Authority:
    """A new authority in a new folder, with a key for each node; raises UserError."""
    folder.make(path)
    (path / NODES).mkdir(mode=folder.FOLDER_MODE)
    public, secret = new_keys()
    _renew(path, secret, AllowList(new_cluster(), _text(public), now()), now())
    made = Authority(path, now)
    made.add(dict.fromkeys(who))
    return made


def node(text: str) -> Who:
    """ROLE:NAME; raises UserError."""
    role, colon, name = text.partition(":")
    if role not in ROLES or not colon or not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise UserError(f"{text}: not ROLE:NAME with a role of {', '.join(ROLES)}; such as guest:ivi")
    return (role, name)


def opened(path: Path) -> "Authority | granted.GrantedKeys":
    """An authority, or just a registry's key and whom it knows; raises UserError."""
    return Authority(path) if (path / LIST).exists() else granted.load(path)


def _renew(path: Path, secret: bytes, allowed: AllowList, now: float) -> None:
    """The registry's secret, and a list that names its public key."""
    folder.write(path / granted.REGISTRY, z85.encode(secret))
    _put(path, allowed, now)


def _put(path: Path, allowed: AllowList, now: float) -> None:
    valid = {one.who: config.raw_key(one.public) for one in allowed.nodes if one.valid(now)}
    folder.write(path / LIST, msgspec.json.format(msgspec.json.encode(allowed), indent=1))
    folder.write(path / granted.NODES, granted.listed(valid))


def _secret(path: Path) -> bytes:
    found = config.raw_key(config.own_text(path).strip())
    if len(found) != KEY_BYTES:
        raise UserError(f"{path}: holds no key of {config.KEY_CHARACTERS} Z85 characters; rotate it")
    return found


def _text(key: bytes) -> str:
    return z85.encode(key).decode()


def _raw(path: Path, entry: Entry) -> bytes:
    found = config.raw_key(entry.public)
    if len(found) != KEY_BYTES or entry.role not in ROLES:
        raise UserError(f"{path}: nodes: {entry.role}:{entry.name}: no such role, or no key; add it again")
    return found
