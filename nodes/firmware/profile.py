"""Firmwares as a table of differences over one implementation.

Code asks the profile for a fact, never for its name. Each difference stands beside the fact it is there
for; PROFILES.md is generated from both, and says what is left out.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from bus.scmi.status import Status


class Option(msgspec.Struct, frozen=True):
    """A build option of a firmware, chosen as ``NAME+OPTION``: one more difference."""

    field: str
    value: Any
    fact: str


class Difference(msgspec.Struct, frozen=True):
    """What a firmware does otherwise, and the fact that it stands for."""

    value: Any
    fact: str


class FirmwareProfile(msgspec.Struct, frozen=True):
    """What one firmware does that another does not; the defaults are the specification's strict reading.

    ``protocols``: those it serves at all, None for all that the platform has. ``versions``: the version it
    speaks by default, by protocol id; the newest with a layout otherwise. ``missing``: commands that it does
    not implement ("base.BASE_DISCOVER_AGENT", "*.NEGOTIATE_PROTOCOL_VERSION"). ``unknown_message``: the
    status for an id past the last. ``payload``: whether a longer request is accepted. ``unknown_resource``:
    by protocol id, where it is not NOT_FOUND. ``denied_resource``, ``denied_protocol``: how what an agent may
    not use looks to it: refused, refused to changes only ("restricted"), as if it did not exist, or not even
    counted ("unlisted": each agent has ids of its own, dense from 0, in the order of the platform's).
    ``lists_denied_protocols``: whether LIST_PROTOCOLS tells of them. ``open_permissions``: whether what was
    never denied is allowed. ``anyone_grants``: whether any agent may use Base's permission commands.
    ``reset``: what RESET_AGENT_CONFIGURATION drops; ``reset_flags_0``: whether flags 0 does anything;
    ``reset_needs_devices``: whether it is NOT_FOUND on a platform without devices. ``skip_at_end``,
    ``skip_beyond``: LIST_PROTOCOLS with skip equal to, or beyond, the count. ``error_pair``: which word of a
    report in BASE_ERROR_EVENT is the message's header. ``reset_told_to_requester``: whether RESET_ISSUED also
    goes to the agent that asked for the reset. ``wrong_type``: the status for a message that is no
    command. ``negotiates``: to which of the older versions with a layout an agent may go back.
    ``system_power_refusal``: for an agent that may not set the system's power state.

    Transport: ``payload_bytes_max`` of a request; ``area``: shared memory with a channel status ("smt") or a
    bare message buffer ("msg"); ``wedges``: a bad doorbell leaves the channel busy for ever;
    ``header_reads``: how often the header is read from guest memory; ``spurious``: a doorbell while FREE is
    set; ``bad_length_status``: whether a bad length is answered with PROTOCOL_ERROR beside the ERROR bit;
    ``failure``: the page after a refused doorbell, emptied or as it was found, but for the channel status;
    ``checksum``: whether the area must hold a checksum; ``token_gaps``: what becomes of a token that does not
    follow the last one; ``p2a_full``: what becomes of a notification that finds the agent's page taken.

    Protocols: ``clock_async``: whether rates can be set asynchronously at all; ``level_set_while_off``:
    whether a voltage level is taken while its domain is off (then it is supplied once it is on), or else with
    which status it is refused; ``limits_both_zero``: what PERFORMANCE_LIMITS_SET says to two zeros, which
    leave both limits as they are; ``perf_limits``: whether the limits of all agents hold for everybody
    ("common"), or each agent's for its own wish only.

    ``facts`` says for each field that differs what it stands for; ``options`` are the firmware's own.
    """

    name: str
    title: str
    protocols: tuple[int, ...] | None = None
    versions: Mapping[int, int] = {}
    missing: frozenset[str] = frozenset()
    unknown_message: Status = Status.NOT_FOUND
    payload: Literal["exact", "at_least"] = "exact"
    negotiates: Literal["all", "same_major"] = "all"
    unknown_resource: Mapping[int, Status] = {}
    denied_resource: Literal["DENIED", "restricted", "NOT_FOUND", "unlisted"] = "DENIED"
    denied_protocol: Status = Status.DENIED
    lists_denied_protocols: bool = False
    open_permissions: bool = False
    anyone_grants: bool = False
    reset: Literal["full", "permissions", "none"] = "full"
    reset_flags_0: Literal["configuration", "nothing"] = "configuration"
    reset_needs_devices: bool = False
    skip_at_end: Status = Status.SUCCESS
    skip_beyond: Status = Status.INVALID_PARAMETERS
    error_pair: Literal["header_low", "status_low"] = "header_low"
    reset_told_to_requester: bool = False
    system_power_refusal: Status = Status.DENIED
    payload_bytes_max: int | None = None
    area: Literal["smt", "msg"] = "smt"
    wedges: bool = False
    header_reads: Literal[1, 2] = 1
    spurious: Literal["error", "ignored"] = "error"
    bad_length_status: bool = False
    wrong_type: Status = Status.PROTOCOL_ERROR
    failure: Literal["blank", "as-found"] = "blank"
    checksum: bool = False
    token_gaps: Literal["accepted", "refused"] = "accepted"
    p2a_full: Literal["queue", "drop"] = "queue"
    clock_async: bool = True
    level_set_while_off: Status = Status.SUCCESS
    limits_both_zero: Status = Status.OUT_OF_RANGE
    perf_limits: Literal["common", "own"] = "common"
    facts: Mapping[str, str] = {}
    options: Mapping[str, Option] = {}


SPEC_STRICT = FirmwareProfile("spec-strict", "the specification, read strictly; what its facts suggest")
AS_STRICT: Final = Difference(None, "")  # what the base does otherwise and this one does not


def _firmware(
    name: str, title: str, *, base: FirmwareProfile = SPEC_STRICT, **differences: Difference
) -> FirmwareProfile:
    """A profile: ``base`` with these differences."""
    facts = dict(base.facts)
    values: dict[str, Any] = {}
    for field, one in differences.items():
        facts.pop(field, None)
        values[field] = getattr(SPEC_STRICT, field)
        if one is not AS_STRICT:
            facts[field], values[field] = one.fact, one.value
    return msgspec.structs.replace(base, name=name, title=title, facts=facts, **values)


BASE, POWER, SYSTEM, PERF, CLOCK, SENSOR, RESET, VOLTAGE, POWERCAP, PINCTRL = range(0x10, 0x1A)
PERMISSION_COMMANDS = frozenset({"base.BASE_SET_DEVICE_PERMISSIONS", "base.BASE_SET_PROTOCOL_PERMISSIONS"})
AGENT_COMMANDS = PERMISSION_COMMANDS | {"base.BASE_DISCOVER_AGENT", "base.BASE_RESET_AGENT_CONFIGURATION"}
NOTIFY_ERRORS = frozenset({"base.BASE_NOTIFY_ERRORS"})
NEGOTIATION = frozenset({"*.NEGOTIATE_PROTOCOL_VERSION"})

TFA = _firmware(
    "tfa",
    "TF-A's SCMI server: one agent's view each, no agent commands, a channel that one bad doorbell wedges",
    protocols=Difference(
        (POWER, CLOCK, SENSOR, RESET), "serves Base, power domains, clocks, sensors and reset domains only"
    ),
    versions=Difference(
        {BASE: 0x20000, POWER: 0x21000, CLOCK: 0x30000, SENSOR: 0x20000, RESET: 0x10000},
        "says Base 2.0, clock 3.0, sensor 2.0, reset 1.0, and for power domains the odd 0x21000",
    ),
    missing=Difference(
        AGENT_COMMANDS | NOTIFY_ERRORS | NEGOTIATION,
        "reports 0 agents: no agent discovery, no permission commands, no agent reset; older than version "
        "negotiation; nobody implements BASE_NOTIFY_ERRORS",
    ),
    unknown_message=Difference(Status.NOT_SUPPORTED, "an unknown message id is NOT_SUPPORTED, not NOT_FOUND"),
    denied_resource=Difference(
        "unlisted", "ids belong to one agent and are dense: what is another's does not exist for it"
    ),
    denied_protocol=Difference(
        Status.NOT_SUPPORTED, "which protocols an agent has is fixed; another one is unknown to it"
    ),
    open_permissions=Difference(
        True, "who has what is part of its build, no command grants anything: what nobody narrowed is allowed"
    ),
    skip_beyond=Difference(Status.SUCCESS, "LIST_PROTOCOLS with a skip past the end is an empty list"),
    payload_bytes_max=Difference(92, "takes requests of at most 92 payload bytes"),
    wedges=Difference(
        True,
        "claims the channel before it judges the page, and the way out for a bad length or status never "
        "gives it back: every later doorbell finds it busy, whoever owns the channel by then",
    ),
    header_reads=Difference(
        2,
        "reads the header from the shared page twice after the length was checked, once for the protocol, "
        "once for the message id",
    ),
    failure=Difference("as-found", "a refused doorbell leaves no response: only ERROR and FREE are set"),
)

TFA_MULTIAGENT = _firmware(
    "tfa-multiagent",
    "TF-A branches made for Xen's driver: the same transport, with the agent commands it needs",
    base=TFA,
    missing=Difference(
        NOTIFY_ERRORS | NEGOTIATION,
        "has the agent commands that Xen's driver sends, as two branches outside of TF-A do; older than "
        "version negotiation; nobody implements BASE_NOTIFY_ERRORS",
    ),
    denied_resource=AS_STRICT,
    denied_protocol=AS_STRICT,
    open_permissions=AS_STRICT,
)

OPTEE_SMT = _firmware(
    "optee-smt",
    "OP-TEE's SCMI server behind shared memory with a channel status: TF-A's habits, other protocols",
    base=TFA,
    protocols=Difference(
        (PERF, CLOCK, RESET, VOLTAGE), "serves Base, clocks, reset domains, voltages and performance only"
    ),
    versions=Difference(
        {BASE: 0x20000, PERF: 0x10000, CLOCK: 0x20000, RESET: 0x10000, VOLTAGE: 0x20000},
        "says Base 2.0, performance 1.0, clock 2.0, reset 1.0, voltage 2.0",
    ),
    unknown_resource=Difference(
        dict.fromkeys((PERF, RESET, VOLTAGE), Status.INVALID_PARAMETERS),
        "an unknown performance, reset or voltage domain is INVALID_PARAMETERS, not NOT_FOUND",
    ),
    limits_both_zero=Difference(
        Status.SUCCESS, "performance limits of 0 and 0 are taken, and change nothing"
    ),
    perf_limits=Difference(
        "own", "a variant of its performance driver keeps limits by agent; the level goes into a new range"
    ),
    skip_beyond=AS_STRICT,
    payload_bytes_max=AS_STRICT,
)

OPTEE_MSG = _firmware(
    "optee-msg",
    "OP-TEE's SCMI server with a bare message buffer: no channel status, one copy of the message",
    base=OPTEE_SMT,
    area=Difference(
        "msg", "the buffer holds the header and the payload and nothing else; the length travels beside it"
    ),
    wedges=AS_STRICT,
    header_reads=AS_STRICT,
    failure=AS_STRICT,
)

SCP_FIRMWARE = _firmware(
    "scp-firmware",
    "Arm's SCP-firmware: default allow, permissions anyone may set, a reset that frees no vote",
    protocols=Difference(
        (POWER, SYSTEM, PERF, CLOCK, SENSOR, RESET, VOLTAGE, POWERCAP), "serves everything but pin control"
    ),
    versions=Difference(
        {
            BASE: 0x20000,
            POWER: 0x20000,
            SYSTEM: 0x10000,
            PERF: 0x20000,
            CLOCK: 0x10000,
            SENSOR: 0x20000,
            RESET: 0x10000,
            VOLTAGE: 0x10000,
            POWERCAP: 0x10000,
        },
        "mostly the 2.0 specification: power, performance and sensors 2.0, everything younger 1.0",
    ),
    missing=Difference(
        NOTIFY_ERRORS | NEGOTIATION,
        "older than version negotiation; nobody implements BASE_NOTIFY_ERRORS",
    ),
    open_permissions=Difference(True, "everything is allowed until somebody denies it"),
    anyone_grants=Difference(
        True, "knows no privileged agent: whoever may send the permission commands may use them"
    ),
    reset=Difference(
        "permissions", "an agent reset restores the permission tables; clock, power and other votes stay"
    ),
    reset_flags_0=Difference("nothing", "an agent reset with flags 0 says SUCCESS and does nothing"),
    reset_needs_devices=Difference(True, "without a table of devices an agent reset is NOT_FOUND"),
    system_power_refusal=Difference(
        Status.NOT_SUPPORTED, "system power is for the PSCI and management agents: NOT_SUPPORTED for others"
    ),
    spurious=Difference("ignored", "a doorbell while FREE is set is ignored"),
    bad_length_status=Difference(True, "a bad length sets ERROR and also writes the status PROTOCOL_ERROR"),
    clock_async=Difference(False, "setting a clock's rate asynchronously is NOT_SUPPORTED"),
    p2a_full=Difference(
        "drop", "a notification that finds the agent's page taken is abandoned at once, none is queued"
    ),
)

IMX_SM = _firmware(
    "imx-sm",
    "NXP's system manager for i.MX: the 3.2 specification, the reset to copy",
    protocols=Difference(
        (POWER, SYSTEM, PERF, CLOCK, SENSOR, RESET, VOLTAGE, PINCTRL), "serves everything but power capping"
    ),
    missing=Difference(
        frozenset({"base.BASE_SET_PROTOCOL_PERMISSIONS", "system.SYSTEM_POWER_STATE_GET"})
        | {"pinctrl.PINCTRL_SET_PERMISSIONS"}
        | NOTIFY_ERRORS,
        "leaves out SET_PROTOCOL_PERMISSIONS, NOTIFY_ERRORS, SYSTEM_POWER_STATE_GET and "
        "PINCTRL_SET_PERMISSIONS",
    ),
    unknown_message=Difference(Status.NOT_SUPPORTED, "an unknown message id is NOT_SUPPORTED, not NOT_FOUND"),
    wrong_type=Difference(Status.COMMS_ERROR, "a message that is no command is COMMS_ERROR"),
    denied_resource=Difference(
        "restricted", "what an agent may not change it still sees: reading works, changing is DENIED"
    ),
    payload=Difference("at_least", "a longer request than the table says is accepted"),
    lists_denied_protocols=Difference(True, "LIST_PROTOCOLS does not look at permissions"),
    skip_at_end=Difference(
        Status.INVALID_PARAMETERS, "LIST_PROTOCOLS with a skip equal to the count is an error"
    ),
    negotiates=Difference(
        "same_major", "negotiates an equal major version with a minor that is not above its own, no other"
    ),
)
IMX_SM = msgspec.structs.replace(
    IMX_SM,
    options={
        "checksum": Option(
            "checksum", True, "built with checksums: words 2 and 3 of the area say which kind and its value"
        ),
        "tokens": Option(
            "token_gaps", "refused", "built to check tokens: one that does not follow the last is error -133"
        ),
    },
)

PROFILES = {
    profile.name: profile
    for profile in (SPEC_STRICT, TFA, TFA_MULTIAGENT, OPTEE_SMT, OPTEE_MSG, SCP_FIRMWARE, IMX_SM)
}
DEFAULT = SPEC_STRICT


def chosen(text: str) -> FirmwareProfile:
    """The profile that ``NAME`` or ``NAME+OPTION...`` names; raises ValueError saying what there is."""
    name, *wanted = text.split("+")
    profile = PROFILES.get(name)
    if profile is None:
        raise ValueError(f"there is no firmware profile {name!r}; there are {', '.join(PROFILES)}")
    for option in wanted:
        found = profile.options.get(option)
        if found is None:
            there = ", ".join(profile.options) or "none"
            raise ValueError(f"{name} has no option {option!r}; its options: {there}")
        facts = {**profile.facts, found.field: found.fact}
        profile = msgspec.structs.replace(
            profile, name=f"{profile.name}+{option}", facts=facts, **{found.field: found.value}
        )
    return profile
