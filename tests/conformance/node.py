"""A node under test in a process of its own: ``node.py xen SPEC`` or ``node.py firmware SPEC``.

SPEC is JSON. Log lines, readiness and Halt go to standard output as JSON lines. The process ends when its
standard input does, so it cannot outlive the test that started it.
"""

import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bus.links import XEN, Link
from bus.links.zeromq import DealerLink, RouterLink
from bus.shmem import Memory, PrivateMemory
from deploy import devicetree
from deploy.engines.driver import Driver
from deploy.topology import read_platform
from nodes.contract import Core
from nodes.firmware.core import FirmwareCore
from nodes.xen.core import XenCore
from nodes.xen.hypervisor import XenConfig


def build_xen(
    spec: Any, memory: Memory, identities: Iterator[bytes], firmware: bytes, toolstack: bytes
) -> XenCore:
    """The shipped core, from the files that ``spec`` (a rig's XenSpec) names."""
    tree = devicetree.load([Path(spec.host)])
    partials = {name: devicetree.load([Path(path)]) for name, path in spec.partials.items()}
    config = XenConfig(tree, partials, spec.acpi, spec.smccc_version)
    return XenCore(config, memory, identities, firmware, toolstack)


def build_firmware(platform: Path, memory: Memory) -> FirmwareCore:
    return FirmwareCore(read_platform(platform), memory, XEN)


class NodeSpec(msgspec.Struct):
    """What the command line carries; Xen's fields are those of the rig's XenSpec."""

    endpoint: str
    firmware: str
    toolstack: str
    host: str = ""
    partials: dict[str, str] = {}
    acpi: bool = False
    smccc_version: int = 0
    platform: str = ""


def tell(**what: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


def identities() -> Iterator[bytes]:
    while True:
        yield b"G" + secrets.token_bytes(31)


def end_with_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def serve(core: Core, link: Link) -> int:
    driver = Driver(core, link, lambda level, text: tell(log=[level, text]))
    link.set_timeout_ns(None)
    tell(ready=True)
    driver.boot(time.monotonic_ns())
    while driver.halted is None:
        delivery = link.receive()
        if delivery is not None:
            driver.deliver(delivery, time.monotonic_ns())
    tell(halt=driver.halted.reason)
    return driver.halted.code


def main(role: str, text: str) -> int:
    spec = msgspec.json.decode(text, type=NodeSpec)
    firmware, toolstack = bytes.fromhex(spec.firmware), bytes.fromhex(spec.toolstack)
    threading.Thread(target=end_with_input, daemon=True).start()
    if role == "xen":
        link: Link = RouterLink([spec.endpoint], lambda reason: tell(log=["warning", f"malformed: {reason}"]))
        core: Core = build_xen(spec, PrivateMemory(), identities(), firmware, toolstack)
    else:
        link = DealerLink(spec.endpoint, firmware)
        core = build_firmware(Path(spec.platform), PrivateMemory())
    return serve(core, link)


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    # The thread that watches standard input is still in a read: no orderly interpreter shutdown.
    os._exit(code)
