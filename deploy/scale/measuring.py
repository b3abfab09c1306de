"""What platforms of many domains cost on this machine: started, asked, looked at, ended.

One function for each way to run them: real processes, guests that share processes, virtual time; and a child
of the fork server that does nothing, to compare with. It prints nothing (``python -m deploy.scale`` does).
"""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy import generated
from deploy.engines.options import Options
from deploy.engines.simulated import SimulatedEngine
from deploy.launching import forkserver
from deploy.launching.child import Child
from deploy.platform import Platform
from deploy.rundir import RunDirectory
from deploy.scale import nothing
from deploy.scale.footprint import Footprint, cpu_s, disk_bytes, footprint
from deploy.toolstack import DOM0, Toolstack, Work
from nodes.guest import console

CLOCK, RATE_GET = 0x14, 0x6
IDLE_S: Final = 5.0
CALLS_PER_S: Final = 400  # of all guests together, while they work
SETTLE_S: Final = 1.0
GUESTS_MOST: Final = generated.GUESTS_MAX
CALLS: Final = "trapline_guest_calls_total"


class Measured(msgspec.Struct, frozen=True):
    """Of ``platforms`` platforms at the same time. ``idle_cores``: CPU seconds per second of all processes
    with nothing to do; ``call_cpu_us``: CPU time of a call beyond that, 0 where it was not measured.
    """

    what: str
    platforms: int
    domains: int
    answered: int
    up_s: float
    down_s: float
    foot: Footprint
    ports: int
    disk_bytes: int
    idle_cores: float
    call_cpu_us: float = 0.0


class Several:
    """So many platforms in run directories of their own, with this process as the supervisor of all."""

    def __init__(self, folder: Path, platforms: int, guests: int, per_process: int, work: Work) -> None:
        topology = generated.topology(guests)
        options = Options(guests_per_process=per_process)
        self.folder = folder
        self.platforms = [
            Platform(topology, RunDirectory(folder / f"p{at}"), options, work) for at in range(platforms)
        ]
        self._begun: list[Platform] = []

    def start(self) -> float:
        """Seconds until the last one is ready."""
        since = time.monotonic()
        for platform in self.platforms:
            platform.start()
            self._begun.append(platform)
        return time.monotonic() - since

    def stop(self) -> float:
        """Seconds until nothing is left."""
        since = time.monotonic()
        while self._begun:
            self._begun.pop().stop()
        return time.monotonic() - since

    def run(self, seconds: float) -> float:
        """Keep all of them going; gives how long that was."""
        since = time.monotonic()
        while (spent := time.monotonic() - since) < seconds:
            for platform in self.platforms:
                platform.pump(min(0.05, seconds) / len(self.platforms))
                if platform.failure:
                    raise RuntimeError(platform.failure)
        return spent

    def nodes(self) -> list[dict[str, Any]]:
        return [facts for platform in self.platforms for facts in platform.engine.nodes().values()]

    def pids(self) -> set[int]:
        return {facts["pid"] for facts in self.nodes()}

    def ports(self) -> int:
        """That something listens on."""
        return len({facts["port"] for facts in self.nodes() if facts["port"]})

    def calls(self) -> int:
        """That guests have ended by now, as they told."""
        return sum(
            sum(numbers.get("counters", {}).get(CALLS, {}).values())
            for platform in self.platforms
            for numbers in platform.engine.stats().values()
        )

    def answered(self) -> int:
        """How many domains are answered for the clock that only they have; Dom0 needs only to listen."""
        return sum(_answers(platform.toolstack) for platform in self.platforms)


def _answers(toolstack: Toolstack) -> int:
    found = 0
    for info in toolstack.list():
        if info.name == DOM0:
            toolstack.ask(DOM0, console.Take())
            found += 1
        else:
            number = info.agent_id or 0
            answer = toolstack.ask(info.name, console.Call(CLOCK, RATE_GET, number.to_bytes(4, "little")))
            found += not answer.code and not answer.status
    return found


def real(platforms: int, guests: int, per_process: int = 0, load: bool = False) -> Measured:
    """On processes of this machine; with ``load`` a second time, with guests at work."""
    with several(platforms, guests, per_process, Work()) as made:
        up_s = made.start()
        answered = made.answered()
        foot, ports, disk = footprint(made.pids()), made.ports(), disk_bytes(made.folder)
        made.run(SETTLE_S)
        before = cpu_s(made.pids())
        spent_s = made.run(IDLE_S)
        idle = (cpu_s(made.pids()) - before) / spent_s
        down_s = made.stop()
    call_us = _call_us(platforms, guests, per_process, idle) if load else 0.0
    how = f"{per_process} guests a process" if per_process else "a process each"
    domains = platforms * (guests + 1)
    times = (up_s, down_s)
    return Measured(how, platforms, domains, answered, *times, foot, ports, disk, idle, call_us)


@contextmanager
def several(platforms: int, guests: int, per_process: int, work: Work) -> Iterator[Several]:
    """Not started; whatever was is ended."""
    with tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp") as folder, ExitStack() as stack:
        made = Several(Path(folder), platforms, guests, per_process, work)
        stack.callback(made.stop)
        yield made


def _call_us(platforms: int, guests: int, per_process: int, idle: float) -> float:
    """CPU time of a call in all processes together, beyond what they take with nothing to do."""
    think_ns = int(1e9 * platforms * guests / CALLS_PER_S)
    with several(platforms, guests, per_process, Work(True, think_ns)) as made:
        made.start()
        made.run(SETTLE_S)
        calls, before = made.calls(), cpu_s(made.pids())
        spent_s = made.run(IDLE_S)
        calls, cpu = made.calls() - calls, cpu_s(made.pids()) - before
        return 1e6 * (cpu - idle * spent_s) / max(1, calls)


# ---- to compare with ------------------------------------------------------------------------------


def plain(children: int) -> Measured:
    """Children of the fork server that do nothing, one after another."""
    with tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp") as folder:
        context = forkserver.acquire(folder)
        started: list[Child] = []
        try:
            since = time.monotonic()
            for at in range(children):
                started.append(Child(context, f"plain{at}", nothing.main, ""))
                started[-1].wait_ready()
            up_s = time.monotonic() - since
            foot = footprint([child.pid for child in started])
        finally:
            since = time.monotonic()
            _end(started)
            down_s = time.monotonic() - since
            forkserver.release()
    return Measured("a child that does nothing", 0, children, children, up_s, down_s, foot, 0, 0, 0.0)


def _end(children: Sequence[Child]) -> None:
    for child in children:
        child.end()
    for child in children:
        child.join()
        child.close()


# ---- virtual time -----------------------------------------------------------------------------------


def simulated(domains: int) -> Measured:
    """The same cores in this process, on as many platforms as that takes; nobody idles there."""
    platforms = -(-domains // (GUESTS_MOST + 1))
    each = domains // platforms - 1
    before = footprint([os.getpid()])
    since = time.monotonic()
    made: list[Toolstack] = []
    for seed in range(platforms):
        topology = generated.topology(each)
        engine = SimulatedEngine(topology, seed, lambda *_: None)
        made.append(Toolstack(engine, topology, Work()))
        made[-1].start()
    up_s = time.monotonic() - since
    since = time.monotonic()
    answered = sum(map(_answers, made))
    call_us = 1e6 * (time.monotonic() - since) / max(1, answered)
    after = footprint([os.getpid()])
    foot = msgspec.structs.replace(after, pss_bytes=after.pss_bytes - before.pss_bytes)
    count = platforms * (each + 1)
    return Measured("virtual time", platforms, count, answered, up_s, 0.0, foot, 0, 0, 0.0, call_us)
