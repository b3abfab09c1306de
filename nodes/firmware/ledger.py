"""One line of what an agent holds: services write them, a reset leaves only what is there at boot."""

import msgspec


class Entry(msgspec.Struct, frozen=True, order=True):
    """``kind``: grant, vote, hold, subscription, pending, version or channel; ``resource``: "clock 5" or "".

    ``what`` names the thing held (rate, state, a notification), ``value`` tells how much of it.
    """

    kind: str
    protocol: str
    resource: str
    what: str
    value: int = 1

    @property
    def thing(self) -> str:
        """What is held, without how much: "clock 5 rate"."""
        return " ".join(part for part in (self.resource or self.protocol, self.what) if part)

    @property
    def value_text(self) -> str:
        """As the protocol writes it: versions and power states are words of bits."""
        return f"{self.value:#x}" if self.what in ("version", "state") else str(self.value)
