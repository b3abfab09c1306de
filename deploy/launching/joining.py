"""``python -m deploy.node --role ROLE --config FILE``: a node that finds its platform through the registry.

It registers, gets its specification and a lease, does a node's work (``deploy.node``), brings what it
recorded to the supervisor, and leaves. It knows no address but the registry's, and makes no identity up. It
ends at once when its lease lapses.
"""

import argparse
import os
import queue
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import msgspec

from bus.links import LinkError
from deploy import node
from deploy.engines.node_log import NodeLog
from deploy.engines.pids import die_with
from deploy.errors import UserError
from deploy.launching import config as node_config
from deploy.launching import messages as m
from deploy.launching.clock import NodeClock
from deploy.launching.config import NodeConfig
from deploy.launching.courier import EVERY_S, RING_EVERY_S, Courier
from deploy.launching.home import Home
from deploy.launching.identity import ROLES
from deploy.launching.member_link import Control, MemberLink
from deploy.launching.membership import LAPSED, Membership
from deploy.launching.wires import DealerWire
from deploy.metrics.access import Access
from deploy.specs import HERE, NodeSpec, XenSpec

MISUSED: Final = 2
TAKEN_S: Final = 10.0  # for one piece of a row file
PARTED_S: Final = 2.0


class Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; the command is python -m deploy.node --role ROLE --config FILE")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Raises UserError."""
    parser = Options(prog="python -m deploy.node", description="One node of a platform.")
    parser.add_argument("--role", required=True, choices=ROLES)
    parser.add_argument("--config", required=True, type=Path, help="who it is and where the registry is")
    parser.add_argument("--parent", type=int, default=0, help="the process that starts it: it dies with it")
    return parser.parse_args(arguments)


def machine() -> str:
    """The same for all processes that share CLOCK_MONOTONIC: one boot, one time namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {os.readlink('/proc/self/ns/time')}"


def command(arguments: Sequence[str]) -> int:
    """The command line; gives the exit code."""
    try:
        asked = options(arguments)
        found = node_config.load(asked.config, asked.role)
        secret = node_config.secret_key(found, asked.config)
        wire = DealerWire(found.registry, secret, node_config.registry_key(found))
    except (UserError, LinkError) as error:
        sys.stderr.write(f"trapline: {error}\n")
        return MISUSED
    if asked.parent and not die_with(asked.parent):
        return LAPSED
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    link = MemberLink(membership(found), wire)
    return Joined(found, link).work()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """An orderly end, before there is anything to end in order."""
    sys.exit(0)


def membership(found: NodeConfig) -> Membership:
    register = m.Register(
        0,
        m.VERSION,
        found.cluster,
        found.role,
        found.name,
        found.incarnation,
        machine(),
        socket.gethostname(),
        os.getpid(),
    )
    return Membership(register, int(found.patience_s * 1e9))


class Joined:
    """A node from its acceptance to its end."""

    def __init__(self, found: NodeConfig, link: MemberLink) -> None:
        self._config = found
        self._link = link
        self._home: Home | None = None
        self._address = ""

    def work(self) -> int:
        accepted = self._link.accepted.get()
        spec = self._at_home(msgspec.msgpack.decode(accepted.spec, type=NodeSpec), accepted.shared)
        courier = None
        if self._home is not None and spec.recording is not None:
            every_s = RING_EVERY_S if spec.recording.ring else EVERY_S
            courier = Courier(self._home.rows, self._take, every_s)
        code: Any = 0
        try:
            address = self._address if self._config.metrics else ""
            control = Control(self._link, lambda: os.kill(os.getpid(), signal.SIGTERM), address)
            node.run(spec, control, self._with_log, self._clock(accepted.machine))
        except SystemExit as ended:
            code = ended.code
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if courier is not None:
            courier.finish()
        self._part()
        if self._home is not None:
            self._home.remove()
        return int(code or 0)

    def _at_home(self, spec: NodeSpec, shared: bool) -> NodeSpec:
        """What is different on this machine: folders, addresses."""
        changed: dict[str, Any] = {}
        if not shared:
            self._home = Home(Path(self._config.folder or tempfile.gettempdir()))
            changed["run"] = str(self._home.path)
            if spec.recording is not None:
                recording = msgspec.structs.replace(spec.recording, folder=str(self._home.rows))
                changed["recording"] = recording
        self._address = node_config.own_address(self._config)
        if isinstance(spec.role, XenSpec):
            bind = spec.role.bind.replace(HERE, self._address, 1)
            changed["role"] = msgspec.structs.replace(spec.role, bind=bind)
        access = self._access(spec.options.metrics, shared)
        changed["options"] = msgspec.structs.replace(spec.options, metrics=access)
        return msgspec.structs.replace(spec, **changed)

    def _clock(self, supervisors: str) -> NodeClock:
        """The supervisor's CLOCK_MONOTONIC, which may be this machine's."""
        return NodeClock(0) if supervisors == machine() else self._link.clock()

    def _access(self, said: Access, shared: bool) -> Access:
        """To its metrics: what the supervisor says is about the supervisor's machine. On another one only the
        node's own config opens a port, and the supervisor relays.
        """
        if self._config.metrics:
            where = {"address": self._config.metrics, "port": self._config.metrics_port}
            return msgspec.structs.replace(said, **where)
        return said if shared else msgspec.structs.replace(said, serve=False)

    def _with_log(self, log: NodeLog) -> None:
        if self._home is not None:
            log.also = lambda line: self._link.tell(m.Lines([line]))

        def before_end(why: str) -> None:
            log.line("error", why)
            if self._home is not None:
                self._home.remove()

        self._link.before_end = before_end

    def _take(self, piece: m.Rows) -> bool:
        """Have the supervisor take it; False if it does not."""
        self._link.tell(piece)
        return self._wait(m.Took(piece.file, piece.at), TAKEN_S)

    def _part(self) -> None:
        self._link.tell(m.Leave())
        self._wait(m.Parted(), PARTED_S)
        self._link.close()

    def _wait(self, wanted: m.Took | m.Parted, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self._link.acknowledged.get(timeout=left) == wanted:
                    return True
            except queue.Empty:
                break
        return False
