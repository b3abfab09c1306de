"""What a hostile guest does beside its ordinary work: when it strikes, how often, and what comes back.

A blow that takes the vCPU is handed to the core, one at a time, like any call; junk and the traps of other
vCPUs need none and go out at once. Each trap has a request number of its own and its end is counted. Its
bytes are in ``blows.py``. It knows no firmware: what a blow does is seen in what comes back.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from bus import frames, shmem
from bus.chance import unit
from nodes.contract import Effect, Received, Send, SendBytes
from nodes.guest import console
from nodes.guest.blows import PING, Occasion, junk, page, ping
from nodes.guest.calls import HOSTILE, Flight, Outcome, refused
from nodes.guest.channel import IDLE_REGISTERS, Channel
from nodes.guest.config import GuestConfig
from nodes.limits import STORM_TRAPS
from nodes.meters import Meters

SCRIBBLING: Final = ("header_flip", "rewrite_page")
LOOSE: Final = ("junk_frames", "trap_storm")  # what takes no vCPU, or others'
JUNK_PERIOD_NS: Final = 1_000_000  # as fast as junk comes if no rate is given
NEVER_NS: Final = 1 << 62
Ended = frames.Return | frames.Undef | frames.Error


class Scribble(msgspec.Struct, frozen=True):
    """Memory changes while EL3 reads it: what the engine is to do to mapped pages; it alone can.

    ``kind``: "header_flip": the message id, between two reads of the header; "rewrite_page": anything, after
    the doorbell. ``likelihood``: per doorbell.
    """

    kind: str
    likelihood: float
    seed: int


class Attack:
    """One kind of hostility while it lasts. ``due_ns`` is the next occasion.

    ``rate`` per second, 0: as fast as it goes; ``likelihood`` that an occasion is used.
    """

    def __init__(self, kind: str, rate: float, likelihood: float, seed: int, now_ns: int) -> None:
        self.kind = kind
        self.due_ns = now_ns
        self.period_ns = round(1e9 / rate) if rate > 0 else JUNK_PERIOD_NS if kind == "junk_frames" else 0
        self._likelihood = likelihood
        self._seed = seed
        self._number = 0

    def comes(self, now_ns: int) -> Occasion | None:
        """The occasion, if it is used. The next is a nanosecond away at least: others get their turn."""
        self._number += 1
        self.due_ns = max(self.due_ns + self.period_ns, now_ns + 1)
        used = self._likelihood >= 1 or unit(self._seed, self._number) < self._likelihood
        return Occasion(self._seed, self._number) if used else None


class Hostility:
    """``scribble`` is for the engine; ``flying`` are the traps of other vCPUs: when each began, by request.

    ``config`` and ``channel`` are the guest's own. ``number`` gives the next request number.
    """

    def __init__(
        self, config: GuestConfig, channel: Channel, peer: bytes, number: Callable[[], int], meters: Meters
    ) -> None:
        self._config = config
        self._channel = channel
        self._peer = peer
        self._number = number
        self._counter = meters.counter("trapline_guest_hostile_total")
        self.scribble: Scribble | None = None
        self.flying: dict[int, int] = {}
        self._attacks: dict[str, Attack] = {}
        self._blow = ""
        self._struck_last = False
        self._junk: dict[int, None] = {}
        self._foreign: tuple[int, ...] = ()
        self._vcpus = STORM_TRAPS
        self._muddled_until = 0

    def switch(self, wanted: console.Hostile, now_ns: int) -> None:
        """Start or stop one kind; what is under way ends as it may.

        Raises ValueError for a flood that has nobody to ring.
        """
        if wanted.kind in SCRIBBLING:
            self._muddled_until = self._number()
            self.scribble = Scribble(wanted.kind, wanted.likelihood, wanted.seed) if wanted.run else None
            return
        self._attacks.pop(wanted.kind, None)
        if not wanted.run:
            return
        if wanted.kind == "foreign_flood":
            if not wanted.foreign:
                raise ValueError("foreign: there is no doorbell to ring; give function ids of others")
            self._foreign = wanted.foreign
        if wanted.kind == "trap_storm":
            self._vcpus = wanted.vcpus
        self._attacks[wanted.kind] = Attack(wanted.kind, wanted.rate, wanted.likelihood, wanted.seed, now_ns)

    def quiet(self) -> None:
        """Nothing more of any kind."""
        self._attacks.clear()

    def due_ns(self, busy: bool) -> int | None:
        """When something is to be done; ``busy``: the vCPU is in a trap."""
        wanted = (one for one in self._attacks.values() if not busy or one.kind in LOOSE)
        due = [one.due_ns for one in wanted if one.due_ns < NEVER_NS]
        due += [began_ns + self._config.timeout_ns for began_ns in list(self.flying.values())[:1]]
        return min(due, default=None)

    # ---- the vCPU -----------------------------------------------------------------------------

    def strike(self, now_ns: int, *, give_way: bool) -> tuple[Flight, Send] | None:
        """The next trap of the vCPU, if one is due: rung whether the channel is free or not.

        ``give_way``: a call of the ordinary work is due as well; they take turns.
        """
        if give_way and self._struck_last:
            self._struck_last = False
            return None
        for attack in self._attacks.values():
            if attack.kind in LOOSE or attack.due_ns > now_ns:
                continue
            occasion = attack.comes(now_ns)
            if occasion is not None:
                self._count(attack.kind, "sent")
                self._blow, self._struck_last = attack.kind, True
                return self._trap(attack.kind, occasion, now_ns)
        return None

    def _trap(self, kind: str, occasion: Occasion, now_ns: int) -> tuple[Flight, Send]:
        request = self._number()
        if kind != "foreign_flood":
            flight = Flight(request, ping(occasion.number), PING, HOSTILE, now_ns, now_ns)
            return flight, Send(self._peer, *self._channel.crafted(request, page(kind, occasion)))
        x = (self._foreign[occasion.pick(len(self._foreign))], *IDLE_REGISTERS)
        flight = Flight(request, 0, None, HOSTILE, now_ns, now_ns)
        return flight, Send(self._peer, *self._channel.raw(request, self._channel.ec, 0, x))

    def struck(self, outcome: Outcome, x: tuple[int, ...]) -> bool:
        """How the trap of the vCPU ended; gives whether the channel is usable again.

        The memory is the guest's own: after a blow it frees the page itself, unless nothing came back.
        """
        refusal = bool(x and x[0])
        self._ended(self._blow, outcome.code or ("refused" if refusal else ""), outcome.definite or refusal)
        if outcome.code != "timeout":
            self._channel.free()
        return outcome.code != "timeout"

    def muddled(self, flight: Flight) -> bool:
        """Whether what is in the page may be the guest's own doing, so that it proves nothing."""
        storm = bool(self.flying) and not self._config.carried
        return self.scribble is not None or storm or flight.request <= self._muddled_until

    def _ended(self, kind: str, code: str, definite: bool) -> None:
        self._count(kind, "answered" if not code else "definite_error" if definite else "indefinite_error")

    def _count(self, kind: str, result: str) -> None:
        self._counter[self._config.name, kind, result] += 1

    # ---- what needs no vCPU -------------------------------------------------------------------

    def loose(self, now_ns: int) -> list[Effect]:
        """Junk and the traps of other vCPUs that are due, and the end of patience with some of these."""
        for request, began_ns in list(self.flying.items()):
            if now_ns < began_ns + self._config.timeout_ns:
                break
            self._landed(request, "timeout", False, now_ns)
        effects: list[Effect] = []
        for attack in self._attacks.values():
            if attack.kind not in LOOSE or attack.due_ns > now_ns:
                continue
            if attack.kind == "trap_storm":
                effects.extend(self._storm(attack, now_ns))
                continue
            occasion = attack.comes(now_ns)
            if occasion is not None:
                effects.append(self._rubbish(occasion))
        return effects

    def _storm(self, attack: Attack, now_ns: int) -> list[Effect]:
        """One trap, or without a rate as many as there are idle vCPUs. One that finds none is counted."""
        effects: list[Effect] = []
        for _ in range(1 if attack.period_ns else self._vcpus - len(self.flying)):
            if attack.comes(now_ns) is None:
                continue
            if len(self.flying) >= self._vcpus:
                self._count("trap_storm", "held_back")
                continue
            request = self._number()
            self.flying[request] = now_ns
            trap = self._channel.doorbell(request)
            content = shmem.request(ping(request), b"") if self._config.carried else b""
            effects.append(Send(self._peer, trap, content))
            self._count("trap_storm", "sent")
        if not attack.period_ns and len(self.flying) >= self._vcpus:
            attack.due_ns = NEVER_NS  # until one of them is back
        return effects

    def _rubbish(self, occasion: Occasion) -> SendBytes:
        request = self._number()
        self._junk[request] = None
        if len(self._junk) > STORM_TRAPS:  # most of it is never answered
            del self._junk[next(iter(self._junk))]
        self._count("junk_frames", "sent")
        return SendBytes(self._peer, junk(occasion, request))

    # ---- what comes back ----------------------------------------------------------------------

    def back(self, event: Received, now_ns: int) -> bool:
        """Whether the frame is the answer to something hostile; its end is counted."""
        frame = event.frame
        if not isinstance(frame, Ended):
            return False
        outcome = refused(frame, 0)
        code, definite = (outcome.code, outcome.definite) if outcome is not None else ("", False)
        if frame.request in self._junk:
            del self._junk[frame.request]
            self._ended("junk_frames", code, definite)
            return True
        if frame.request not in self.flying:
            return False
        if isinstance(frame, frames.Return) and frame.x[0]:
            code, definite = "refused", True
        self._landed(frame.request, code, definite, now_ns)
        return True

    def _landed(self, request: int, code: str, definite: bool, now_ns: int) -> None:
        del self.flying[request]
        if not self._config.carried:
            self._muddled_until = self._number()
        self._ended("trap_storm", code, definite)
        storm = self._attacks.get("trap_storm")
        if storm is not None:
            storm.due_ns = min(storm.due_ns, now_ns)

    def abandon(self, now_ns: int) -> None:
        """The link is gone, and so is all that was under way."""
        self.quiet()
        for request in list(self.flying):
            self._landed(request, "xen-lost", False, now_ns)
