"""The rig on the simulated link: virtual time, one process, the shipped driver and cores."""

from collections.abc import Iterator
from pathlib import Path

from bus.links import XEN
from bus.links.simulated import Network, SimulatedLink
from deploy.engines.driver import Driver
from nodes.contract import Core
from tests.conformance import node
from tests.conformance.rig import FIRMWARE, TOOLSTACK, Port, Rig, XenSpec


def _identities() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield b"G" + number.to_bytes(31, "big")


class SimulatedRig(Rig):
    """Nothing under way means that nothing will come: a wait ends at once instead of at a deadline."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self._network = Network(seed)
        self._drivers: dict[SimulatedLink, Driver] = {}
        self._ports: dict[SimulatedLink, Port] = {}

    def start_xen(self, spec: XenSpec) -> None:
        self._add(XEN, node.build_xen(spec, _identities(), FIRMWARE, TOOLSTACK))

    def start_firmware(self, platform: Path, pages: str = "") -> None:
        self._add(FIRMWARE, node.build_firmware(platform, pages))

    def _add(self, identity: bytes, core: Core) -> None:
        link = self._network.open(identity)
        driver = self._drivers[link] = Driver(
            core, link, lambda level, text: self.lines.append((level, text))
        )
        driver.boot(self._network.now_ns)

    def open(self, name: str, identity: bytes) -> Port:
        link = self._network.open(identity)
        port = Port(self, name, lambda envelope, page: link.send(XEN, envelope, page))
        self._ports[link] = port
        return port

    def shut(self, port: Port) -> None:
        link = next(link for link, known in self._ports.items() if known is port)
        link.close()

    def pump(self) -> bool:
        found = self._network.next()
        if found is None:
            return False
        link, delivery = found
        if link in self._ports:
            _, envelope, page = delivery
            self._ports[link].arrived(envelope, page)
            return True
        driver = self._drivers[link]
        driver.deliver(delivery, self._network.now_ns)
        if driver.halted is not None and self.halted is None:
            self.halted = driver.halted.reason
            link.close()
        return True

    def stop(self) -> None:
        """Nothing outlives the objects."""
