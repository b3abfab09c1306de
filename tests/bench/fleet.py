"""A platform of N guests for the benchmark: its tree and resources written out, its domains created."""

import time
from pathlib import Path

from bus import frames
from deploy import devicetree
from deploy.engines.child import Child
from deploy.engines.local import LocalEngine, Options
from deploy.rundir import RunDirectory
from deploy.topology import Topology
from nodes.firmware.platform import Agent, Clock, Device, Platform, PowerDomain
from nodes.guest.binding import Binding, Consumer
from nodes.guest.core import GuestConfig
from tests.bench import load

BASE_FID, BASE_PAGE = 0x8200_0100, 0x5000_0000
XEN_FID, XEN_PAGE = 0x8200_0003, 0x47FF_1000
GUEST_PAGE = 0x2200_1000


def topology(guests: int, folder: Path) -> Topology:
    """``guests`` secondary agents, one device with a clock and a power domain for each."""
    path = folder / f"host{guests}.dts"
    path.write_text(_source(guests))
    agents = [Agent(255, "xen", XEN_FID, XEN_PAGE, trusted=True)]
    agents += [Agent(at, f"guest{at}", BASE_FID + at, BASE_PAGE + at * 0x1000) for at in range(guests)]
    numbers = range(guests)
    platform = Platform(
        name=f"bench{guests}",
        agent=tuple(agents),
        clock=tuple(Clock(at, f"clock{at}", (100, 200, 300), 100) for at in numbers),
        power_domain=tuple(PowerDomain(at, f"power{at}") for at in numbers),
        device=tuple(Device(at, f"device{at}", (at,), (at,)) for at in numbers),
    )
    return Topology(platform.name, devicetree.load([path]), platform, {}, {}, ())


def _source(guests: int) -> str:
    pages = "".join(
        f'shm{at}: sram@{BASE_PAGE + at * 0x1000:x} {{ compatible = "arm,scmi-shmem"; '
        f"reg = <0 {BASE_PAGE + at * 0x1000:#x} 0 0x1000>; }};\n"
        for at in range(guests)
    )
    entries = " ".join(f"{BASE_FID + at:#x} &shm{at} {at}" for at in range(guests))
    devices = "".join(
        f"device@{at:x} {{ reg = <0 {at:#x} 0 1>; xen,passthrough; access-controllers = <&xen {at}>; }};\n"
        for at in range(guests)
    )
    return f"""/dts-v1/;
/ {{
    #address-cells = <2>; #size-cells = <2>;
    {devices}
    chosen {{ #address-cells = <2>; #size-cells = <2>; ranges;
        config {{ compatible = "xen,sci"; #address-cells = <2>; #size-cells = <2>; ranges;
            scmi-secondary-agents = <{entries}>;
            {pages}
            own: sram@{XEN_PAGE:x} {{ compatible = "arm,scmi-shmem"; reg = <0 {XEN_PAGE:#x} 0 0x1000>; }};
            xen: scmi {{ compatible = "arm,scmi-smc"; arm,smc-id = <{XEN_FID:#x}>; shmem = <&own>;
                #access-controller-cells = <1>; }};
        }};
    }};
}};
"""


class Fleet:
    """Real EL3 and Xen processes, N real domains, one load process that plays all of them."""

    def __init__(self, guests: int, folder: Path) -> None:
        self.guests = guests
        self.engine = LocalEngine(topology(guests, folder), RunDirectory(folder / f"r{guests}"), Options())
        self.engine.start()
        try:
            created = [self._create(at) for at in range(guests)]
            plan = (self.engine.endpoint, created)
            self.load = Child(self.engine._context, f"load{guests}", load.main, plan)
            self.load.wait_ready()
            self.calls = 0
        except BaseException:
            self.engine.stop()
            raise

    def _do(self, op: frames.Op) -> frames.DomctlReply:
        reply = self.engine.domctl(op)
        assert not reply.rc, reply.detail
        return reply

    def _create(self, at: int) -> tuple[bytes, GuestConfig, tuple[tuple[int, int, int], ...]]:
        domid = self._do(frames.CreateDomain(f"guest{at}", 2, at, iommu=True)).domid
        frame = BASE_PAGE // 4096 + at
        self._do(frames.IomemPermission(domid, frame, 1, True))
        self._do(frames.MemoryMapping(domid, GUEST_PAGE // 4096, frame, 1))
        self._do(frames.AssignDevice(domid, f"/device@{at:x}"))
        self._do(frames.UnpauseDomain(domid))
        info = next(row for row in self._do(frames.ListDomains()).domains if row.domid == domid)
        consumer = Consumer("/device", (at,), (at,), ())
        binding = Binding("/scmi", BASE_FID + at, GUEST_PAGE, False, (consumer,))
        return info.link, GuestConfig(info.name, str(at), binding, work=True), info.mapped

    def calls_per_s(self, seconds: float) -> float:
        """One measured stretch, with the supervisor's heartbeat going on as always."""
        self.load.pipe.send(seconds)
        while not self.load.pipe.poll(0):
            self.engine.pump(0.05)
        _, calls, took = self.load.pipe.recv()
        self.calls += calls
        return float(calls / took)

    def check(self) -> None:
        """What the load counted, EL3 answered: raises RuntimeError when it did not."""
        child = self.engine.children["firmware"]
        since = time.monotonic()
        while child.stats_at < since + 1:
            self.engine.pump(0.1)
        answered = sum(child.stats["counters"]["trapline_scmi_calls_total"].values())
        if answered < self.calls:
            raise RuntimeError(f"{self.calls} calls were counted, EL3 answered {answered}")

    def close(self) -> None:
        self.load.kill()
        self.load.close()
        self.engine.stop()
