"""Which planned fault excuses which claim, and how narrowly: the table, and when what was broken.

Checkers ask by a row of the table (``Evidence.planned``, ``Evidence.touched``): a fault that is not in it
excuses nothing. Windows are read off the history's own notes. What the history itself tells (a frame that
reached nobody, a node that began anew, a domain that ended) is no excuse: see ``calls`` and ``roster``.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from deploy.experiments.describing.faults import BY_NAME
from deploy.recording.events import Noted
from deploy.recording.rows import domain_of

WINDOWS_MAX: Final = 4096  # of one kind; beyond, the oldest and its successor become one
SLACK_NS: Final = 20_000_000  # how far a note may be from the moment when its node was told
EVERYBODY: Final = frozenset({"*", "xen", "firmware"})  # as ``where``: whoever it is


class Excuse(msgspec.Struct, frozen=True):
    """Any of ``faults`` excuses ``what`` of a checker. ``scope``: "copy" (exact repetitions, if one was
    planned), "window" (calls of the domains that it hit, while it lasted), "run" (all, if one was planned).
    """

    faults: tuple[str, ...]
    checker: str
    scope: str
    what: str


UNRELIABLE: Final = ("el3.corrupt_page", "el3.torn_page")
ENDED: Final = Excuse(
    ("process.kill", "el3.restart"), "answers", "window", "a trap that is never answered: it was under way"
)
ANSWER_COPIED: Final = Excuse(
    ("link.duplicate",), "answers", "copy", "an answer that comes again, the same to the byte"
)
SMC_COPIED: Final = Excuse(
    ("link.duplicate",), "at_most_once", "copy", "an SMC or a return that comes again, the same to the byte"
)
OVERTAKEN: Final = Excuse(
    ("link.reorder",), "delivery", "run", "an interrupt of an earlier life that was overtaken"
)
FORGOTTEN: Final = Excuse(
    ("el3.restart", "xen.restart"), "delivery", "run", "an answer of EL3 to what this EL3 was never asked"
)
OTHER_TOKEN: Final = Excuse(
    ("el3.wrong_token",), "tokens", "window", "the token, and nothing else of the header"
)
ANSWER_SCRIBBLED: Final = Excuse(UNRELIABLE, "isolation", "window", "what the answers say")
VALUE_SCRIBBLED: Final = Excuse(UNRELIABLE, "linearizable", "window", "what the answers say")
WISH_SCRIBBLED: Final = Excuse(UNRELIABLE, "reset", "window", "what the answers say")
TOLD_LATE: Final = Excuse(
    ("link.reorder",), "isolation", "run", "a notification that was overtaken by what took the resource away"
)
UNORDERED: Final = Excuse(("link.reorder",), "linearizable", "run", "the order in which EL3 got what")
VALUE_LATE: Final = Excuse(("el3.late", "link.reorder"), "reset", "run", "readings of a resource")
PAGE_AGAIN: Final = Excuse(
    ("link.duplicate", "link.reorder"), "bounds", "run", "a second message in a page that was not given back"
)
ABANDONED: Final = Excuse(
    ("xen.restart", "el3.restart", "toolstack.dies_creating", "toolstack.dies_destroying"),
    "progress",
    "run",
    "a hypercall that is never answered",
)
EXCUSES: Final = (
    ENDED,
    ANSWER_COPIED,
    SMC_COPIED,
    OVERTAKEN,
    FORGOTTEN,
    OTHER_TOKEN,
    ANSWER_SCRIBBLED,
    TOLD_LATE,
    VALUE_SCRIBBLED,
    UNORDERED,
    WISH_SCRIBBLED,
    VALUE_LATE,
    PAGE_AGAIN,
    ABANDONED,
)


class FaultWindow:
    """A fault from ``begin_ns`` to ``end_ns`` (None: it goes on), at the nodes ``where``; none for any."""

    __slots__ = ("begin_ns", "end_ns", "number", "where")

    def __init__(self, number: int, where: frozenset[str], begin_ns: int) -> None:
        self.number = number
        self.where = where
        self.begin_ns = begin_ns
        self.end_ns: int | None = None

    def hits(self, domain: str, since_ns: int, until_ns: int) -> bool:
        """Whether it may have touched what the domain did between two moments."""
        if until_ns < self.begin_ns - SLACK_NS:
            return False
        if self.end_ns is not None and since_ns > self.end_ns + SLACK_NS:
            return False
        return not self.where or not domain or domain_of(domain) in self.where or domain in self.where


class Windows:
    """Every planned fault as it began and ended."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[FaultWindow]] = {}
        self._running: dict[int, FaultWindow] = {}

    def noted(self, event: Noted) -> None:
        """A note of the run about a fault."""
        if event.what == "fault_begins":
            self._begins(event)
        elif event.what == "fault_ends" and event.numbers:
            window = self._running.pop(event.numbers[0], None)
            if window is not None:
                window.end_ns = event.at_ns

    def _begins(self, event: Noted) -> None:
        planned = _plain(event.text)
        kind = str(planned.get("kind", ""))
        names = frozenset(str(name) for name in planned.get("where") or ())
        number = event.numbers[0] if event.numbers else 0
        window = FaultWindow(number, frozenset() if names & EVERYBODY else names, event.at_ns)
        windows = self._by_kind.setdefault(kind, [])
        windows.append(window)
        if len(windows) > WINDOWS_MAX:
            first = windows.pop(0)
            windows[0].begin_ns = first.begin_ns
            windows[0].where = (
                frozenset() if not (windows[0].where and first.where) else windows[0].where | first.where
            )
        if kind in BY_NAME and BY_NAME[kind].instant:
            window.end_ns = event.at_ns
        else:
            self._running[number] = window

    def hit(self, kinds: Iterable[str], domain: str, since_ns: int, until_ns: int) -> bool:
        """Whether a fault of one of these kinds may have touched what the domain did between two moments."""
        return any(
            window.hits(domain, since_ns, until_ns)
            for kind in kinds
            for window in reversed(self._by_kind.get(kind, ()))
        )


def _plain(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
