"""Many guests in one process: one link each, whoever has a message or is due gets its turn.

The guests are ordinary cores and drivers, so a plan does the same here as in a process of its own. Times are
kept to some microseconds, which a socket's own timeout cannot. It knows neither supervisors nor scenarios.
"""

import heapq
import select
import time
from collections.abc import Callable, Sequence

import zmq
from zmq.backend import Socket as BackendSocket

from bus.links import XEN
from bus.links.zeromq import DealerLink
from bus.shmem import Memory
from deploy import assembly
from deploy.engines.driver import Driver, LogLine, Tap
from nodes.guest.config import GuestConfig

GUESTS_MAX = 512  # select(2) takes file descriptors below 1024, a socket has a few
_EVENTS, _READABLE = int(zmq.EVENTS), int(zmq.POLLIN)
Mapped = tuple[tuple[int, int, int], ...]
Place = tuple[bytes, GuestConfig, Mapped]  # a domain's token, its configuration, its stage 2


class Host:
    """Plays the domains of ``places`` over ``endpoint``. ``taps`` makes what is told of each one's messages.

    Raises ValueError for more than GUESTS_MAX.
    """

    def __init__(
        self,
        endpoint: str,
        places: Sequence[Place],
        memory: Memory,
        log: LogLine,
        taps: Callable[[str], Tap | None] = lambda _: None,
    ) -> None:
        if len(places) > GUESTS_MAX:
            raise ValueError(f"{len(places)} guests: one process plays {GUESTS_MAX}; use more processes")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self.drivers: list[Driver] = []
        self._sockets: list[tuple[Callable[[int], int], Callable[[], bytes]]] = []
        self._numbers: dict[int, int] = {}
        for number, (token, config, mapped) in enumerate(places):
            link = DealerLink(endpoint, token, context=self._context)
            core = assembly.guest(config, mapped, memory)
            self.drivers.append(Driver(core, link, log, taps(config.name)))
            socket = link.socket
            self._sockets.append((BackendSocket.get.__get__(socket), BackendSocket.recv.__get__(socket)))
            self._numbers[int(link.socket.getsockopt(zmq.FD))] = number
        self._due: list[tuple[int, int]] = []
        self._armed: list[int | None] = [None] * len(places)

    def boot(self) -> None:
        """The first event of each."""
        for number, driver in enumerate(self.drivers):
            driver.boot(time.monotonic_ns())
            self._serve(number)

    def run(self, until_ns: int) -> None:
        """Let them work until a time of the monotonic clock."""
        descriptors = list(self._numbers)
        while True:
            now_ns = time.monotonic_ns()
            if now_ns >= until_ns:
                return
            self._tick(now_ns)
            next_ns = min(self._due[0][0], until_ns) if self._due else until_ns
            wait_s = max(0, next_ns - time.monotonic_ns()) / 1e9
            for descriptor in select.select(descriptors, (), (), wait_s)[0]:
                self._serve(self._numbers[descriptor])

    def close(self) -> None:
        """Give up what is under way, and the sockets."""
        self._context.destroy(linger=0)

    def _tick(self, now_ns: int) -> None:
        """Those whose time has come. An entry may be older than what its guest wants by now."""
        due = self._due
        while due and due[0][0] <= now_ns:
            _, number = heapq.heappop(due)
            self._armed[number] = None
            driver = self.drivers[number]
            deadline_ns = driver.core.deadline_ns()
            if deadline_ns is not None and deadline_ns <= now_ns and driver.halted is None:
                driver.tick(now_ns)
            self._serve(number)

    def _serve(self, number: int) -> None:
        """Take all that is there: the descriptor tells only of what comes after it was looked at."""
        (events, receive), driver = self._sockets[number], self.drivers[number]
        while events(_EVENTS) & _READABLE:
            envelope = receive()
            driver.deliver((XEN, envelope, receive()), time.monotonic_ns())
        deadline_ns = driver.core.deadline_ns()
        armed_ns = self._armed[number]
        if deadline_ns is not None and driver.halted is None and (armed_ns is None or deadline_ns < armed_ns):
            self._armed[number] = deadline_ns
            heapq.heappush(self._due, (deadline_ns, number))
