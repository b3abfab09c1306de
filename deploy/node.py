"""One node's process: builds its core and link from a spec, then lets frames in until told to stop.

Runs in a child of the supervisor. It ends when told to (SIGTERM), when its core halts, or when its
supervisor is gone; it never outlives it.
"""

import os
import secrets
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from bus.links import XEN, Delivery, Link, LinkError
from bus.links.zeromq import TOKEN_BYTES, DealerLink, RouterLink
from bus.shmem import Memory, PrivateMemory
from deploy import assembly
from deploy.engines.driver import Driver
from deploy.exporter import serve, snapshot
from deploy.memory import MappedMemory
from deploy.rundir import replace
from nodes.contract import Core, Undelivered
from nodes.devicetree import Node, Tree
from nodes.firmware.platform import Platform
from nodes.firmware.profile import DEFAULT as STRICT_FIRMWARE
from nodes.firmware.profile import FirmwareProfile
from nodes.guest.core import GuestConfig, GuestCore
from nodes.xen.config import DEFAULTS, Tuning, XenConfig
from nodes.xen.profile import DEFAULT, Profile

LOG_LINES_MAX = 2000
INTERNAL_ERROR = 70
TICK_NS = 1_000_000
IDLE_NS = 500_000_000  # the longest wait: a signal may reach another thread, or just miss the wait


class XenSpec(msgspec.Struct, frozen=True, tag="xen"):
    """``bind`` is where to listen; ``secret`` (tcp only) is Xen's CURVE key.

    ``profile``, ``strict``, ``command_line`` and ``tuning`` as in ``nodes.xen.config``.
    """

    host: Node
    partials: dict[str, Node]
    bind: str
    firmware: bytes
    toolstack: bytes
    secret: bytes | None = None
    profile: Profile = DEFAULT
    strict: bool = False
    command_line: str = ""
    tuning: Tuning = DEFAULTS


class FirmwareSpec(msgspec.Struct, frozen=True, tag="firmware"):
    platform: Platform
    profile: FirmwareProfile = STRICT_FIRMWARE
    record: bool = False


class GuestSpec(msgspec.Struct, frozen=True, tag="guest"):
    config: GuestConfig
    mapped: tuple[tuple[int, int, int], ...]


class NodeSpec(msgspec.Struct, frozen=True):
    """All that a node's process is started with; travels through a pipe, never on a command line."""

    name: str
    role: XenSpec | FirmwareSpec | GuestSpec
    run: str
    carried: bool
    endpoint: str = ""
    token: bytes = b""
    server_key: bytes | None = None


class Stop(Exception):  # noqa: N818 - an order, not an error
    """SIGTERM arrived while the loop waited for a message."""


class Loop:
    """Receive, step, perform, until told to stop. The signal may interrupt only the wait itself."""

    def __init__(self, driver: Driver, link: Link) -> None:
        self._driver = driver
        self._link = link
        self._waiting = False
        self.stopping = False

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self.stopping = True
        if self._waiting:
            raise Stop

    def _wait(self) -> Delivery | None:
        try:
            self._waiting = True
            if self.stopping:
                return None
            return self._link.receive()
        except Stop:
            return None
        finally:
            self._waiting = False

    def _over(self) -> bool:
        return self._driver.halted is not None

    def run(self) -> None:
        """Until stopped or halted. The receive timeout moves only when it would fire too late.

        Between two Ticks a message is let in if there is one, even if the deadlines outrun the clock.
        """
        driver, core, link, wait = self._driver, self._driver.core, self._link, self._wait
        armed_ns = IDLE_NS
        link.set_timeout_ns(armed_ns)
        driver.boot(time.monotonic_ns())
        while not self.stopping and driver.halted is None:
            deadline_ns = core.deadline_ns()
            if deadline_ns is not None:
                remaining_ns = deadline_ns - time.monotonic_ns()
                if remaining_ns <= 0:
                    driver.tick(time.monotonic_ns())
                    if self._over():
                        return
                    deadline_ns = core.deadline_ns()
                    remaining_ns = IDLE_NS if deadline_ns is None else deadline_ns - time.monotonic_ns()
                    remaining_ns = max(0, remaining_ns)
                if armed_ns > remaining_ns + TICK_NS:
                    armed_ns = remaining_ns
                    link.set_timeout_ns(armed_ns)
            delivery = wait()
            if delivery is not None:
                driver.deliver(delivery, time.monotonic_ns())
            elif armed_ns != IDLE_NS:
                armed_ns = IDLE_NS
                link.set_timeout_ns(armed_ns)


class Log:
    """A bounded log file per node; past its bound lines are counted, not written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")
        self._lines = 0
        self.dropped = 0

    def line(self, level: str, text: str) -> None:
        if level == "debug":
            return
        self._lines += 1
        if self._lines > LOG_LINES_MAX:
            self.dropped += 1
            return
        self._file.write(f"{time.strftime('%H:%M:%S')} {level}: {text}\n")

    def close(self) -> None:
        if self.dropped:
            self._file.write(f"{self.dropped} further lines were not written\n")
        self._file.close()


def tokens() -> Iterator[bytes]:
    """Fresh link identities, unguessable; never starting with a zero byte, which ZeroMQ keeps for itself."""
    while True:
        token = secrets.token_bytes(TOKEN_BYTES)
        if token[0]:
            yield token


def _build(spec: NodeSpec, log: Log) -> tuple[Core, Link, Driver]:
    memory: Memory = PrivateMemory() if spec.carried else MappedMemory(Path(spec.run) / "shmem")
    role = spec.role
    if isinstance(role, XenSpec):
        return _build_xen(spec, role, memory, log)
    core: Core
    if isinstance(role, FirmwareSpec):
        core = assembly.firmware(
            role.platform, memory, role.profile, carried=spec.carried, record=role.record
        )
    else:
        core = assembly.guest(role.config, role.mapped, memory)
    link = DealerLink(spec.endpoint, spec.token, spec.server_key)
    return core, link, Driver(core, link, log.line)


def _build_xen(spec: NodeSpec, role: XenSpec, memory: Memory, log: Log) -> tuple[Core, Link, Driver]:
    late: list[Driver] = []

    def malformed(reason: str) -> None:
        late[0].malformed(reason)

    link = RouterLink([role.bind], malformed, role.secret)
    link.admit(role.firmware)
    link.admit(role.toolstack)

    def identities() -> Iterator[bytes]:
        for token in tokens():
            link.admit(token)
            yield token

    core = assembly.xen(
        XenConfig(
            Tree(role.host),
            {name: Tree(node) for name, node in role.partials.items()},
            carried=spec.carried,
            profile=role.profile,
            strict=role.strict,
            command_line=role.command_line,
            tuning=role.tuning,
        ),
        memory,
        identities(),
        (role.firmware, role.toolstack),
    )
    driver = Driver(core, link, log.line)
    late.append(driver)
    refusals = core.meters.counter("trapline_bus_dropped_total")

    def count_refusal() -> None:
        refusals[("handshake",)] += 1

    link.on_refused_handshake = count_refusal
    return core, link, driver


class Supervisor:
    """The other end of the pipe. Two threads speak: what they say must not be mixed up."""

    def __init__(self, control: Any) -> None:
        self._control = control
        self._speaking = threading.Lock()

    def tell(self, *message: Any) -> bool:
        """False when the supervisor is gone."""
        try:
            with self._speaking:
                self._control.send(message)
        except OSError:
            return False
        return True

    def watch(self, core: Core) -> None:
        """Answer its questions; die with it, whatever the main thread is doing."""
        while True:
            try:
                self._control.recv()
            except (EOFError, OSError):
                break
            if not self.tell("stats", snapshot(core.meters)):
                break
        os.kill(os.getpid(), signal.SIGKILL)


def _announce(spec: NodeSpec, port: int) -> Callable[[], None]:
    """Write the scrape target for file-based discovery; gives how to take it back."""
    path = Path(spec.run) / "sd" / f"{spec.name}.json"
    role = str(type(spec.role).__struct_config__.tag)
    target = [
        {
            "targets": [f"127.0.0.1:{port}"],
            "labels": {"job": "trapline", "process": spec.name, "role": role},
        }
    ]
    replace(path, msgspec.json.encode(target))
    return lambda: path.unlink(missing_ok=True)


def main(encoded: bytes, control: Any) -> None:
    """The child's entry point: says ("ready", facts), answers stats, ends with ("exit", code, why, stats)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    spec = msgspec.msgpack.decode(encoded, type=NodeSpec)
    Path("/proc/self/comm").write_text(f"trapline:{spec.name}"[:15], encoding="utf-8")
    supervisor = Supervisor(control)
    log = Log(Path(spec.run) / "log" / f"{spec.name}.log")
    try:
        core, link, driver = _build(spec, log)
        port, _ = serve(core.meters, str(type(spec.role).__struct_config__.tag))
    except (LinkError, OSError) as error:
        supervisor.tell("failed", str(error))
        return
    loop = Loop(driver, link)
    signal.signal(signal.SIGTERM, loop.stop)
    withdraw = _announce(spec, port)
    facts = {"pid": os.getpid(), "port": port, "endpoints": getattr(link, "endpoints", [])}
    supervisor.tell("ready", facts)
    threading.Thread(target=supervisor.watch, args=(core,), name="watch", daemon=True).start()
    try:
        loop.run()
    except Exception as error:
        _crash(spec.name, core, error)
        supervisor.tell("exit", INTERNAL_ERROR, f"internal error: {error!r}", snapshot(core.meters))
        sys.exit(INTERNAL_ERROR)
    _end(driver, supervisor, log)
    withdraw()
    link.close()
    log.close()


def _crash(name: str, core: Core, error: Exception) -> None:
    """An invariant broke: the traceback and the node's story, for whoever has to find out why."""
    lines = [*traceback.format_exception(error), f"the story of {name}, oldest first:\n"]
    sys.stderr.write("".join(lines) + "\n".join(core.story.lines()) + "\n")


def _end(driver: Driver, supervisor: Supervisor, log: Log) -> None:
    """What is still outstanding ends with an explicit error; the last numbers go to the supervisor."""
    halted = driver.halted
    if halted is None:
        if isinstance(driver.core, GuestCore):
            driver.feed(Undelivered(XEN, None), time.monotonic_ns())
        code, reason = 0, "stopped"
    else:
        code, reason = halted.code, halted.reason
        log.line("error" if code else "info", reason)
    if not supervisor.tell("exit", code, reason, snapshot(driver.core.meters)):
        log.line("error", "the supervisor is gone")
