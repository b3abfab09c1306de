"""How the reference pages write tables, versions, bits and named values; no message is known here."""

from collections.abc import Iterable, Iterator, Mapping

from bus.fields import ANY_VERSION, Bits

WORD_BITS = 32
DECIMAL_MAX = 0xFF  # numbers above are words, and read better in hex

Row = tuple[str, ...]


def table(head: Row, rows: Iterable[Row], grouped: bool = False) -> str:
    """A Markdown table; pipes inside cells are escaped.

    ``grouped``: the first cell is written once for a run of rows that share it.
    """
    lines = [_line(head), _line(tuple("---" for _ in head))]
    above = ""
    for row in rows:
        first = "" if grouped and row[0] == above else row[0]
        above = row[0]
        lines.append(_line(tuple(cell.replace("|", "\\|") for cell in (first, *row[1:]))))
    return "\n".join(lines) + "\n"


def _line(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"


def version_text(version: int) -> str:
    """``2.1 (0x20001)``."""
    return f"{version >> 16}.{version & 0xFFFF} ({version:#x})"


def since_text(version: int) -> str:
    """The version, or nothing for what was always there."""
    return "" if version == ANY_VERSION else version_text(version)


def bit_rows(bits: Bits) -> Iterator[tuple[str, str]]:
    """(bits, name) from the top down, the reserved stretches included."""
    above = WORD_BITS
    for name, (high, low) in sorted(bits.rows.items(), key=lambda row: -row[1][0]):
        if high + 1 < above:
            yield _span(above - 1, high + 1), "reserved"
        yield _span(high, low), name
        above = low
    if above:
        yield _span(above - 1, 0), "reserved"


def _span(high: int, low: int) -> str:
    return str(high) if high == low else f"{high}:{low}"


def values_text(values: Mapping[str, int]) -> str:
    """``0 DISABLED, 1 POSITIVE, 0x40000000 OFF``."""
    return ", ".join(
        f"{number if number <= DECIMAL_MAX else hex(number)} {name}"
        for name, number in sorted(values.items(), key=lambda item: item[1])
    )
