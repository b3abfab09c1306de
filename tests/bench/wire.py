"""What CURVE over tcp costs: a trap that Xen answers by itself, there and back, against the same over ipc.

``python -m tests.bench.wire`` says p50 of both in microseconds and their ratio. Two platforms run side by
side and are asked in turn, so that both meet the same machine. It is the worst case: of a whole call, EL3 and
its work are a part that does not depend on the link.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bus import frames
from bus.links import XEN
from bus.links.zeromq import DealerLink
from deploy import generated
from deploy.engines.local import LocalEngine, Options
from deploy.rundir import RunDirectory

VERSION: Final = frames.PROTOCOL_VERSION
PSCI_VERSION: Final = (0x8400_0000, 0, 0, 0, 0, 0, 0, 0)
ROUNDS: Final = 11
CALLS: Final = 500


class Wire(msgspec.Struct, frozen=True):
    """p50 of a trap there and back, microseconds, and the median of the rounds' ratios."""

    ipc_us: float
    tcp_us: float
    ratio: float


class Caller:
    """A domain that nobody else plays."""

    def __init__(self, engine: LocalEngine) -> None:
        domid = engine.domctl(frames.CreateDomain("caller")).domid
        engine.domctl(frames.UnpauseDomain(domid))
        token = next(one.link for one in engine.domctl(frames.ListDomains()).domains if one.domid == domid)
        self.link = DealerLink(engine.endpoint, token, engine._credentials.server_key)
        self.link.set_timeout_ns(20_000_000_000)
        self.link.send(XEN, frames.encode(frames.Hello(VERSION, 1, 1, "guest")), b"")
        self._answer()
        self._request = 1

    def _answer(self) -> None:
        if self.link.receive() is None:
            raise RuntimeError("Xen did not answer")

    def p50_us(self) -> float:
        took = []
        for _ in range(CALLS):
            self._request += 1
            trap = frames.encode(frames.Trap(VERSION, self._request, self._request, 0x17, 0, PSCI_VERSION, 0))
            begun = time.perf_counter_ns()
            self.link.send(XEN, trap, b"")
            self._answer()
            took.append(time.perf_counter_ns() - begun)
        return statistics.median(took) / 1e3


@contextmanager
def caller(folder: Path, options: Options) -> Iterator[Caller]:
    engine = LocalEngine(generated.topology(1), RunDirectory(folder), options)
    engine.start()
    try:
        made = Caller(engine)
        try:
            yield made
        finally:
            made.link.close()
    finally:
        engine.stop()


def measure(rounds: int = ROUNDS) -> Wire:
    """Both in turn; the first round warms up."""
    with tempfile.TemporaryDirectory(prefix="trapline-wire-") as folder, ExitStack() as stack:
        ipc = stack.enter_context(caller(Path(folder) / "ipc", Options()))
        tcp = stack.enter_context(caller(Path(folder) / "tcp", Options(0)))
        pairs = [(ipc.p50_us(), tcp.p50_us()) for _ in range(rounds + 1)][1:]
    return Wire(
        statistics.median(one for one, _ in pairs),
        statistics.median(two for _, two in pairs),
        statistics.median(two / one for one, two in pairs),
    )


if __name__ == "__main__":
    found = measure()
    sys.stdout.write(f"ipc {found.ipc_us:.0f} us, tcp+CURVE {found.tcp_us:.0f} us, {found.ratio:.2f} times\n")
