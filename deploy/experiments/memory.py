"""How much memory the nodes of a run hold while it runs: the first look, the last, the most. It asks a stage.

Names are domains, not processes: one that was started again is compared with what it was before.
"""

from collections.abc import Mapping
from typing import Final

KIB_PER_MIB: Final = 1024


class Memory:
    """``see`` takes a look; what was seen first of a node is what it is compared with. All in KiB."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.most: dict[str, int] = {}

    def see(self, kib: Mapping[str, int]) -> None:
        """What every node holds now."""
        for name, held in kib.items():
            self.first.setdefault(name, held)
            self.last[name] = held
            self.most[name] = max(held, self.most.get(name, 0))

    def growth_mib(self) -> float | None:
        """Of the node that grew most, from the first look to the last; None if nobody looked."""
        grown = [self.last[name] - held for name, held in self.first.items()]
        return max(grown) / KIB_PER_MIB if grown else None

    def growths_mib(self) -> dict[str, float]:
        """Of each node."""
        return {name: (self.last[name] - held) / KIB_PER_MIB for name, held in self.first.items()}
