"""Many guests in one process, one link each, each with one call in flight: the load of the benchmark.

The guests are the product's own cores and drivers; only the process around them is the benchmark's.
"""

import signal
import time
from typing import Any

import zmq

from bus.links.zeromq import DealerLink
from bus.shmem import PrivateMemory
from deploy import assembly
from deploy.engines.driver import Driver
from nodes.guest.core import GuestConfig

Plan = tuple[str, list[tuple[bytes, GuestConfig, tuple[tuple[int, int, int], ...]]]]


def main(plan: Plan, control: Any) -> None:
    """Hear a number of seconds, work that long, say (calls, seconds); until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    endpoint, guests = plan
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    drivers = []
    for token, config, mapped in guests:
        link = DealerLink(endpoint, token, context=context)
        drivers.append(Driver(assembly.guest(config, mapped, PrivateMemory()), link, lambda *_: None))
    for driver in drivers:
        driver.boot(time.monotonic_ns())
        _take(driver)  # Welcome: the first call of the workload is under way
    control.send(("ready", {}))
    try:
        while True:
            control.send(("done", *_work(drivers, control.recv())))
    except (EOFError, OSError):
        context.destroy(linger=0)


def _take(driver: Driver) -> None:
    delivery = driver.link.receive()
    assert delivery is not None
    driver.deliver(delivery, time.monotonic_ns())


def _work(drivers: list[Driver], seconds: float) -> tuple[int, float]:
    """Round robin over the guests: take the answer, which rings the next doorbell."""
    now = time.monotonic_ns
    begin = now()
    end = begin + int(seconds * 1e9)
    calls = 0
    rounds = [(driver.link.receive, driver.deliver) for driver in drivers]
    while now() < end:
        for receive, deliver in rounds:
            deliver(receive(), now())  # type: ignore[arg-type]
        calls += len(rounds)
    return calls, (now() - begin) / 1e9
