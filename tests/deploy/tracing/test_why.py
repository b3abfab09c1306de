"""Why a call ended as it did: which one is meant, who refused it, what decided, where its time went."""

from typing import Any

import pytest

from bus.scmi.status import Status
from deploy.errors import UserError
from deploy.tracing import why
from deploy.tracing.calls import XEN, Call, Happening, Story
from nodes.firmware import grounds
from nodes.firmware.grounds import Change, DeviceRow, Grounds

MS = 1_000_000
MINUS_ONE = (1 << 64) - 1


def call(number: int, request: int, **fields: Any) -> Call:
    """A call of ivi's that EL3 answered with SUCCESS, 1 us per leg."""
    begin = number * MS
    times = {
        "intended_ns": begin,
        "started_ns": begin,
        "xen_in_ns": begin + 1000,
        "el3_in_ns": begin + 2000,
        "el3_out_ns": begin + 3000,
        "returned_ns": begin + 4000,
    }
    told = {
        "domain": "ivi",
        "incarnation": 1,
        "agent": 3,
        "smc": 1000 + number,
        "function": 0x82000005,
        "whose": "ivi#1",
        "protocol": "clock",
        "message": "CLOCK_RATE_SET",
        "resource": "clock 5",
        "asked": "flags=0x0, clock_id=5, rate=1000",
        "status": "SUCCESS",
        "x0": 0,
        "changes": True,
    }
    return Call(number=number, request=request, **{**told, **times, **fields})


def denied(number: int, request: int, told: Grounds, status: str = "DENIED") -> Call:
    return call(number, request, status=status, grounds=grounds.text(told))


def reason(one: Call, *others: Story) -> why.Explanation:
    return why.explain(one, [one, *others])


# ---- which call -------------------------------------------------------------------------------


def test_last_is_the_last_that_failed_or_was_slow() -> None:
    fast, slow = call(1, 1), call(2, 2, returned_ns=2 * MS + why.SLOW_NS + 1)
    failed = call(3, 3, status="BUSY")
    assert why.find([fast, slow, failed, call(4, 4)], "last") is slow, "it ended last"
    assert why.find([fast, failed], "last") is failed
    with pytest.raises(UserError, match="of 1 calls in the recording none failed"):
        why.find([fast], "last")
    assert why.find([fast], "last", slow_ns=3999) is fast
    edge = call(1, 1, returned_ns=MS + why.SLOW_NS)
    with pytest.raises(UserError):
        why.find([edge], "last")


def test_a_request_and_whose() -> None:
    mine, others = call(1, 7), call(2, 7, domain="tcu", agent=4)
    later = call(3, 7, incarnation=2)
    assert why.find([mine, others], "ivi:7") is mine
    assert why.find([mine, later, others], "ivi:7") is later
    assert why.find([mine, later, others], "ivi#1:7") is mine
    assert why.find([mine], "7") is mine
    with pytest.raises(UserError, match="give one of ivi:7, tcu:7"):
        why.find([mine, others], "7")
    with pytest.raises(UserError, match="no call tcu:9 is in the recording, which has 2"):
        why.find([mine, others], "tcu:9")
    for words in ("", "ivi:", "ivi", "-1", "ivi:x"):
        with pytest.raises(UserError, match="ivi:1234"):
            why.find([mine], words)


# ---- who refused it ---------------------------------------------------------------------------


def test_a_device_that_was_taken_away() -> None:
    change = Change(3, 1, 77, "BASE_SET_DEVICE_PERMISSIONS")
    rows = (DeviceRow(5, "i2c", False, changed=change), DeviceRow(7, "i2c-dma", False))
    taken = call(2, 9, domain=XEN, agent=-1, smc=77)
    found = reason(denied(10, 4, Grounds(8, "clock 5", "device", rows)), taken)
    assert found.verdict == "EL3 answered DENIED: rung 8 of the ladder"
    assert (found.rung, found.question) == (8, "May the agent do this with the resource?")
    assert found.row == (
        "clock 5 is in device 5 (i2c): not granted to the agent",
        "clock 5 is in device 7 (i2c-dma): not granted to the agent",
    )
    assert found.changed == (
        "device 5 (i2c): BASE_SET_DEVICE_PERMISSIONS (deny) by agent 1 (Xen), 8.0 ms before, in Xen's SMC 77",
        "device 7 (i2c-dma): as it was when EL3 booted",
    )
    assert "dtdev" in found.hints[0]
    gone = reason(denied(10, 4, Grounds(8, "clock 5", "device", rows)))
    assert "which the recording does not hold any more" in gone.changed[0]


@pytest.mark.parametrize(
    ("told", "row"),
    [
        (Grounds(2, "", "protocol"), "`protocols` of the agent"),
        (Grounds(8, "clock 5", "right"), "clock 5: a row of [[right]]"),
        (Grounds(8, "clock 0", "no device"), "clock 0: no device lists the resource"),
        (Grounds(8, "", "trusted"), "only a trusted agent may send this command"),
    ],
)
def test_other_layers(told: Grounds, row: str) -> None:
    found = reason(denied(10, 4, told))
    assert found.row[0].startswith(row)
    assert found.changed == ("never: it is as the platform describes it",)


def test_a_handlers_refusal_names_who_used_the_resource_last() -> None:
    other = call(3, 1, domain="tcu", agent=4, message="CLOCK_CONFIG_SET")
    reads = call(4, 2, domain="tcu", agent=4, changes=False)
    elsewhere = call(5, 3, domain="tcu", agent=4, resource="clock 6")
    after = call(11, 4, domain="tcu", agent=4)
    found = reason(denied(10, 4, Grounds(9, "clock 5"), "BUSY"), other, reads, elsewhere, after)
    assert found.verdict == "EL3 answered BUSY: the message's own rules (rung 9)"
    (said,) = found.changed
    assert "tcu(4)" in said
    assert "CLOCK_CONFIG_SET" in said
    assert said.endswith("7.0 ms before")
    assert found.hints == ("bus/scmi/clock.md says when CLOCK_RATE_SET answers BUSY",)


def test_xen_refused_it() -> None:
    unsent: dict[str, Any] = {"smc": 0, "el3_in_ns": None, "el3_out_ns": None, "status": "", "x0": MINUS_ONE}
    foreign = call(1, 1, function=0x82000006, whose="tcu#1", judged="foreign_doorbell refused", **unsent)
    found = reason(foreign)
    assert found.verdict.endswith("the function id is another domain's doorbell")
    assert found.row == ("0x82000006 is the doorbell of tcu",)
    assert [leg.name for leg in found.legs] == ["waited", "to_xen", "back"]
    own = call(1, 1, function=0x82000003, whose="", judged="management_doorbell refused", **unsent)
    assert "Xen's own channel" in reason(own).verdict
    assert "the limit rate" in reason(call(1, 1, metered="rate", **unsent)).verdict


@pytest.mark.parametrize(
    ("definite", "words"), [(True, "surely did not happen"), (False, "may have happened")]
)
def test_no_answer_came(definite: bool, words: str) -> None:
    lost = call(1, 1, code="el3-lost", definite=definite, status="", x0=None)
    assert reason(lost).verdict == f"el3-lost: EL3 is gone; it {words}"


def test_what_is_not_known_is_said() -> None:
    found = reason(call(1, 1, status="DENIED", asked=None))
    assert any("grounds" in line for line in found.missing)
    assert any("mapped" in line for line in found.missing)
    times = dict.fromkeys(("intended_ns", "started_ns", "xen_in_ns", "el3_in_ns", "el3_out_ns"))
    assert any("time" in line for line in reason(call(1, 1, **times)).missing)
    assert reason(call(1, 1)).missing == ()
    assert reason(call(1, 1, grounds="{", status="DENIED")).rung is None


# ---- time -------------------------------------------------------------------------------------


def test_where_the_time_went_and_who_was_served_meanwhile() -> None:
    slow = call(10, 1, el3_in_ns=15 * MS, el3_out_ns=16 * MS, returned_ns=17 * MS, queued_ns=2 * MS)
    others = [call(12, number, domain="tcu", agent=4) for number in range(3)]
    others.append(call(13, 9, domain=XEN, agent=-1))
    found = reason(slow, *others, call(9, 8), call(20, 9))
    assert [leg.took_ns for leg in found.legs] == [0, 1000, 15 * MS - 10 * MS - 1000, MS, MS]
    assert sum(leg.part for leg in found.legs) == pytest.approx(1)
    assert found.legs[2].words == "in Xen, and on to EL3; 2.0 ms of it waiting for its channel"
    assert found.meanwhile == ("EL3 took 4 other SMCs: tcu (agent 4) 3, Xen's own 1",)
    assert found.verdict == "it ended well (SUCCESS)"


def test_what_was_broken_on_purpose() -> None:
    begins = Happening(number=1, at_ns=MS, what="fault_begins", text='number=1 {"kind":"el3.stall"}')
    other = Happening(number=2, at_ns=MS, what="fault_begins", text='number=2 {"kind":"link.delay"}')
    ends = Happening(number=3, at_ns=2 * MS, what="fault_ends", text="number=2 applied=3")
    found = reason(call(10, 1, status=Status.BUSY.name), begins, other, ends)
    assert found.meanwhile == ('broken on purpose: {"kind":"el3.stall"}',)


# ---- without an answer ------------------------------------------------------------------------


def given_up(number: int, request: int, **fields: Any) -> Call:
    """A call whose guest had no more patience 2 s later."""
    told = {"el3_out_ns": None, "returned_ns": number * MS + 2000 * MS, "code": "timeout", "definite": False}
    return call(number, request, **{**told, "status": "", "x0": None, **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "EL3 had received it, and no answer came"),
        ({"el3_in_ns": None, "smc": 0}, "Xen had received it, EL3 had not; no answer came"),
        ({"el3_in_ns": None, "smc": 0, "xen_in_ns": None}, "Xen had not received it; no answer came"),
    ],
)
def test_who_had_a_call_that_nobody_answered(fields: dict[str, Any], words: str) -> None:
    found = reason(given_up(1, 7, **fields))
    assert found.verdict == "timeout: the guest's patience ended; it may have happened"
    assert words in [leg.words for leg in found.legs]
    assert "EL3 took no other SMC" in found.meanwhile[0]
    assert "trapline status" in found.hints[-1]
    busy = call(500, 8, domain="tcu", incarnation=1, agent=4)
    assert found.meanwhile != reason(given_up(1, 7, **fields), busy).meanwhile


def test_a_page_that_is_still_taken_and_by_whom() -> None:
    nothing: dict[str, Any] = {
        "started_ns": 3000 * MS,
        "xen_in_ns": None,
        "el3_in_ns": None,
        "el3_out_ns": None,
    }
    told = {"code": "channel-busy", "definite": True, "smc": 0, "status": "", "message": "", "function": 0}
    nothing |= {"asked": None, "protocol": "", "whose": ""}
    late = call(3000, 0, **nothing, **told, returned_ns=3000 * MS)
    assert "no doorbell rung = channel-busy" in reason(late).line
    (row,) = reason(late, call(0, 6), given_up(1, 7)).row
    assert row.startswith("its page is still taken by CLOCK_RATE_SET, 3.00 s before: EL3 has not set FREE")
    assert "'trapline why ivi:7'" in row
    for other in (call(1, 7), given_up(1, 7, domain="tcu"), given_up(1, 7, incarnation=2)):
        assert reason(late, other).row == ()


def test_a_handlers_refusal_is_no_question_of_range() -> None:
    found = [reason(denied(1, 1, Grounds(9, "", None), status)) for status in ("DENIED", "OUT_OF_RANGE")]
    assert [one.question for one in found] == [
        "Do the message's own rules let this agent do it?",
        "Is it in range, and can the resource do it now?",
    ]
