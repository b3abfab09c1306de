"""Tables by id that stay in the processor's caches when there are thousands of rows.

Most platforms number their resources without a gap. Then a range tells which ids there are without touching
memory, and a list finds a row in one step where a dictionary takes three.
"""

from collections.abc import Collection, Container, Mapping
from typing import Protocol, TypeVar

R_co = TypeVar("R_co", covariant=True)


class Rows(Protocol[R_co]):
    """Rows by id; asked for ids that are there only."""

    def __getitem__(self, one: int, /) -> R_co: ...


def ids(known: Collection[int]) -> Container[int]:
    """What tells whether an id is one of ``known``: a range if they have no gap."""
    if not known:
        return known
    first, last = min(known), max(known)
    return range(first, last + 1) if last - first + 1 == len(known) else known


def rows(by_id: Mapping[int, R_co]) -> Rows[R_co]:
    """``by_id`` as a list, if the ids begin at 0 and have no gap."""
    if by_id and min(by_id) == 0 and max(by_id) == len(by_id) - 1:
        return [by_id[one] for one in range(len(by_id))]
    return by_id
