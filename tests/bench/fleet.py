"""A generated platform of N guests for the benchmark, on real processes."""

import time
from pathlib import Path

from bus import frames
from deploy import generated
from deploy.engines.local import LocalEngine, Options
from deploy.launching.child import Child
from deploy.rundir import RunDirectory
from nodes.guest.core import GuestConfig
from tests.bench import load


class Fleet:
    """Real EL3 and Xen processes, N real domains, one load process that plays all of them."""

    def __init__(self, guests: int, folder: Path) -> None:
        self.guests = guests
        self.topology = generated.topology(guests, shared=0)
        self.engine = LocalEngine(self.topology, RunDirectory(folder / f"r{guests}"), Options())
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
        guest = self.topology.guests[at]
        domid = self._do(frames.CreateDomain(guest.name, 2, at, iommu=True)).domid
        for part in guest.iomem:
            self._do(frames.IomemPermission(domid, part.start_frame, part.frames, True))
            self._do(frames.MemoryMapping(domid, part.guest_frame, part.start_frame, part.frames))
        for path in guest.devices:
            self._do(frames.AssignDevice(domid, path))
        self._do(frames.UnpauseDomain(domid))
        info = next(row for row in self._do(frames.ListDomains()).domains if row.domid == domid)
        return info.link, GuestConfig(info.name, str(at), guest.binding, work=True), info.mapped

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
