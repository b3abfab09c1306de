"""A node's story: the last things it saw and did, bounded, for the report after a failure."""

from collections import deque

from nodes.limits import STORY_ENTRIES

Entry = tuple[int, str, int, int]


class Story:
    """``add(now_ns, what, request, detail)``; ``entries`` is oldest first, ``seen`` counts all ever added."""

    __slots__ = ("entries", "seen")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=STORY_ENTRIES)
        self.seen = 0

    def add(self, now_ns: int, what: str, request: int, detail: int) -> None:
        self.seen += 1
        self.entries.append((now_ns, what, request, detail))

    def lines(self) -> list[str]:
        return [
            f"{at / 1e9:.6f} {what} request={request} {detail:#x}"
            for at, what, request, detail in self.entries
        ]
