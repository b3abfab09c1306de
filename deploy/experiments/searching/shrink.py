"""A failing set to a small one: delta debugging (Zeller's ddmin), with a bound on the tries.

Pure but for the question it asks. It does not know what the items are.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrink(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool], tries: int) -> tuple[T, ...]:
    """A subset that still fails, from which no single item can be taken if ``tries`` sufficed.

    ``fails`` is not asked about all of ``items``: that they fail is why one asks.
    """
    kept = tuple(items)
    if tries > 0 and kept:
        tries -= 1
        if fails(()):
            return ()
    parts = 2
    while len(kept) > 1:
        smaller, tries = _smaller(kept, parts, fails, tries)
        if smaller is not None:
            kept, parts = smaller, max(2, parts - 1)
        elif parts >= len(kept) or tries <= 0:
            break
        else:
            parts = min(len(kept), 2 * parts)
    return kept


def _smaller(
    kept: tuple[T, ...], parts: int, fails: Callable[[tuple[T, ...]], bool], tries: int
) -> tuple[tuple[T, ...] | None, int]:
    """One round: each part alone, then all but each part; and how many tries are left."""
    pieces = [kept[at * len(kept) // parts : (at + 1) * len(kept) // parts] for at in range(parts)]
    candidates = pieces if parts == 2 else []
    candidates = [*candidates, *(_without(kept, piece) for piece in pieces)]
    for candidate in dict.fromkeys(candidates):
        if tries <= 0:
            break
        tries -= 1
        if len(candidate) < len(kept) and fails(candidate):
            return candidate, tries
    return None, tries


def _without(kept: tuple[T, ...], piece: tuple[T, ...]) -> tuple[T, ...]:
    start = kept.index(piece[0]) if piece else 0
    return kept[:start] + kept[start + len(piece) :]
