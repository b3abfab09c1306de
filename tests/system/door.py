"""A platform's door on the network: where it is, whom Xen refused there, and what it holds meanwhile."""

import os
from pathlib import Path
from typing import Final

from bus import frames
from deploy.platform import Platform
from nodes.guest import console
from tests.system import metrics
from tests.system.local import counter, pump_until

VERSION: Final = frames.PROTOCOL_VERSION
RATE: Final = console.Call(0x14, 0x6, (5).to_bytes(4, "little"))
HELLO: Final = frames.Hello(VERSION, 1, 1, "guest")


def place(platform: Platform) -> tuple[str, int]:
    host, _, port = platform.engine.endpoint.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def refused(platform: Platform, cause: str) -> float:
    return metrics.value(
        platform.engine.children["xen"].facts["port"], "trapline_bus_dropped_total", cause=cause
    )


def counted(platform: Platform, cause: str, least: float) -> None:
    """Wait until Xen has told so; it is not asked, for a scrape costs who is measured."""

    def told() -> bool:
        drops = counter(platform.engine.stats().get("xen", {}), "trapline_bus_dropped_total")
        return drops.get((cause,), 0) >= least

    pump_until(platform, told, f"{least} times {cause}")


def works(platform: Platform) -> None:
    assert platform.toolstack.ask("ivi", RATE).code == ""


def keys_of(platform: Platform) -> bytes:
    found = platform.engine._credentials.server_key
    assert found is not None
    return found


def intruder(platform: Platform) -> bytes:
    """The token of a domain that nobody plays."""
    engine = platform.engine
    domid = engine.domctl(frames.CreateDomain("intruder")).domid
    engine.domctl(frames.UnpauseDomain(domid))
    return next(one.link for one in platform.toolstack.list() if one.domid == domid)


def resources(platform: Platform) -> tuple[int, int]:
    """Descriptors and resident KiB of Xen's process."""
    pid = platform.engine.children["xen"].pid
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return len(os.listdir(f"/proc/{pid}/fd")), kib
