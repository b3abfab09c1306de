"""A space-time diagram as inline SVG: a vertical line per node, an arrow per message, time downwards.

Every end of an arrow has a line of its own, so that no text covers another; distances therefore follow the
order of things, and only roughly their times. Colours come from the page's style. It knows only messages.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
from markupsafe import Markup, escape

from deploy.experiments.report.text import NS_S, NS_US
from deploy.experiments.result import Arrow

MESSAGES_MAX: Final = 60  # around what is highlighted first
LEFT, LANE, TOP, STEP, GAP = 92, 108, 46, 20, 34  # pixels
LABEL_PX: Final = 380
LONG_NS: Final = 10  # so many times the median step: a gap that is drawn as one
LAST: Final = ("xen", "firmware")  # stand at the right, the toolstack at the left
FIRST: Final = ("toolstack", "run")
HEAD: Final = 7


class Picture(msgspec.Struct, frozen=True):
    """``svg`` with its size in pixels; ``left_out``: messages that did not fit."""

    svg: Markup
    width: int
    height: int
    left_out: int


class End(msgspec.Struct, frozen=True):
    """One end of an arrow: of which message, whether it is the receipt, and when."""

    at_ns: int
    receipt: bool
    message: int


def nodes_of(messages: Sequence[Arrow]) -> list[str]:
    """The toolstack, the domains as they appear, Xen, EL3."""
    seen = dict.fromkeys(name for one in messages for name in (one.sender, one.receiver))
    middle = [name for name in seen if name not in FIRST + LAST]
    return [*(name for name in FIRST if name in seen), *middle, *(name for name in LAST if name in seen)]


def chosen(messages: Sequence[Arrow]) -> list[Arrow]:
    """In order of sending; of too many, those around the first highlighted one."""
    ordered = sorted(messages, key=lambda one: one.sent_ns)
    first = next((at for at, one in enumerate(ordered) if one.highlighted), 0)
    begin = max(0, min(first - MESSAGES_MAX // 2, len(ordered) - MESSAGES_MAX))
    return ordered[begin : begin + MESSAGES_MAX]


def draw(messages: Sequence[Arrow]) -> Picture:
    """The diagram of at least one message."""
    some = chosen(messages)
    nodes = nodes_of(some)
    columns = {name: LEFT + LANE // 2 + LANE * at for at, name in enumerate(nodes)}
    ends = _ends(some)
    rows = _rows(ends)
    height = max(rows.values()) + 30
    labels = LEFT + LANE * len(nodes) + 8
    parts = [_lane(name, x, height) for name, x in columns.items()]
    parts += [_time(end, rows[end], ends[0].at_ns) for end in ends if not end.receipt]
    for at, one in enumerate(some):
        sent = (columns[one.sender], rows[End(one.sent_ns, False, at)])
        if one.received_ns is None:
            arrow = _lost(sent, columns[one.receiver])
        else:
            arrow = _arrow(sent, (columns[one.receiver], rows[End(one.received_ns, True, at)]))
        parts.append(_message(at, one, sent, arrow, labels))
    lost = sum(one.received_ns is None for one in some)
    title = f"{len(some)} messages between {', '.join(nodes)}; {lost} lost"
    width = labels + LABEL_PX
    body = Markup("\n").join(parts)
    svg = Markup(
        '<svg class="spacetime" role="img" aria-label="{title}" viewBox="0 0 {w} {h}" '
        'width="{w}" height="{h}">\n{body}\n</svg>'
    ).format(title=title, w=width, h=height, body=body)
    return Picture(svg, width, height, len(messages) - len(some))


def _ends(messages: Sequence[Arrow]) -> list[End]:
    ends = [End(one.sent_ns, False, at) for at, one in enumerate(messages)]
    ends += [End(o.received_ns, True, at) for at, o in enumerate(messages) if o.received_ns is not None]
    return sorted(ends, key=lambda end: (end.at_ns, end.receipt, end.message))


def _rows(ends: Sequence[End]) -> dict[End, int]:
    """A row for each end; a wider step where much more time passes than usually."""
    steps = sorted(after.at_ns - before.at_ns for before, after in pairwise(ends))
    usual = steps[len(steps) // 2] if steps else 0
    rows: dict[End, int] = {}
    y, before = TOP, ends[0].at_ns
    for end in ends:
        y += GAP if usual and end.at_ns - before > LONG_NS * usual else STEP
        rows[end], before = y, end.at_ns
    return rows


def _lane(name: str, x: int, height: int) -> Markup:
    return Markup(
        '<text class="node" x="{x}" y="20" text-anchor="middle">{name}</text>'
        '<line class="lane" x1="{x}" y1="30" x2="{x}" y2="{y}"/>'
    ).format(name=_short(name), x=x, y=height - 8)


def _short(name: str) -> str:
    return name if len(name) <= 15 else name[:6] + "\N{HORIZONTAL ELLIPSIS}" + name[-8:]


def _time(end: End, y: int, first_ns: int) -> Markup:
    since = end.at_ns - first_ns
    text = f"{end.at_ns / NS_S:.6f} s" if not since else f"+{since / NS_US:,.1f} µs"
    return Markup('<text class="when" x="{x}" y="{y}" text-anchor="end">{text}</text>').format(
        x=LEFT + 4, y=y + 4, text=text.replace(",", "\N{NO-BREAK SPACE}")
    )


def _arrow(begin: tuple[int, int], end: tuple[int, int]) -> Markup:
    (x1, y1), (x2, y2) = begin, end
    return _line(x1, y1, x2, y2) + _head(x1, y1, x2, y2)


def _head(x1: int, y1: int, x2: int, y2: int) -> Markup:
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1.0)
    along, across = (x2 - x1) / length * HEAD, (y2 - y1) / length * HEAD
    left = f"{x2 - along - across / 2:.1f},{y2 - across + along / 2:.1f}"
    right = f"{x2 - along + across / 2:.1f},{y2 - across - along / 2:.1f}"
    return Markup('<polygon points="{},{} {} {}"/>').format(x2, y2, left, right)


def _lost(begin: tuple[int, int], x2: int) -> Markup:
    """Half the way, then a cross."""
    x1, y1 = begin
    x, y, d = (x1 + x2) // 2, y1 + STEP // 2, 5
    return _line(x1, y1, x, y) + Markup('<path class="cross" d="M{} {}L{} {}M{} {}L{} {}"/>').format(
        x - d, y - d, x + d, y + d, x - d, y + d, x + d, y - d
    )


def _line(x1: int, y1: int, x2: int, y2: int) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}"/>').format(x1, y1, x2, y2)


def _message(at: int, one: Arrow, sent: tuple[int, int], arrow: Markup, labels: int) -> Markup:
    """The arrow, its number where it begins, and what it says beside the lanes."""
    kinds = ["message"] + ["lost"] * (one.received_ns is None) + ["bad"] * one.highlighted
    mark = "\N{BLACK RIGHT-POINTING TRIANGLE} " if one.highlighted else ""
    text = f"{mark}{at + 1}  {one.text}" + (" (lost)" if one.received_ns is None else "")
    x, y = sent
    return Markup(
        '<g class="{kinds}"><title>{sender} to {receiver}: {text}</title>{arrow}'
        '<circle cx="{x}" cy="{y}" r="8"/><text class="number" x="{x}" y="{ty}">{number}</text>'
        '<text class="label" x="{lx}" y="{ty}">{text}</text></g>'
    ).format(
        kinds=" ".join(kinds),
        sender=one.sender,
        receiver=one.receiver,
        text=escape(text),
        arrow=arrow,
        x=x,
        y=y,
        ty=y + 4,
        number=at + 1,
        lx=labels,
    )
