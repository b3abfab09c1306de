"""Per-agent numbering of resources: what an agent calls clock 0 may be the platform's clock 5.

Ids inside EL3 are always the platform's; they are translated where a request comes in and where an answer
goes out, by the field tables (``of``). An agent without a view uses the platform's ids. Views come from
``[[view]]``, or, where a profile leaves out what an agent may not use, from its grants: then the numbers are
dense, in the order of the platform's, and move when grants change.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache

import msgspec

from bus.fields import M, Message, fields_of
from nodes.firmware.permissions import Permissions
from nodes.firmware.platform import Platform
from nodes.firmware.profile import DEFAULT, FirmwareProfile
from nodes.firmware.rights import Resource

NOTHING = 0xFFFF_FFFF  # what an agent is told instead of a resource that it does not see
COUNTED = {"num_pins": "pin", "num_groups": "pin_group", "num_functions": "pin_function"}


class View:
    """One agent's numbers for one kind: ``ids[number]`` is the platform's, ``numbers`` the way back."""

    __slots__ = ("ids", "numbers")

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = tuple(ids)
        self.numbers = {one: number for number, one in enumerate(ids)}


class Views:
    """``numbered``: the agents that have numbers of their own. ``any`` is False when there are none."""

    def __init__(
        self, platform: Platform, permissions: Permissions, profile: FirmwareProfile = DEFAULT
    ) -> None:
        self._permissions = permissions
        self._fixed = {(row.agent, row.kind): View(row.ids) for row in platform.view}
        self._agents = {row.agent for row in platform.view}
        self._dense = profile.denied_resource == "unlisted"
        self._hides = profile.denied_resource in ("NOT_FOUND", "unlisted")
        self._known: dict[str, Collection[int]] = {}
        self._made: dict[int, dict[str, View]] = {}
        everyone = {agent.id for agent in platform.agent}
        self.numbered = frozenset(everyone if self._dense else self._agents)
        self.any = bool(self.numbered)
        permissions.on_change.append(self._forget)

    def declare(self, resources: Mapping[str, Collection[int]]) -> None:
        """Tell what a protocol serves, before the first message."""
        self._known.update(resources)

    def _forget(self, agent: int) -> None:
        self._made.pop(agent, None)

    def special(self, agent: int) -> bool:
        """Whether something may look otherwise to the agent than it is."""
        return self._hides or agent in self._agents

    def _of(self, agent: int, kind: str) -> View | None:
        fixed = self._fixed.get((agent, kind))
        if fixed is not None or not self._dense:
            return fixed
        made = self._made.setdefault(agent, {})
        if kind not in made:
            sees = self._permissions.sees
            made[kind] = View([one for one in sorted(self._known.get(kind, ())) if sees(agent, (kind, one))])
        return made[kind]

    def inward(self, agent: int, kind: str, number: int) -> int | None:
        """The platform's id for what the agent calls ``number``; None when it sees no such resource.

        Without a view the number is the platform's, known or not.
        """
        if not self.special(agent):
            return number
        view = self._of(agent, kind)
        if view is not None:
            if number >= len(view.ids):
                return None
            number = view.ids[number]
        hidden = self._hides and not self._shown((kind, number), agent)
        return None if hidden else number

    def _shown(self, resource: Resource, agent: int) -> bool:
        return resource[1] not in self._known.get(resource[0], ()) or self._permissions.sees(agent, resource)

    def number(self, agent: int, kind: str, resource_id: int) -> int:
        """What the agent calls a resource; NOTHING when it sees no such resource. Other values stay."""
        view = self._of(agent, kind) if self.any else None
        if view is None or resource_id not in self._known.get(kind, ()):
            return resource_id
        return view.numbers.get(resource_id, NOTHING)

    def listed(self, agent: int, kind: str, ids: Sequence[int]) -> Sequence[int]:
        """Those of the platform's ``ids`` that the agent sees, in the order of its own numbers."""
        view = self._of(agent, kind) if self.any else None
        if view is None:
            return ids
        if len(ids) == len(self._known.get(kind, ())):
            return view.ids  # all there are: nothing to look for, however many
        return sorted((one for one in ids if one in view.numbers), key=view.numbers.__getitem__)

    def count(self, agent: int, kind: str, of: int) -> int:
        """How many resources of a kind the agent sees, of the platform's ``of``."""
        view = self._of(agent, kind) if self.any else None
        return of if view is None else len(view.ids)

    def request(self, agent: int, message: M) -> M | None:
        """A request with the platform's ids; None when its resource is not there for the agent."""
        changes: dict[str, int] = {}
        for at, (name, kind) in enumerate(_plan(type(message)).scalars):
            found = self.inward(agent, kind, getattr(message, name))
            if found is None and at == 0:
                return None
            changes[name] = NOTHING if found is None else found
        return msgspec.structs.replace(message, **changes) if changes else message

    def outward(self, agent: int, message: M) -> M:
        """The message with the ids that the agent knows."""
        plan = _plan(type(message))
        if plan.empty:
            return message
        changes: dict[str, object] = {}
        for name, kind in plan.scalars:
            changes[name] = self.number(agent, kind, getattr(message, name))
        for name, kind in plan.arrays:
            changes[name] = tuple(self.number(agent, kind, one) for one in getattr(message, name))
        for name in plan.structures:
            changes[name] = tuple(self.outward(agent, one) for one in getattr(message, name))
        return msgspec.structs.replace(message, **changes)

    def counted(self, agent: int, kinds: Sequence[str], message: M) -> M:
        """The reply to PROTOCOL_ATTRIBUTES with the counts that hold for the agent.

        A count is a part of a word that is named num_...; its kind is the protocol's only one, or its name's.
        """
        changes: dict[str, int] = {}
        for row in fields_of(type(message)):
            for part, (high, low) in row.bits.rows.items() if row.bits else ():
                kind = COUNTED.get(part) or (kinds[0] if len(kinds) == 1 and part.startswith("num_") else "")
                if kind:
                    word = changes.get(row.name, getattr(message, row.name))
                    mask = (1 << high + 1) - (1 << low)
                    seen = self.count(agent, kind, (word & mask) >> low)
                    changes[row.name] = word & ~mask | seen << low
        return msgspec.structs.replace(message, **changes) if changes else message


class Plan(msgspec.Struct, frozen=True):
    """Where a message has ids: (field, kind) of single ones and of lists, fields with structures that have
    some.
    """

    scalars: tuple[tuple[str, str], ...]
    arrays: tuple[tuple[str, str], ...]
    structures: tuple[str, ...]
    empty: bool


@cache
def _plan(cls: type[Message]) -> Plan:
    rows = fields_of(cls)
    scalars = tuple((row.name, row.of) for row in rows if row.of and not row.count)
    arrays = tuple((row.name, row.of) for row in rows if row.of and row.count)
    inner = tuple(row.name for row in rows if row.item is not None and not _plan(row.item).empty)
    return Plan(scalars, arrays, inner, not (scalars or arrays or inner))
