"""The resources that one agent may use, one byte each: asking costs the same however many there are.

A set of (kind, id) would too, but for the processor's caches: with thousands of resources every question
would be a walk through memory that nobody looked at lately.
"""

from nodes.firmware.rights import Resource

NEAR = 1 << 16  # ids below have a byte; what is beyond is rare and in a set


class Usable:
    """A set of resources. ``near[kind][id]`` is 1 for what is in it, as far as the bytes go."""

    __slots__ = ("_far", "near")

    def __init__(self) -> None:
        self.near: dict[str, bytearray] = {}
        self._far: set[Resource] = set()

    def __contains__(self, resource: Resource) -> bool:
        kind, number = resource
        if number >= NEAR:
            return resource in self._far
        flags = self.near.get(kind, b"")
        return number < len(flags) and flags[number] == 1

    def add(self, resource: Resource) -> None:
        kind, number = resource
        if number >= NEAR:
            self._far.add(resource)
            return
        flags = self.near.setdefault(kind, bytearray())
        if number >= len(flags):
            flags.extend(bytes(number + 1 - len(flags)))
        flags[number] = 1

    def discard(self, resource: Resource) -> None:
        kind, number = resource
        if number >= NEAR:
            self._far.discard(resource)
        elif resource in self:
            self.near[kind][number] = 0
