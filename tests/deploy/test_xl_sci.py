"""``arm_sci``, ``iomem`` and ``irqs``: xl's own reading, both sides of each edge."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import UserError
from deploy.xl.sci import (
    ULONG_MAX,
    ArmSci,
    IomemRange,
    SciType,
    parse_arm_sci,
    parse_iomem,
    parse_irq,
    strtoul,
)

MA = SciType.MULTIAGENT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type=scmi_smc_multiagent,agent_id=2", ArmSci(MA, 2)),
        ("agent_id=2,type=scmi_smc_multiagent", ArmSci(MA, 2)),
        ("type=scmi_smc", ArmSci(SciType.SCMI_SMC, 0)),
        ("type=none", ArmSci(SciType.NONE, 0)),
        ("type=SCMI_SMC_MultiAgent", ArmSci(MA, 0)),  # libxl compares with strcasecmp
        ("", ArmSci(SciType.NONE, 0)),
        (",,,", ArmSci(SciType.NONE, 0)),
        (",type=scmi_smc,,agent_id=3,", ArmSci(SciType.SCMI_SMC, 3)),
        ("type=scmi_smc_multiagent", ArmSci(MA, 0)),  # an omitted agent_id means 0
        ("type=scmi_smc_multiagent, agent_id=2", ArmSci(MA, 0)),  # the key is " agent_id": unknown
        ("type=scmi_smc_multiagent,agent_id =2", ArmSci(MA, 0)),
        ("type=scmi_smc_multiagent,Agent_id=2", ArmSci(MA, 0)),
        ("type=scmi_smc_multiagent,agent_id", ArmSci(MA, 0)),
        ("colour=red,agent_id=4", ArmSci(SciType.NONE, 4)),
        ("agent_id=1,agent_id=9", ArmSci(SciType.NONE, 9)),
        ("type=none,type=scmi_smc", ArmSci(SciType.SCMI_SMC, 0)),
        ("agent_id=0", ArmSci(SciType.NONE, 0)),
        ("agent_id=254", ArmSci(SciType.NONE, 254)),
        ("agent_id=7=8", ArmSci(SciType.NONE, 7)),
        ("agent_id=12abc", ArmSci(SciType.NONE, 12)),
        ("agent_id=0x10", ArmSci(SciType.NONE, 0)),
        ("agent_id= \t+5 ", ArmSci(SciType.NONE, 5)),
        ("agent_id=-0", ArmSci(SciType.NONE, 0)),
        (f"agent_id=-{ULONG_MAX}", ArmSci(SciType.NONE, 1)),  # strtoul wraps a negative number
        ("agent_id=" + "0" * 30 + "6", ArmSci(SciType.NONE, 6)),
    ],
)
def test_arm_sci_is_read_as_xl_reads_it(text: str, expected: ArmSci) -> None:
    assert parse_arm_sci(text) == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("type=", "unknown ARM_SCI type"),
        ("type=smc", "unknown ARM_SCI type"),
        ("type= scmi_smc", "unknown ARM_SCI type"),
        ("type=scmi_smc ", "unknown ARM_SCI type"),
        ("type=bogus,type=scmi_smc", "unknown ARM_SCI type"),  # each duplicate must be valid
        ("agent_id=", "not a number"),
        ("agent_id=two", "not a number"),
        ("agent_id=-", "not a number"),
        ("agent_id=-1", "not a number"),  # wraps to ULONG_MAX
        (f"agent_id={ULONG_MAX}", "not a number"),
        (f"agent_id={ULONG_MAX + 1}", "not a number"),
        ("agent_id=" + "9" * 5000, "not a number"),
        ("agent_id=255", "valid range"),
        ("agent_id=256", "valid range"),
        ("agent_id=-2", "valid range"),
        (f"agent_id={ULONG_MAX - 1}", "valid range"),
        ("agent_id=255,agent_id=1", "valid range"),
    ],
)
def test_arm_sci_refusals_name_the_rule(text: str, rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        parse_arm_sci(text)


@given(st.text() | st.text("type=agnd_i,sc0129 "))
def test_arm_sci_has_only_one_way_to_fail(text: str) -> None:
    with contextlib.suppress(UserError):
        assert 0 <= parse_arm_sci(text).agent_id <= 254


def test_strtoul_edges() -> None:
    assert strtoul(str(ULONG_MAX - 1)) == ULONG_MAX - 1
    assert strtoul(str(ULONG_MAX + 1)) == ULONG_MAX
    assert strtoul(f"-{ULONG_MAX + 1}") == ULONG_MAX
    assert strtoul("--1") is None
    assert strtoul("\u0663") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("47ff2,1@22001", IomemRange(0x47FF2, 1, 0x22001)),
        ("47ff2,1", IomemRange(0x47FF2, 1, 0x47FF2)),
        ("0x47FF2,0xa@0X10", IomemRange(0x47FF2, 10, 0x10)),
        (" 0, 1@ 0", IomemRange(0, 1, 0)),
        ("fffffffffffff,1", IomemRange(2**52 - 1, 1, 2**52 - 1)),
        ("1,1@fffffffffffff", IomemRange(1, 1, 2**52 - 1)),
    ],
)
def test_iomem_is_read_as_xl_reads_it(text: str, expected: IomemRange) -> None:
    assert parse_iomem(text) == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "is not START,COUNT"),
        ("47ff2", "is not START,COUNT"),
        ("47ff2,", "is not START,COUNT"),
        ("47ff2,1@", "is not START,COUNT"),
        ("47ff2,1@zz", "is not START,COUNT"),
        ("47ff2,1 ", "is not START,COUNT"),
        ("47ff2,1@2,3", "is not START,COUNT"),
        ("-1,1", "is not START,COUNT"),
        ("47ff2 ,1", "is not START,COUNT"),
        ("47ff2,0", "0 frames"),
        ("fffffffffffff,2", "beyond 64-bit"),
        ("0,2@fffffffffffff", "beyond 64-bit"),
        ("f" * 5000 + ",1", "beyond 64-bit"),
    ],
)
def test_iomem_refusals_name_the_rule(text: str, rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        parse_iomem(text)


@given(st.text() | st.text("0123abcdefxX,@ "))
def test_iomem_has_only_one_way_to_fail(text: str) -> None:
    with contextlib.suppress(UserError):
        assert parse_iomem(text).frames >= 1


@pytest.mark.parametrize("text", ["0x70", "", "-1", "seven", "112 junk", "٣"])
def test_an_interrupt_that_is_no_number(text: str) -> None:
    with pytest.raises(UserError, match=r"irqs: .* is not a number"):
        parse_irq(text)


@pytest.mark.parametrize(("text", "irq"), [("32", 32), (" 112", 112), ("1019", 1019)])
def test_the_interrupts_that_a_guest_can_have(text: str, irq: int) -> None:
    assert parse_irq(text) == irq


@pytest.mark.parametrize("text", ["0", "31", "1020", "9" * 30])
def test_the_interrupts_that_no_guest_can_have(text: str) -> None:
    with pytest.raises(UserError, match=r"is no SPI.*give 32..1019"):
        parse_irq(text)
