"""What a protocol's table must satisfy before anybody encodes with it; for tables that come from outside.

``problem`` names the first rule that a table breaks. It knows nothing of where the table came from.
"""

import re
import struct
from collections.abc import Iterable, Iterator

from bus.fields import REST, Field, Message, fields_of, layout
from bus.scmi.protocol import COMMON, AnyCommand, Notification, Protocol

BYTE_MAX = 0xFF
ATTRIBUTES_ID = 0x1  # PROTOCOL_ATTRIBUTES: each protocol brings its own


def problem(protocol: Protocol) -> str | None:
    """The first rule that ``protocol`` breaks, in words with the remedy; None if it is well formed."""
    return next(_problems(protocol), None)


def _problems(protocol: Protocol) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", protocol.key):
        yield f"key {protocol.key!r}: a key is lower-case letters, digits and '_', a letter first"
    if not 0x10 <= protocol.id <= BYTE_MAX:
        yield f"id {protocol.id:#x}: a protocol's id is 0x10 to 0xff"
    if not protocol.versions or list(protocol.versions) != sorted(set(protocol.versions)):
        yield "versions: give at least one, each once, the oldest first"
        return
    yield from _row_problems(protocol.commands, "command")
    yield from _row_problems(protocol.notifications, "notification")
    commands = {row.name for row in protocol.commands}
    common = {row.id: row.name for row in COMMON}
    for row in protocol.commands:
        if row.id in common:
            yield f"{row.name}: id {row.id:#x} is {common[row.id]}, which every protocol has; leave it out"
        yield from _table_problems(row, protocol)
    if ATTRIBUTES_ID not in {row.id for row in protocol.commands}:
        yield "commands: PROTOCOL_ATTRIBUTES (0x1) is missing; every protocol has one"
    for told in protocol.notifications:
        if told.enabled_by not in commands:
            yield f"{told.name}: enabled by {told.enabled_by}, which is no command of this protocol"
        for version in protocol.versions:
            yield from _class_problems(told.name, told.payload, version)


def _row_problems(rows: Iterable[AnyCommand | Notification], what: str) -> Iterator[str]:
    ids: dict[int, str] = {}
    names: set[str] = set()
    for row in rows:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", row.name):
            yield f"{what} {row.name!r}: a name is upper-case letters, digits and '_', a letter first"
        if not 0 <= row.id <= BYTE_MAX:
            yield f"{row.name}: id {row.id:#x} is not a byte"
        if row.id in ids:
            yield f"{row.name}: id {row.id:#x} is that of {ids[row.id]}; give each {what} its own"
        if row.name in names:
            yield f"{row.name}: there are two {what}s of this name"
        ids[row.id] = row.name
        names.add(row.name)


def _table_problems(command: AnyCommand, protocol: Protocol) -> Iterator[str]:
    for version in protocol.versions:
        tables = (command.request_at(version), command.reply_at(version), command.delayed_at(version))
        for cls in tables:
            if cls is not None:
                yield from _class_problems(command.name, cls, version)


def _class_problems(where: str, cls: type[Message], version: int) -> Iterator[str]:
    try:
        layout(cls, version)
        rows = fields_of(cls)
    except (TypeError, ValueError, NameError, struct.error) as error:
        yield f"{where}: {error}"
        return
    before: set[str] = set()
    for row in rows:
        yield from (
            f"{where}: {cls.__name__}.{row.name} depends on {name!r}, which is no field before it"
            for name in _depends_on(row)
            if name not in before
        )
        if row.item is not None:
            yield from _class_problems(where, row.item, version)
        before.add(row.name)


def _depends_on(row: Field) -> list[str]:
    names = [one.lstrip("!").partition("[")[0] for one in row.when.split()]
    return names + ([row.count.partition("[")[0]] if row.count not in ("", REST) else [])
