"""The decoded history of a run, a row per event, for people with a data frame: FOLDER/history.parquet.

It is written in one pass beside the checkers and judges nothing. HISTORY.md explains columns and rows,
from the tables here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from bus.scmi import base, header
from bus.scmi import status as scmi_status
from bus.scmi.tables import STANDARD, Tables
from deploy.experiments.history.files import FLUSH_ROWS, HISTORY, NAME, ColumnFile
from deploy.recording.events import (
    Asked,
    Began,
    Ended,
    Event,
    Executed,
    Forwarded,
    Interrupted,
    Lived,
    Missed,
    Noted,
    Replied,
    Returned,
    Trapped,
)
from deploy.recording.messages import SILENCE, MessageReader, MessageWords
from deploy.recording.notes import NOTES
from deploy.recording.rows import domain_of, incarnate, incarnation_of, is_domain
from deploy.topology import Topology
from nodes.limits import HISTORY_ROWS

REMEMBERED: Final = 65_536  # calls whose end is awaited; the oldest is forgotten first
_WORD: Final = (1 << 64) - 1
_TIME_MAX: Final = (1 << 63) - 1

COLUMNS: Final = (
    ("run", NAME, "the run's id"),
    ("number", pa.int64(), "the number of the row of frames.parquet that shows it, from 0"),
    ("at_ns", pa.int64(), "when, since the beginning of the run"),
    ("what", NAME, "the kind of row, see below"),
    ("domain", NAME, "whose it is: a domain's name, \"\" for Xen's own; of other rows the node"),
    ("incarnation", pa.int32(), "which life of the domain, from 1"),
    ("agent", pa.int32(), "the domain's agent; of a permission or a reset, whose"),
    ("request", pa.uint64(), "the number that its sender gave it: a domain's own, or Xen's"),
    ("cause", pa.uint64(), "of what Xen forwards, the domain's request; else the request itself"),
    ("protocol", NAME, 'the SCMI protocol: "clock"'),
    ("message", NAME, 'the message: "CLOCK_RATE_SET"'),
    ("token", pa.int32(), "of the message header"),
    ("status", NAME, 'the SCMI status by name, "" without an answer'),
    ("code", NAME, "how a call ended without an answer; of other rows a word that sorts them"),
    ("definite", pa.bool_(), "of a call without an answer: it surely did not happen"),
    ("x0", pa.uint64(), "the function id going in, the SMC's result coming out"),
    ("intended_ns", pa.int64(), "when the call was meant to begin, on the run's clock"),
    ("started_ns", pa.int64(), "when it did"),
    ("resource", pa.string(), 'what the message names: "clock 3"'),
    ("value", pa.string(), 'the message\'s other fields: "flags=0x0, rate=148500000"'),
    ("detail", pa.string(), "the rest, in words or as JSON"),
)
FILE_COLUMNS: Final = tuple((name, kind) for name, kind, _ in COLUMNS)
FIELDS: Final = tuple(name for name, _, _ in COLUMNS)

KINDS: Final[Mapping[str, str]] = {
    "invocation": "Xen received a domain's trap; `x0` is the function id",
    "forwarded": "EL3 received the SMC",
    "execution": "Xen received EL3's answer to it",
    "permission": "... of a SET_*_PERMISSIONS of Xen's: whose is in `agent`",
    "reset": "... of a RESET_AGENT_CONFIGURATION of Xen's",
    "completion": "the domain received the end of its trap; `code` of an error, undef",
    "call": "what the guest itself says of a call that is over, with its times",
    "hypercall": "Xen received a domctl: `code` is its name, `value` its fields",
    "hypercall_result": "the toolstack received its answer: `code` is the return code",
    "life": "a domain's life as the toolstack hears of it: `code` is the event",
    "interrupt": "a node received an interrupt: `code` is its number, the message is that in its page",
    "end_of_interrupt": "... the end of one",
    "missed": "a message that reached nobody: `code` is why, `value` its kind and receiver",
    "began": "a node's first event",
    "ledger": 'the note "reset": what the agent held in EL3 before and after',
}
_REWRITTEN: Final = {
    base.BASE_SET_DEVICE_PERMISSIONS.name: "permission",
    base.BASE_SET_PROTOCOL_PERMISSIONS.name: "permission",
    base.BASE_RESET_AGENT_CONFIGURATION.name: "reset",
}


class Questions:
    """What an answer needs of its question, by key; at most REMEMBERED."""

    def __init__(self) -> None:
        self._open: dict[Any, Any] = {}

    def put(self, key: Any, value: Any) -> None:
        if len(self._open) >= REMEMBERED:
            del self._open[next(iter(self._open))]
        self._open[key] = value

    def take(self, key: Any, otherwise: Any) -> Any:
        return self._open.pop(key, otherwise)


class Narrator:
    """``tell`` every event of a board once, in order; it appends to ``rows``, the reader's to take."""

    def __init__(
        self, run_id: str, tables: Tables = STANDARD, rows: list[tuple[Any, ...]] | None = None
    ) -> None:
        self.rows: list[tuple[Any, ...]] = [] if rows is None else rows
        self._run = run_id
        self._reader = MessageReader(tables)
        self._agents: dict[str, int] = {}
        self._who: dict[str, tuple[str, int | None, int | None]] = {}
        self._calls = Questions()
        self._smcs = Questions()
        self._see: Mapping[type, Callable[[Any], None]] = {
            Trapped: self._trapped,
            Forwarded: self._forwarded,
            Executed: self._executed,
            Returned: self._returned,
            Ended: self._ended,
            Asked: self._asked,
            Replied: self._replied,
            Lived: self._lived,
            Interrupted: self._interrupted,
            Missed: self._missed,
            Began: self._began,
            Noted: self._noted,
        }

    def tell(self, event: Event) -> None:
        self._see[type(event)](event)

    # ---- rows ---------------------------------------------------------------------------------

    def _add(
        self,
        event: Event,
        what: str,
        who: str,
        request: int = 0,
        *,
        cause: int | None = None,
        agent: int | None = None,
        words: MessageWords = SILENCE,
        head: int = -1,
        status: int | None = None,
        code: str = "",
        definite: bool | None = None,
        x0: int | None = None,
        times: tuple[int | None, int | None] = (None, None),
        value: str | None = None,
        detail: str = "",
    ) -> None:
        name, incarnation, own = self._who.get(who) or self._whose(who)
        self.rows.append(
            (
                self._run,
                event.number,
                event.at_ns,
                what,
                name,
                incarnation,
                own if agent is None else agent,
                request,
                request if cause is None else cause,
                words.protocol,
                words.message,
                None if head < 0 else header.token(head),
                "" if status is None else scmi_status.name(status),
                code,
                definite,
                x0,
                *times,
                words.resource,
                words.values if value is None else value,
                detail,
            )
        )

    def _whose(self, who: str) -> tuple[str, int | None, int | None]:
        """(name, incarnation, agent) of a node; what was found is kept until the next domain starts."""
        life = incarnation_of(who) if is_domain(who) else None
        found = (domain_of(who), life, self._agents.get(who))
        if len(self._who) < REMEMBERED:
            self._who[who] = found
        return found

    # ---- calls --------------------------------------------------------------------------------

    def _trapped(self, event: Trapped) -> None:
        words = self._reader.request(event.head, event.payload)
        self._calls.put((event.domain, event.request), (words, event.head))
        self._add(
            event, "invocation", event.domain, event.request, words=words, head=event.head, x0=event.x[0]
        )

    def _forwarded(self, event: Forwarded) -> None:
        words = self._reader.request(event.head, event.payload)
        self._smcs.put(event.request, (words, event.domain, event.cause))
        self._add(
            event,
            "forwarded",
            event.domain,
            event.request,
            cause=event.cause,
            words=words,
            head=event.head,
            x0=event.function,
        )

    def _executed(self, event: Executed) -> None:
        asked, domain, cause = self._smcs.take(event.request, (SILENCE, "", 0))
        changes = "" if domain else _REWRITTEN.get(asked.message, "")
        words = asked if changes else self._answered(asked, event.head, event.payload)
        self._add(
            event,
            changes or "execution",
            domain,
            event.request,
            cause=cause,
            agent=asked.agent if changes else None,
            words=words,
            head=event.head,
            status=event.status,
            x0=event.x0,
        )

    def _returned(self, event: Returned) -> None:
        asked, head = self._calls.take((event.domain, event.request), (SILENCE, -1))
        failed = event.kind != "return"
        self._add(
            event,
            "completion",
            event.domain,
            event.request,
            words=self._answered(asked, event.head, event.payload),
            head=head if event.head < 0 else event.head,
            status=event.status,
            code=(event.code or event.kind) if failed else "",
            definite=event.definite if failed else None,
            x0=None if failed else event.x0,
        )

    def _answered(self, asked: MessageWords, head: int, payload: bytes) -> MessageWords:
        """The answer's values beside what was asked; by itself if nobody knows that."""
        said = self._reader.reply(head, payload)
        return asked._replace(values=said.values) if asked.message else said

    def _ended(self, event: Ended) -> None:
        self._add(
            event,
            "call",
            event.domain,
            event.request & _WORD,
            words=self._reader.request(event.head, b"")._replace(values=""),
            head=event.head,
            status=None if event.code else event.status,
            code=event.code,
            definite=event.definite if event.code else None,
            times=(_time(event.intended_ns), _time(event.started_ns)),
        )

    # ---- everything else ----------------------------------------------------------------------

    def _asked(self, event: Asked) -> None:
        domid = "" if event.domid < 0 else f"domid={event.domid}"
        self._add(event, "hypercall", "xen", event.request, code=event.op, value=event.fields, detail=domid)

    def _replied(self, event: Replied) -> None:
        self._add(
            event,
            "hypercall_result",
            "toolstack",
            event.request,
            code=str(event.rc),
            value=f"domid={event.domid}",
            detail=event.detail,
        )

    def _lived(self, event: Lived) -> None:
        value = f"domid={event.domid}"
        self._add(event, "life", event.name, code=event.event, value=value, detail=event.detail)

    def _interrupted(self, event: Interrupted) -> None:
        what = "end_of_interrupt" if event.end else "interrupt"
        words = self._reader.reply(event.head, event.payload)
        self._add(event, what, event.node, words=words, head=event.head, code=str(event.intid))

    def _missed(self, event: Missed) -> None:
        value = f"{event.kind} to {event.peer}"
        self._add(event, "missed", event.node, event.request, code=event.how, value=value)

    def _began(self, event: Began) -> None:
        self._add(event, "began", event.node)

    def _noted(self, event: Noted) -> None:
        _, names, _ = NOTES.get(event.what, ("", (), ""))
        numbers = dict(zip(names, event.numbers, strict=False))
        if event.what == "domain" and len(names) == len(event.numbers):
            who = event.text if is_domain(event.text) else incarnate(event.text, numbers["incarnation"])
            self._agents[who] = _small(numbers["agent"])
            self._who.pop(who, None)
        self._add(
            event,
            "ledger" if event.what == "reset" else event.what,
            event.node,
            event.request & _WORD,
            agent=_small(numbers["agent"]) if "agent" in numbers else None,
            value=", ".join(f"{name}={number}" for name, number in numbers.items()),
            detail=event.text,
        )


class Semantic:
    """``see`` every event once, in order; ``close`` makes the file whole.

    ``written`` and ``truncated`` count rows, as of ``history.files``.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        topology: Topology,
        tables: Tables = STANDARD,
        rows_max: int = HISTORY_ROWS,
    ) -> None:
        meta = {"run": run_id, "platform": topology.name}
        self._file = ColumnFile(folder / HISTORY, FILE_COLUMNS, meta, rows_max)
        self._rows: list[tuple[Any, ...]] = []
        self._run = run_id
        self._tables = tables
        self.see = self.board()

    @property
    def written(self) -> int:
        return self._file.written

    @property
    def truncated(self) -> int:
        return self._file.truncated

    def board(self) -> Callable[[Event], None]:
        """A ``see`` for one board of several: each has requests of its own."""
        tell = Narrator(self._run, self._tables, self._rows).tell
        rows = self._rows

        def see(event: Event) -> None:
            tell(event)
            if len(rows) >= FLUSH_ROWS:
                self._flush()

        return see

    def _flush(self) -> None:
        self._file.write(self._rows)
        self._rows.clear()

    def close(self) -> None:
        self._flush()
        self._file.close()


def _time(at_ns: int) -> int:
    """A time that fits the column, whatever a note says."""
    return max(-_TIME_MAX, min(at_ns, _TIME_MAX))


def _small(number: int) -> int:
    return max(-1, min(number, 0x7FFF_FFFF))
