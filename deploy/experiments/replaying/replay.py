"""A recorded run again: every node's rows into a fresh core, and what it sends against what others received.

The first message that differs is told in words. Nothing is simulated: time, order and loss are the record's.
Who the cores are is ``cast``'s business, what is under way ``ways``'.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from bus import frames
from bus.scmi.tables import STANDARD, Tables
from deploy import plugins
from deploy.errors import UserError
from deploy.experiments.history import files, recorded
from deploy.experiments.history.recorded import Recorded
from deploy.experiments.replaying.cast import Cast, Player
from deploy.experiments.replaying.telling import difference, tell
from deploy.experiments.replaying.ways import Content, Sent, Way
from deploy.recording import notes
from deploy.recording.identities import without_identities
from deploy.recording.rows import BOOTED, LOST, NOTE, RECEIVED, TICKED, UNDELIVERED, Row
from nodes.contract import Note, Undelivered

OWN: Final = ("domain", "xen", "firmware")
NOTES: Final = frozenset(what for what, (node, _, _) in notes.NOTES.items() if node in OWN)  # what cores say
INPUTS: Final = frozenset({BOOTED, TICKED, RECEIVED})
FIRMWARE: Final = "firmware"
REORDERING, DOUBLING = "link.reorder", "link.duplicate"
SCRIBBLING: Final = frozenset({"guest.header_flip", "guest.rewrite_page"})
STILL_UNDER_WAY_NS: Final = 1_000_000_000  # before the end, what was overtaken may still have arrived
UNPLAYED_MAX: Final = 8  # names that are told
_HELLO: Final = bytes([int(frames.Hello.__struct_config__.tag)])  # type: ignore[arg-type]
_note = msgspec.msgpack.Decoder(Note).decode


class Divergence(msgspec.Struct, frozen=True):
    """``node`` is whose fresh core does otherwise; ``row`` the number of the row that shows it.

    ``recorded`` and ``fresh``: what each did, in words; ``detail``: where the bytes differ.
    """

    at_ns: int
    row: int
    node: str
    peer: str
    recorded: str
    fresh: str
    detail: str = ""


class Replayed(msgspec.Struct, frozen=True):
    """``steps`` rows went into cores, ``messages`` and ``notes`` were compared; ``lost`` reached nobody.

    ``again``: came twice; ``overtook``: came before an earlier one; ``under_way``: sent, and nobody was seen
    to receive it before the record, or a node, ended. ``unplayed``: nodes without a description.
    """

    run_id: str
    rows: int
    nodes: int
    steps: int
    messages: int
    notes: int
    lost: int
    again: int
    overtook: int
    under_way: int
    truncated: int
    unplayed: tuple[str, ...]
    divergence: Divergence | None


class Diverged(Exception):  # noqa: N818 - the end of a replay, not an error
    """Carries the Divergence out of a step."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__()
        self.divergence = divergence


class Moment:
    """What a node did in one step, as recorded: its input, then what reached nobody and what it noted."""

    def __init__(self, number: int, row: Row) -> None:
        self.number = number
        self.row = row
        self.refused: list[tuple[str, Content]] = []
        self.lost: list[tuple[str, Content]] = []
        self.notes: list[bytes] = []


def moments(rows: Iterable[Row]) -> Iterator[Moment]:
    """Rows in order, those that belong to one step together. A late row of a sender is a moment by itself."""
    current: Moment | None = None
    for number, row in enumerate(rows):
        if row[3] in INPUTS or current is None or current.row[1] != row[1] or _is_gone(row):
            if current is not None:
                yield current
            current = Moment(number, row)
        if row[3] == UNDELIVERED and row[4]:
            current.refused.append((row[2], _content(row)))
        elif row[3] == LOST:
            current.lost.append((row[2], _content(row)))
        elif row[3] == NOTE and _is_cores(row[4]):
            current.notes.append(row[4])
    if current is not None:
        yield current


def _is_gone(row: Row) -> bool:
    """A peer is gone for good: an input like others."""
    return row[3] == UNDELIVERED and not row[4]


def _content(row: Row) -> Content:
    return without_identities(row[4]), row[5]


def _is_cores(envelope: bytes) -> bool:
    try:
        return _note(envelope).what in NOTES
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


class Replay:
    """``run`` goes through rows once. ``tables`` are for the words."""

    def __init__(self, made: Recorded, tables: Tables = STANDARD) -> None:
        self._made = made
        self._tables = tables
        self._ordered = REORDERING not in made.faults
        self._doubled = DOUBLING in made.faults
        self._cast = Cast(made, self._sent, self._noted)
        self._ways: dict[tuple[str, str], Way] = {}
        self._now = Moment(0, (0, "", "", NOTE, b"", b""))
        self._notes: list[bytes] = []
        self._unplayed: dict[str, None] = {}
        self._nodes: set[str] = set()
        self.counts = dict.fromkeys(
            ("rows", "steps", "messages", "notes", "lost", "again", "overtook", "under_way"), 0
        )

    def run(self, rows: Iterable[Row], truncated: int = 0) -> Replayed:
        """The first divergence ends it."""
        divergence = None
        try:
            for moment in moments(self._counted(rows)):
                self._now = moment
                self._play(moment)
            divergence = self._left_behind()
        except Diverged as diverged:
            divergence = diverged.divergence
        self.counts["under_way"] = sum(len(way.open) for way in self._ways.values())
        return Replayed(
            run_id=self._made.run_id,
            nodes=len(self._nodes),
            truncated=truncated,
            unplayed=tuple(self._unplayed)[:UNPLAYED_MAX],
            divergence=divergence,
            **self.counts,
        )

    def _counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.counts["rows"] += 1
            yield row

    # ---- one step -----------------------------------------------------------------------------

    def _play(self, moment: Moment) -> None:
        _, name, peer, event, _, _ = moment.row
        if event == RECEIVED:
            self._arrived(peer, name, _content(moment.row))
        player = self._boot(name) if event == BOOTED else self._cast.players.get(name)
        if player is None:
            return
        self._notes = []
        if event in INPUTS:
            self.counts["steps"] += 1
            self._feed(player, moment)
        elif event == UNDELIVERED:
            self._late_refusal(player, moment)
        self._settle(name, moment)

    def _boot(self, name: str) -> Player | None:
        """A node begins, perhaps not for the first time: what was under way to it and from it may be lost."""
        for (sender, receiver), way in self._ways.items():
            if name in (sender, receiver):
                way.doubt()
        player = self._cast.boot(name)
        role, dot, board = name.partition(".")
        if role == "xen" and name in self._nodes:  # EL3's link is opened again; its core does not hear of it
            hello = self._cast.hello(dot + board)
            way = self._way(FIRMWARE + dot + board, name)
            way.send(self._now.row[0], (hello, b""), doubtful=True)
        if player is None and role not in ("toolstack", "run"):
            self._unplayed[name] = None
        self._nodes.add(name)
        return player

    def _feed(self, player: Player, moment: Moment) -> None:
        at_ns, _, peer, event, envelope, page = moment.row
        now_ns = at_ns + self._made.origin_ns
        if event == BOOTED:
            player.driver.boot(now_ns)
        elif event == TICKED:
            player.driver.tick(now_ns)
        else:
            carried = page if self._made.carried else b""
            player.driver.take(player.identity_of(peer), envelope, carried, now_ns)

    def _late_refusal(self, player: Player, moment: Moment) -> None:
        """A message that was held back for a while and then could not be handed over."""
        at_ns, name, peer, _, envelope, _ = moment.row
        refused, moment.refused = moment.refused, []
        for receiver, content in refused:
            self._take_back(name, receiver, content, "could not be handed over")
        try:
            frame = frames.decode(envelope) if envelope else None
        except frames.BadFrame:
            return
        player.driver.feed(Undelivered(player.identity_of(peer), frame), at_ns + self._made.origin_ns)

    def _settle(self, name: str, moment: Moment) -> None:
        """After the step: what was lost must have been sent, and the node must have said the same."""
        for receiver, content in moment.refused:
            self._diverge(name, receiver, content, None, "could not be handed over")
        for receiver, content in moment.lost:
            self._take_back(name, receiver, content, "was lost")
        said = [note for note in self._notes if _is_cores(note)]
        self.counts["notes"] += len(said)
        for at in range(max(len(said), len(moment.notes))):
            theirs = moment.notes[at] if at < len(moment.notes) else None
            ours = said[at] if at < len(said) else None
            if theirs != ours:
                self._stop(name, "", _note_text(theirs), _note_text(ours), "")

    # ---- what fresh cores do ------------------------------------------------------------------

    def _sent(self, sender: str, receiver: str, envelope: bytes, page: bytes) -> bool:
        """A fresh core sends: False if the record says that this very message could not be handed over."""
        content = (without_identities(envelope), page if self._made.carried else b"")
        for at, refused in enumerate(self._now.refused):
            if refused == (receiver, content):
                del self._now.refused[at]
                self.counts["lost"] += 1
                return False
        self._way(sender, receiver).send(self._now.row[0], content)
        return True

    def _noted(self, node: str, note: bytes) -> None:
        self._notes.append(note)

    def _way(self, sender: str, receiver: str) -> Way:
        way = self._ways.get((sender, receiver))
        if way is None:
            way = self._ways[sender, receiver] = Way(self._ordered, self._doubled)
        return way

    # ---- what was recorded --------------------------------------------------------------------

    def _arrived(self, sender: str, receiver: str, content: Content) -> None:
        if sender not in self._cast.players:
            return
        if not self._made.carried:
            content = (content[0], b"")
        way = self._way(sender, receiver)
        found = way.arrive(content)
        self.counts["messages"] += 1
        if content[0][1:2] == _HELLO:
            way.doubt()  # a new link: what the one before still held is given up
        if found == "again":
            self.counts["again"] += 1
        elif found == "unknown":
            self._diverge(sender, receiver, content, _next(way), "was received")
        elif found == "overtook":
            self.counts["overtook"] += 1
            if self._ordered:
                self._diverge(sender, receiver, content, way.left_behind(), "was received")

    def _take_back(self, sender: str, receiver: str, content: Content, how: str) -> None:
        if not self._made.carried:
            content = (content[0], b"")
        way = self._way(sender, receiver)
        if way.withdraw(content):
            self.counts["lost"] += 1
        elif sender in self._cast.players:
            self._diverge(sender, receiver, content, _next(way), how)

    def _left_behind(self) -> Divergence | None:
        """Of a run that reorders: what never arrived although later ones did."""
        found = [
            (sent, sender, receiver)
            for (sender, receiver), way in self._ways.items()
            if (sent := way.left_behind()) is not None and sent.at_ns < self._now.row[0] - STILL_UNDER_WAY_NS
        ]
        if not found:
            return None
        sent, sender, receiver = min(found, key=lambda one: one[0].at_ns)
        fresh = tell(*sent.content, self._tables)
        return Divergence(sent.at_ns, self._now.number, sender, receiver, "no such message", fresh)

    # ---- the end ------------------------------------------------------------------------------

    def _diverge(self, sender: str, receiver: str, content: Content, ours: Sent | None, how: str) -> None:
        theirs = f"{tell(*content, self._tables)} {how}"
        if ours is None:
            self._stop(sender, receiver, theirs, "sends nothing there", "")
            return
        where = difference(content[0], ours.content[0])
        page = difference(content[1], ours.content[1])
        detail = "; ".join([f"frame: {where}"] * bool(where) + [f"page: {page}"] * bool(page))
        self._stop(sender, receiver, theirs, tell(*ours.content, self._tables), detail)

    def _stop(self, node: str, peer: str, theirs: str, ours: str, detail: str) -> None:
        raise Diverged(Divergence(self._now.row[0], self._now.number, node, peer, theirs, ours, detail))


def _next(way: Way) -> Sent | None:
    """What the fresh core would have had arrive next."""
    return next((sent for sent in way.open if not sent.doubtful), None)


def _note_text(note: bytes | None) -> str:
    if note is None:
        return "notes nothing"
    told = _note(note)
    return f"notes {told.what} of {told.request}: {list(told.numbers)} {told.text}".rstrip()


def replay(folder: Path) -> Replayed:
    """Replay the run in ``folder``; raises UserError if it is none, or one that cannot be replayed."""
    made = playable(recorded.load(folder), str(folder))
    truncated = int(files.meta(folder).get(files.TRUNCATED, 0))
    return Replay(made, plugins.load().tables).run(files.read_rows(folder), truncated)


def playable(made: Recorded, where: str) -> Recorded:
    """``made``; raises UserError, which names ``where``, if its rows do not show all that its cores saw."""
    if made.record != "frames":
        raise UserError(
            f'{where}: record = "{made.record}" kept no frames; run the scenario with record = "frames"'
        )
    scribbled = sorted(SCRIBBLING & set(made.faults))
    if scribbled and not made.carried:
        raise UserError(
            f"{where}: {scribbled[0]} on mapped pages changes what no row shows; "
            "run the scenario without it to replay it"
        )
    return made
