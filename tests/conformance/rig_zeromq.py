"""The rig on real ZeroMQ over ipc: every node under test is an operating-system process of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import zmq

from bus.links.zeromq import DealerLink
from tests.conformance import node
from tests.conformance.rig import FIRMWARE, TOOLSTACK, Port, Rig, XenSpec

PATIENCE_S = 30.0
AFTER_HALT_S = 1.0
END_S = 10.0


class Child:
    """A node's process; closing its standard input ends it, and so does the end of this process."""

    def __init__(self, role: str, spec: node.NodeSpec) -> None:
        file = Path(node.__file__)
        command = [sys.executable, str(file), role, msgspec.json.encode(spec).decode()]
        # The code of this tree, whatever is installed.
        environment = {**os.environ, "PYTHONPATH": str(file.parents[2])}
        self.role = role
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self.fd = self._stdout.fileno()
        self._rest = b""

    def lines(self) -> list[dict[str, object]] | None:
        """What it said since the last call (waits for something); None once it has ended."""
        chunk = os.read(self.fd, 65536)
        if not chunk:
            return None
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        return [msgspec.json.decode(line) for line in whole]

    def end(self) -> None:
        self._stdin.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(END_S)
        self._stdout.close()


class ZeroMQRig(Rig):
    """Every wait has a deadline of PATIENCE_S; the ipc folder has a short name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="tl-rig-"))
        self._endpoint = f"ipc://{self._folder}/x"
        self._children: dict[int, Child] = {}
        self._links: dict[Port, DealerLink] = {}
        self._ports: dict[object, Port] = {}
        self._poller = zmq.Poller()

    # ---- nodes --------------------------------------------------------------------------------

    def start_xen(self, spec: XenSpec) -> None:
        self._start("xen", **msgspec.structs.asdict(spec))

    def start_firmware(self, platform: Path, pages: str = "") -> None:
        self._start("firmware", platform=str(platform), pages=pages)

    def _start(self, role: str, **spec: object) -> None:
        common = {"endpoint": self._endpoint, "firmware": FIRMWARE.hex(), "toolstack": TOOLSTACK.hex()}
        child = Child(role, msgspec.convert(common | spec, node.NodeSpec))
        self._children[child.fd] = child
        self._poller.register(child.fd, zmq.POLLIN)
        ready: list[bool] = []
        self._ready = ready
        self.wait(lambda: ready or self.halted, f"the {role} process")

    def _heard(self, child: Child) -> None:
        lines = child.lines()
        if lines is None:
            self._poller.unregister(child.fd)
            self.halted = self.halted or f"the {child.role} process ended"
            return
        for line in lines:
            if "log" in line:
                level, text = msgspec.convert(line["log"], tuple[str, str])
                self.lines.append((level, text))
            elif "halt" in line:
                self.halted = str(line["halt"])
            else:
                self._ready.append(True)

    # ---- ports --------------------------------------------------------------------------------

    def open(self, name: str, identity: bytes) -> Port:
        link = DealerLink(self._endpoint, identity)
        link.set_timeout_ns(1)  # it is read only after the poller saw a message
        port = Port(self, name, lambda envelope, page: link.send(b"", envelope, page))
        self._links[port] = link
        self._ports[link.socket] = port
        self._poller.register(link.socket, zmq.POLLIN)
        return port

    def shut(self, port: Port) -> None:
        link = self._links.pop(port)
        del self._ports[link.socket]
        self._poller.unregister(link.socket)
        link.close()

    def pump(self) -> bool:
        """One round of whatever is ready; False when PATIENCE_S passed without anything."""
        ready = self._poller.poll(1000 * (PATIENCE_S if self.halted is None else AFTER_HALT_S))
        # Logs first: what a node said, it said before it sent what we wait for.
        for source, _ in ready:
            if isinstance(source, int):
                self._heard(self._children[source])
        for source, _ in ready:
            port = self._ports.get(source)
            if port is not None:
                delivery = self._links[port].receive()
                assert delivery is not None
                port.arrived(delivery[1], delivery[2])
        return bool(ready)

    def warned(self, text: str) -> bool:
        while any(isinstance(source, int) for source, _ in self._poller.poll(0)):
            self.pump()
        return super().warned(text)

    def stop(self) -> None:
        try:
            for child in self._children.values():
                child.end()
            for port in list(self._links):
                self.shut(port)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
