"""Who holds which pin, by itself or through a group, and who set it last. It knows no messages."""

from collections.abc import Mapping, Sequence

from nodes.firmware.ledger import Entry
from nodes.firmware.platform import PinGroup

Claim = tuple[str, int]


class Holders:
    """A claim is a pin or a group; a pin is held as long as a claim of its holder is about it."""

    def __init__(self, groups: Mapping[int, PinGroup]) -> None:
        self._groups = groups
        self._claims: dict[int, set[Claim]] = {}
        self._pins: dict[int, tuple[int, int]] = {}
        self._set_by: dict[int, int] = {}
        self._set: dict[int, set[int]] = {}

    def _members(self, claim: Claim) -> Sequence[int]:
        kind, identifier = claim
        return (identifier,) if kind == "pin" else self._groups[identifier].pins

    def other(self, agent: int, pin: int) -> bool:
        """Whether another agent holds the pin."""
        return self._pins.get(pin, (agent, 0))[0] != agent

    def take(self, agent: int, kind: str, identifier: int) -> bool:
        """Claim; False when another agent holds it or one of its pins. Twice is as once."""
        claim = (kind, identifier)
        mine = self._claims.setdefault(agent, set())
        if claim in mine:
            return True
        if any(self.other(agent, pin) for pin in self._members(claim)):
            return False
        mine.add(claim)
        for pin in self._members(claim):
            self._pins[pin] = (agent, self._pins.get(pin, (agent, 0))[1] + 1)
        return True

    def give(self, agent: int, kind: str, identifier: int) -> bool:
        """Release; False when the agent does not hold it."""
        claim = (kind, identifier)
        if claim not in self._claims.get(agent, ()):
            return False
        self._claims[agent].discard(claim)
        for pin in self._members(claim):
            holder, claims = self._pins[pin]
            if claims > 1:
                self._pins[pin] = (holder, claims - 1)
            else:
                del self._pins[pin]
        return True

    def configured(self, agent: int, pin: int) -> None:
        """Remember whose settings the pin has."""
        before = self._set_by.get(pin)
        if before is not None:
            self._set[before].discard(pin)
        self._set_by[pin] = agent
        self._set.setdefault(agent, set()).add(pin)

    def withdraw(self, agent: int) -> list[int]:
        """Release everything; the pins that have the agent's settings, ascending."""
        for kind, identifier in sorted(self._claims.get(agent, ())):
            self.give(agent, kind, identifier)
        self._claims.pop(agent, None)
        pins = sorted(self._set.pop(agent, ()))
        for pin in pins:
            del self._set_by[pin]
        return pins

    def ledger(self, agent: int) -> list[Entry]:
        claims = sorted(self._claims.get(agent, ()))
        held = [Entry("hold", "pinctrl", f"{kind} {number}", "requested") for kind, number in claims]
        pins = sorted(self._set.get(agent, ()))
        return held + [Entry("vote", "pinctrl", f"pin {pin}", "settings") for pin in pins]
