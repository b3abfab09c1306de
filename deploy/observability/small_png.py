"""A screenshot with at most 256 colours: as a palette PNG it is much smaller. It knows not what is on it.

Reads what Chromium writes: 8 bits, RGB, not interlaced.
"""

import struct
import zlib
from collections import Counter
from typing import Final

MARK: Final = b"\x89PNG\r\n\x1a\n"
COLOURS_MAX: Final = 256
ALIKE: Final = 14  # two colours nearer than this, all channels together, are shades of one
RGB: Final = 3


def small(picture: bytes) -> bytes:
    """The same picture as a palette PNG. Raises ValueError for another kind of PNG."""
    chunks = list(_chunks(picture))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if (depth, kind, interlaced) != (8, 2, 0):
        raise ValueError(f"not an RGB picture of 8 bits: {depth}, {kind}, {interlaced}")
    raw = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    rows = _rows(raw, width * RGB, height)
    pixels = [[row[at : at + RGB] for at in range(0, len(row), RGB)] for row in rows]
    frequent = Counter(pixel for row in pixels for pixel in row)
    palette = _palette([pixel for pixel, _ in frequent.most_common()])
    number = {pixel: at for at, pixel in enumerate(palette)}
    for pixel in frequent:
        if pixel not in number:
            number[pixel] = _nearest(palette, pixel)
    packed = b"".join(b"\0" + bytes([number[pixel] for pixel in row]) for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [
        (b"IHDR", head),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(packed, 9)),
        (b"IEND", b""),
    ]
    return MARK + b"".join(_chunk(name, content) for name, content in parts)


def _palette(pixels: list[bytes]) -> list[bytes]:
    """Of the colours, most frequent first, those to keep: those unlike any other before shades of the same.

    By frequency alone a text's shades of grey would leave no room for a thin line's colour.
    """
    chosen: dict[bytes, None] = {}
    for pixel in pixels:
        if len(chosen) == COLOURS_MAX:
            break
        if all(_apart(one, pixel) >= ALIKE for one in chosen):
            chosen[pixel] = None
    for pixel in pixels:
        if len(chosen) == COLOURS_MAX:
            break
        chosen[pixel] = None
    return list(chosen)


def _apart(one: bytes, other: bytes) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) + abs(one[2] - other[2])


def _nearest(palette: list[bytes], pixel: bytes) -> int:
    return min(range(len(palette)), key=lambda at: _apart(palette[at], pixel))


def _chunks(picture: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], len(MARK)
    while at < len(picture):
        size = int.from_bytes(picture[at : at + 4], "big")
        found.append((picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _rows(raw: bytes, size: int, height: int) -> list[bytes]:
    """The rows with their filters undone."""
    rows: list[bytes] = []
    above = bytes(size)
    for number in range(height):
        begin = number * (size + 1)
        above = _plain(raw[begin], bytearray(raw[begin + 1 : begin + 1 + size]), above)
        rows.append(above)
    return rows


def _plain(kind: int, row: bytearray, above: bytes) -> bytes:
    for at in range(len(row)):
        left = row[at - RGB] if at >= RGB else 0
        corner = above[at - RGB] if at >= RGB else 0
        guess = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[kind]
        row[at] = (row[at] + guess) & 0xFF
    return bytes(row)


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda one: abs(guess - one))
