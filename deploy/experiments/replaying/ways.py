"""What fresh cores have sent and nobody was seen to receive yet, per way, and how it is matched.

A message arrives in order, or a fault let a later one overtake it, or it arrives twice; what is left behind
on a way is a message that the recorded run did not send. Pure bookkeeping on bytes.
"""

from collections import deque
from typing import Final, Literal

import msgspec

OPEN_MAX: Final = 4_096  # messages of one way that wait, more than any link holds; the oldest is forgotten
ARRIVED_MAX: Final = 4_096  # of one way that may come a second time
Content = tuple[bytes, bytes]  # envelope, page
Match = Literal["expected", "overtook", "again", "unknown"]


class Sent(msgspec.Struct):
    """``doubtful``: its sender or receiver ended meanwhile, so that it need not arrive. ``passed``: a later
    message of the way arrived first.
    """

    at_ns: int
    content: Content
    doubtful: bool = False
    passed: bool = False


class Way:
    """One direction between two nodes. ``ordered``: none is overtaken; ``doubled``: some may come twice."""

    def __init__(self, ordered: bool = True, doubled: bool = False) -> None:
        self.open: deque[Sent] = deque()
        self._ordered = ordered
        self._arrived: deque[Content] | None = deque(maxlen=ARRIVED_MAX) if doubled else None

    def send(self, at_ns: int, content: Content, doubtful: bool = False) -> None:
        if len(self.open) >= OPEN_MAX:
            self.open.popleft()
        self.open.append(Sent(at_ns, content, doubtful))

    def arrive(self, content: Content) -> Match:
        """Match a message that was received."""
        if self.open and self.open[0].content == content:
            self.open.popleft()
            found: Match = "expected"
        else:
            found = self._search(content)
        if self._arrived is not None and found in ("expected", "overtook"):
            self._arrived.append(content)
        return found

    def _search(self, content: Content) -> Match:
        for at, sent in enumerate(self.open):
            if sent.content != content:
                continue
            passed = [self.open[before] for before in range(at)]
            del self.open[at]
            certain = [one for one in passed if not one.doubtful]
            for one in certain:
                one.passed = True
            if self._ordered and not certain:  # they will not come any more
                for _ in passed:
                    self.open.popleft()
            return "overtook" if certain else "expected"
        return "again" if self._arrived is not None and content in self._arrived else "unknown"

    def withdraw(self, content: Content) -> bool:
        """Take out the newest equal one, which is known not to arrive; False if there is none."""
        for at in range(len(self.open) - 1, -1, -1):
            if self.open[at].content == content:
                del self.open[at]
                return True
        return False

    def doubt(self) -> None:
        """An end of the way is gone: what is under way may be, too."""
        for sent in self.open:
            sent.doubtful = True

    def left_behind(self) -> Sent | None:
        """The oldest message that a later one has passed and that is still missing."""
        return next((sent for sent in self.open if sent.passed), None)
