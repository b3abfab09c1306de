"""tshark, asked once for many packets, and what the tables say that it must answer."""

import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from bus import frames, shmem
from bus.fields import REST, Field, Message, WrongSize, count_max, decode, fields_of, layout
from bus.scmi.trace import SIGNED, present
from deploy.recording.rows import RECEIVED, Row
from deploy.tracing import dissector
from deploy.tracing.capture import CaptureWriter
from tests.bus.strategies import RANGES, counted, is_there

SCRIPT: Final = Path(dissector.__file__).with_name("trapline.lua")
Shown = tuple[str, str]  # a field's filter name, its value as tshark shows it


def capture(path: Path, rows: Sequence[Row], made: bytes = b"") -> Path:
    with path.open("wb") as file:
        writer = CaptureWriter(file, origin_ns=1_700_000_000_000_000_000)
        writer.describe(made)
        writer.write(rows)
    return path


def tshark(path: Path, *options: str, script: Path = SCRIPT) -> str:
    """What tshark says of a capture with our dissector; an error or a warning of Lua's fails the test."""
    found = shutil.which("tshark")
    assert found, "tshark is not installed: apt-get install tshark (DEBIAN_FRONTEND=noninteractive)"
    command = [found, "-n", "-X", f"lua_script:{script}", "-r", str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
    assert not errors, errors
    assert done.returncode == 0
    assert "Lua Error" not in done.stdout
    return done.stdout


class Packet:
    """One packet of a dissection: ``fields`` in order, ``experts`` that complain."""

    def __init__(self, element: ElementTree.Element) -> None:
        self.fields = [(one.get("name", ""), one.get("show", "")) for one in element.iter("field")]
        self.experts = [
            name for name, _ in self.fields if name.endswith((".malformed", ".failed", ".unknown"))
        ]
        self.malformed = any(name.endswith(".malformed") for name in self.experts)

    def first(self, name: str) -> str | None:
        return next((show for found, show in self.fields if found == name), None)

    def below(self, prefix: str) -> list[Shown]:
        return [one for one in self.fields if one[0].startswith(prefix + ".")]


def dissected(path: Path, *protocols: str, script: Path = SCRIPT) -> list[Packet]:
    """Every packet of a capture, from one run of tshark; of ``protocols`` only, if given."""
    text = tshark(path, "-T", "pdml", *(("-J", " ".join(protocols)) if protocols else ()), script=script)
    return [Packet(one) for one in ElementTree.fromstring(text).iter("packet")]


def information(path: Path) -> list[str]:
    return tshark(path, "-T", "fields", "-e", "_ws.col.Info").splitlines()


# ---- rows that carry a message --------------------------------------------------------------------

REGISTERS: Final = (0x8200_0005, 0, 0, 0, 0, 0, 0, 0)


def carrying(part: str, head: int, payload: bytes, number: int = 1) -> Row:
    """The row of whoever receives the message: a request, a reply, a delayed response or a notification."""
    if part == "request":
        trap = frames.Trap(frames.PROTOCOL_VERSION, number, number, 0x17, 0, REGISTERS, 0x2200_1000)
        return number, "xen", "ivi#1", RECEIVED, frames.encode(trap), shmem.request(head, payload)
    if part == "reply":
        back = frames.Return(frames.PROTOCOL_VERSION, number, number, (0, 0, 0, 0))
        return number, "ivi#1", "xen", RECEIVED, frames.encode(back), shmem.reply(head, payload)
    interrupt = frames.Interrupt(frames.PROTOCOL_VERSION, number, 0, 112, 0x2200_2000)
    return number, "ivi#1", "xen", RECEIVED, frames.encode(interrupt), shmem.request(head, payload)


# ---- what the tables say --------------------------------------------------------------------------


def decoded(found: dict[int, type[Message] | None], payload: bytes) -> tuple[Message, int] | None:
    """The payload by the newest version whose table has its length."""
    for version, cls in sorted(found.items(), reverse=True):
        try:
            if cls is not None:
                return decode(cls, payload, version), version
        except WrongSize:
            continue
    return None


def expected(prefix: str, message: Message, version: int) -> Iterator[Shown]:
    """Every field of a message, with the parts of its words, as the tree must have them."""
    for row in present(message, version):
        value = getattr(message, row.name)
        name = f"{prefix}.{row.name}"
        for one in value if row.count else (value,):
            if row.item is not None:
                yield from expected(name, one, version)
            else:
                yield from _scalar(name, row, one, version)


def _scalar(name: str, row: Field, value: Any, version: int) -> Iterator[Shown]:
    bits = row.bits_at(version)
    yield name, value if row.is_text else str(value)
    for part, got in (bits.unpack(value) if bits else {}).items():
        high, low = bits.rows[part] if bits else (0, 0)
        width = high - low + 1
        signed = part.endswith(SIGNED) and got >> width - 1
        yield f"{name}.{part}", str(got - (1 << width) if signed else got)


def plain(shown: Sequence[Shown]) -> list[Shown]:
    """Numbers in hexadecimal as decimal ones."""
    return [
        (name, str(int(show, 16)) if re.fullmatch(r"0x[0-9a-f]+", show) else show) for name, show in shown
    ]


# ---- messages of any values -----------------------------------------------------------------------

LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_-.:/ "


def anything(draw: random.Random, cls: type[Message], version: int) -> Message:
    """A legal message with any values; the ends of ranges come often."""
    shape = layout(cls, version)
    values: dict[str, Any] = {row.name: row.empty for row in fields_of(cls)}
    for row in shape.rows:
        if not row.count and is_there(row, values):
            values[row.name] = _value(draw, row)
    tail = shape.tail
    if tail is not None:
        most = 5 if tail.count == REST else min(5, count_max(tail))
        size = draw.randint(0, most)
        item = tail.item
        made = [anything(draw, item, version) if item else _value(draw, tail) for _ in range(size)]
        values[tail.name] = tuple(made)
        if tail.count != REST:
            name, word = counted(tail, values, size)
            values[name] = word
    return cls(**values)


def _value(draw: random.Random, row: Field) -> Any:
    if row.is_text:
        return "".join(draw.choices(LETTERS, k=draw.randint(0, int(row.code[:-1]) - 1)))
    low, high = RANGES[row.code]
    return draw.choice((low, high, draw.randint(low, high), draw.randint(0, min(high, 300))))
