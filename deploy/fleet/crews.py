"""The crews that there are, by the name that --engine gives them."""

from collections.abc import Callable, Mapping
from typing import Final

from deploy.errors import UserError
from deploy.fleet.crew import Crew
from deploy.fleet.local_crew import LocalCrew

Make = Callable[[int, Callable[[], None]], Crew]
"""How many at once; what to call once in each process that is a child of the coordinator's."""


def _local(size: int, in_child: Callable[[], None]) -> Crew:
    return LocalCrew(size, in_child=in_child)


CREWS: Final[Mapping[str, Make]] = {"local": _local}


def crew_of(engine: str, size: int, in_child: Callable[[], None]) -> Crew:
    """Nobody works before the first job is given. Raises UserError for an engine that there is not."""
    if engine not in CREWS:
        raise UserError(f"--engine {engine}: a fleet's workers are {', '.join(CREWS)}")
    return CREWS[engine](size, in_child)
