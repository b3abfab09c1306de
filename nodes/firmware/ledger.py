"""One line of what an agent holds. The services write them; a reset must leave none but what was there at boot."""

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

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.resource or self.protocol, self.what) if part)
