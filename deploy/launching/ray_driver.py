"""The only process that talks to Ray: a child of the supervisor, which orders nodes from it.

What both say is in ``ray_messages``. When this ends, Ray ends all actors that it made, and those their
nodes. It knows neither domains nor why a node is started. Each actor is started once (``max_restarts=0``):
who comes after a node that is lost is the supervisor's decision, for only it gives out incarnations.
"""

import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from zmq.utils import z85

from deploy import __version__
from deploy.errors import UserError
from deploy.launching import ray_messages as m
from deploy.launching import ray_process
from deploy.launching.ray_placing import Demand, Group, lacking
from deploy.launching.ray_process import short

GROUP_S: Final = 20.0  # for what is set aside to be free
PREPARE_S: Final = 8.0  # for a machine to answer, Ray's worker to start
TRIES: Final = 5
KILL_S: Final = 2.0  # for an actor to tell how its child ended, then the actor is killed as well
THREADS: Final = 4  # of an actor: one waits, others signal

Task = Callable[[], None]


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

    def prepare(self, asked: m.Connect) -> None:
        """Set aside what Xen and EL3 need. Raises UserError."""
        machines = [one["Resources"] for one in self._ray.nodes() if one["Alive"]]
        problem = lacking(asked.placing, machines)
        if problem:
            raise UserError(f"--engine ray: {problem}")
        self._set_aside(asked.placing.group())

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

    def run(self, messages: Iterable[m.ToDriver]) -> None:
        """Until there are no more, and what they asked for is done."""
        threading.Thread(target=self._listen, args=(messages,), daemon=True).start()
        while (task := self._tasks.get()) is not None:
            task()

    def _listen(self, messages: Iterable[m.ToDriver]) -> None:
        for message in messages:
            self._tasks.put(partial(self._act, message))
        self._tasks.put(None)

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


if __name__ == "__main__":
    sys.exit(ray_process.main(Driver, m.to_driver))
