"""The tables of HISTORY.md, read off the code: columns of both files, kinds of rows, notes."""

from collections.abc import Iterable, Sequence

from deploy.experiments.history import files, semantic
from deploy.recording import rows
from deploy.recording.notes import NOTES

FRAME_MEANINGS = {
    "at_ns": "when, since the beginning of the run",
    "node": 'who saw it: "xen", "firmware", "toolstack", "run", a domain and its life as "ivi#2"',
    "peer": "whom it came from; of what did not arrive, whom it was for",
    "event": ", ".join(f"{number} {name}" for number, name in enumerate(rows.EVENTS)),
    "envelope": "the msgpack frame (bus/PROTOCOL.md); of a note, the note",
    "page": "the shared-memory page that came with it, as far as it travelled",
}


def frames() -> str:
    """The columns of frames.parquet."""
    return _table(("column", "type", ""), ((name, kind, FRAME_MEANINGS[name]) for name, kind in _frames()))


def _frames() -> Iterable[tuple[str, str]]:
    return ((name, _type(kind)) for name, kind in files.FRAME_COLUMNS)


def columns() -> str:
    """The columns of history.parquet."""
    return _table(
        ("column", "type", ""), ((name, _type(kind), meaning) for name, kind, meaning in semantic.COLUMNS)
    )


def kinds() -> str:
    """The rows of history.parquet by ``what``."""
    return _table(("what", ""), semantic.KINDS.items())


def notes() -> str:
    """The notes, which are rows of their own name."""
    told = ((what, node, ", ".join(names), meaning) for what, (node, names, meaning) in NOTES.items())
    return _table(("note", "made by", "numbers", "text"), told)


def _type(kind: object) -> str:
    return "string" if kind == files.NAME else str(kind)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *([f"`{first}`", *rest] for first, *rest in lines)]
    return "".join(f"| {' | '.join(cell for cell in line)} |\n" for line in cells)
