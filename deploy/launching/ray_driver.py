"""The only process that talks to Ray: a child of the supervisor, which orders nodes from it.

It is a process of its own, for Ray brings threads, signal handlers and a gRPC that a supervisor must not
have. What both say is in ``ray_messages``. It ends when its stdin does; with it Ray ends all actors that it
made, and those their nodes. It knows neither domains nor why a node is started. Each actor is started once
(``max_restarts=0``): who comes after a node that is lost is the supervisor's decision, for only it gives out
incarnations.
"""

import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from zmq.utils import z85

from deploy import __version__
from deploy.errors import UserError
from deploy.launching import ray_messages as m
from deploy.launching.ray_placing import Demand, Group, lacking

REACH_S: Final = 3.0
GROUP_S: Final = 20.0  # for what is set aside to be free
PREPARE_S: Final = 8.0  # for a machine to answer, Ray's worker to start
TRIES: Final = 5
KILL_S: Final = 2.0  # for an actor to tell how its child ended, then the actor is killed as well
THREADS: Final = 4  # of an actor: one waits, others signal
WHY_CHARACTERS: Final = 300
MISSING: Final = "--engine ray: Ray is not installed; run: pip install 'trapline[ray]'"

Task = Callable[[], None]


def reached(address: str) -> None:
    """Raises UserError if nobody listens there: Ray itself would take a minute to say so."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"--address {address}: give HOST:PORT, as 'ray start --head' told it")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
    except OSError as error:
        raise UserError(
            f"--address {address}: no Ray cluster there ({error.strerror or error}); "
            "start one with 'ray start --head', or correct it"
        ) from None


class Driver:
    """``say`` takes messages for the supervisor."""

    def __init__(self, ray: Any, say: Callable[[m.FromDriver], None]) -> None:
        self._ray = ray
        self._say = say
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._actors: dict[int, Any] = {}
        self._ready: set[int] = set()  # whose machine has answered
        self._group: Any = None

    # ---- the cluster --------------------------------------------------------------------------

    def connect(self, asked: m.Connect) -> str:
        """Join and set aside what Xen and EL3 need; gives this machine's address. Raises UserError."""
        reached(asked.address)
        try:
            self._ray.init(
                address=asked.address, log_to_driver=False, logging_level="CRITICAL", configure_logging=False
            )
        except Exception as error:  # Ray raises whatever it finds
            raise UserError(
                f"--address {asked.address}: cannot be joined from this machine, which must run Ray too "
                f"('ray start --address={asked.address}'): {short(error)}"
            ) from None
        machines = [one["Resources"] for one in self._ray.nodes() if one["Alive"]]
        problem = lacking(asked.placing, machines)
        if problem:
            raise UserError(f"--engine ray: {problem}")
        self._set_aside(asked.placing.group())
        return str(self._ray.util.get_node_ip_address())

    def _set_aside(self, group: Group) -> None:
        from ray.util.placement_group import placement_group  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415

        self._group = placement_group(list(group.bundles), strategy=group.strategy)
        if not self._group.wait(GROUP_S):
            free = {tag: much for tag, much in self._ray.available_resources().items() if ":" not in tag}
            told = ", ".join(f"{tag}: {much:g}" for tag, much in sorted(free.items()) if "memory" not in tag)
            raise UserError(
                f"--engine ray: what Xen and EL3 need ({list(group.bundles)}, {group.strategy}) "
                f"was not free within {GROUP_S:.0f} s; free are {told or 'none'}: "
                "end what uses them, or add a machine"
            )

    # ---- nodes --------------------------------------------------------------------------------

    def hear(self, message: m.ToDriver) -> None:
        self._tasks.put(lambda: self._act(message))

    def end(self) -> None:
        """Let ``run`` return, when what was said before is done."""
        self._tasks.put(None)

    def run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def _act(self, message: m.ToDriver) -> None:
        if isinstance(message, m.Prepare):
            self._prepare(message)
            return
        if isinstance(message, m.Connect):
            return
        actor = self._actors.get(message.number)
        if actor is None:
            return
        number = message.number
        if isinstance(message, m.Begin):

            def failed(error: BaseException) -> None:
                self._ended(number, None, short(error))

            self._when(actor.begin.remote(message.role, message.config), lambda _: None, failed)
            self._when(actor.wait.remote(), lambda how: self._ended(number, *how), failed)
        elif isinstance(message, m.Signal):
            actor.signal.remote(message.signal)
        elif number in self._ready:
            actor.signal.remote(signal.SIGKILL)
            self._later(KILL_S, lambda: self._ended(number, None, "killed"))
        else:
            self._ended(number, None, "killed")

    def _prepare(self, message: m.Prepare, tries: int = 1) -> None:
        """Nothing runs before the machine has answered. So one that does not is left for another: Ray may
        have chosen one that is lost, before it knew that.
        """
        from deploy.launching.ray_actor import NodeActor  # noqa: PLC0415 - tells Ray where its code is

        number = message.number
        options = {"max_concurrency": THREADS, "max_restarts": 0, "name": f"{message.title}/{tries}"}
        actor = self._ray.remote(NodeActor).options(**options, **self._where(message.demand)).remote()
        self._actors[number] = actor

        def again(why: str) -> None:
            if self._actors.get(number) is actor and number not in self._ready:
                if tries == TRIES:
                    self._ended(number, None, why)
                else:
                    self._ray.kill(actor)
                    self._prepare(message, tries + 1)

        def there(told: tuple[str, bytes]) -> None:
            if self._actors.get(number) is actor:
                self._ready.add(number)
                self._say(m.Prepared(number, told[0], z85.encode(told[1]).decode()))

        def failed(error: BaseException) -> None:
            if isinstance(error, self._ray.exceptions.RayActorError):
                again(short(error))
            elif self._actors.get(number) is actor:
                self._ended(number, None, short(error))

        self._when(actor.prepare.remote(__version__), there, failed)
        self._later(PREPARE_S, lambda: again("no machine with room for it answered"))

    def _later(self, wait_s: float, task: Task) -> None:
        timer = threading.Timer(wait_s, lambda: self._tasks.put(task))
        timer.daemon = True
        timer.start()

    def _where(self, demand: Demand) -> dict[str, Any]:
        from ray.util import scheduling_strategies as s  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415

        resources = dict(demand.resources)
        found: dict[str, Any] = {"num_cpus": resources.pop("CPU"), "resources": resources}
        if demand.bundle >= 0:
            found["scheduling_strategy"] = s.PlacementGroupSchedulingStrategy(self._group, demand.bundle)
        elif demand.spread:
            found["scheduling_strategy"] = "SPREAD"
        return found

    def _when(
        self, reference: Any, then: Callable[[Any], None], failed: Callable[[BaseException], None]
    ) -> None:
        """When that is done."""

        def done(future: Any) -> None:
            error = future.exception()
            if error is None:
                self._tasks.put(lambda: then(future.result()))
            else:
                self._tasks.put(lambda: failed(error))

        reference.future().add_done_callback(done)

    def _ended(self, number: int, code: int | None, why: str) -> None:
        actor = self._actors.pop(number, None)
        self._ready.discard(number)
        if actor is not None:
            self._ray.kill(actor)
            self._say(m.Ended(number, code, why))


def short(error: BaseException) -> str:
    """One line of what Ray says in many."""
    name = type(error).__name__
    if name in ("ActorDiedError", "ActorUnavailableError", "RayActorError", "NodeDiedError"):
        return f"Ray lost its worker or its machine ({name})"
    cause = getattr(error, "cause", None)
    lines = [line.strip() for line in str(cause or error).splitlines() if line.strip()] or [name]
    return lines[-1][:WHY_CHARACTERS]


def _listen(driver: Driver, pipe: Any) -> None:
    for line in pipe:
        driver.hear(m.to_driver(line))
    driver.end()
    time.sleep(KILL_S)  # Ray may hang with a cluster that is gone; nobody waits for it longer
    os._exit(0)


def main() -> int:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of GPUs
    pipe, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what Ray prints is not for the supervisor
    lock = threading.Lock()

    def say(message: m.FromDriver) -> None:
        with lock:
            out.write(m.line(message))

    first = m.to_driver(pipe.readline())
    assert isinstance(first, m.Connect)
    try:
        import ray  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415
    except ImportError:
        say(m.Refused(MISSING))
        return 1
    driver = Driver(ray, say)
    try:
        say(m.Connected(driver.connect(first)))
    except UserError as error:
        say(m.Refused(str(error)))
        return 1
    threading.Thread(target=_listen, args=(driver, pipe), daemon=True).start()
    driver.run()
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
