"""Rows to events: a real run tells a whole story, and no bytes whatever make the decoder fail."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import frames, shmem
from bus.scmi import header
from deploy.recording import decode
from deploy.recording.decode import Decoder
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
from deploy.recording.rows import (
    BOOTED,
    LOST,
    NOTE,
    RECEIVED,
    TICKED,
    UNDELIVERED,
    Row,
    domain_of,
    incarnation_of,
)
from nodes.contract import Note
from tests.deploy.experiments.recorded_run import recorded

HEAD = header.pack(0x14, 0x6, token=5)
REQUEST = (1).to_bytes(4, "little")
PAGE = shmem.request(HEAD, REQUEST)
DENIED = (-3 & 0xFFFF_FFFF).to_bytes(4, "little")
DOORBELLS = {"ivi#1": 0x8200_0011, "tcu#1": 0x8200_0012}


def got(node: str, peer: str, frame: frames.Frame, page: bytes = b"", at_ns: int = 0) -> Row:
    return at_ns, node, peer, RECEIVED, frames.encode(frame), page


def note(node: str, what: str, request: int, numbers: tuple[int, ...], text: str = "") -> Row:
    return 0, node, "", NOTE, frames.encode(Note(what, request, numbers, text)), b""


def trap(domain: str, request: int, function: int, cause: int | None = None) -> Row:
    x = (function, *range(1, 8))
    cause = request if cause is None else cause
    return got("xen", domain, frames.Trap(1, request, cause, 0x17, 0, x, 0x1000), PAGE)


def smc(request: int, cause: int, function: int) -> Row:
    return got("firmware", "xen", frames.Smc(1, request, cause, (function, *range(1, 8)), 0x2000), PAGE)


def owned(domain: str, agent: int) -> Row:
    name, incarnation = domain_of(domain), incarnation_of(domain)
    return note("run", "domain", 0, (agent, incarnation, agent, DOORBELLS[domain]), name)


def events(*rows: Row) -> list[Event]:
    return list(Decoder().events(rows))


def test_one_call_from_the_trap_to_the_guests_own_word() -> None:
    answer = shmem.reply(HEAD, DENIED)
    found = events(
        trap("ivi#1", 3, 0x8200_0011),
        smc(9, 3, 0x8200_0011),
        got("xen", "firmware", frames.SmcReturn(1, 9, 3, (0, 1, 2, 3)), answer),
        got("ivi#1", "xen", frames.Return(1, 3, 3, (0, 1, 2, 3)), answer),
        note("ivi#1", "call", 3, (HEAD, 10, 20, 1, -3)),
    )
    x = (0x8200_0011, *range(1, 8))
    assert found == [
        Trapped(0, 0, "ivi#1", 3, 0x17, 0, x, 0, 8, HEAD, REQUEST),
        Forwarded(1, 0, 9, 3, 0x8200_0011, "ivi#1", HEAD, REQUEST),
        Executed(2, 0, 9, 0, shmem.FREE, HEAD, DENIED, -3),
        Returned(3, 0, "ivi#1", 3, "return", 0, "", False, shmem.FREE, HEAD, DENIED, -3),
        Ended(4, 0, "ivi#1", 3, HEAD, 10, 20, "", True, -3),
    ]


def test_a_guests_times_are_given_on_the_runs_clock() -> None:
    call = note("ivi#1", "call", 3, (HEAD, 1_010, 1_020, 1, -3))
    dropped = note("ivi#1", "arrival_dropped", 0, (1_030,), "backlog")
    ended, noted = Decoder(1_000).events((call, dropped))
    assert isinstance(ended, Ended)
    assert (ended.intended_ns, ended.started_ns) == (10, 20)
    assert noted == Noted(1, 0, "ivi#1", "arrival_dropped", 0, (30,), "backlog")


def test_what_has_no_page_has_no_header() -> None:
    returned, undef, error = events(
        got("ivi#1", "xen", frames.Return(1, 3, 3, (7, 0, 0, 0))),
        got("ivi#1", "xen", frames.Undef(1, 4, 4)),
        got("ivi#1", "xen", frames.Error(1, 5, 5, "el3-lost", True, "EL3 is gone")),
    )
    assert returned == Returned(0, 0, "ivi#1", 3, "return", 7, "", False, 0, -1, b"", None)
    assert undef == Returned(1, 0, "ivi#1", 4, "undef", 0, "", True, 0, -1, b"", None)
    assert error == Returned(2, 0, "ivi#1", 5, "error", 0, "el3-lost", True, 0, -1, b"", None)


@pytest.mark.parametrize(
    ("length", "payload"), [(0, b""), (3, b""), (4, b""), (6, b"\1\0"), (8, REQUEST), (1 << 31, REQUEST)]
)
def test_a_length_that_is_absurd_gives_what_there_is(length: int, payload: bytes) -> None:
    page = bytearray(PAGE)
    page[shmem.LENGTH_AT : shmem.LENGTH_AT + 4] = length.to_bytes(4, "little")
    assert decode.page_of(bytes(page)) == (0, length, HEAD, payload)
    assert decode.page_of(bytes(page[:27])) == decode.NO_PAGE


# ---- whose trap it was ------------------------------------------------------------------------


def forwarded(*rows: Row) -> list[tuple[str, int]]:
    return [(one.domain, one.cause) for one in events(*rows) if isinstance(one, Forwarded)]


def test_xens_own_smc_is_nobodys() -> None:
    assert forwarded(trap("ivi#1", 3, 0x8200_0011), smc(1, 0, 0x8200_0010)) == [("", 0)]


def test_equal_numbers_of_two_domains_are_told_apart_by_their_doorbells() -> None:
    ours, theirs = DOORBELLS["ivi#1"], DOORBELLS["tcu#1"]
    rows = (trap("ivi#1", 3, ours), trap("tcu#1", 3, theirs), smc(9, 3, theirs), smc(10, 3, ours))
    assert forwarded(*rows) == [("tcu#1", 3), ("ivi#1", 3)]


def test_a_foreign_doorbell_rung_with_equal_numbers_is_its_owners_first() -> None:
    function = DOORBELLS["tcu#1"]
    rows = (owned("tcu#1", 2), trap("ivi#1", 3, function), trap("tcu#1", 3, function))
    assert forwarded(*rows, smc(9, 3, function)) == [("tcu#1", 3)]
    assert forwarded(*rows[1:], smc(9, 3, function)) == [("ivi#1", 3)]  # without the note: the older one


def test_a_trap_that_xen_should_have_refused_is_still_told_by_its_sender() -> None:
    function = DOORBELLS["tcu#1"]
    assert forwarded(owned("tcu#1", 2), trap("ivi#1", 3, function), smc(9, 3, function)) == [("ivi#1", 3)]


def test_a_trap_that_was_answered_is_no_candidate_any_more() -> None:
    function = DOORBELLS["tcu#1"]
    refused = got("ivi#1", "xen", frames.Return(1, 3, 3, (1 << 63, 0, 0, 0)))
    assert forwarded(trap("ivi#1", 3, function), refused, smc(9, 3, function)) == [("", 3)]


def test_a_cause_of_its_own_leads_back_to_the_request() -> None:
    assert forwarded(trap("ivi#1", 3, 0x8200_0011, cause=77), smc(9, 77, 0x8200_0011)) == [("ivi#1", 3)]


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "TRAPS_MAX", 4)
    traps = decode.Traps()
    for request in range(1, 7):
        traps.add("ivi#1", request, request, 0x11)
    assert [traps.forwarded(request, 0x11)[0] for request in range(1, 7)] == ["", ""] + ["ivi#1"] * 4
    for request in range(7, 100):
        traps.add("ivi#1", request, request, 0x11)
    assert len(traps._by_key) == len(traps._open) == 4


# ---- the toolstack, interrupts, what did not arrive -------------------------------------------


def test_hypercalls_and_lives() -> None:
    create = frames.CreateDomain("ivi", 2, 1)
    asked = "name=ivi arm_sci_type=2 arm_sci_agent_id=1 aarch32=False iommu=False"
    assert events(
        got("xen", "toolstack", frames.Domctl(1, 4, 4, create)),
        got("toolstack", "xen", frames.DomctlReply(1, 4, 4, -17, 2, "taken", ())),
        got("toolstack", "xen", frames.Lifecycle(1, 0, 0, 2, "ivi", "created", "why")),
        got("xen", "toolstack", frames.Domctl(1, 5, 5, frames.ListDomains())),
    ) == [
        Asked(
            0,
            0,
            4,
            "createdomain",
            -1,
            asked,
        ),
        Replied(1, 0, 4, -17, 2, "taken"),
        Lived(2, 0, 2, "ivi", "created", "why"),
        Asked(3, 0, 5, "getdomaininfolist", -1, ""),
    ]


def test_interrupts_and_what_reached_nobody() -> None:
    envelope = frames.encode(frames.Smc(1, 6, 0, (0,) * 8, 0))
    assert events(
        got("ivi#1", "xen", frames.Interrupt(1, 1, 0, 40, 0x3000), PAGE),
        got("firmware", "xen", frames.EndOfInterrupt(1, 1, 0, 40, 0)),
        (5, "xen", "firmware", UNDELIVERED, envelope, b""),
        (6, "xen", "firmware", LOST, b"\xc1", b""),
        (7, "xen", "", BOOTED, b"", b""),
        (8, "xen", "", TICKED, b"", b""),
    ) == [
        Interrupted(0, 0, "ivi#1", 40, False, HEAD, REQUEST),
        Interrupted(1, 0, "firmware", 40, True, -1, b""),
        Missed(2, 5, "xen", "firmware", "undelivered", "smc", 6),
        Missed(3, 6, "xen", "firmware", "lost", "malformed", 0),
        Began(4, 7, "xen"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        trap("firmware", 1, 0x8200_0011),
        got("firmware", "ivi#1", frames.Smc(1, 1, 0, (0,) * 8, 0)),
        got("xen", "ivi#1", frames.SmcReturn(1, 1, 0, (0,) * 4)),
        got("xen", "ivi#1", frames.Domctl(1, 1, 1, frames.ListDomains())),
        got("xen", "ivi#1", frames.Return(1, 1, 1, (0,) * 4)),
        got("xen", "ivi#1", frames.Undef(1, 1, 1)),
        got("xen", "ivi#1", frames.DomctlReply(1, 1, 1, 0, 0, "", ())),
        got("xen", "ivi#1", frames.Lifecycle(1, 1, 1, 0, "", "dead", "")),
    ],
)
def test_a_frame_that_its_link_may_not_send_is_noted_as_such(row: Row) -> None:
    (found,) = events(row)
    assert isinstance(found, Noted)
    assert found.what == "unexpected"


def test_an_error_to_xen_or_the_toolstack_is_no_end_of_a_trap() -> None:
    (found,) = events(got("toolstack", "xen", frames.Error(1, 8, 8, "no-console", True, "gone")))
    assert found == Noted(0, 0, "toolstack", "refused", 8, (1,), "no-console: gone")


def test_a_welcome_tells_the_epoch_of_who_welcomes() -> None:
    welcome = frames.Welcome(1, 0, 0, 1, "ivi", bytes(16), 2)
    told, strange = events(got("ivi#1", "xen", welcome), got("ivi#1", "tcu#1", welcome))
    assert (told.what, told.node, told.numbers) == ("welcomed", "ivi#1", (2,))
    assert strange.what == "unexpected"


def test_consoles_and_greetings_are_no_events() -> None:
    assert not events(
        got("xen", "ivi#1", frames.Hello(1, 0, 0, "guest")),
        got("ivi#1", "xen", frames.Welcome(1, 0, 0, 1, "ivi")),
        got("ivi#1", "xen", frames.Console(1, 1, 1, 1, b"")),
    )


# ---- any bytes --------------------------------------------------------------------------------


@given(
    st.sampled_from(["xen", "firmware", "toolstack", "run", "ivi#1", ""]),
    st.sampled_from(["xen", "firmware", "toolstack", "ivi#1", "nobody", ""]),
    st.integers(0, 255),
    st.binary(max_size=80),
    st.binary(max_size=64),
)
def test_any_bytes_make_at_most_one_event(
    node: str, peer: str, event: int, envelope: bytes, page: bytes
) -> None:
    assert len(events((0, node, peer, event, envelope, page))) <= 1


def test_a_spoiled_run_is_decoded_to_its_end() -> None:
    source = random.Random(3)
    spoiled = []
    for one in recorded().rows[:4_000]:
        envelope = bytearray(one[4])
        if envelope and source.random() < 0.5:
            envelope[source.randrange(len(envelope))] = source.randrange(256)
        spoiled.append(
            (*one[:3], one[3] if source.random() < 0.9 else source.randrange(8), bytes(envelope), one[5])
        )
    kinds = {type(one) for one in Decoder().events(spoiled)}
    assert {Trapped, Forwarded, Executed, Returned, Noted, Missed} <= kinds


def test_a_malformed_envelope_is_noted_with_its_reason() -> None:
    (found,) = events((4, "xen", "ivi#1", RECEIVED, b"\xc1", b""))
    assert isinstance(found, Noted)
    assert (found.what, found.node) == ("malformed", "xen")
    assert found.text


# ---- a real run -------------------------------------------------------------------------------


def test_a_real_run_tells_who_rang_and_who_was_answered() -> None:
    found = list(Decoder().events(recorded().rows))
    assert [one.number for one in found] == sorted({one.number for one in found})
    traps = {(one.domain, one.request) for one in found if isinstance(one, Trapped)}
    sent = [one for one in found if isinstance(one, Forwarded)]
    assert {one.domain for one in sent} == {"", "dom0#1", "ivi#1", "ivi#2", "tcu#1", "cluster#1"}
    assert {(one.domain, one.cause) for one in sent if one.domain} <= traps
    assert len(traps) > 500
    ended = {(one.domain, one.request) for one in found if isinstance(one, Returned)}
    assert len(traps - ended) <= 8  # under way at the end
    assert {one.event for one in found if isinstance(one, Lived)} >= {"running", "reset", "dead"}
    noted = {(one.node, one.what) for one in found if isinstance(one, Noted)}
    domains = ("dom0#1", "ivi#1", "ivi#2", "tcu#1", "cluster#1")
    assert {node for node, what in noted if what == "welcomed"} == {"firmware", *domains}
    assert {one for one in noted if one[1] != "welcomed"} == {
        ("run", "domain"),
        ("firmware", "reset"),
        ("firmware", "refused_at"),
    }
