"""A few SVG shapes, drawn in order, on a background of their own. It knows nothing of what is drawn.

Lengths are pixels of a picture that is ``width`` wide. Text is never wider than asked: it is cut with "…".
"""

import contextlib
from collections.abc import Iterator
from xml.etree import ElementTree as Xml

SANS = "system-ui, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
PAPER, INK, MUTED = "#fdfdfb", "#1f2933", "#66717d"
_SANS_EM, _BOLD_EM, _MONO_EM = 0.63, 0.66, 0.605  # a wide font's usual character, in font sizes
SMALLEST = 10.5
DIM = "0.35"


class Canvas:
    """Draw, then ``render``. Later shapes lie over earlier ones."""

    def __init__(self, width: float, height: float, title: str, description: str) -> None:
        self._root = Xml.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {_length(width)} {_length(height)}",
                "width": _length(width),
                "height": _length(height),
                "role": "img",
                "font-family": SANS,
            },
        )
        self._into = self._root
        self._add("title").text = _printable(title)
        self._add("desc").text = _printable(description)
        self.rect((0, 0, width, height), PAPER, PAPER, radius=0)

    def _add(self, tag: str, **attributes: str) -> Xml.Element:
        return Xml.SubElement(self._into, tag, {k.replace("_", "-"): v for k, v in attributes.items()})

    @contextlib.contextmanager
    def group(self, dim: bool = False, title: str = "") -> Iterator[None]:
        """What is drawn inside belongs together; ``dim``: not in focus; ``title``: for a pointer."""
        outer = self._into
        self._into = self._add("g", opacity=DIM) if dim else self._add("g")
        if title:
            self._add("title").text = _printable(title)
        yield
        self._into = outer

    def rect(
        self,
        box: tuple[float, float, float, float],
        fill: str,
        stroke: str,
        *,
        radius: float = 8,
        dash: str = "",
        width: float = 1.2,
    ) -> None:
        """``box`` is (x, y, width, height)."""
        x, y, w, h = map(_length, box)
        made = self._add("rect", x=x, y=y, width=w, height=h, rx=_length(radius), fill=fill, stroke=stroke)
        made.set("stroke-width", _length(width))
        if dash:
            made.set("stroke-dasharray", dash)

    def path(self, d: str, stroke: str, *, width: float = 2, dash: str = "") -> None:
        made = self._add("path", d=d, fill="none", stroke=stroke, stroke_width=_length(width))
        made.set("stroke-linecap", "round")
        if dash:
            made.set("stroke-dasharray", dash)

    def text(
        self,
        at: tuple[float, float],
        words: str,
        size: float,
        *,
        room: float,
        fill: str = INK,
        anchor: str = "middle",
        bold: bool = False,
        mono: bool = False,
    ) -> None:
        """``words`` with their baseline at ``at``, made smaller and then cut to fit ``room`` pixels."""
        em = _MONO_EM if mono else _BOLD_EM if bold else _SANS_EM
        size = max(min(size, room / (em * max(len(words), 1))), min(size, SMALLEST))
        x, y = map(_length, at)
        made = self._add("text", x=x, y=y, font_size=_length(size), fill=fill, text_anchor=anchor)
        if bold:
            made.set("font-weight", "600")
        if mono:
            made.set("font-family", MONO)
        made.text = cut(_printable(words), int(room / (em * size)))

    def render(self) -> str:
        Xml.indent(self._root)
        return Xml.tostring(self._root, encoding="unicode") + "\n"


def cut(words: str, characters: int) -> str:
    """``words`` in at most ``characters``, with an ellipsis if some are missing."""
    return words if len(words) <= characters else words[: max(characters - 1, 0)].rstrip(" ,") + "…"


def _printable(words: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in words)


def _length(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
