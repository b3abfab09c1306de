"""The values of an xl.cfg that have a grammar of their own: ``arm_sci``, one item of ``iomem``, of ``irqs``.

Pure functions. They follow xl to the letter, its surprises included, so that a configuration accepted
here is accepted there and means the same. They do not know which file or line a value came from: the
caller puts ``DomainConfig.place()`` in front. Newest known xl (tenth and eleventh revision of the
multi-agent series); facts in section 7.1 of the Xen SCI notes.
"""

import enum
import re

import msgspec

from deploy.errors import UserError
from nodes.interrupts import FIRST_SPI, SPIS
from nodes.xen.profile import DEFAULT, Profile

ULONG_MAX = 2**64 - 1
FRAMES_END = 1 << 52  # 4 KiB frames in 64 bits of address

_STRTOUL = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-9]+)")
_HEX = r"[ \t\n\v\f\r]*(?:0[xX])?([0-9a-fA-F]+)"
_IOMEM = re.compile(f"{_HEX},{_HEX}(?:@{_HEX})?")


class SciType(enum.StrEnum):
    """libxl's ``arm_sci_type``: how a domain reaches the SCMI firmware."""

    NONE = "none"
    SCMI_SMC = "scmi_smc"
    MULTIAGENT = "scmi_smc_multiagent"


class ArmSci(msgspec.Struct, frozen=True):
    """The meaning of ``arm_sci``: the type, and the agent the domain asks for (0..254)."""

    type: SciType
    agent_id: int


class IomemRange(msgspec.Struct, frozen=True):
    """``frames`` pages of 4 KiB from machine frame ``start_frame``, seen by the guest at ``guest_frame``."""

    start_frame: int
    frames: int
    guest_frame: int


def parse_arm_sci(text: str, profile: Profile = DEFAULT) -> ArmSci:
    """``"type=scmi_smc_multiagent,agent_id=2"`` as xl understands it.

    Items are split at commas and empty ones vanish; a key must start its item, untrimmed; unknown keys
    are ignored; the last of several wins, though each of them must be valid; an omitted ``agent_id`` is 0.
    ``profile`` says which types xl knows and which agent ids it takes (an xl that knows no agents ignores
    the key). Raises UserError for an unknown type and for an agent_id without digits or out of range.
    """
    sci_type, agent_id = SciType.NONE, 0
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if not equals:
            continue
        if key == "type":
            sci_type = _sci_type(value, profile.sci_types)
        elif key == "agent_id" and profile.xl_agent_ids is not None:
            agent_id = _agent_id(value, *profile.xl_agent_ids)
    return ArmSci(sci_type, agent_id)


def _sci_type(value: str, known: tuple[str, ...]) -> SciType:
    # libxl compares enumeration names with strcasecmp.
    if value.lower() not in known:
        *others, last = known
        raise UserError(
            f"arm_sci: unknown ARM_SCI type {value!r}; use {', '.join(others)} or {last}, "
            "with no space around it"
        )
    return SciType(value.lower())


def _agent_id(value: str, low: int, high: int) -> int:
    number = strtoul(value)
    if number is None or number == ULONG_MAX:
        raise UserError(f"arm_sci: agent_id {value!r} is not a number; write it in decimal, {low}..{high}")
    if not low <= number <= high:
        raise UserError(f"arm_sci: invalid agent_id {value!r} ({number}); valid range [{low}..{high}]")
    return number


def strtoul(text: str) -> int | None:
    """C's ``strtoul(text, &end, 10)`` where unsigned long has 64 bits; None when there are no digits.

    Leading white space and a sign are accepted, a negative number wraps, what follows the digits is
    ignored, and too large a number is ULONG_MAX.
    """
    match = _STRTOUL.match(text)
    if not match:
        return None
    # More digits than ULONG_MAX has are too large without converting (and int() bounds its input).
    digits = match[2].lstrip("0") or "0"
    number = int(digits) if len(digits) <= 20 else ULONG_MAX + 1
    if number > ULONG_MAX:
        return ULONG_MAX
    return -number & ULONG_MAX if match[1] == "-" else number


def parse_irq(text: str) -> int:
    """``"112"``: the ID of a shared peripheral interrupt, in decimal, as libxl hands it to Xen.

    Raises UserError for what is no number, and for what is no SPI: those are all that Xen routes.
    """
    number = strtoul(text) if text.strip().isdecimal() else None
    if number is None:
        raise UserError(f"irqs: {text!r} is not a number; write interrupt IDs in decimal: [ 112 ]")
    if number not in SPIS:
        raise UserError(
            f"irqs: {number} is no SPI, the only interrupts that Xen routes to a guest; give "
            f"{SPIS[0]}..{SPIS[-1]}, that is the second cell of 'interrupts' + {FIRST_SPI}"
        )
    return number


def parse_iomem(text: str) -> IomemRange:
    """``"47ff2,1@22001"``: first machine frame, number of frames, optional first guest frame, all hex.

    Frames are of 4 KiB. Without ``@`` the guest sees the range at the machine's frame numbers (1:1).
    Raises UserError when the text has another form, the range is empty or it leaves 64-bit addresses.
    """
    match = _IOMEM.fullmatch(text)
    if not match:
        raise UserError(
            f"iomem: {text!r} is not START,COUNT or START,COUNT@GUEST with hexadecimal 4 KiB frame numbers; "
            'write for example "47ff2,1@22001"'
        )
    start, frames = int(match[1], 16), int(match[2], 16)
    guest = int(match[3], 16) if match[3] else start
    if not frames:
        raise UserError(f"iomem: {text!r} gives 0 frames; Xen refuses an empty range, give at least 1")
    if max(start, guest) + frames > FRAMES_END:
        raise UserError(
            f"iomem: {text!r} ends beyond 64-bit addresses; the numbers are frames of 4 KiB, not bytes"
        )
    return IomemRange(start, frames, guest)
