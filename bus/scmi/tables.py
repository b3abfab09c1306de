"""The protocols that somebody knows, found by id, by key or by a message's header.

``STANDARD`` are those of the specification; ``STANDARD.with_more`` makes another set that has vendor
protocols beside them. A set never changes, and nothing registers itself: it is passed to whoever decodes.
"""

from collections.abc import Iterable

from bus.scmi import PROTOCOLS, header
from bus.scmi.protocol import AnyCommand, Notification, Protocol
from bus.scmi.wellformed import problem

VENDOR_FIRST = 0x80
VENDOR_LAST = 0xFF


class Tables:
    """Raises ValueError for an id or a key that two protocols share."""

    def __init__(self, protocols: Iterable[Protocol]) -> None:
        self.protocols = tuple(protocols)
        self._by_id = {one.id: one for one in self.protocols}
        self._by_key = {one.key: one for one in self.protocols}
        self._owners = {id(row): one for one in self.protocols for row in one.commands}
        for one in self.protocols:
            for other in (self._by_id[one.id], self._by_key[one.key]):
                if other is not one:
                    raise ValueError(
                        f"{one.key} ({one.id:#x}) and {other.key} ({other.id:#x}): two protocols share an id "
                        "or a key; give one of them another"
                    )

    def with_more(self, vendor: Iterable[Protocol]) -> "Tables":
        """These and ``vendor`` protocols, which are 0x80 to 0xff; raises ValueError for a bad table."""
        more = tuple(vendor)
        for one in more:
            if not VENDOR_FIRST <= one.id <= VENDOR_LAST:
                raise ValueError(
                    f"{one.key}: id {one.id:#x} is not a vendor's; take one of {VENDOR_FIRST:#x} to "
                    f"{VENDOR_LAST:#x}"
                )
            broken = problem(one)
            if broken:
                raise ValueError(f"{one.key}: {broken}")
        return Tables((*self.protocols, *more))

    def by_id(self, protocol_id: int) -> Protocol | None:
        return self._by_id.get(protocol_id)

    def by_key(self, key: str) -> Protocol | None:
        return self._by_key.get(key)

    def protocol_of(self, command: AnyCommand) -> Protocol | None:
        """The protocol whose own row this very ``command`` is; None for those that all have."""
        return self._owners.get(id(command))

    def command(self, head: int) -> AnyCommand | None:
        """The table row that the header of a command, its response or its delayed response names."""
        protocol = self._by_id.get(header.protocol_id(head))
        return protocol.command(header.message_id(head)) if protocol else None

    def notification(self, head: int) -> Notification | None:
        """The table row that the header of a notification names."""
        protocol = self._by_id.get(header.protocol_id(head))
        rows = protocol.notifications if protocol else ()
        return next((row for row in rows if row.id == header.message_id(head)), None)


STANDARD = Tables(PROTOCOLS)
