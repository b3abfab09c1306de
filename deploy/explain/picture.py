"""The platform drawn: domains on top, Xen with its mediator in the middle, EL3's agents below.

A channel is a vertical line: from its domain through the doorbell that Xen guards to its agent. What is
asked about stands out; the rings that Xen refused are drawn to where they end. Places are from ``layout``.
"""

from deploy.explain.canvas import INK, MUTED, Canvas
from deploy.explain.facts import Channel, Domain, Facts
from deploy.explain.layout import MARGIN, PAD, PAGE_ROW, PILL_HEIGHT, PILL_WIDTH, Band, Column, lay_out
from deploy.explain.subject import Subject, agent_title

Colours = tuple[str, str]  # fill and line
DOMAIN: Colours = ("#e9f2fc", "#2f6fb0")
XEN: Colours = ("#f5f0fb", "#7a57a8")
FIRMWARE: Colours = ("#edf7ee", "#3f8650")
TRUSTED: Colours = ("#fff3d1", "#b7791f")
REFUSED, WHITE, EMPTY = "#c92a2a", "#ffffff", "#a9b2bc"
WAY_BACK = "#0b7285"
WAY_ASIDE = 62.0  # how far beside the doorbell's line it runs, where the boxes are wide enough
NARROW = 120.0  # boxes below this width say less


def draw(facts: Facts, subject: Subject) -> str:
    """The picture as SVG text."""
    return _Picture(facts, subject).render()


class _Picture:
    def __init__(self, facts: Facts, subject: Subject) -> None:
        self.facts = facts
        self.subject = subject
        self.layout = lay_out(facts, rings=subject.kind != "platform")
        title, told = _titles(facts, subject)
        self.canvas = Canvas(self.layout.width, self.layout.height, title, told)
        room = self.layout.width - 2 * MARGIN
        self.canvas.text((MARGIN, 40), title, 22, room=room, anchor="start", bold=True)
        self.canvas.text((MARGIN, 66), told, 13.5, room=room, anchor="start", fill=MUTED)
        self.refused = self._refused()

    def render(self) -> str:
        self._bands()
        for column in self.layout.columns:
            with self.canvas.group(dim=self._dim(column)):
                self._line(column)
                self._page(column)
                self._way_back(column)
        for start, end in self.refused:
            self._refusal(start, end)
        trying = [start for start, _ in self.refused]
        for column in self.layout.columns:
            with self.canvas.group(dim=self._dim(column)):
                self._gate(column)
                self._agent(column)
            with self.canvas.group(dim=self._dim(column) and column not in trying):
                self._domain(column)
        self._legend()
        return self.canvas.render()

    # ---- focus --------------------------------------------------------------------------------

    def _dim(self, column: Column) -> bool:
        """Whether the column is not what was asked about."""
        if self.subject.channel is not None:
            return column.channel != self.subject.channel
        return self.subject.domain is not None and column.domain != self.subject.domain

    def _refused(self) -> list[tuple[Column, Column]]:
        """The refused rings in focus: the column of the domain, the column of the doorbell."""
        found = []
        for ring in self.facts.rings:
            starts = (one for one in self.layout.columns if one.domain and one.domain.name == ring.domain)
            ends = (one for one in self.layout.columns if one.channel and one.channel.func_id == ring.func_id)
            start, end = next(starts, None), next(ends, None)
            if start and end and not ring.forwarded and self._in_focus(start, end):
                found.append((start, end))
        return found

    def _in_focus(self, start: Column, end: Column) -> bool:
        if self.subject.channel is not None:
            return end.channel == self.subject.channel
        return self.subject.domain is not None and start.domain == self.subject.domain

    # ---- the ground ---------------------------------------------------------------------------

    def _bands(self) -> None:
        mediator = ("forwards a", "domain's own", "doorbell only")
        none = ("has no mediator:", "every doorbell", "answers x0 = -1")
        told = (
            ("guest address of", "the page after @") if any(d.guest_page for d in self.facts.domains) else ()
        )
        self._band(self.layout.domains, DOMAIN, "Domains", told)
        self._band(self.layout.xen, XEN, "Xen", mediator if self.facts.mediator else none)
        self._band(self.layout.firmware, FIRMWARE, "EL3", ("one agent", "to each doorbell"))

    def _band(self, band: Band, colours: Colours, title: str, told: tuple[str, ...]) -> None:
        box = (MARGIN / 2, band.top, self.layout.width - MARGIN, band.height)
        self.canvas.rect(box, colours[0], colours[1], radius=12)
        y = band.top + band.height / 2 - 7 * len(told) + 4
        self.canvas.text((MARGIN + 4, y), title, 15, room=100, anchor="start", bold=True, fill=colours[1])
        for words in told:
            y += 15
            self.canvas.text((MARGIN + 4, y), words, 11.5, room=112, anchor="start", fill=MUTED)

    def _legend(self) -> None:
        y = self.layout.height - 20
        entries = [("a domain's channel", DOMAIN[1], ""), ("Xen's own, trusted by EL3", TRUSTED[1], "")]
        if any(one.p2a for one in self.facts.channels):
            entries.append(("a way back", WAY_BACK, ""))
        if self.refused:
            entries.append(("refused by Xen: x0 = -1, EL3 is not called", REFUSED, "5 4"))
        x = MARGIN
        for words, colour, dash in entries:
            self.canvas.path(f"M{x:.1f} {y - 4:.1f}h28", colour, width=2.5, dash=dash)
            self.canvas.text((x + 36, y), words, 12.5, room=340, anchor="start", fill=MUTED)
            x += 66 + 7 * len(words)

    # ---- a column -----------------------------------------------------------------------------

    def _line(self, column: Column) -> None:
        """The channel, in pieces between what stands on it."""
        channel, place = column.channel, self.layout
        if channel is None or not channel.listed:
            return
        colour = _colour(channel)
        width = 2.5 if self.subject.kind == "platform" or self._dim(column) else 4
        gate = place.xen.place(column.row) + PAD
        pieces = []
        if channel.served:
            page = self._page_top(column)
            pieces = [(gate + PILL_HEIGHT, page), (page + 32, place.firmware.place(column.row))]
        if column.domain is not None:
            pieces.append((place.domains.place(column.row) + place.domains.item, gate))
        for top, bottom in pieces:
            self.canvas.path(f"M{column.x:.1f} {top:.1f}V{bottom:.1f}", colour, width=width)

    def _page_top(self, column: Column) -> float:
        between = (self.layout.xen.bottom + self.layout.firmware.top) / 2
        return between - 16 + (column.row - (self.layout.rows - 1) / 2) * PAGE_ROW

    def _page(self, column: Column) -> None:
        channel = column.channel
        if channel is None or not channel.served or not channel.listed:
            return
        top = self._page_top(column)
        self.canvas.text((column.x, top + 13), "page", 10.5, room=80, fill=MUTED)
        self.canvas.text((column.x, top + 27), f"{channel.page:#x}", 12, room=92, mono=True)

    def _way_back(self, column: Column) -> None:
        """From the agent up to the domain to which the interrupt is routed; a cross in Xen if to another."""
        channel, place = column.channel, self.layout
        if channel is None or channel.p2a is None or place.rows > 1 or place.box < 2 * WAY_ASIDE:
            return
        way, x, bottom = channel.p2a, column.x + WAY_ASIDE, place.firmware.place(column.row)
        arrives = way.receiver == channel.owner != ""
        end = place.domains.place(column.row) + place.domains.item if arrives else place.xen.bottom - PAD
        colour = WAY_BACK if arrives else REFUSED
        self.canvas.path(
            f"M{x:.1f} {bottom:.1f}V{end + 2:.1f}", colour, width=1.8, dash="" if arrives else "5 4"
        )
        head = "l-4.5 8m4.5 -8l4.5 8" if arrives else "m-4.5 -4.5l9 9m0 -9l-9 9"
        self.canvas.path(f"M{x:.1f} {end + 2:.1f}{head}", colour, width=1.8)
        at = (x + 6, place.xen.place(column.row) + PAD + 17.5)
        self.canvas.text(at, f"{way.interrupt}", 11.5, room=40, anchor="start", fill=colour)

    def _gate(self, column: Column) -> None:
        channel = column.channel
        if channel is None or not channel.listed:
            return
        fill = TRUSTED[0] if channel.management else WHITE
        top = self.layout.xen.place(column.row) + PAD
        box = (column.x - PILL_WIDTH / 2, top, PILL_WIDTH, PILL_HEIGHT)
        with self.canvas.group(title=f"doorbell {channel.func_id:#x}: {channel.listed}"):
            self.canvas.rect(box, fill, _colour(channel), radius=13, width=1.6)
            at = (column.x, top + 17.5)
            self.canvas.text(at, f"{channel.func_id:#x}", 12, room=PILL_WIDTH - 8, bold=True, mono=True)

    def _domain(self, column: Column) -> None:
        channel, domain, room = column.channel, column.domain, self.layout.box
        top = self.layout.domains.place(column.row)
        box = (column.x - room / 2, top, room, self.layout.domains.item)
        if domain is None:
            self._nobody(column, box)
            return
        told, colour = _domain_line(domain)
        with self.canvas.group(title=f"{domain.name}: {domain.source}"):
            self.canvas.rect(box, WHITE, DOMAIN[1] if channel else EMPTY, width=1.6)
            self.canvas.text((column.x, top + 23), domain.name, 14.5, room=room - 10, bold=True)
            self.canvas.text((column.x, top + 41), told, 11.5, room=room - 8, fill=colour)
            if channel is not None:
                missing = channel.guest_page is None
                seen = "not mapped" if missing else f"@{channel.guest_page:#x}"
                fill = REFUSED if missing else INK
                at = (column.x, top + 58)
                self.canvas.text(at, seen, 11.5, room=room - 8, fill=fill, mono=not missing)

    def _nobody(self, column: Column, box: tuple[float, float, float, float]) -> None:
        """Where no domain is: above Xen's own doorbell, or above an agent that nobody asks for."""
        channel, (_, top, room, height) = column.channel, box
        words: tuple[str, ...] = ("nobody",)
        colour = MUTED
        if channel is not None and channel.management:
            words, colour = ("no domain:", "Xen's own"), TRUSTED[1]
        elif channel is not None and not channel.listed:
            words = ("not in the", "host tree")
        self.canvas.rect(box, "none", colour if colour != MUTED else EMPTY, dash="4 4")
        y = top + height / 2 + 4 - 8 * (len(words) - 1)
        for at, line in enumerate(words):
            self.canvas.text((column.x, y + 16 * at), line, 12, room=room - 8, fill=colour)

    def _agent(self, column: Column) -> None:
        channel, room = column.channel, self.layout.box
        if channel is None or not channel.served:
            return
        top = self.layout.firmware.place(column.row)
        fill, stroke = TRUSTED if channel.trusted else (WHITE, FIRMWARE[1])
        with self.canvas.group(title=f"agent {agent_title(channel)}: page {channel.page:#x}"):
            box = (column.x - room / 2, top, room, self.layout.firmware.item)
            self.canvas.rect(box, fill, stroke, width=1.6)
            number = "agent ?" if channel.agent_id is None else f"agent {channel.agent_id}"
            long = f"{number} · {channel.name}" if room >= NARROW and channel.name else number
            self.canvas.text((column.x, top + 24), long, 13.5, room=room - 10, bold=True)
            self.canvas.text((column.x, top + 43), _granted(column), 11.5, room=room - 12, fill=MUTED)
            if channel.p2a is not None:
                way = f"↑ {channel.p2a.interrupt}"
                way = f"{way} · {channel.p2a.page:#x}" if room >= NARROW else way
                self.canvas.text((column.x, top + 61), way, 11.5, room=room - 8, fill=WAY_BACK)

    # ---- what is refused ----------------------------------------------------------------------

    def _refusal(self, start: Column, end: Column) -> None:
        """A dashed curve from a domain to the wall of Xen beside the doorbell, ending in a cross."""
        domains, side = self.layout.domains, 1 if end.x > start.x else -1
        x1, x2 = start.x, end.x + 13 * -side
        if self.subject.channel is not None:
            x2 = end.x - side * (14 + self._step(start, end))
        if start.channel is not None:
            x1 += 6 * side
        y0, y1, y2 = domains.place(start.row) + domains.item, domains.bottom, self.layout.xen.top - 2
        bend = (y2 - y1) * 0.55
        curve = f"C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2 - 6:.1f}"
        self.canvas.path(f"M{x1:.1f} {y0:.1f}V{y1:.1f}{curve}", REFUSED, width=1.7, dash="5 4")
        self.canvas.path(f"M{x2 - 4.5:.1f} {y2 - 4.5:.1f}l9 9m0 -9l-9 9", REFUSED, width=2.2)

    def _step(self, start: Column, end: Column) -> float:
        """How far from the doorbell's line a ring ends: the nearer its domain, the nearer."""
        left = end.x > start.x
        rivals = [one for one, _ in self.refused if (end.x > one.x) == left]
        rank = sorted(abs(one.x - end.x) for one in rivals).index(abs(start.x - end.x))
        return rank * min(14.0, 110.0 / len(rivals))


def _titles(facts: Facts, subject: Subject) -> tuple[str, str]:
    if subject.channel is not None:
        one = subject.channel
        pair = f"doorbell {one.func_id:#x}, page {one.page:#x}"
        whose = f"rung by {one.owner}, and nobody else" if one.owner else "rung by nobody"
        title = f"agent {agent_title(one)}" if subject.kind == "agent" else f"channel {one.func_id:#x}"
        return f"{facts.platform}: {title}", f"{pair}, agent {agent_title(one)}: {whose}"
    if subject.domain is not None:
        own = facts.channel_of(subject.domain.agent_id)
        may = f"it may ring {own.func_id:#x}, and nothing else" if own else "it may ring nothing"
        return f"{facts.platform}: domain {subject.domain.name}", may[0].upper() + may[1:]
    return f"{facts.platform}: who may ring what", "Each domain its own doorbell, each doorbell its own agent"


def _colour(channel: Channel) -> str:
    if channel.management:
        return TRUSTED[1]
    return DOMAIN[1] if channel.owner else EMPTY


def _domain_line(domain: Domain) -> tuple[str, str]:
    if domain.problem:
        return "not created", REFUSED
    return (domain.kind if domain.agent_id is not None else "no SCMI"), MUTED


def _granted(column: Column) -> str:
    if column.channel is not None and column.channel.trusted:
        return "trusted"
    if column.domain is None:
        return "no device"
    return ", ".join(name for grant in column.domain.grants for name in grant.names) or "no device"
