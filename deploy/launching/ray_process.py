"""What all processes that talk to Ray have in common: they join a cluster, serve one parent, and end.

The parent's side, and why they are processes of their own, is in ``ray_pipe``. It does not know what Ray is
wanted for: that is a ``Driver``'s.
"""

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final, Protocol, TypeVar

from deploy.engines.pids import die_with
from deploy.errors import UserError
from deploy.launching.ray_pipe import Connect, Connected, Message, Refused, line

REACH_S: Final = 3.0
GRACE_S: Final = 2.0  # for Ray to leave a cluster that may be gone
WHY_CHARACTERS: Final = 300
MISSING: Final = "--engine ray: Ray is not installed; run: pip install 'trapline[ray]'"
LOST: Final = frozenset({
    "ActorDiedError", "ActorUnavailableError", "LocalRayletDiedError", "NodeDiedError", "RayActorError",
    "TaskCancelledError", "WorkerCrashedError",
})  # fmt: skip
M_contra = TypeVar("M_contra", contravariant=True)
M = TypeVar("M")
Say = Callable[[Message], None]


class Driver(Protocol[M_contra]):
    """Made of Ray and of what takes messages for the parent, from any thread."""

    def prepare(self, asked: Any) -> None:
        """The cluster is joined: see that what ``Connect`` says can be done there. Raises UserError."""
        ...

    def run(self, messages: Iterator[M_contra]) -> None:
        """Until there are no more."""
        ...


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


def _joined(address: str) -> Any:
    """Ray, in that cluster. Raises UserError."""
    try:
        ray = import_module("ray")
    except ImportError:
        raise UserError(MISSING) from None
    reached(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="CRITICAL", configure_logging=False)
    except Exception as error:  # Ray raises whatever it finds
        raise UserError(
            f"--address {address}: cannot be joined from this machine, which must run Ray too "
            f"('ray start --address={address}'): {short(error)}"
        ) from None
    return ray


def short(error: BaseException) -> str:
    """One line of what Ray says in many."""
    name = type(error).__name__
    if name in LOST:
        return f"Ray lost its worker or its machine ({name})"
    cause = getattr(error, "cause", None)
    lines = [one.strip() for one in str(cause or error).splitlines() if one.strip()] or [name]
    return lines[-1][:WHY_CHARACTERS]


def _speaker() -> Say:
    """Says messages to the parent. All else that is printed goes to stderr from now on."""
    out, lock = os.fdopen(os.dup(1), "wb", buffering=0), threading.Lock()
    os.dup2(2, 1)

    def say(message: Message) -> None:
        with lock:
            out.write(line(message))

    return say


def _heard(decode: Callable[[bytes], M]) -> Iterator[M]:
    """What the parent says, to its end. From then on nobody waits long for Ray, which may hang with a cluster
    that is gone.
    """
    for one in sys.stdin.buffer:
        yield decode(one)
    leaving = threading.Timer(GRACE_S, os._exit, (0,))
    leaving.daemon = True
    leaving.start()


def main(make: Callable[[Any, Say], Driver[M]], decode: Callable[[bytes], M]) -> int:
    """``python -m MODULE PARENT``: the whole process; gives its exit code."""
    if not die_with(int(sys.argv[1])):
        return 1
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of GPUs
    say = _speaker()
    messages = _heard(decode)
    first = next(messages, None)
    assert isinstance(first, Connect)
    try:
        ray = _joined(first.address)
        driver = make(ray, say)
        driver.prepare(first)
    except UserError as error:
        say(Refused(str(error)))
        return 1
    say(Connected(str(ray.util.get_node_ip_address())))
    driver.run(messages)
    ray.shutdown()
    return 0
