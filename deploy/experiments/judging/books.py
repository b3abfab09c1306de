"""The run's books: what Xen and EL3 counted, beside what guests noted, to the unit.

Xen's own frames, EL3's, and the guests' notes are independent of each other: a call that one of them lost
does not balance. Only who is idle tells exactly, and only who still runs at the end told last.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from deploy.experiments.describing.plan import Plan
from deploy.experiments.history.account import Counters, Service, counters, service
from deploy.recording.rows import is_domain

Stats = Mapping[str, Mapping[str, Any]]
XEN, FIRMWARE = "xen", "firmware"
MIXES_UP: Final = ("link.", "guest.", "xen.", "el3.late", "toolstack.dies")  # what traps cannot be told by


class Books(msgspec.Struct, frozen=True):
    """``xen`` and ``el3``: the numbers of those that run at the end, of all boards together. ``told``: calls
    that rang, by guests' notes. ``killed``: traps that Xen received and whose guest ended before it could
    note the end, at most one for each of the ``lives`` that ended; None where it cannot be told.
    """

    xen: Counters
    el3: Service
    told: int
    lives: int
    killed: int | None = None

    def problem(self) -> str:
        """What does not add up, as a sentence; "" if all does."""
        return next(self._problems(), "")

    def _problems(self) -> Iterator[str]:
        xen, el3 = self.xen, self.el3
        if not xen.balanced:
            yield (
                f"Xen received {xen.issued} traps, and {xen.answered} returns, {xen.failed} errors, "
                f"{xen.undelivered} undeliverable and {xen.under_way} under way are not as many"
            )
        if el3.received != el3.returned:
            yield f"EL3 received {el3.received} SMCs and returned {el3.returned}"
        if self.killed is not None and not 0 <= self.killed <= self.lives:
            yield (
                f"Xen received {xen.issued} traps and guests told the end of {self.told}; the difference "
                f"is not the last call of at most {self.lives} domains that ended"
            )

    def rows(self) -> dict[str, int]:
        """For the account."""
        xen = self.xen
        return {
            "xen_received": xen.issued,
            "xen_returned": xen.answered,
            "xen_errors": xen.failed,
            "xen_undelivered": xen.undelivered,
            "xen_under_way": xen.under_way,
            "el3_received": self.el3.received,
            "el3_returned": self.el3.returned,
        }


def books(stats: Stats, plan: Plan, told: int | None, lives: int) -> Books:
    """``told``: calls that rang and ended, by notes, None if there are none; ``lives``: that have ended."""
    xens = [counters(one) for name, one in stats.items() if _role(name) == XEN]
    el3s = [service(one) for name, one in stats.items() if _role(name) == FIRMWARE]
    xen = Counters(*(sum(getattr(one, field) for one in xens) for field in Counters.__struct_fields__))
    el3 = Service(sum(one.received for one in el3s), sum(one.returned for one in el3s))
    exact = told is not None and not any(fault.kind.startswith(MIXES_UP) for fault in plan.faults)
    return Books(xen, el3, told or 0, lives, xen.issued - (told or 0) if exact else None)


def _role(name: str) -> str:
    """What runs under that name ("xen.1" on a further board); "" for what was started again since."""
    return "" if "~" in name or is_domain(name) else name.partition(".")[0]
