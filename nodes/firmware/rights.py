"""The rows of ``[[right]]`` for one agent, looked up: the most specific row that fits decides.

It knows no devices and no grants: that is ``permissions.py``, which asks here first.
"""

from collections.abc import Iterable, Iterator

from nodes.firmware.platform import Right
from nodes.firmware.platform.rights import kinds_named

Resource = tuple[str, int]
Command = tuple[str, str]
Key = tuple[str, int | None]
EVERY_COMMAND: Command = ("", "")
# Rows of commands that name no resource, or of which only the plug-in knows what they name.
ANY: Key = ("", None)


class Rights:
    """Order: the resource by id, then its kind; with each, the row that names the command before the one that
    names none. Of two rows that are as specific the one that denies wins.
    """

    def __init__(self, rows: Iterable[Right]) -> None:
        self._rows: dict[Key, dict[Command, bool]] = {}
        for row in rows:
            for key, command in _keys(row):
                told = self._rows.setdefault(key, {})
                told[command] = told.get(command, True) and row.allow

    def decide(self, resource: Resource | None, command: Command) -> bool | None:
        """Whether the agent may send the command for the resource; None when no row says anything."""
        keys: tuple[Key, ...] = (ANY,) if resource is None else (resource, (resource[0], None), ANY)
        for key in keys:
            told = self._rows.get(key)
            if told is not None:
                decided = told.get(command, told.get(EVERY_COMMAND))
                if decided is not None:
                    return decided
        return None

    def opens(self, resource: Resource) -> bool:
        """Whether some command is allowed for the resource."""
        return any(True in self._rows.get(key, {}).values() for key in (resource, (resource[0], None)))

    def opens_kind(self, kind: str) -> bool:
        """Whether some command is allowed for some resource of the kind."""
        return any(key[0] == kind and True in told.values() for key, told in self._rows.items())


def _keys(row: Right) -> Iterator[tuple[Key, Command]]:
    numbers: tuple[int | None, ...] = row.ids or (None,)
    for name in row.commands or (".",):
        protocol, _, message = name.partition(".")
        kinds = (row.kind,) if row.kind else kinds_named(name) or ("",)
        for kind in kinds:
            for number in numbers:
                yield (kind, number), (protocol, message)
