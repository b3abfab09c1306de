"""A node's side of the registry, pure: it registers, keeps its lease, and ends when it cannot.

The lease runs from when the last renewal that was answered was *sent*: the registry counts from when it heard
it, which is later, so a node is over before anybody may take its place. From the answers it also measures how
far its clock is from the registry's, as NTP does: the exchange with the smallest round trip counts.

It does not know what it is told to do, nor that there are threads.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from deploy.launching import messages as m

LAPSED: Final = 75  # exit codes, as sysexits.h has them: try again later,
REFUSED: Final = 77  # and you may not
SAMPLES: Final = 8  # exchanges at once when it begins, to know the clock
DRIFT_PPM: Final = 20  # two machines' clocks may go apart so fast
OPEN: Final = 64  # renewals that were not answered yet, and whose sending is remembered
UNKNOWN_NS: Final = -1
RENEW_NS: Final = int(m.RENEW_S * 1e9)


class Boot(msgspec.Struct, frozen=True):
    """The first event."""


class Heard(msgspec.Struct, frozen=True):
    """The registry says that; None: it does not parse."""

    message: m.ToNode | None


class Tick(msgspec.Struct, frozen=True):
    """The deadline has passed. ``dropped``: messages that the node had no room for, so far."""

    dropped: int


Event = Boot | Heard | Tick


class Give(msgspec.Struct, frozen=True):
    """Send it."""

    message: m.FromNode


class Begin(msgspec.Struct, frozen=True):
    """It is a member: it may begin its work."""

    accepted: m.Accepted


class Obey(msgspec.Struct, frozen=True):
    """For whoever knows what it means: an ``Order``, a ``Took``, a ``Parted``."""

    message: m.Order | m.Took | m.Parted


class Halt(msgspec.Struct, frozen=True):
    """End at once."""

    code: int
    why: str


class Measured(msgspec.Struct, frozen=True):
    """What is to be added to this node's clock to have the registry's: first when it is known well enough to
    begin with, then whenever it is known better.
    """

    offset_ns: int


Effect = Give | Begin | Obey | Halt | Measured


class Membership:
    """``asked`` is what it registers with (``number`` is its own); ``patience_ns``: how long a node that was
    given no incarnation goes on asking while none is expected.

    ``offset_ns``, ``uncertainty_ns``: the clock, see ``messages.Renew``.
    """

    def __init__(self, asked: m.Register, patience_ns: int) -> None:
        self.offset_ns, self.uncertainty_ns = 0, UNKNOWN_NS
        self.member = False
        self._asked = asked
        self._patience_ns = patience_ns
        self._give_up_ns = 0
        self._lease_ns = 0
        self._valid_ns = 0  # until then
        self._next_ns = 0
        self._number = 0
        self._samples = 0
        self._measured_ns = 0  # when the best exchange was
        self._over = False
        self._open: OrderedDict[int, int] = OrderedDict()  # when each number was sent
        self._steps: dict[type, Callable[[Any, int], Sequence[Effect]]] = {
            Boot: self._boot,
            Heard: self._heard,
            Tick: self._tick,
        }
        self._messages: dict[type, Callable[[Any, int], Sequence[Effect]]] = {
            m.Accepted: self._accepted,
            m.Refused: self._refused,
            m.Renewed: self._renewed,
        }

    def step(self, event: Event, now_ns: int) -> Sequence[Effect]:
        """One event at a time, at ``now_ns`` of this node's clock."""
        return () if self._over else self._steps[type(event)](event, now_ns)

    def deadline_ns(self) -> int | None:
        """When it wants a Tick."""
        if self._over:
            return None
        return min(self._next_ns, self._valid_ns) if self.member else min(self._next_ns, self._give_up_ns)

    def _boot(self, _event: Boot, now_ns: int) -> Sequence[Effect]:
        self._give_up_ns = now_ns + self._patience_ns
        return self._ask(now_ns)

    def _sent(self, now_ns: int) -> int:
        """A number for what is sent now."""
        self._number += 1
        self._open[self._number] = now_ns
        if len(self._open) > OPEN:
            self._open.popitem(last=False)
        self._next_ns = now_ns + RENEW_NS
        return self._number

    def _ask(self, now_ns: int) -> Sequence[Effect]:
        return (Give(msgspec.structs.replace(self._asked, number=self._sent(now_ns))),)

    def _renew(self, now_ns: int, dropped: int = 0) -> Sequence[Effect]:
        number = self._sent(now_ns)
        return (Give(m.Renew(number, self.offset_ns, self.uncertainty_ns, dropped)),)

    def _tick(self, event: Tick, now_ns: int) -> Sequence[Effect]:
        if self.member and now_ns >= self._valid_ns:
            return self._halt(LAPSED, f"the lease of {self._lease_ns / 1e9:g} s lapsed: no registry answers")
        if not self.member and now_ns >= self._give_up_ns:
            return self._halt(LAPSED, f"not accepted within {self._patience_ns / 1e9:g} s")
        if now_ns < self._next_ns:
            return ()
        if not self.member:
            return self._ask(now_ns)
        return self._renew(now_ns, event.dropped)

    def _halt(self, code: int, why: str) -> Sequence[Effect]:
        self._over = True
        return (Halt(code, why),)

    # ---- what the registry says ---------------------------------------------------------------

    def _heard(self, event: Heard, now_ns: int) -> Sequence[Effect]:
        message = event.message
        if message is None:
            return ()
        handle = self._messages.get(type(message))
        if handle is not None:
            return handle(message, now_ns)
        return (Obey(message),) if self.member else ()  # type: ignore[arg-type]

    def _accepted(self, message: m.Accepted, now_ns: int) -> Sequence[Effect]:
        sent_ns = self._open.get(message.number)
        if self.member or sent_ns is None or sent_ns + message.lease_ns <= now_ns:
            return ()
        self.member = True
        self._lease_ns = message.lease_ns
        self._valid_ns = sent_ns + message.lease_ns
        return Begin(message), *self._renew(now_ns)

    def _refused(self, message: m.Refused, _now_ns: int) -> Sequence[Effect]:
        if message.word in m.LATER and not self._asked.incarnation and not self.member:
            return ()  # it will be expected, some time
        if message.word in ("again", "malformed"):
            return ()  # what was said is lost, the lease is not
        return self._halt(REFUSED, f"refused by the registry: {message.word}: {m.REFUSALS[message.word]}")

    def _renewed(self, message: m.Renewed, now_ns: int) -> Sequence[Effect]:
        sent_ns = self._open.pop(message.number, None)
        if sent_ns is None or not self.member:
            return ()
        self._valid_ns = max(self._valid_ns, sent_ns + self._lease_ns)
        better = self._compare(message.heard_ns, sent_ns, now_ns)
        self._samples += 1
        if self._samples <= SAMPLES:
            return self._renew(now_ns)
        return (Measured(self.offset_ns),) if better or self._samples == SAMPLES + 1 else ()

    def _compare(self, heard_ns: int, sent_ns: int, now_ns: int) -> bool:
        """Whether this exchange tells more about the clock than the best one before, which grows old."""
        half_ns = (now_ns - sent_ns + 1) // 2
        aged_ns = self.uncertainty_ns + (now_ns - self._measured_ns) * DRIFT_PPM // 1_000_000
        if self.uncertainty_ns != UNKNOWN_NS and half_ns >= aged_ns:
            return False
        self.uncertainty_ns, self._measured_ns = half_ns, now_ns
        self.offset_ns = heard_ns - (sent_ns + now_ns) // 2
        return True
