"""The decoded history: what a call, a permission, a reset and a life look like as rows."""

from pathlib import Path
from typing import Any

import pytest

from bus import shmem
from bus.fields import encode
from bus.scmi import base, clock, header, sensor
from bus.scmi.status import Status
from deploy.experiments.history import semantic
from deploy.experiments.history.files import read_history
from deploy.experiments.history.semantic import FIELDS, FILE_COLUMNS, KINDS, Semantic
from deploy.recording.decode import Decoder
from deploy.recording.events import (
    Asked,
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
from deploy.recording.messages import MessageReader
from deploy.recording.notes import NOTES
from deploy.topology import load_shipped
from tests.deploy.experiments.recorded_run import recorded

HEAD = header.pack(clock.PROTOCOL.id, clock.CLOCK_RATE_SET.id, token=5)
SET = encode(clock.RateSet(0, 3, 800))
X = (0x8200_0011, 0, 0, 0, 0, 0, 0, 0)
GRANT = header.pack(base.PROTOCOL.id, base.BASE_SET_DEVICE_PERMISSIONS.id)
RESET = header.pack(base.PROTOCOL.id, base.BASE_RESET_AGENT_CONFIGURATION.id)
OK = Status.SUCCESS.word


def told(folder: Path, *events: Event, rows_max: int = 1_000) -> list[dict[str, Any]]:
    """The rows that events make, without what is empty."""
    made = Semantic(folder, "r1", load_shipped(), rows_max=rows_max)
    for event in events:
        made.see(event)
    made.close()
    rows = [dict(zip(FIELDS, row, strict=True)) for row in read_history(folder, FILE_COLUMNS)]
    assert len(rows) == made.written
    return [{name: value for name, value in row.items() if value not in (None, "")} for row in rows]


def test_a_call_from_the_doorbell_to_its_end(tmp_path: Path) -> None:
    started = Noted(0, 1, "run", "domain", 0, (4, 2, 7, 0x8200_0011), "ivi")
    rows = told(
        tmp_path,
        started,
        Trapped(1, 10, "ivi#2", 3, 0x17, 0, X, 0, 20, HEAD, SET),
        Forwarded(2, 20, 9, 3, 0x8200_0011, "ivi#2", HEAD, SET),
        Executed(3, 30, 9, 0, shmem.FREE, HEAD, Status.DENIED.word, -3),
        Returned(4, 40, "ivi#2", 3, "return", 0, "", False, shmem.FREE, HEAD, Status.DENIED.word, -3),
        Ended(5, 50, "ivi#2", 3, HEAD, 5, 9, "", True, -3),
    )
    who = {"run": "r1", "domain": "ivi", "incarnation": 2, "agent": 7, "cause": 3}
    what = {"protocol": "clock", "message": "CLOCK_RATE_SET", "token": 5}
    asked = {"resource": "clock 3", "value": "flags=0x0, rate=800"}
    denied = {"status": "DENIED", "resource": "clock 3", "x0": 0}
    function = {"x0": 0x8200_0011}
    assert rows[1:5] == [
        {"number": 1, "at_ns": 10, "what": "invocation", "request": 3, **who, **what, **asked, **function},
        {"number": 2, "at_ns": 20, "what": "forwarded", "request": 9, **who, **what, **asked, **function},
        {"number": 3, "at_ns": 30, "what": "execution", "request": 9, **who, **what, **denied},
        {"number": 4, "at_ns": 40, "what": "completion", "request": 3, **who, **what, **denied},
    ]
    times = {"intended_ns": 5, "started_ns": 9, "status": "DENIED"}
    assert rows[5] == {"number": 5, "at_ns": 50, "what": "call", "request": 3, **who, **what, **times}


def test_a_call_that_ended_without_an_answer_keeps_what_it_asked(tmp_path: Path) -> None:
    _, ended, word = told(
        tmp_path,
        Trapped(1, 10, "ivi#1", 3, 0x17, 0, X, 0, 20, HEAD, SET),
        Returned(2, 20, "ivi#1", 3, "error", 0, "el3-lost", False, 0, -1, b"", None),
        Ended(3, 30, "ivi#1", 3, HEAD, 5, 9, "el3-lost", False, 0),
    )
    assert (ended["message"], ended["resource"]) == ("CLOCK_RATE_SET", "clock 3")
    assert (ended["code"], ended["definite"], word["code"]) == ("el3-lost", False, "el3-lost")
    assert not {"status", "x0"} & (ended.keys() | word.keys())


@pytest.mark.parametrize(
    ("head", "message", "what", "resource"),
    [
        (GRANT, base.SetDevicePermissions(3, 2, 1), "permission", "device 2"),
        (RESET, base.ResetAgentConfiguration(3, 1), "reset", None),
    ],
)
def test_what_xen_grants_and_resets_are_rows_of_their_own(
    tmp_path: Path, head: int, message: Any, what: str, resource: str | None
) -> None:
    asked = Forwarded(1, 10, 9, 0, 0x8200_0010, "", head, encode(message))
    foreign = Forwarded(2, 10, 8, 1, 0x8200_0011, "ivi#1", head, encode(message))
    done = Executed(3, 20, 9, 0, shmem.FREE, head, OK, 0)
    tried = Executed(4, 20, 8, 0, shmem.FREE, head, Status.DENIED.word, -3)
    _, _, xens, guests = told(tmp_path, asked, foreign, done, tried)
    assert (xens["what"], xens["agent"], xens.get("resource")) == (what, 3, resource)
    assert (xens["status"], guests["what"], guests["status"]) == ("SUCCESS", "execution", "DENIED")


def test_hypercalls_lives_and_what_is_noted(tmp_path: Path) -> None:
    rows = told(
        tmp_path,
        Asked(1, 10, 4, "createdomain", -1, "name=ivi"),
        Replied(2, 20, 4, -17, 2, "taken"),
        Lived(3, 30, 2, "ivi", "dead", "why"),
        Missed(4, 40, "xen", "ivi#1", "lost", "return", 6),
        Noted(5, 50, "xen", "metered", 8, (3, 1), "rate"),
        Noted(6, 60, "firmware", "reset", 0, (3, 5, 0, 0), ""),
        Noted(7, 70, "run", "phase", 0, (0, 9), "heal"),
        Noted(8, 80, "xen", "malformed", 0, (), "not msgpack"),
    )
    brief = [(row["what"], row.get("code"), row.get("value"), row.get("detail")) for row in rows]
    assert brief == [
        ("hypercall", "createdomain", "name=ivi", None),
        ("hypercall_result", "-17", "domid=2", "taken"),
        ("life", "dead", "domid=2", "why"),
        ("missed", "lost", "return to ivi#1", None),
        ("metered", None, "agent=3, enforced=1", "rate"),
        ("ledger", None, "agent=3, before=5, after=0, leaks=0", None),
        ("phase", None, "begin_ns=0, end_ns=9", "heal"),
        ("malformed", None, None, "not msgpack"),
    ]
    assert (rows[4]["agent"], rows[5]["agent"]) == (3, 3)
    assert {row["what"] for row in rows} <= KINDS.keys() | NOTES.keys()


def test_an_interrupt_tells_what_its_page_says(tmp_path: Path) -> None:
    event = sensor.SENSOR_TRIP_POINT_EVENT
    head = header.pack(sensor.PROTOCOL.id, event.id, message_type=header.MessageType.NOTIFICATION)
    payload = encode(event.payload(1, 2, 0))
    heard, end = told(
        tmp_path,
        Interrupted(1, 10, "ivi#1", 40, False, head, payload),
        Interrupted(2, 20, "firmware", 40, True, -1, b""),
    )
    assert (heard["what"], heard["code"], heard["message"]) == ("interrupt", "40", event.name)
    assert heard["resource"] == "sensor 2"
    assert end["what"] == "end_of_interrupt"


def test_numbers_beyond_a_column_do_not_stop_it(tmp_path: Path) -> None:
    (row,) = told(tmp_path, Ended(1, 10, "ivi#1", -1, HEAD, 1 << 80, -(1 << 80), "", True, 1 << 40))
    assert (row["intended_ns"], row["started_ns"]) == ((1 << 63) - 1, 1 - (1 << 63))
    told(tmp_path, Noted(1, 10, "run", "domain", 1 << 70, (1, 1, 1 << 40, 5), "ivi"))


def test_what_is_remembered_has_a_bound_and_rows_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "REMEMBERED", 2)
    rung = [Trapped(at, at, "ivi#1", at, 0x17, 0, X, 0, 20, HEAD, SET) for at in range(3)]
    back = [Returned(9, 9, "ivi#1", at, "undef", 0, "", True, 0, -1, b"", None) for at in range(3)]
    rows = told(tmp_path, *rung, *back)
    assert [row.get("message") for row in rows[3:]] == [None, "CLOCK_RATE_SET", "CLOCK_RATE_SET"]
    assert len(told(tmp_path, *rung, rows_max=2)) == 2


# ---- messages in words ------------------------------------------------------------------------


def test_what_no_table_has_is_told_as_bytes() -> None:
    reader = MessageReader()
    head = header.pack(0x99, 0x42)
    assert reader.request(head, b"\1\2")[:4] == ("0x99", "0x42", "", "0102")
    assert reader.request(HEAD, b"\1\2").values == "0102"
    assert reader.reply(HEAD, b"").values == ""
    assert reader.request(-1, b"\1").message == ""


def test_an_older_versions_layout_is_read() -> None:
    head = header.pack(clock.PROTOCOL.id, clock.CLOCK_CONFIG_SET.id)
    old = encode(clock.ConfigSet(3, 1, 0), 0x20000)
    assert MessageReader().request(head, old).resource == "clock 3"
    assert "attributes" in MessageReader().request(head, old).values


def test_a_real_run_is_told_in_words(tmp_path: Path) -> None:
    rows = told(tmp_path, *Decoder().events(recorded().rows), rows_max=1 << 20)
    assert {row["what"] for row in rows} <= KINDS.keys() | NOTES.keys()
    completions = [row for row in rows if row["what"] == "completion"]
    assert all({"message", "incarnation", "domain"} <= row.keys() for row in completions)
    assert {row["agent"] for row in rows if row["what"] == "reset"} == {3, 4}
