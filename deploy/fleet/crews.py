"""The crews that there are, by the name that --engine gives them."""

from collections.abc import Callable, Mapping
from typing import Final

from deploy.errors import UserError
from deploy.fleet.crew import Crew
from deploy.fleet.local_crew import LocalCrew
from deploy.fleet.ray_crew import RayCrew

Make = Callable[[int, Callable[[], None], str], Crew]
"""How many at once; what to call once in each process that is a fork of the coordinator's; where."""


def _local(size: int, in_child: Callable[[], None], _address: str) -> Crew:
    return LocalCrew(size, in_child=in_child)


def _ray(size: int, _in_child: Callable[[], None], address: str) -> Crew:
    return RayCrew(size, address)


CREWS: Final[Mapping[str, Make]] = {"local": _local, "ray": _ray}
ELSEWHERE: Final = frozenset({"ray"})  # those that are somewhere


def check(engine: str, address: str) -> None:
    """Raises UserError for an engine that there is not, and for one that does not know where it is."""
    if engine not in CREWS:
        raise UserError(f"--engine {engine}: a fleet's workers are {', '.join(CREWS)}")
    if engine in ELSEWHERE and not address:
        raise UserError(f"--engine {engine}: give --address HOST:PORT, where the cluster's head is")
    if address and engine not in ELSEWHERE:
        raise UserError(f"--address goes with --engine {' or '.join(ELSEWHERE)}")


def crew_of(engine: str, size: int, in_child: Callable[[], None], address: str = "") -> Crew:
    """Nobody works before the first job is given. Raises UserError as ``check``, and if nobody is there."""
    check(engine, address)
    return CREWS[engine](size, in_child, address)
