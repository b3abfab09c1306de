"""The swarm against planted bugs: the first seed that finds each. ``python -m tests.stress.planted [SEEDS]``
tells all of them.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from deploy.engines.simulated import SimulatedEngine
from deploy.errors import UserError
from deploy.experiments.describing import problems
from deploy.experiments.searching.swarm import try_seed
from tests.plants import el3, xen

SEEDS: Final = 500
ELSEWHERE: Final = ("serves-any-xen", "never-retires")  # shown by those who were cut off: no swarm does that
BUGS: Final = [
    (node, name)
    for node, plants in (("firmware", el3.PLANTS), ("xen", xen.PLANTS))
    for name in plants
    if name not in ELSEWHERE
]
PLANT: Final[dict[str, Callable[[Any, str, int], None]]] = {"firmware": el3.plant, "xen": xen.plant}


@contextmanager
def planted(node: str, name: str, seed: int) -> Iterator[None]:
    """Every such node that is built meanwhile has the bug."""
    method = f"build_{node}"
    build: Callable[..., Any] = getattr(SimulatedEngine, method)

    def spoiled(engine: SimulatedEngine, *arguments: Any) -> Any:
        core = build(engine, *arguments)
        PLANT[node](core, name, seed)
        return core

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedEngine, method, spoiled)
        yield


def first_seed_that_finds(node: str, name: str, seeds: int = SEEDS, by: str = "") -> tuple[int, str] | None:
    """The first seed that does not pass, and why; None if all of them do. ``by``: who must notice."""
    scenario, _, _ = problems.read("swarm")
    for seed in range(1, seeds + 1):
        with planted(node, name, seed):
            try:
                result = try_seed(scenario, seed)
            except UserError as error:  # the platform does not even boot
                if not by:
                    return seed, str(error)
                continue
        noticed = {one.name for one in result.checkers if one.violations}
        if result.verdict != "pass" and (not by or by in noticed):
            return seed, result.reason
    return None


def first_false_alarm(put: Callable[[pytest.MonkeyPatch], None], seeds: int = SEEDS) -> int | None:
    """The first seed on which a spoiled checker sees wrong where nothing is."""
    scenario, _, _ = problems.read("swarm")
    with pytest.MonkeyPatch.context() as patch:
        put(patch)
        return next(
            (seed for seed in range(1, seeds + 1) if try_seed(scenario, seed).verdict != "pass"), None
        )


def main() -> None:
    """A line for each bug: the seed, and who noticed."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    for node, name in BUGS:
        found = first_seed_that_finds(node, name, seeds)
        told = f"not found in {seeds}" if found is None else f"seed {found[0]}: {found[1]}"
        print(f"{node:9} {name:20} {told}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
