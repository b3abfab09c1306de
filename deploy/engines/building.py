"""A node's parts from its spec: core, link, driver, and what they tell a log or a recorder.

Runs in the node's own process. It does not know how the parts are kept going (``deploy.node``).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic_ns
from typing import Any

import msgspec

from bus.frames import PAGE_FRAME_BYTES_MAX
from bus.links import XEN, Link
from bus.links.faulty import FaultyLink
from bus.links.stamped import STAMP_BYTES, StampedLink, Time
from bus.links.zeromq import DealerLink, RouterLink
from bus.shmem import Memory, PrivateMemory
from deploy import assembly
from deploy.engines.driver import Driver, Tap
from deploy.engines.node_log import NodeLog
from deploy.memory import MappedMemory
from deploy.recording.rows import LOST
from deploy.recording.segments import Recorder
from deploy.specs import FirmwareSpec, NodeSpec, XenSpec, epoch_of, firmware_token, tokens
from nodes.contract import Core
from nodes.devicetree import Tree
from nodes.xen.config import XenConfig

FIRMWARE, TOOLSTACK = "firmware", "toolstack"


class Built(msgspec.Struct, frozen=True):
    """A node's parts. ``link`` is what its driver sends through: ``socket`` itself, or times and rules around
    it. ``stamped`` makes another socket tell times if the first one does.
    """

    core: Core
    socket: Link
    link: Link
    driver: Driver
    stamped: Callable[[Link], Link]


class Builder:
    """Makes a node's parts from its spec; ``tap`` is what its driver tells, if it records.

    ``context``: of all sockets of this process, if there are others. ``time``: what the node
    counts by, and tells its peers, on several machines.
    """

    def __init__(
        self,
        spec: NodeSpec,
        log: NodeLog,
        recorder: Recorder | None,
        context: Any = None,
        time: Time | None = None,
    ) -> None:
        self._time = time
        self._clock = monotonic_ns if time is None else time.now_ns
        self._spec = spec
        self._context = context
        self._log = log
        self._tap: Tap | None = recorder.tap if recorder is not None else None
        self._memory: Memory = PrivateMemory() if spec.carried else MappedMemory(Path(spec.run) / "shmem")

    def build(self) -> Built:
        role, epoch = self._spec.role, epoch_of(self._spec.identity)
        if isinstance(role, XenSpec):
            return self._xen(role)
        if isinstance(role, FirmwareSpec):
            options: dict[str, Any] = {"carried": self._spec.carried, "record": role.record}
            options["epoch"] = epoch
            return self._peer(assembly.firmware(role.platform, self._memory, role.profile, **options))
        return self._peer(assembly.guest(role.config, role.mapped, self._memory, epoch))

    def _peer(self, core: Core) -> Built:
        spec = self._spec
        socket = DealerLink(spec.endpoint, spec.token, spec.server_key, self._context)
        return self._driven(core, socket, lambda peer: XEN.decode())

    def _driven(self, core: Core, socket: Link, name_of: Callable[[bytes], str]) -> Built:
        link = self._stamped(socket)
        if self._spec.experiment:
            link = faulty = FaultyLink(link, self._spec.name, name_of, self._lost, self._clock)
            if self._spec.rules:
                faulty.obey(self._spec.rules)
        driver = Driver(core, link, self._log.line, self._tap)
        self._log.count_in(core.meters)
        self._log.about = lambda: driver.frame
        return Built(core, socket, link, driver, self._stamped)

    def _stamped(self, socket: Link) -> Link:
        return socket if self._time is None else StampedLink(socket, self._time)

    def _lost(self, peer: bytes, envelope: bytes, page: bytes) -> None:
        if self._tap is not None:
            self._tap(self._clock(), peer, LOST, envelope, page)

    def _xen(self, role: XenSpec) -> Built:
        late: list[Driver] = []

        def malformed(reason: str) -> None:
            late[0].malformed(reason)

        room = PAGE_FRAME_BYTES_MAX + (0 if self._time is None else STAMP_BYTES)
        link = RouterLink([role.bind], malformed, role.secret, room)
        link.admit(role.toolstack)
        others = {role.toolstack: TOOLSTACK}

        def firmware_link(incarnation: int) -> bytes:
            token = firmware_token(role.firmware, incarnation)
            link.admit(token)
            others[token] = FIRMWARE
            return token

        def identities() -> Iterator[bytes]:
            for token in tokens():
                link.admit(token)
                yield token

        core = assembly.xen(
            XenConfig(
                Tree(role.host),
                {name: Tree(node) for name, node in role.partials.items()},
                carried=self._spec.carried,
                profile=role.profile,
                strict=role.strict,
                command_line=role.command_line,
                tuning=role.tuning,
                epoch=role.epoch,
            ),
            self._memory,
            identities(),
            (firmware_link(role.epoch.firmware), role.toolstack),
            firmware_link,
        )

        def forget(token: bytes) -> None:
            link.dismiss(token)
            others.pop(token, None)

        core.retired.on_forgotten = forget

        def name_of(peer: bytes) -> str:
            domain = core.hypervisor.by_link.get(peer)
            return domain.name if domain is not None else others.get(peer, "")

        built = self._driven(core, link, name_of)
        late.append(built.driver)
        refusals = core.meters.counter("trapline_bus_dropped_total")

        def count_refusal(word: str, count: int) -> None:
            refusals[(word,)] += count

        link.on_refused = count_refusal
        return built
