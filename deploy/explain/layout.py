"""Where things are in the picture: a column for each channel, and one for each domain without.

With many columns, neighbours stand in two rows, so that every box keeps a legible width.
"""

import msgspec

from deploy.explain.facts import Channel, Domain, Facts

WIDTH, MARGIN, GUTTER = 1000.0, 16.0, 116.0  # the gutter is inside the bands, for their titles
COLUMN_MIN = 54.0  # with two rows of boxes
ONE_ROW_MAX = 8
BOX_MAX, BOX_GAP, ROW_GAP, PAD = 164.0, 16.0, 12.0, 16.0
DOMAIN_HEIGHT, AGENT_HEIGHT = 70.0, 56.0
WAY_HEIGHT = 18.0  # one more line in an agent's box, where one has a way back
PILL_WIDTH, PILL_HEIGHT = 92.0, 26.0
TOP, RINGS, NO_RINGS, PAGES, FOOT = 92.0, 84.0, 44.0, 64.0, 54.0
PAGE_ROW = 36.0


class Column(msgspec.Struct, frozen=True):
    """One vertical of the picture, ``x`` its middle, ``row`` 0 or 1 of its boxes."""

    x: float
    row: int
    channel: Channel | None
    domain: Domain | None


class Band(msgspec.Struct, frozen=True):
    """A horizontal part of the picture, for one exception level; ``item`` is the height of what is in it."""

    top: float
    height: float
    item: float

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def place(self, row: int) -> float:
        """The top of an item in ``row``."""
        return self.top + PAD + row * (self.item + ROW_GAP)


class Layout(msgspec.Struct, frozen=True):
    """The bands from top to bottom and the columns from left to right; ``box`` is a box's width."""

    width: float
    height: float
    box: float
    rows: int
    domains: Band
    xen: Band
    firmware: Band
    columns: tuple[Column, ...]


def lay_out(facts: Facts, rings: bool) -> Layout:
    """Columns for everything there is, bands one below the other; with ``rings``, room to draw them."""
    pairs: list[tuple[Channel | None, Domain | None]] = [
        (channel, facts.domain(channel.owner)) for channel in facts.channels
    ]
    seen = {domain.name for _, domain in pairs if domain}
    pairs += [(None, domain) for domain in facts.domains if domain.name not in seen]
    rows = 1 if len(pairs) <= ONE_ROW_MAX else 2
    count = len(pairs) + (rows - 1)  # in two rows the outer boxes reach half a column beyond
    width = max(WIDTH, 2 * MARGIN + GUTTER + PAD + COLUMN_MIN * count)
    left, right = MARGIN + GUTTER, width - MARGIN - PAD
    pitch = (right - left) / max(count, 1)
    first = left + pitch * rows / 2
    columns = tuple(
        Column(first + pitch * at, at % rows, channel, domain) for at, (channel, domain) in enumerate(pairs)
    )
    domains = Band(TOP, _height(DOMAIN_HEIGHT, rows), DOMAIN_HEIGHT)
    xen = Band(
        domains.bottom + (RINGS if rings else NO_RINGS), _height(PILL_HEIGHT, rows) + 2 * PAD, PILL_HEIGHT
    )
    pages = PAGES + (rows - 1) * PAGE_ROW
    agent = AGENT_HEIGHT + (WAY_HEIGHT if any(one.p2a for one in facts.channels) else 0)
    firmware = Band(xen.bottom + pages, _height(agent, rows), agent)
    box = min(BOX_MAX, rows * pitch - BOX_GAP)
    return Layout(width, firmware.bottom + FOOT, box, rows, domains, xen, firmware, columns)


def _height(item: float, rows: int) -> float:
    return 2 * PAD + rows * item + (rows - 1) * ROW_GAP
