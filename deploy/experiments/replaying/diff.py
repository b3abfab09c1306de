"""Two recorded runs compared by what they mean: calls and outcomes, permissions, resets, lives, latency.

Sequences are compared subject by subject, whatever their interleaving was, and times do not count. Memory
does not grow with a run: the first pass keeps a hash per block of each sequence, the second looks into the
block where two of them part. It reads the decoded history, and where there is none decodes the frames.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from deploy import plugins
from deploy.experiments.history import files, recorded
from deploy.experiments.history.semantic import FIELDS, FILE_COLUMNS, Narrator, Questions
from deploy.experiments.judging.histogram import LatencyHistogram
from deploy.recording.decode import Decoder
from deploy.recording.rows import incarnate

BLOCK: Final = 256  # items of a sequence under one hash
QUANTILES: Final = (0.5, 0.99, 0.999)
CALLS, REPORTED = "calls", "calls, as guests tell"
PERMISSIONS, RESETS, LIVES = "permissions", "resets", "life"
GRANTED: Final = {"permission": PERMISSIONS, "reset": RESETS}
ASPECTS: Final = (CALLS, REPORTED, PERMISSIONS, RESETS, LIVES)
Subject = tuple[str, str]  # aspect, whose


class DecodedRow(NamedTuple):
    """The columns of the decoded history that matter here."""

    number: int
    at_ns: int
    what: str
    domain: str
    incarnation: int | None
    agent: int | None
    request: int
    protocol: str
    message: str
    status: str
    code: str
    definite: bool | None
    intended_ns: int | None
    resource: str
    value: str

    @property
    def who(self) -> str:
        return self.domain if self.incarnation is None else incarnate(self.domain, self.incarnation)


class Fact(NamedTuple):
    """One item of a sequence: ``text`` is what is compared."""

    number: int
    at_ns: int
    text: str


class Parting(msgspec.Struct, frozen=True):
    """Where two sequences part: the ``index`` of the item, from 0; None: the run has no more of them."""

    aspect: str
    subject: str
    index: int
    a: Fact | None
    b: Fact | None


class Sequences(msgspec.Struct, frozen=True):
    """How many items each run has of a subject."""

    aspect: str
    subject: str
    a: int
    b: int
    same: bool


class OutcomeDifference(msgspec.Struct, frozen=True):
    """How often a domain's calls ended so, where that differs."""

    domain: str
    outcome: str
    a: int
    b: int


class Quantiles(msgspec.Struct, frozen=True):
    """Microseconds from a call's intended start, by QUANTILES; None where nothing was answered."""

    domain: str
    a: tuple[float | None, ...]
    b: tuple[float | None, ...]


class RunDifference(msgspec.Struct, frozen=True):
    """``latency`` is for information: it decides nothing."""

    a: str
    b: str
    same: bool
    sequences: tuple[Sequences, ...]
    partings: tuple[Parting, ...]
    outcomes: tuple[OutcomeDifference, ...]
    latency: tuple[Quantiles, ...]


class Chain:
    """A sequence as hashes: ``blocks`` of its beginning up to every BLOCK-th item, ``head`` of all of it."""

    __slots__ = ("blocks", "count", "head")

    def __init__(self) -> None:
        self.count = 0
        self.head = 0
        self.blocks = array("q")

    def add(self, text: str) -> None:
        self.head = hash((self.head, text))
        self.count += 1
        if not self.count % BLOCK:
            self.blocks.append(self.head)

    def parts_at(self, other: "Chain") -> int:
        """The index of the first item of the first block that differs."""
        both = zip(self.blocks, other.blocks, strict=False)
        equal = next((at for at, (ours, theirs) in enumerate(both) if ours != theirs), None)
        return (min(len(self.blocks), len(other.blocks)) if equal is None else equal) * BLOCK


class Summary:
    """What one run says, in bounded memory."""

    def __init__(self) -> None:
        self.chains: dict[Subject, Chain] = {}
        self.outcomes: dict[str, Counter[str]] = {}
        self.latency: dict[str, LatencyHistogram] = {}


class FactsReader:
    """``facts`` of a run in one pass; it keeps the arguments of calls that have not ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def facts(self, summary: Summary | None = None) -> Iterator[tuple[Subject, Fact]]:
        """Every item of every sequence, in order of time; ``summary`` counts endings and latency."""
        asked = Questions()
        for row in map(DecodedRow._make, self._rows()):
            what, who = row.what, row.who
            if what == "invocation":
                asked.put((who, row.request), row.value)
            elif what == "completion":
                outcome = _outcome(row)
                text = f"{_asked(row, asked.take((who, row.request), ''))} {outcome}"
                if summary is not None:
                    summary.outcomes.setdefault(row.domain, Counter())[outcome] += 1
                yield (CALLS, who), Fact(row.number, row.at_ns, text)
            elif what == "call":
                if summary is not None and not row.code and row.intended_ns is not None:
                    latency = summary.latency.setdefault(row.domain, LatencyHistogram())
                    latency.add(row.at_ns - row.intended_ns)
                yield (REPORTED, who), Fact(row.number, row.at_ns, f"{_asked(row, '')} {_outcome(row)}")
            elif what in GRANTED:
                text = " ".join(part for part in (row.message, row.resource, row.value, row.status) if part)
                yield (GRANTED[what], f"agent {row.agent}"), Fact(row.number, row.at_ns, text)
            elif what == "life":
                yield (LIVES, row.domain), Fact(row.number, row.at_ns, row.code)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        if (self._folder / files.HISTORY).exists():
            yield from files.read_history(self._folder, FILE_COLUMNS, DecodedRow._fields)
            return
        made = recorded.load(self._folder)
        narrator = Narrator(made.run_id, plugins.load().tables)
        places = [FIELDS.index(name) for name in DecodedRow._fields]
        for event in Decoder(made.origin_ns).events(files.read_rows(self._folder)):
            narrator.tell(event)
            for row in narrator.rows:
                yield tuple(row[at] for at in places)
            narrator.rows.clear()


def _asked(row: DecodedRow, arguments: str) -> str:
    """What was called, with the arguments of the request."""
    inside = ", ".join(part for part in (row.resource, arguments) if part)
    return f"{row.protocol}.{row.message}({inside})" if row.message else "an SMC"


def _outcome(row: DecodedRow) -> str:
    if not row.code:
        return row.status or "returned"
    if row.definite is None:
        return row.code
    return f"{row.code} ({'definite' if row.definite else 'indefinite'})"


def compare(folder_a: Path, folder_b: Path) -> RunDifference:
    """Compare the runs in two folders; raises UserError for one that holds no recording."""
    readers = (FactsReader(folder_a), FactsReader(folder_b))
    a, b = (_summary(reader) for reader in readers)
    subjects = _subjects(a, b)
    none = Chain()
    sequences = []
    parting: dict[Subject, int] = {}
    for subject in subjects:
        ours, theirs = a.chains.get(subject, none), b.chains.get(subject, none)
        same = (ours.count, ours.head) == (theirs.count, theirs.head)
        sequences.append(Sequences(*subject, ours.count, theirs.count, same))
        if not same:
            parting[subject] = ours.parts_at(theirs)
    partings = _partings(readers, parting) if parting else ()
    return RunDifference(
        str(folder_a),
        str(folder_b),
        not parting,
        tuple(sequences),
        partings,
        _outcomes(a, b),
        _latency(a, b),
    )


def _summary(reader: FactsReader) -> Summary:
    summary = Summary()
    chains = summary.chains
    for subject, fact in reader.facts(summary):
        chain = chains.get(subject)
        if chain is None:
            chain = chains[subject] = Chain()
        chain.add(fact.text)
    return summary


def _subjects(a: Summary, b: Summary) -> list[Subject]:
    """What is compared, in order. Guests' own words count only where a run has nothing else."""
    there = {*a.chains, *b.chains}
    on_the_wire = all(any(aspect == CALLS for aspect, _ in one.chains) for one in (a, b))
    dropped = REPORTED if on_the_wire else CALLS
    kept = [subject for subject in there if subject[0] != dropped]
    return sorted(kept, key=lambda subject: (ASPECTS.index(subject[0]), subject[1]))


def _partings(readers: Sequence[FactsReader], parting: dict[Subject, int]) -> tuple[Parting, ...]:
    """Look into the blocks where sequences part."""
    blocks = [_block(reader, parting) for reader in readers]
    found = []
    for subject, start in parting.items():
        ours, theirs = (block.get(subject, []) for block in blocks)
        at = 0
        while at < min(len(ours), len(theirs)) and ours[at].text == theirs[at].text:
            at += 1
        a, b = (one[at] if at < len(one) else None for one in (ours, theirs))
        found.append(Parting(*subject, start + at, a, b))
    return tuple(found)


def _block(reader: FactsReader, parting: dict[Subject, int]) -> dict[Subject, list[Fact]]:
    seen: Counter[Subject] = Counter()
    found: dict[Subject, list[Fact]] = {}
    for subject, fact in reader.facts():
        start = parting.get(subject)
        if start is None:
            continue
        at = seen[subject]
        seen[subject] = at + 1
        if start <= at <= start + BLOCK:
            found.setdefault(subject, []).append(fact)
    return found


def _outcomes(a: Summary, b: Summary) -> tuple[OutcomeDifference, ...]:
    domains = sorted({*a.outcomes, *b.outcomes})
    rows = []
    for domain in domains:
        ours, theirs = (one.outcomes.get(domain, Counter()) for one in (a, b))
        for outcome in sorted({*ours, *theirs}):
            if ours[outcome] != theirs[outcome]:
                rows.append(OutcomeDifference(domain, outcome, ours[outcome], theirs[outcome]))
    return tuple(rows)


def _latency(a: Summary, b: Summary) -> tuple[Quantiles, ...]:
    none = LatencyHistogram()
    rows = []
    for domain in sorted({*a.latency, *b.latency}):
        told = (
            tuple(one.latency.get(domain, none).quantile_us(part) for part in QUANTILES) for one in (a, b)
        )
        rows.append(Quantiles(domain, *told))
    return tuple(rows)
