"""The tables of CAPTURE.md, read off the layouts of packets."""

from bus.fields import Field, Message, fields_of, layout
from bus.reference import table
from deploy.tracing.capture import DescriptionHead, PacketHead


def head() -> str:
    """What is in front of every packet."""
    return _layout(PacketHead)


def description() -> str:
    """What is in front of each part of run.json."""
    return _layout(DescriptionHead)


def _layout(cls: type[Message]) -> str:
    offsets = layout(cls).offsets
    rows = [(str(offsets[row.name]), row.kind, row.name, _meaning(row)) for row in fields_of(cls)]
    return table(("at", "type", "field", "meaning"), rows)


def _meaning(row: Field) -> str:
    values = ", ".join(f"{number} {name}" for name, number in row.values.items())
    return f"{row.doc}: {values}" if values else row.doc
