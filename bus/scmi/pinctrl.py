"""Pin control protocol, 0x19 (DEN0056)."""

from typing import Annotated

from bus.fields import Bits, Message, array, char, structures, u32
from bus.scmi.protocol import Command, Confidence, Nothing, Protocol
from bus.scmi.status import Status

ATTRIBUTES_LOW = Bits(num_groups=(31, 16), num_pins=(15, 0))
ATTRIBUTES_HIGH = Bits(num_functions=(15, 0))
SELECTOR_FLAGS = Bits(selector=(1, 0))
DESCRIPTION = Bits(extended_name=31, gpio_function=17, pin_only_function=16, num_elements=(15, 0))
NUM_ASSOCIATIONS = Bits(remaining=(31, 16), returned=(11, 0))
SETTINGS_GET = Bits(config_flag=(19, 18), selector=(17, 16), skip_configs=(15, 8), config_type=(7, 0))
NUM_CONFIGS = Bits(remaining=(31, 24), returned=(7, 0))
SETTINGS_CONFIGURE = Bits(function_id_valid=10, num_configs=(9, 2), selector=(1, 0))
SELECTOR = {"PIN": 0x0, "GROUP": 0x1, "FUNCTION": 0x2}
FUNCTION_SELECTED = {"NONE": 0xFFFFFFFF}
CONFIG_FLAG = {"ONE": 0x0, "ALL": 0x1, "FUNCTION_ONLY": 0x2}
CONFIG_TYPE = {
    "DEFAULT": 0x0,
    "BIAS_BUS_HOLD": 0x1,
    "BIAS_DISABLE": 0x2,
    "BIAS_HIGH_IMPEDANCE": 0x3,
    "BIAS_PULL_UP": 0x4,
    "BIAS_PULL_DEFAULT": 0x5,
    "BIAS_PULL_DOWN": 0x6,
    "DRIVE_OPEN_DRAIN": 0x7,
    "DRIVE_OPEN_SOURCE": 0x8,
    "DRIVE_PUSH_PULL": 0x9,
    "DRIVE_STRENGTH": 0xA,
    "INPUT_DEBOUNCE": 0xB,
    "INPUT_MODE": 0xC,
    "PULL_MODE": 0xD,
    "INPUT_VALUE": 0xE,
    "INPUT_SCHMITT": 0xF,
    "LOW_POWER_MODE": 0x10,
    "OUTPUT_MODE": 0x11,
    "OUTPUT_VALUE": 0x12,
    "POWER_SOURCE": 0x13,
    "SLEW_RATE": 0x14,
    "OEM_FIRST": 0xC0,
    "OEM_LAST": 0xFF,
}


class PinConfig(Message, frozen=True):
    config_type: Annotated[int, u32("192 to 255 are the vendor's", values=CONFIG_TYPE)]
    config_value: Annotated[int, u32("in the unit of the type")]


class ProtocolAttributesReply(Message, frozen=True):
    attributes_low: Annotated[int, u32(bits=ATTRIBUTES_LOW)]
    attributes_high: Annotated[int, u32(bits=ATTRIBUTES_HIGH)]


class Attributes(Message, frozen=True):
    identifier: Annotated[int, u32("a pin, a group or a function, as the selector says")]
    flags: Annotated[int, u32(bits=SELECTOR_FLAGS, parts={"selector": SELECTOR})]


class AttributesReply(Message, frozen=True):
    attributes: Annotated[int, u32("elements: pins of a group, groups of a function", bits=DESCRIPTION)]
    name: Annotated[str, char(16)]


class ListAssociations(Message, frozen=True):
    identifier: Annotated[int, u32("a pin, a group or a function, as the selector says")]
    flags: Annotated[int, u32(bits=SELECTOR_FLAGS, parts={"selector": SELECTOR})]
    index: Annotated[int, u32("the first one wanted")]


class ListAssociationsReply(Message, frozen=True):
    flags: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_ASSOCIATIONS)]
    array: Annotated[
        tuple[int, ...],
        array("H", "flags[11:0]", "pins of a group or groups of a function, ascending", pad=4),
    ]


class SettingsGet(Message, frozen=True):
    identifier: Annotated[int, u32("a pin, a group or a function, as the selector says")]
    attributes: Annotated[
        int,
        u32(
            "which settings",
            bits=SETTINGS_GET,
            parts={"config_flag": CONFIG_FLAG, "selector": SELECTOR, "config_type": CONFIG_TYPE},
        ),
    ]


class SettingsGetReply(Message, frozen=True):
    function_selected: Annotated[int, u32("the function in use", values=FUNCTION_SELECTED)]
    num_configs: Annotated[int, u32("how many in this reply, how many after it", bits=NUM_CONFIGS)]
    configs: Annotated[tuple[PinConfig, ...], structures(PinConfig, "num_configs[7:0]")]


class SettingsConfigure(Message, frozen=True):
    identifier: Annotated[int, u32("a pin, a group or a function, as the selector says")]
    function_id: Annotated[int, u32("the function to select")]
    attributes: Annotated[
        int,
        u32(
            "how many configs, and whether function_id counts",
            bits=SETTINGS_CONFIGURE,
            parts={"selector": SELECTOR},
        ),
    ]
    configs: Annotated[tuple[PinConfig, ...], structures(PinConfig, "attributes[9:2]")]


class Request(Message, frozen=True):
    identifier: Annotated[int, u32("a pin, a group or a function, as the selector says")]
    flags: Annotated[int, u32(bits=SELECTOR_FLAGS, parts={"selector": SELECTOR})]


class Release(Message, frozen=True):
    identifier: Annotated[int, u32("a pin, a group or a function, as the selector says")]
    flags: Annotated[int, u32(bits=SELECTOR_FLAGS, parts={"selector": SELECTOR})]


class NameGet(Message, frozen=True):
    identifier: Annotated[int, u32("a pin, a group or a function, as the selector says")]
    flags: Annotated[int, u32(bits=SELECTOR_FLAGS, parts={"selector": SELECTOR})]


class NameGetReply(Message, frozen=True):
    flags: Annotated[int, u32("zero")]
    name: Annotated[str, char(64)]


class SetPermissions(Message, frozen=True):
    agent_id: Annotated[int, u32("whose permission")]
    identifier: Annotated[int, u32("a pin, a group or a function, as the selector says")]
    flags: Annotated[int, u32()]


_BAD = {Status.NOT_FOUND: "unknown identifier", Status.INVALID_PARAMETERS: "bad selector"}

PROTOCOL_ATTRIBUTES = Command(0x1, "PROTOCOL_ATTRIBUTES", Nothing, ProtocolAttributesReply, mandatory=True)
PINCTRL_ATTRIBUTES = Command(
    0x3, "PINCTRL_ATTRIBUTES", Attributes, AttributesReply, mandatory=True, errors=_BAD
)
PINCTRL_LIST_ASSOCIATIONS = Command(
    0x4,
    "PINCTRL_LIST_ASSOCIATIONS",
    ListAssociations,
    ListAssociationsReply,
    mandatory=True,
    errors={**_BAD, Status.OUT_OF_RANGE: "index past the end"},
    mandatory_confidence=Confidence.C,
)
PINCTRL_SETTINGS_GET = Command(
    0x5,
    "PINCTRL_SETTINGS_GET",
    SettingsGet,
    SettingsGetReply,
    mandatory=True,
    errors={
        **_BAD,
        Status.NOT_SUPPORTED: "config type not available",
        Status.OUT_OF_RANGE: "more to skip than there are",
    },
)
PINCTRL_SETTINGS_CONFIGURE = Command(
    0x6,
    "PINCTRL_SETTINGS_CONFIGURE",
    SettingsConfigure,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown identifier or function",
        Status.INVALID_PARAMETERS: "bad selector or value",
        Status.NOT_SUPPORTED: "config type not available",
        Status.DENIED: "caller may not configure it",
    },
)
PINCTRL_REQUEST = Command(
    0x7,
    "PINCTRL_REQUEST",
    Request,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown identifier",
        Status.INVALID_PARAMETERS: "bad selector",
        Status.IN_USE: "held by another agent",
        Status.DENIED: "not permitted",
    },
    mandatory_confidence=Confidence.C,
)
PINCTRL_RELEASE = Command(
    0x8,
    "PINCTRL_RELEASE",
    Release,
    Nothing,
    mandatory=True,
    changes=True,
    errors={
        Status.NOT_FOUND: "unknown identifier",
        Status.INVALID_PARAMETERS: "bad selector",
        Status.DENIED: "not held by caller",
    },
    repeatable=False,
    mandatory_confidence=Confidence.C,
)
PINCTRL_NAME_GET = Command(0x9, "PINCTRL_NAME_GET", NameGet, NameGetReply, errors=_BAD)
PINCTRL_SET_PERMISSIONS = Command(
    0xA, "PINCTRL_SET_PERMISSIONS", SetPermissions, Nothing, changes=True, confidence=Confidence.C
)

PROTOCOL = Protocol(
    0x19,
    "pinctrl",
    "Pin control",
    versions=(0x10000,),
    commands=(
        PROTOCOL_ATTRIBUTES,
        PINCTRL_ATTRIBUTES,
        PINCTRL_LIST_ASSOCIATIONS,
        PINCTRL_SETTINGS_GET,
        PINCTRL_SETTINGS_CONFIGURE,
        PINCTRL_REQUEST,
        PINCTRL_RELEASE,
        PINCTRL_NAME_GET,
        PINCTRL_SET_PERMISSIONS,
    ),
)
