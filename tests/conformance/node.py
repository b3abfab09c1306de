"""A node under test in a process of its own: ``node.py xen SPEC`` or ``node.py firmware SPEC``.

SPEC is JSON. Log lines, readiness and Halt go to standard output as JSON lines. The process ends when its
standard input does, so it cannot outlive the test that started it.
"""

import os
import secrets
import shutil
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
from deploy.memory import MappedMemory
from deploy.topology import read_platform
from nodes.contract import Core
from nodes.firmware.core import FirmwareCore
from nodes.xen.config import XenConfig, XenEpoch
from nodes.xen.core import XenCore
from nodes.xen.profile import PROFILES


def build_memory(pages: str) -> Memory:
    """Shared pages in a folder, or pages of the node's own where they travel in frames."""
    return MappedMemory(Path(pages)) if pages else PrivateMemory()


def build_xen(spec: Any, identities: Iterator[bytes], firmware: bytes, toolstack: bytes) -> XenCore:
    """The shipped core, from the files that ``spec`` (a rig's XenSpec) names."""
    tree = devicetree.load([Path(spec.host)])
    partials = {name: devicetree.load([Path(path)]) for name, path in spec.partials.items()}
    config = XenConfig(
        tree,
        partials,
        spec.acpi,
        spec.smccc_version,
        carried=not spec.pages,
        profile=PROFILES[spec.profile],
        strict=spec.strict,
        command_line=spec.command_line,
        epoch=XenEpoch(bytes.fromhex(spec.cluster)),
    )
    return XenCore(config, build_memory(spec.pages), identities, firmware, toolstack)


def build_firmware(platform: Path, pages: str) -> FirmwareCore:
    return FirmwareCore(read_platform(platform), build_memory(pages), XEN)


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
    pages: str = ""
    profile: str = "v11"
    strict: bool = False
    command_line: str = ""
    cluster: str = ""


def tell(**what: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


def identities() -> Iterator[bytes]:
    while True:
        yield b"G" + secrets.token_bytes(31)


def end_with_input(endpoint: str) -> None:
    """End when the test process does; if it was killed, its folder is left to be removed here."""
    while os.read(0, 1):
        pass
    shutil.rmtree(Path(endpoint.removeprefix("ipc://")).parent, ignore_errors=True)
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
    threading.Thread(target=end_with_input, args=(spec.endpoint,), daemon=True).start()
    if role == "xen":
        link: Link = RouterLink([spec.endpoint], lambda reason: tell(log=["warning", f"malformed: {reason}"]))
        core: Core = build_xen(spec, identities(), firmware, toolstack)
    else:
        link = DealerLink(spec.endpoint, firmware)
        core = build_firmware(Path(spec.platform), spec.pages)
    return serve(core, link)


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    # The thread that watches standard input is still in a read: no orderly interpreter shutdown.
    os._exit(code)
