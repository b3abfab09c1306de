"""How long platforms of full size take until their last domain is ready, on real processes.

That all of them answer and nothing is left is not asked here: tests/stress/test_scale.py does.
"""

from typing import Final

from deploy.scale import measuring
from deploy.toolstack import Work
from nodes.limits import DOMAINS

ALONE: Final = (1, DOMAINS - 1, 0)  # platforms, guests of each, guests of a process
SHARED: Final = (4, 249, 64)
SIZES: Final = {
    f"{DOMAINS} domains, a process each, ready, s": ALONE,
    "1,000 domains that share processes, ready, s": SHARED,
}


def ready_seconds() -> dict[str, float]:
    """By name of the figure; one after another."""
    found = {}
    for name, size in SIZES.items():
        with measuring.several(*size, Work()) as made:
            found[name] = made.start()
    return found
