"""The very lines of a trace, from rows: who, what with its fields, the answer, how long it took."""

import pytest

from bus import frames, shmem
from bus.scmi import header
from deploy.tracing.calls import Call
from deploy.tracing.filters import Filter
from deploy.tracing.words import Reader
from tests.deploy.tracing.written import (
    IVI,
    MINUS_ONE,
    TCU,
    Asked,
    began,
    got,
    lines,
    lost,
    note,
    told,
    word,
)

GET, SET = 0x6, 0x5
OK = word(0)
RATE = OK + (800_000_000).to_bytes(8, "little")
CLOCK_6 = word(6)
SET_5 = word(0) + word(5) + (1000).to_bytes(8, "little")


def test_a_call() -> None:
    asked = Asked(1000, GET, CLOCK_6)
    assert lines(*asked.whole(RATE)) == [
        "0.001000 ivi(3)     clock.CLOCK_RATE_GET(clock_id=6) = SUCCESS(rate=800000000) <400 us>"
    ]
    assert lines(*asked.whole(RATE), legs=True) == [
        "0.001000 ivi(3)     clock.CLOCK_RATE_GET(clock_id=6) = SUCCESS(rate=800000000) <400 us>"
        " waited=0 us to_xen=100 us to_el3=100 us el3=100 us back=100 us"
    ]


def test_what_kept_a_guest_waiting_counts() -> None:
    asked = Asked(5000, GET, CLOCK_6)
    (line,) = lines(*asked.whole(RATE)[:-1], asked.ended(intended_us=4000))
    assert line.endswith("<4.4 ms>")


def test_denied_and_in_a_second_life() -> None:
    asked = Asked(1000, SET, SET_5, domain="tcu#2", function=TCU)
    assert lines(*asked.whole(word(-3), -3)) == [
        "0.001000 tcu#2(4)   clock.CLOCK_RATE_SET(flags=0x0, clock_id=5, rate=1000) = DENIED <400 us>"
    ]


def test_a_foreign_doorbell() -> None:
    """Its page is not looked at: EL3 never saw it."""
    asked = Asked(1000, GET, CLOCK_6, function=TCU)
    rows = (asked.trap(), asked.returned(None, MINUS_ONE), asked.ended(code="smc-refused"))
    assert lines(*rows) == [
        "0.001000 ivi(3)     smc(0x82000006: doorbell of tcu) = -1, refused by Xen <400 us>"
    ]
    assert lines(*rows[:2]) == [
        "0.001100 ivi(3)     smc(0x82000006: doorbell of tcu) = -1, refused by Xen <300 us>"
    ], "a raw trap has no note of its guest"


def test_an_smc_that_xen_answers_and_one_that_nobody_knows() -> None:
    version = Asked(1000, GET, b"", function=0x8000_0000, page=False)
    unknown = Asked(2000, GET, b"", function=0x8200_00FF, page=False, request=8)
    assert lines(
        version.trap(), version.returned(None, 0x10002), unknown.trap(), unknown.returned(None, MINUS_ONE)
    ) == [
        "0.001100 ivi(3)     smc(0x80000000) = 65538, Xen's answer <300 us>",
        "0.002100 ivi(3)     smc(0x820000ff) = -1, refused by Xen <300 us>",
    ]


def test_undef_and_errors() -> None:
    asked = Asked(1000, GET, CLOCK_6)
    undef = got(1400, "ivi#1", "xen", frames.Undef(1, 7, 7))
    assert lines(asked.trap(), undef, asked.ended(code="undef")) == [
        "0.001000 ivi(3)     clock.CLOCK_RATE_GET(clock_id=6) = undef: undefined instruction, "
        "it surely did not happen <400 us>"
    ]
    gone = got(1400, "ivi#1", "xen", frames.Error(1, 7, 7, "el3-lost", False, "gone"))
    assert lines(asked.trap(), asked.smc(), gone) == [
        "0.001100 ivi(3)     clock.CLOCK_RATE_GET(clock_id=6) = el3-lost: EL3 is gone, "
        "it may have happened <300 us>"
    ]
    assert lines(asked.trap(), asked.smc(), asked.ended(code="timeout", definite=False)) == [
        "0.001000 ivi(3)     clock.CLOCK_RATE_GET(clock_id=6) = timeout: the guest's patience ended, "
        "it may have happened <400 us>"
    ]


def test_a_call_that_never_rang() -> None:
    """The guest gave up before the doorbell; what it wanted to ask, no page tells."""
    seen = Asked(100, GET, CLOCK_6, request=1).whole(RATE)
    asked = Asked(1000, GET, CLOCK_6)
    assert lines(*seen, asked.ended(code="channel-busy"))[1] == (
        "0.001000 ivi(3)     clock.CLOCK_RATE_GET(?) = channel-busy: FREE was not set in the page, "
        "it surely did not happen <400 us>"
    )


def test_mapped_pages_show_names_and_no_fields() -> None:
    asked = Asked(1000, GET, CLOCK_6, page=False)
    assert lines(*asked.whole(RATE)) == ["0.001000 ivi(3)     clock.CLOCK_RATE_GET(?) = SUCCESS <400 us>"]


def test_what_comes_unasked() -> None:
    changed = header.pack(0x14, 0x0, message_type=header.MessageType.NOTIFICATION)
    notified = shmem.reply(changed, word(1) + word(5) + (1000).to_bytes(8, "little"))
    late = shmem.reply(header.pack(0x14, SET, 9, header.MessageType.DELAYED_RESPONSE), OK + SET_5[4:])
    assert lines(
        got(10, "xen", "firmware", frames.Interrupt(1, 1, 0, 40, 0x1000), notified),
        got(20, "ivi#1", "xen", frames.Interrupt(1, 1, 0, 40, 0x1000), notified),
        got(30, "xen", "ivi#1", frames.EndOfInterrupt(1, 1, 0, 40, 0x1000)),
        got(40, "ivi#1", "xen", frames.Interrupt(1, 2, 0, 40, 0x1000), late),
        got(50, "ivi#1", "xen", frames.Interrupt(1, 3, 0, 41, 0)),
    ) == [
        "0.000020 ivi(3)     <- clock.CLOCK_RATE_CHANGED(agent_id=1, clock_id=5, rate=1000)",
        "0.000040 ivi(3)     <- clock.CLOCK_RATE_SET delayed = SUCCESS(clock_id=5, rate=1000)",
        "0.000050 ivi(3)     <- interrupt(41)",
    ]


def test_xens_own_calls() -> None:
    """The reset of an agent that is given back, on the management channel."""
    head = header.pack(0x10, 0xB)
    smc = frames.Smc(1, 41, 0, (0x8200_0003, 0, 0, 0, 0, 0, 0, 0), 0x2000)
    back = frames.SmcReturn(1, 41, 0, (0, 0, 0, 0))
    assert lines(
        got(100, "firmware", "xen", smc, shmem.request(head, word(3) + word(1))),
        note(150, "firmware", "reset", 41, (3, 4, 0, 0)),
        got(200, "xen", "firmware", back, shmem.reply(head, OK)),
    ) == [
        "0.000150 firmware   --- reset agent=3 before=4 after=0 leaks=0",
        "0.000100 xen        base.BASE_RESET_AGENT_CONFIGURATION(agent_id=3, flags=0x1"
        "[also_reset_permissions=1]) = SUCCESS <100 us>",
    ]


def test_domctls_lives_and_what_reached_nobody() -> None:
    assign = frames.Domctl(1, 5, 5, frames.AssignDevice(2, "/soc/gpu"))
    listed = frames.Domctl(1, 6, 6, frames.ListDomains())
    assert lines(
        got(100, "xen", "toolstack", assign),
        got(150, "xen", "toolstack", listed),
        got(180, "toolstack", "xen", frames.DomctlReply(1, 5, 5, -16, 2, "in use", ())),
        got(190, "toolstack", "xen", frames.DomctlReply(1, 6, 6, 0, 0, "", ())),
        got(200, "toolstack", "xen", frames.Lifecycle(1, 0, 0, 2, "tcu", "running", "")),
        began(300, "tcu#2"),
        lost(400, "xen", "ivi#1", frames.Interrupt(1, 3, 0, 41, 0)),
    ) == [
        "0.000100 toolstack  assign_device(domid=2 path=/soc/gpu) = -16 in use <80 us>",
        "0.000200 tcu        --- running ---",
        "0.000300 tcu#2(4)   --- began ---",
        "0.000400 xen        !!! missed undelivered: interrupt to ivi#1",
    ]


def test_what_is_under_way_and_what_its_domain_took_along() -> None:
    asked = Asked(1000, GET, CLOCK_6)
    assert lines(asked.trap(), asked.smc()) == [
        "0.001100 ivi(3)     clock.CLOCK_RATE_GET(clock_id=6) = ? (under way)"
    ]
    done = (asked.trap(), asked.smc(), asked.done(RATE))
    assert lines(*done) == [
        "0.001100 ivi(3)     clock.CLOCK_RATE_GET(clock_id=6) = SUCCESS(rate=800000000)"
    ], "its return was overwritten: how long it took nobody knows"
    assert lines(*done, began(2_000_000, "xen"))[1] == lines(*done)[0]
    later = Asked(2000, GET, CLOCK_6, request=8)
    assert [line.rpartition(" = ")[2] for line in lines(asked.trap(), later.trap())] == ["?", "? (under way)"]
    (first, *_) = lines(asked.trap(), asked.smc(), began(2000, "ivi#2"))
    assert first == (
        "0.001100 ivi(3)     clock.CLOCK_RATE_GET(clock_id=6) = ended-with-domain: its domain was gone "
        "before it returned, it may have happened"
    )


def test_an_end_without_its_beginning_is_no_call() -> None:
    asked = Asked(1000, GET, CLOCK_6)
    assert told(*asked.whole(RATE)[2:]) == []


def test_what_no_table_knows_is_told_as_bytes() -> None:
    asked = Asked(1000, 0x42, b"\1\2", protocol=0x99)
    assert lines(*asked.whole(OK + b"\3")) == ["0.001000 ivi(3)     0x99.0x42(0102) = SUCCESS(03) <400 us>"]
    short = Asked(1000, GET, b"\1")
    assert "(malformed: 01) = SUCCESS(malformed: 03)" in lines(*short.whole(OK + b"\3"))[0]


@pytest.mark.parametrize("kind", header.MessageType)
def test_a_command_is_about_the_same_whatever_type_its_header_claims(kind: header.MessageType) -> None:
    words = Reader().request(header.pack(0x14, SET, message_type=kind), SET_5)
    assert (words.message != "", words.resource, words.changes) == (True, "clock 5", True)


def test_a_line_that_is_too_long_loses_what_matters_least() -> None:
    asked = Asked(1000, SET, SET_5)
    whole = "ivi(3)     clock.CLOCK_RATE_SET(flags=0x0, clock_id=5, rate=1000) = SUCCESS <400 us>"
    shown = {columns: lines(*asked.whole(OK), columns=columns)[0][9:] for columns in range(40, 90)}
    assert shown[len(whole)] == whole
    assert shown[len(whole) - 1] == whole.replace("clock.", "")
    assert (
        shown[len(whole) - 7]
        == "ivi(3)     CLOCK_RATE_SET(flags=0x0, clock_id=5, rate=10…) = SUCCESS <400 us>"
    )
    assert shown[55] == "ivi(3)     CLOCK_RATE_SET(flags=0x…) = SUCCESS <400 us>"
    assert shown[48] == "ivi(3)     CLOCK_RATE_SET(flags=0x…) = SUCCESS"
    assert all(len(line) <= columns for columns, line in shown.items())
    got = Asked(1000, GET, CLOCK_6)
    (line,) = lines(*got.whole(RATE), columns=66)
    assert line[9:] == "ivi(3)     CLOCK_RATE_GET(clock_id…) = SUCCESS(rate=800…) <400 us>"


def test_a_very_narrow_line_ends_at_the_edge() -> None:
    (line,) = lines(*Asked(1000, SET, SET_5).whole(OK), columns=30)
    assert line.partition(" ")[2] == "ivi(3)     CLOCK_RATE_SET(flags"[:29] + "…"


# ---- filters ----------------------------------------------------------------------------------

STORIES = told(
    *Asked(1000, GET, CLOCK_6, request=1).whole(RATE),
    *Asked(2000, SET, SET_5, request=2, domain="tcu#2", function=TCU).whole(word(-3), -3),
    *Asked(3000, 0x2, word(1) + word(2) + word(0), protocol=0x11, request=3).whole(word(-6), -6),
    Asked(9000, GET, CLOCK_6, request=4).trap(),
    began(9500, "tcu#3"),
)


@pytest.mark.parametrize(
    ("wanted", "requests", "others"),
    [
        (Filter(), [1, 2, 3, 4], 1),
        (Filter(agent="3"), [1, 3, 4], 0),
        (Filter(agent="tcu"), [2], 1),
        (Filter(agent="nobody"), [], 0),
        (Filter(protocol="clock"), [1, 2, 4], 0),
        (Filter(denied=True), [2], 0),
        (Filter(failed=True), [2, 3], 0),
        (Filter(slow_ns=400_000), [4], 0),
        (Filter(slow_ns=399_999), [1, 2, 3, 4], 0),
        (Filter(agent="ivi", failed=True), [3], 0),
    ],
)
def test_filters(wanted: Filter, requests: list[int], others: int) -> None:
    found = [story for story in STORIES if wanted.wants(story)]
    calls = sorted(story.request for story in found if isinstance(story, Call))
    assert (calls, len(found) - len(calls)) == (requests, others)


def test_a_call_knows_its_times_and_whose_numbers_are_whose() -> None:
    (call,) = told(*Asked(1000, GET, CLOCK_6).whole(RATE))
    assert isinstance(call, Call)
    assert (call.request, call.cause, call.smc, call.token, call.function) == (7, 7, 900, 7, IVI)
    assert call.legs() == {
        "waited": 0,
        "to_xen": 100_000,
        "to_el3": 100_000,
        "el3": 100_000,
        "back": 100_000,
    }
    assert (call.took_ns, call.at_ns, call.returned_ns) == (400_000, 1_000_000, 1_400_000)


OWN = header.pack(0x10, 0x1)


def test_xens_own_call_whose_answer_was_overwritten_is_not_under_way() -> None:
    """EL3 is asked less than Xen, so what it was asked stays longer than what Xen was answered."""
    own, late = (
        got(
            at_us,
            "firmware",
            "xen",
            frames.Smc(1, 3, 0, (0x8200_0003, *[0] * 7), 0x1000),
            shmem.request(OWN, b""),
        )
        for at_us in (500, 5000)
    )
    asked = Asked(1000, GET, CLOCK_6)
    assert lines(own, *asked.whole(RATE))[-1].endswith("= ?")
    assert lines(began(1, "xen"), own, *asked.whole(RATE))[-1].endswith("= ? (under way)")
    assert lines(*asked.whole(RATE), late)[-1].endswith("= ? (under way)")
