"""Which request numbers of a link were used already: what arrives twice must not happen twice.

A link's numbers rise by one, so the ordinary case is one comparison, which the hot paths make themselves:
``if number == window.ordinary: window.ordinary += 1``. What comes out of order is accepted once; what is
more than REQUEST_WINDOW behind the newest counts as used.
"""

from typing import Final

from nodes.limits import REQUEST_WINDOW

NOTHING: Final = -1  # no number is ordinary
_ALL: Final = (1 << REQUEST_WINDOW) - 1


class Window:
    """``ordinary`` is the next number while none below it is missing, else NOTHING."""

    __slots__ = ("_missing", "_newest", "ordinary")

    def __init__(self) -> None:
        self._newest = 0
        self._missing = 1  # bit n: the number _newest - n was not seen yet; 0 may come, once
        self.ordinary = NOTHING

    def admit(self, number: int) -> bool:
        """Take a number; False if it was taken before, or is too old to know."""
        if self.ordinary != NOTHING:
            self._newest = self.ordinary - 1
        ahead = number - self._newest
        if ahead > 0:
            # The numbers that were skipped are missing, as far as they fit.
            skipped = (1 << min(ahead, REQUEST_WINDOW)) - 2
            older = self._missing << ahead if ahead < REQUEST_WINDOW else 0
            self._missing = (older | skipped) & _ALL
            self._newest = number
            fresh = True
        else:
            bit = 1 << -ahead if -ahead < REQUEST_WINDOW else 0
            fresh = bool(self._missing & bit)
            self._missing &= ~bit
        self.ordinary = NOTHING if self._missing else self._newest + 1
        return fresh
