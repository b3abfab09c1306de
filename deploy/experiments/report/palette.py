"""One colour, dash and symbol per agent, the same in every plot and in the legend.

The eight hues are apart for the common kinds of colour blindness (after Okabe and Ito), each in a shade for
white and one for dark paper with a contrast of at least 3 to 1. Dash and symbol repeat what the hue says.
"""

from typing import Final

import msgspec

LIGHT: Final = ("#0072b2", "#c04a00", "#007f5f", "#a8448b", "#8a6500", "#2a7fa8", "#4b3fa7", "#4d4d4d")
DARK: Final = ("#5ab4f0", "#ff8a4c", "#2fc79b", "#ec9ccb", "#f0c040", "#9ad8f5", "#a99cff", "#c8c8c8")
DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
STROKES: Final = {
    "solid": "",
    "dash": "7 4",
    "dot": "2 3",
    "dashdot": "7 3 2 3",
    "longdash": "12 4",
    "longdashdot": "12 3 2 3",
}
SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up")


class Look(msgspec.Struct, frozen=True):
    """How one agent is drawn. ``stroke``: the dash as SVG writes it."""

    name: str
    light: str
    dark: str
    dash: str
    stroke: str
    symbol: str


def look(name: str, number: int) -> Look:
    """Of the agent with this place in the result; 48 places look different."""
    dash = DASHES[(number // len(LIGHT)) % len(DASHES)]
    return Look(
        name,
        LIGHT[number % len(LIGHT)],
        DARK[number % len(DARK)],
        dash,
        STROKES[dash],
        SYMBOLS[(number + number // len(LIGHT)) % len(SYMBOLS)],
    )
