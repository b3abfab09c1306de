"""What one process of guests can offer: an open loop against a target that answers everything at once.

``python -m tests.bench.offering`` says offered and achieved calls per second, and the latency from the
intended start. The guests are the product's; the target is a process of its own and does nothing else.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import zmq

from bus import frames, shmem
from bus.scmi import header
from bus.shmem import PrivateMemory
from deploy.experiments.stages.hosted import Host
from nodes.guest.binding import Binding, Consumer
from nodes.guest.config import GuestConfig
from nodes.guest.load import Part, WorkPlan
from nodes.meters import quantile_ns
from nodes.metrics import LATENCY_BUCKETS_NS

PAGE = 0x2200_1000
MIX = (Part("clock.CLOCK_RATE_GET", 3), Part("power.POWER_STATE_GET"))
SUCCESS, VERSION = bytes(8), bytes(4) + (0x2_0000).to_bytes(4, "little")


class Offered(msgspec.Struct, frozen=True):
    """Calls per second: ``offered`` arrived, ``achieved`` were answered; microseconds from the intended
    start. Every arrival is in ``answered``, ``failed`` or ``dropped``.
    """

    offered: float
    achieved: float
    p50_us: float
    p99_us: float
    answered: int
    failed: int
    dropped: int


def answer_at_once(endpoint: str) -> None:
    """The target: welcomes whoever comes, returns each trap with SUCCESS in its page. Ends with its stdin's
    owner.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.SNDHWM, 0)
    router.setsockopt(zmq.RCVHWM, 0)
    router.bind(endpoint)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        peer, envelope, page = router.recv_multipart()
        frame = frames.decode(envelope)
        if isinstance(frame, frames.Trap):
            head = shmem.fields(page)[3]
            payload = SUCCESS if header.message_id(head) else VERSION
            back: frames.Frame = frames.Return(1, frame.request, frame.cause, (0, 0, 0, 0))
            router.send_multipart((peer, frames.encode(back), shmem.reply(head, payload)))
        else:
            back = frames.Welcome(1, frame.request, 0, 1, "guest")
            router.send_multipart((peer, frames.encode(back), b""))


def places(
    guests: int, rate: float, epoch_ns: int, stop_ns: int
) -> list[tuple[bytes, GuestConfig, tuple[()]]]:
    """So many guests, which offer ``rate`` calls per second together."""
    found = []
    for at in range(guests):
        plan = WorkPlan(
            "open",
            rate=rate / guests,
            arrival="poisson",
            mix=MIX,
            seed=at,
            epoch_ns=epoch_ns,
            stop_ns=stop_ns,
        )
        binding = Binding("/scmi", 0x8200_0100 + at, PAGE, False, (Consumer("/dev", (at,), (at,)),))
        config = GuestConfig(f"guest{at}", str(at), binding, work=True, plan=plan)
        found.append((f"guest{at:027}".encode(), config, ((PAGE >> 12, PAGE >> 12, 1),)))
    return found  # type: ignore[return-value]


class PrivateMemories:
    """A memory for each guest: what is at one address is a page of its own each time it is mapped."""

    def map(self, address: int) -> bytearray:
        return PrivateMemory().map(address)


def offer(rate: float, guests: int, seconds: float) -> Offered:
    """One measurement, with a target of its own."""
    with tempfile.TemporaryDirectory(prefix="trapline-offer-") as folder:
        endpoint = f"ipc://{Path(folder) / 'target'}"
        command = [sys.executable, "-m", "tests.bench.offering", "--target", endpoint]
        target = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert target.stdout is not None
        try:
            target.stdout.readline()
            return _measured(endpoint, rate, guests, seconds)
        finally:
            target.kill()
            target.wait()
            target.stdout.close()


def _measured(endpoint: str, rate: float, guests: int, seconds: float) -> Offered:
    begin_ns = time.monotonic_ns() + 300_000_000  # everybody has learnt what it needs by then
    stop_ns = int(seconds * 1e9)
    host = Host(endpoint, places(guests, rate, begin_ns, stop_ns), PrivateMemories(), lambda *_: None)
    try:
        host.boot()
        host.run(begin_ns - 1_000_000)
        before, buckets = _counted(host), _latencies(host)
        host.run(begin_ns + stop_ns)
        achieved = _counted(host)["answered"] - before["answered"]
        host.run(begin_ns + stop_ns + 200_000_000)
        after = {name: count - before[name] for name, count in _counted(host).items()}
        took = [now - then for now, then in zip(_latencies(host), buckets, strict=True)]
    finally:
        host.close()
    failed = after["definite_error"] + after["indefinite_error"]
    whole = after["answered"] + failed + after["dropped"]
    return Offered(
        whole / seconds, achieved / seconds, quantile_ns(took, 0.5) / 1e3, quantile_ns(took, 0.99) / 1e3,
        after["answered"], failed, after["dropped"],
    )  # fmt: skip


def _counted(host: Host) -> dict[str, int]:
    total = dict.fromkeys(("answered", "definite_error", "indefinite_error", "dropped"), 0)
    for driver in host.drivers:
        counters = driver.core.meters.counters
        for (_, ending), count in counters["trapline_guest_calls_total"].items():
            total[ending] += count
        total["dropped"] += sum(counters["trapline_guest_arrivals_dropped_total"].values())
    return total


def _latencies(host: Host) -> Sequence[int]:
    total = [0] * (len(LATENCY_BUCKETS_NS) + 1)
    for driver in host.drivers:
        for one in driver.core.meters.histograms["trapline_scmi_call_duration_seconds"].values():
            total = [mine + more for mine, more in zip(total, one.counts, strict=True)]
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.offering", description=__doc__)
    parser.add_argument("--rate", type=float, default=17_000)
    parser.add_argument("--guests", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--target", default="")
    asked = parser.parse_args()
    if asked.target:
        answer_at_once(asked.target)
    sys.stdout.write(f"{offer(asked.rate, asked.guests, asked.seconds)}\n")


if __name__ == "__main__":
    main()
