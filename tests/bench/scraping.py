"""What metrics cost: the calls of 16 guests that they take, and a core's time for a scrape each second.

Time is CPU time of the platform's own processes, told by the kernel for each of them: who else works on the
machine, Prometheus too, is not in it. A platform at rest is scraped as fast as it goes, and the cost of one
scrape taken for one second. Counting cannot be switched off for less than it costs (it is integer adds), so
it is timed by itself, statement by statement.
"""

import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from timeit import repeat

from deploy import generated
from deploy.experiments.stages.local import LocalStage
from deploy.toolstack import Work
from nodes.guest import console
from nodes.meters import Meters
from tests.bench.fleet import Fleet

GUESTS, AGENTS = 16, 32
SCRAPES = 30
WORK_S = 3.0
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
# Of one call, in all three processes: how often, and what.
COUNTED = (
    (4, "series[key] += 1"),  # a trap; in flight, and no more; a guest's call
    (1, "calls[label, 'clock', 'CLOCK_RATE_GET', 'SUCCESS'] += 1"),
    (2, "durations[key].observe(123_456)"),  # in EL3's hands; a guest's latency
    (8, "kinds[int] += 1"),  # frames of a kind, each way
    (8, "one.size += len(label) + len(label)"),  # their bytes
)


class _Sizes:
    size = 0


def cpu_s(pids: Iterable[int]) -> float:
    """CPU time of these processes so far: Linux' clock of each."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def counting_us() -> float:
    """What counting costs one call, microseconds."""
    xen, firmware = Meters("xen"), Meters("firmware")
    names = {
        "series": xen.counter("trapline_scmi_inflight_calls"),
        "calls": firmware.counter("trapline_scmi_calls_total"),
        "durations": xen.histogram("trapline_scmi_service_seconds"),
        "kinds": {int: 0},
        "one": _Sizes(),
        "label": "3",
        "key": ("3",),
    }
    number = 100_000
    each = {what: min(repeat(what, globals=names, number=number, repeat=7)) for _, what in COUNTED}
    return sum(times * each[what] for times, what in COUNTED) / number * 1e6


class Scraper:
    """Scrapes as Prometheus does: over connections that stay open."""

    def __init__(self, targets: Path) -> None:
        groups = [json.loads(file.read_bytes())[0] for file in sorted(targets.glob("*.json"))]
        self._connections = [http.client.HTTPConnection(group["targets"][0], timeout=30) for group in groups]
        self.bytes = self.scrape()

    def scrape(self) -> int:
        """Everybody once; how many bytes they said."""
        size = 0
        for connection in self._connections:
            connection.request("GET", "/metrics", headers={"Accept": ACCEPT, "Accept-Encoding": "gzip"})
            size += len(connection.getresponse().read())
        return size

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def cost_s(self, pids: list[int]) -> float:
        """CPU time that one scrape of everybody takes in these processes."""
        before = cpu_s(pids)
        for _ in range(SCRAPES):
            self.scrape()
        return (cpu_s(pids) - before) / SCRAPES


def calls_percent() -> float:
    """How many calls of 16 guests metrics take, counted and scraped each second, all on one core."""
    with tempfile.TemporaryDirectory(prefix="tl-bench-") as folder:
        fleet = Fleet(GUESTS, Path(folder))
        try:
            pids = [*(child.pid for child in fleet.engine.children.values()), fleet.load.pid]
            fleet.calls_per_s(0.5)
            calls, before = fleet.calls, cpu_s(pids)
            fleet.calls_per_s(WORK_S)
            call_s = (cpu_s(pids) - before) / (fleet.calls - calls)
            scraper = Scraper(fleet.engine.run.targets)
            scrape_s = scraper.cost_s(pids)
            scraper.close()
        finally:
            fleet.close()
    counting_s = counting_us() / 1e6
    sys.stderr.write(f"a call {call_s * 1e6:.1f} us, counting in it {counting_s * 1e6:.2f} us\n")
    sys.stderr.write(f"a scrape of Xen and EL3 with {GUESTS} agents: {scrape_s * 1e3:.2f} ms\n")
    return 100 * (scrape_s + counting_s / (call_s - counting_s))


def core_percent() -> float:
    """What a scrape each second takes of one core, of all processes of a platform with 32 guests."""
    with tempfile.TemporaryDirectory(prefix="tl-bench-") as folder:
        work = Work(run=True, think_ns=20_000_000)
        run = Path(folder) / "run"
        stage = LocalStage(generated.topology(AGENTS), work=work, record="none", run=run)
        stage.start()
        try:
            stage.advance(stage.now_ns() + int(WORK_S * 1e9))
            for name in [name for name in stage.engine.children if name not in ("xen", "firmware")]:
                stage.toolstack.ask(name, console.Work(run=False))
            pids = [child.pid for child in stage.engine.children.values()]
            scraper = Scraper(stage.engine.run.targets)
            cost_s = scraper.cost_s(pids)
            sys.stderr.write(f"{len(pids) + 1} processes with {AGENTS} agents say {scraper.bytes} bytes\n")
            scraper.close()
        finally:
            stage.stop()
    return 100 * cost_s


if __name__ == "__main__":
    sys.stdout.write(f"{GUESTS} guests: {calls_percent():.2f} % of calls\n")
    sys.stdout.write(f"{AGENTS} agents: {core_percent():.2f} % of a core\n")
