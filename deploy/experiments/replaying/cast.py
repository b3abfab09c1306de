"""Fresh cores for a recorded run, each behind a driver, and who is who among them.

Link identities of the recorded run are not known here, and new ones are drawn: rows name nodes, so names lead
from one to the other. What the cores send goes to whoever listens; nothing is delivered.
"""

from collections.abc import Callable, Iterator
from typing import Final

from bus import frames
from bus.links import XEN, Delivery
from bus.shmem import Memory, PrivateMemory
from deploy import assembly
from deploy.engines.driver import Driver
from deploy.experiments.history.recorded import Recorded
from deploy.recording.rows import domain_of, is_domain, retired_name
from nodes.contract import ALONE, Core, Epoch
from nodes.epochs import hello
from nodes.xen.core import XenCore
from nodes.xen.domain import Domain

FIRMWARE: Final = b"firmware"
TOOLSTACK: Final = b"toolstack"
XEN_NAME, FIRMWARE_NAME = "xen", "firmware"
NOBODY: Final = "nobody"
Heard = Callable[[str, str, bytes, bytes], bool]  # sender, receiver, envelope, page: whether it could be sent
Noted = Callable[[str, bytes], None]  # node, the note


class Ear:
    """A link that delivers nothing: it tells what is sent."""

    def __init__(self, player: "Player", heard: Heard) -> None:
        self._player = player
        self._heard = heard

    def send(self, peer: bytes, envelope: bytes, page: bytes) -> bool:
        return self._heard(self._player.name, self._player.name_of(peer), envelope, page)

    def receive(self) -> Delivery | None:
        """Messages come from rows."""
        return None

    def set_timeout_ns(self, timeout_ns: int | None) -> None:
        """Nothing is waited for."""

    def close(self) -> None:
        """There is nothing to close."""


class Player:
    """One life of a node. ``name`` is that of its rows; EL3 and guests know nobody but Xen."""

    def __init__(self, name: str, board: str, core: Core, heard: Heard, noted: Noted) -> None:
        self.name = name
        self.board = board

        def tap(now_ns: int, peer: bytes, event: int, envelope: bytes, page: bytes) -> None:
            if not peer and envelope:
                noted(name, envelope)

        self.driver = Driver(core, Ear(self, heard), lambda level, text: None, tap)

    def identity_of(self, peer: str) -> bytes:
        return XEN

    def name_of(self, peer: bytes) -> str:
        return "xen" + self.board


class XenPlayer(Player):
    """Xen, which knows everybody: its domains' rows are named as the recorded run named their lives."""

    def __init__(self, name: str, board: str, core: XenCore, heard: Heard, noted: Noted) -> None:
        super().__init__(name, board, core, heard, noted)
        self._by_link = core.hypervisor.by_link
        self._names = {FIRMWARE: "firmware" + board, TOOLSTACK: "toolstack" + board}
        self._identities = {name: identity for identity, name in self._names.items()}
        self.core = core

    def firmware(self, incarnation: int) -> bytes:
        """The link of the next EL3; what still comes from the one before is another name's."""
        name = "firmware" + self.board
        before, link = self._identities[name], b"firmware#%d" % incarnation
        self._names[before] = old = retired_name("firmware", incarnation - 1) + self.board
        self._identities[old] = before
        self._names[link], self._identities[name] = name, link
        return link

    def domain(self, life: str) -> Domain | None:
        """The domain that "ivi#2" is: the newest of that name that is no other life's."""
        identity = self._identities.get(life)
        if identity is not None:
            return self._by_link.get(identity)
        name = domain_of(life)
        name = name.removesuffix(self.board) if self.board else name  # what every board has, as "dom0.1"
        for link, domain in reversed(self._by_link.items()):
            if domain.name == name and link not in self._names:
                self._names[link], self._identities[life] = life, link
                return domain
        return None

    def identity_of(self, peer: str) -> bytes:
        known = self._identities.get(peer)
        if known is not None:
            return known
        domain = self.domain(peer)
        return b"?" + peer.encode() if domain is None else domain.link

    def name_of(self, peer: bytes) -> str:
        return self._names.get(peer) or (peer[1:].decode() if peer[:1] == b"?" else NOBODY)


class Cast:
    """``boot`` gives the player of a node that begins, None for one that no description is known of.

    ``players`` are those of now, by name.
    """

    def __init__(self, recorded: Recorded, heard: Heard, noted: Noted) -> None:
        self.players: dict[str, Player] = {}
        self._recorded = recorded
        self._heard = heard
        self._noted = noted
        self._identities = _identities()
        self._starts: dict[str, int] = {}
        self._memories: dict[str, Memory] = {}

    def boot(self, name: str) -> Player | None:
        """``name`` is that of rows: "xen", "firmware.1" on the board beside the first, "ivi#2"."""
        role, dot, number = name.partition(".")
        player: Player | None = None
        if is_domain(name):
            player = self._guest(name)
        elif role in (XEN_NAME, FIRMWARE_NAME) and (number or "0").isdecimal():
            made = self._recorded.board(int(number or 0))
            make = self._xen if role == XEN_NAME else self._firmware
            player = make(name, dot + number, made) if made is not None else None
        if player is not None:
            self.players[name] = player
        return player

    def _memory(self, board: str) -> Memory:
        """Carried pages are each node's own; mapped ones belong to all nodes of a board."""
        if self._recorded.carried:
            return PrivateMemory()
        return self._memories.setdefault(board, PrivateMemory())

    def _xen(self, name: str, board: str, made: Recorded) -> Player:
        start = self._start(name)
        before = self.players.get(name)
        domains = before.core.hypervisor.incarnations if isinstance(before, XenPlayer) else {}
        config = made.xen(start - 1, max(1, self._starts.get(FIRMWARE_NAME + board, 0)), domains)
        late: list[XenPlayer] = []
        core = assembly.xen(
            config,
            self._memory(board),
            self._identities,
            (FIRMWARE, TOOLSTACK),
            lambda incarnation: late[0].firmware(incarnation),  # noqa: PLW0108 - there is none yet
        )
        late.append(XenPlayer(name, board, core, self._heard, self._noted))
        return late[0]

    def _start(self, name: str) -> int:
        """The how many-th start of that node this is."""
        self._starts[name] = self._starts.get(name, 0) + 1
        return self._starts[name]

    def hello(self, board: str) -> bytes:
        """What EL3 says to a Xen that was started again beside it."""
        epoch = self._epoch(self._starts.get(FIRMWARE_NAME + board, 0))
        return frames.encode(hello(epoch, FIRMWARE_NAME))

    def _epoch(self, incarnation: int) -> Epoch:
        """Of a node of the run; a run that was recorded without its cluster had no epochs either."""
        cluster = bytes.fromhex(self._recorded.cluster)
        return Epoch(cluster, incarnation) if cluster else ALONE

    def _firmware(self, name: str, board: str, made: Recorded) -> Player:
        core = assembly.firmware(
            made.platform,
            self._memory(board),
            made.firmware,
            carried=made.carried,
            record=made.tuning.record,
            epoch=self._epoch(self._start(name)),
        )
        return Player(name, board, core, self._heard, self._noted)

    def _guest(self, life: str) -> Player | None:
        config = self._recorded.guest(life)
        if config is None:
            return None
        for xen in self.players.values():
            domain = xen.domain(life) if isinstance(xen, XenPlayer) else None
            if domain is not None:
                mapped, epoch = domain.info().mapped, self._epoch(domain.incarnation)
                core = assembly.guest(config, mapped, self._memory(xen.board), epoch)
                return Player(life, xen.board, core, self._heard, self._noted)
        return None


def _identities() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield b"R" + number.to_bytes(31, "big")
