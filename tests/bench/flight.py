"""What the flight recorder costs: CPU time per call of all nodes, with it and without, on real processes.

CPU time and not calls per second: the second depends on what else the machine does. Two platforms are up,
and their guests work in turn; the median of the rounds' ratios counts.
"""

import tempfile
from pathlib import Path
from statistics import median

from deploy import generated
from deploy.engines.local import Options
from deploy.platform import Platform
from deploy.rundir import RunDirectory
from deploy.toolstack import Work
from nodes.guest import console
from tests.bench.scraping import cpu_s

WARM_S = 0.05


class Working:
    """A generated platform whose guests call as fast as they are answered, when they are told to."""

    def __init__(self, guests: int, flight: bool, folder: Path) -> None:
        run = RunDirectory(folder / f"f{int(flight)}")
        self._names = [f"guest{number}" for number in range(guests)]
        topology = generated.topology(guests, shared=0)
        self._platform = Platform(topology, run, Options(), Work(False, 0), flight=flight)
        self._platform.start()

    def cost_us(self, seconds: float) -> float:
        """CPU time per answered call over so long."""
        self._work(True)
        self._platform.run(WARM_S)
        calls, cpu_s = self._now()
        self._platform.run(seconds)
        calls_after, cpu_after_s = self._now()
        self._work(False)
        return (cpu_after_s - cpu_s) / (calls_after - calls) * 1e6

    def _work(self, run: bool) -> None:
        for name in self._names:
            self._platform.toolstack.ask(name, console.Work(run))

    def _now(self) -> tuple[int, float]:
        children = self._platform.engine.children.values()
        for child in children:
            child.ask_stats()
        while any(child.asked for child in children):
            self._platform.pump(0.05)
        calls = sum(
            number
            for child in children
            for (_, outcome), number in child.stats["counters"].get("trapline_guest_calls_total", {}).items()
            if outcome == "answered"
        )
        return calls, cpu_s(child.pid for child in children)

    def close(self) -> None:
        self._platform.stop()


def percent(guests: int = 16, rounds: int = 40, seconds: float = 0.15) -> float:
    """How much more CPU time a call takes with the flight recorder."""
    ratios = []
    with tempfile.TemporaryDirectory(prefix="trapline-bench-") as folder:
        platforms = [Working(guests, flight, Path(folder)) for flight in (True, False)]
        try:
            for _ in range(rounds):
                with_it, without = (platform.cost_us(seconds) for platform in platforms)
                ratios.append(with_it / without)
        finally:
            for platform in platforms:
                platform.close()
    return (median(ratios) - 1) * 100
