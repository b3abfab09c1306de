"""Hypercalls and the boot as tasks under way: started, run to their next wait, answered.

It knows the toolstack's frames, locks and tasks; not traps, and not how an exchange reaches EL3 (``ring``).
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from bus import frames
from nodes.contract import Effect, Halt, Log
from nodes.limits import HYPERCALLS
from nodes.xen.answers import reply
from nodes.xen.errno import Errno, XenError
from nodes.xen.hypervisor import Hypervisor, Panic
from nodes.xen.tasks import Acquire, Exchange, Lock, Release, Running, Task

Ring = Callable[[Running, Exchange], XenError | None]


class RunningHypercalls:
    """At most HYPERCALLS at once; each gets one DomctlReply, into ``out``.

    ``ring`` sends an exchange, whose task is given to ``resume`` when it is over, or says why it cannot;
    ``hand_over`` gives a lock to the next in line.
    """

    def __init__(
        self, hypervisor: Hypervisor, out: list[Effect], ring: Ring, hand_over: Callable[[Lock], None]
    ) -> None:
        self._hypervisor = hypervisor
        self._out = out
        self._ring = ring
        self._hand_over = hand_over
        self._ready: deque[tuple[Running, Any]] = deque()
        self._running = 0
        self._boot_lock = Lock()
        self._boot_lock.held = True
        self._boot_begun = False
        self.booted = False

    # ---- what is asked ------------------------------------------------------------------------

    def boot(self) -> None:
        """Boot, the first time only."""
        if not self._boot_begun:
            self._boot_begun = True
            self._start(self._boot(), "boot")

    def _boot(self) -> Task[None]:
        try:
            yield from self._hypervisor.boot()
        except Panic as panic:
            self._out.append(Halt(1, f"Xen panics: {panic}"))
            return
        self.booted = True
        self._out.append(Log("info", f"boot done, {len(self._hypervisor.domains)} domains"))
        yield Release(self._boot_lock)

    def domctl(self, peer: bytes, frame: frames.Domctl) -> None:
        """Begin what the toolstack asks for, or refuse it."""
        if isinstance(frame.op, frames.ListDomains) and self.booted:
            self._list(peer, frame)
        elif self._running >= HYPERCALLS:
            detail = f"{HYPERCALLS} hypercalls are under way"
            self._out.append(reply(peer, frame, -Errno.EBUSY, 0, detail))
        else:
            self._start(self._serve(peer, frame), type(frame.op).__name__)

    def _serve(self, peer: bytes, frame: frames.Domctl) -> Task[None]:
        if not self.booted:
            yield Acquire(self._boot_lock)
            yield Release(self._boot_lock)
        try:
            if isinstance(frame.op, frames.ListDomains):
                self._list(peer, frame)
                return
            domid = yield from self._hypervisor.do(frame.op)
        except XenError as refusal:
            self._out.append(reply(peer, frame, -refusal.errno, 0, str(refusal)))
            return
        self._out.append(reply(peer, frame, 0, domid))

    def _list(self, peer: bytes, frame: frames.Domctl) -> None:
        rows = tuple(domain.info() for domain in self._hypervisor.domains.values())
        self._out.append(reply(peer, frame, 0, domains=rows))

    # ---- tasks --------------------------------------------------------------------------------

    def _start(self, task: Task[None], name: str) -> None:
        self._running += 1
        self.resume(Running(task, name), None)

    def resume(self, running: Running, value: Any) -> None:
        """Its wait is over: ``value`` is what it waited for, or the error to raise in it."""
        self._ready.append((running, value))

    def settle(self) -> None:
        """Run every task that can go on."""
        while self._ready:
            self._advance(*self._ready.popleft())

    def _advance(self, running: Running, value: Any) -> None:
        while True:
            try:
                if isinstance(value, XenError):
                    request = running.task.throw(value)
                else:
                    request = running.task.send(value)
            except StopIteration:
                self._running -= 1
                return
            value = None
            if isinstance(request, Release):
                self._hand_over(request.lock)
            elif isinstance(request, Acquire):
                if not request.lock.held:
                    request.lock.held = True
                elif request.lock.wait(running):
                    return
                else:
                    value = XenError(Errno.EBUSY, "too many wait for the lock")
            else:
                value = self._ring(running, request)
                if value is None:
                    return
