"""What the twin plays: SCMI calls per second of this process' CPU time, every row recorded and written.

Cores tell notes and guests note each call, as in ``trapline run``.

One process with one thread at work: CPU time is the time of one core, and what else runs does not count.
"""

import tempfile
import time
from pathlib import Path

import msgspec

from deploy import generated
from deploy.experiments.describing.scenario import Timing
from deploy.experiments.history.files import Writer
from deploy.experiments.stages.simulated import SimulatedStage
from deploy.toolstack import Work
from deploy.topology import Topology
from nodes.guest.load import WorkPlan
from nodes.xen.config import Tuning

INSTANT = Timing(guest_us=0, xen_us=0, el3_us=0)
STEP_NS = 2_000_000
SECONDS = 3.0
BOOT_NS = 1_000_000  # of one domain, in round numbers
MIX = "reads"


class Twin:
    """So many boards with so many guests each, all of them at work, and their history on disk."""

    def __init__(self, boards: int, guests: int, folder: Path) -> None:
        folder.mkdir()
        self.writer = Writer(folder, {})
        topologies = [_noting(generated.topology(guests, first=number * guests)) for number in range(boards)]
        names = [guest.name for made in topologies for guest in made.guests]
        start_ns = BOOT_NS * len(names)  # everybody at once: what a boot costs is not the question
        plans = {
            name: WorkPlan(kind="closed", mix=MIX, seed=at, start_ns=start_ns, epoch_ns=0)
            for at, name in enumerate(names)
        }
        self.stage = SimulatedStage(
            topologies,
            seed=1,
            timing=INSTANT,
            work=Work(True, plans=plans, record=True),
            sink=self.writer.rows,
            on_full=self.writer.flush,
        )
        self.stage.start()
        self.stage.advance(start_ns)

    def calls(self) -> int:
        """What EL3 has answered, on all boards."""
        return sum(
            sum(board.engine.firmware.meters.counter("trapline_scmi_calls_total").values())
            for board in self.stage.boards
        )

    def rate(self, seconds: float) -> float:
        """SCMI calls per second of CPU time, the writing included."""
        calls, since = self.calls(), time.process_time()
        while time.process_time() < since + seconds:
            self.stage.advance(self.stage.now_ns() + STEP_NS)
        calls, took = self.calls() - calls, time.process_time() - since
        return calls / took

    def close(self) -> None:
        self.stage.stop()
        self.writer.close()


def _noting(topology: Topology) -> Topology:
    return msgspec.structs.replace(topology, tuning=Tuning(record=True))


def rates(seconds: float = SECONDS) -> dict[int, float]:
    """Calls per second with 4 domains, and with 1,000 on four boards."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="trapline-bench-") as folder:
        for boards, guests in ((1, 4), (4, 250)):
            twin = Twin(boards, guests, Path(folder) / str(guests))
            twin.rate(seconds / 3)
            found[boards * guests] = twin.rate(seconds)
            twin.close()
    return found
