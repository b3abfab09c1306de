"""Palette PNGs: every kind of row is read, and colours are kept as far as there is room."""

import struct
import zlib

import pytest

from deploy.observability.small_png import COLOURS_MAX, MARK, _chunk, _chunks, small


def png(rows: list[bytes], width: int, kind: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, len(rows), 8, kind, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    return MARK + b"".join(_chunk(name, content) for name, content in parts)


def shown(picture: bytes) -> list[list[tuple[int, ...]]]:
    """The pixels of a palette PNG whose rows have no filter."""
    parts = dict(_chunks(picture))
    width, _, _, kind = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert kind == 3
    raw = zlib.decompress(parts[b"IDAT"])
    rows = [raw[at + 1 : at + 1 + width] for at in range(0, len(raw), width + 1)]
    return [[tuple(parts[b"PLTE"][3 * one : 3 * one + 3]) for one in row] for row in rows]


def test_each_filter_is_undone() -> None:
    first = bytes((0, 10, 20, 30, 40, 50, 60))
    rows = [first, *(bytes((kind, 1, 1, 1, 1, 1, 1)) for kind in (1, 2, 3, 4))]
    assert shown(small(png(rows, 2))) == [
        [(10, 20, 30), (40, 50, 60)],
        [(1, 1, 1), (2, 2, 2)],
        [(2, 2, 2), (3, 3, 3)],
        [(2, 2, 2), (3, 3, 3)],
        [(3, 3, 3), (4, 4, 4)],
    ]


def test_the_frequent_colours_are_kept_and_another_becomes_the_nearest() -> None:
    many = b"".join(bytes((0, 0, one)) * 2 for one in range(COLOURS_MAX))
    rows = [b"\0" + many + bytes((1, 0, 9))]
    found = shown(small(png(rows, 2 * COLOURS_MAX + 1)))[0]
    assert found[:-1:2] == [(0, 0, one) for one in range(COLOURS_MAX)]
    assert found[-1] == (0, 0, 9)


def test_a_rare_colour_unlike_all_others_is_kept_before_shades_of_a_frequent_one() -> None:
    shades = b"".join(bytes((0, one, one)) * 2 for one in range(COLOURS_MAX))
    found = shown(small(png([b"\0" + shades + bytes((255, 0, 0))], 2 * COLOURS_MAX + 1)))[0]
    assert found[-1] == (255, 0, 0)


def test_another_kind_of_png_is_refused() -> None:
    with pytest.raises(ValueError, match="not an RGB picture"):
        small(png([bytes(9)], 2, kind=6))
