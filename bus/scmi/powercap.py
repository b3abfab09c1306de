"""Power capping and monitoring protocol, 0x18 (DEN0056)."""

from typing import Annotated

from bus.fields import Bits, Message, char, structures, u32
from bus.scmi.fastchannel import DescribeFastchannelReply
from bus.scmi.protocol import Command, Confidence, Nothing, Notification, Protocol
from bus.scmi.status import Status

CPL_FLAGS = Bits(cap_configurable=0)
ATTRIBUTES = Bits(num_domains=(15, 0))
DOMAIN = Bits(
    measurements_change_notify=30,
    async_cap_set=29,
    extended_name=28,
    cap_configurable=27,
    power_monitoring=26,
    pai_configurable=25,
    power_unit=(24, 23),
    fastchannels=22,
    cap_change_notify=21,
    cai_configurable=20,
    num_cpl=(18, 15),
)
DOMAIN_OLD = Bits(
    cap_change_notify=31,
    measurements_change_notify=30,
    async_cap_set=29,
    extended_name=28,
    cap_configurable=27,
    power_monitoring=26,
    pai_configurable=25,
    power_unit=(24, 23),
    fastchannels=22,
)
CAP_SET_FLAGS = Bits(async_set=1, no_delayed_response=0)
PAI_SET_FLAGS = Bits()
NOTIFY = Bits(enable=0)
NUM_CPL = Bits(remaining=(31, 16), returned=(15, 0))
POWER_UNIT = {"ABSTRACT": 0x0, "MICROWATT": 0x1, "MILLIWATT": 0x2}
PARENT_ID = {"NONE": 0xFFFFFFFF}
POWER_CAP = {"DISABLE": 0x0}


class CplDescriptor(Message, frozen=True):
    cpli: Annotated[int, u32("index of the cap level")]
    flags: Annotated[int, u32(bits=CPL_FLAGS)]
    min_cap: Annotated[int, u32("in the unit of the domain")]
    max_cap: Annotated[int, u32("in the unit of the domain")]
    cap_step: Annotated[int, u32("in the unit of the domain")]
    min_cai: Annotated[int, u32("microseconds")]
    max_cai: Annotated[int, u32("microseconds")]
    cai_step: Annotated[int, u32("microseconds")]
    name: Annotated[str, char(16)]


class ProtocolAttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32(bits=ATTRIBUTES)]


class DomainAttributes(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]


class DomainAttributesReply(Message, frozen=True):
    attributes: Annotated[
        int,
        u32(
            "what the domain has; its unit of power",
            bits=DOMAIN,
            older={0x30000: DOMAIN_OLD},
            parts={"power_unit": POWER_UNIT},
        ),
    ]
    name: Annotated[str, char(16)]
    min_pai: Annotated[int, u32("microseconds; from 3.0 on these three are called MAI")]
    max_pai: Annotated[int, u32("microseconds")]
    pai_step: Annotated[int, u32("microseconds")]
    min_power_cap: Annotated[int, u32("in the unit of the domain")]
    max_power_cap: Annotated[int, u32("in the unit of the domain")]
    power_cap_step: Annotated[int, u32("in the unit of the domain")]
    sustainable_power: Annotated[int, u32("in the unit of the domain")]
    accuracy: Annotated[int, u32("of the measurement; the scale is not established")]
    parent_id: Annotated[int, u32("NONE: a root", of="powercap_domain", values=PARENT_ID)]
    min_cai: Annotated[int, u32("microseconds", since=0x30000)]
    max_cai: Annotated[int, u32("microseconds", since=0x30000)]
    cai_step: Annotated[int, u32("microseconds", since=0x30000)]


class CapGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    cpli: Annotated[int, u32("index of the cap level", since=0x30000)]


class CapGetReply(Message, frozen=True):
    power_cap: Annotated[int, u32("in the unit of the domain, 0: no cap")]


class CapSet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    cpli: Annotated[int, u32("index of the cap level", since=0x30000)]
    flags: Annotated[int, u32(bits=CAP_SET_FLAGS)]
    power_cap: Annotated[int, u32("in the unit of the domain, 0: no cap", values=POWER_CAP)]


class CapSetComplete(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    power_cap: Annotated[int, u32("in the unit of the domain, 0: no cap")]
    cpli: Annotated[int, u32("index of the cap level", since=0x30000)]


class PaiGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]


class PaiGetReply(Message, frozen=True):
    interval: Annotated[int, u32("microseconds")]


class PaiSet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    flags: Annotated[int, u32(bits=PAI_SET_FLAGS)]
    interval: Annotated[int, u32("microseconds")]


class DomainNameGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]


class DomainNameGetReply(Message, frozen=True):
    flags: Annotated[int, u32("zero")]
    name: Annotated[str, char(64)]


class MeasurementsGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]


class MeasurementsGetReply(Message, frozen=True):
    power: Annotated[int, u32("in the unit of the domain")]
    interval: Annotated[int, u32("microseconds")]


class CapNotify(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]


class MeasurementsNotify(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    notify_enable: Annotated[int, u32(bits=NOTIFY)]
    power_thresh_low: Annotated[
        int, u32("in the unit of the domain; both 0: every measurement (not cross-checked)")
    ]
    power_thresh_high: Annotated[int, u32("in the unit of the domain")]


class DescribeFastchannel(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    message_id: Annotated[int, u32("the command that the channel stands for, 0x4 to 0x7")]
    cpli: Annotated[int, u32("index of the cap level", since=0x30000)]


class CpcAttributes(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    desc_index: Annotated[int, u32("the first descriptor wanted")]


class CpcAttributesReply(Message, frozen=True):
    num_cpl: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_CPL)]
    desc: Annotated[tuple[CplDescriptor, ...], structures(CplDescriptor, "num_cpl[15:0]", "in order of cpli")]


class CaiGet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    cpli: Annotated[int, u32("index of the cap level")]


class CaiGetReply(Message, frozen=True):
    cai: Annotated[int, u32("microseconds")]


class CaiSet(Message, frozen=True):
    domain_id: Annotated[int, u32(of="powercap_domain")]
    flags: Annotated[int, u32("zero")]
    cai: Annotated[int, u32("microseconds")]
    cpli: Annotated[int, u32("index of the cap level")]


class CapChanged(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    domain_id: Annotated[int, u32(of="powercap_domain")]
    power_cap: Annotated[int, u32("in the unit of the domain, 0: no cap")]
    interval: Annotated[int, u32("microseconds; the PAI, from 3.0 on the CAI")]
    cpli: Annotated[int, u32("index of the cap level", since=0x30000)]


class MeasurementsChanged(Message, frozen=True):
    agent_id: Annotated[int, u32("who caused it")]
    domain_id: Annotated[int, u32(of="powercap_domain")]
    power: Annotated[int, u32("in the unit of the domain")]
    mai: Annotated[int, u32("microseconds", since=0x30000)]


_UNKNOWN = {Status.NOT_FOUND: "unknown domain"}
_NOTIFY_ERRORS = {
    Status.NOT_FOUND: "unknown domain",
    Status.INVALID_PARAMETERS: "reserved bit set",
    Status.NOT_SUPPORTED: "domain has no notification",
}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
POWERCAP_DOMAIN_ATTRIBUTES = Command(
    0x3,
    "POWERCAP_DOMAIN_ATTRIBUTES",
    DomainAttributes,
    DomainAttributesReply,
    mandatory=True,
    errors=_UNKNOWN,
)
POWERCAP_CAP_GET = Command(0x4, "POWERCAP_CAP_GET", CapGet, CapGetReply, mandatory=True, errors=_UNKNOWN)
POWERCAP_CAP_SET = Command(
    0x5,
    "POWERCAP_CAP_SET",
    CapSet,
    Nothing,
    changes=True,
    delayed=CapSetComplete,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.INVALID_PARAMETERS: "reserved flag bit set",
        Status.OUT_OF_RANGE: "cap outside the described range (SCP-firmware)",
        Status.NOT_SUPPORTED: "cap not configurable or async not available",
        Status.BUSY: "asynchronous request already outstanding",
        Status.DENIED: "caller may not change it",
    },
    mandatory_confidence=Confidence.C,
)
POWERCAP_PAI_GET = Command(
    0x6,
    "POWERCAP_PAI_GET",
    PaiGet,
    PaiGetReply,
    mandatory=True,
    errors=_UNKNOWN,
    mandatory_confidence=Confidence.C,
)
POWERCAP_PAI_SET = Command(
    0x7,
    "POWERCAP_PAI_SET",
    PaiSet,
    Nothing,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown domain",
        Status.INVALID_PARAMETERS: "reserved flag bit set",
        Status.OUT_OF_RANGE: "interval outside range",
        Status.NOT_SUPPORTED: "not configurable",
    },
    mandatory_confidence=Confidence.C,
)
POWERCAP_DOMAIN_NAME_GET = Command(
    0x8, "POWERCAP_DOMAIN_NAME_GET", DomainNameGet, DomainNameGetReply, errors=_UNKNOWN
)
POWERCAP_MEASUREMENTS_GET = Command(
    0x9,
    "POWERCAP_MEASUREMENTS_GET",
    MeasurementsGet,
    MeasurementsGetReply,
    errors={Status.NOT_FOUND: "unknown domain", Status.NOT_SUPPORTED: "no monitoring"},
    mandatory_confidence=Confidence.C,
)
POWERCAP_CAP_NOTIFY = Command(
    0xA, "POWERCAP_CAP_NOTIFY", CapNotify, Nothing, changes=True, errors=_NOTIFY_ERRORS
)
POWERCAP_MEASUREMENTS_NOTIFY = Command(
    0xB, "POWERCAP_MEASUREMENTS_NOTIFY", MeasurementsNotify, Nothing, changes=True, errors=_NOTIFY_ERRORS
)
POWERCAP_DESCRIBE_FASTCHANNEL = Command(
    0xC,
    "POWERCAP_DESCRIBE_FASTCHANNEL",
    DescribeFastchannel,
    DescribeFastchannelReply,
    errors={
        Status.NOT_FOUND: "unknown domain or message",
        Status.NOT_SUPPORTED: "no fast channel for this pair",
    },
)
POWERCAP_CPC_ATTRIBUTES = Command(
    0xD,
    "POWERCAP_CPC_ATTRIBUTES",
    CpcAttributes,
    CpcAttributesReply,
    since=0x30000,
    errors=_UNKNOWN,
    confidence=Confidence.B,
)
POWERCAP_CAI_GET = Command(
    0xE, "POWERCAP_CAI_GET", CaiGet, CaiGetReply, since=0x30000, errors=_UNKNOWN, confidence=Confidence.B
)
POWERCAP_CAI_SET = Command(
    0xF,
    "POWERCAP_CAI_SET",
    CaiSet,
    Nothing,
    changes=True,
    since=0x30000,
    errors=_UNKNOWN,
    confidence=Confidence.B,
)
POWERCAP_CAP_CHANGED = Notification(0x0, "POWERCAP_CAP_CHANGED", CapChanged, "POWERCAP_CAP_NOTIFY")
POWERCAP_MEASUREMENTS_CHANGED = Notification(
    0x1, "POWERCAP_MEASUREMENTS_CHANGED", MeasurementsChanged, "POWERCAP_MEASUREMENTS_NOTIFY"
)

PROTOCOL = Protocol(
    0x18,
    "powercap",
    "Power capping and monitoring",
    versions=(0x10000, 0x20000, 0x30000),
    commands=(
        PROTOCOL_ATTRIBUTES,
        POWERCAP_DOMAIN_ATTRIBUTES,
        POWERCAP_CAP_GET,
        POWERCAP_CAP_SET,
        POWERCAP_PAI_GET,
        POWERCAP_PAI_SET,
        POWERCAP_DOMAIN_NAME_GET,
        POWERCAP_MEASUREMENTS_GET,
        POWERCAP_CAP_NOTIFY,
        POWERCAP_MEASUREMENTS_NOTIFY,
        POWERCAP_DESCRIBE_FASTCHANNEL,
        POWERCAP_CPC_ATTRIBUTES,
        POWERCAP_CAI_GET,
        POWERCAP_CAI_SET,
    ),
    notifications=(POWERCAP_CAP_CHANGED, POWERCAP_MEASUREMENTS_CHANGED),
    confidence={0x20000: Confidence.B, 0x30000: Confidence.B},
)
