"""Firmwares as a table of differences over one implementation.

Code asks the profile for a fact, never for its name.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from bus.scmi.status import Status


class FirmwareProfile(msgspec.Struct, frozen=True):
    """What one firmware does that another does not; the defaults are the specification's strict reading.

    ``protocols``: those it serves at all, None for all that the platform has. ``versions``: the version it
    speaks by default, by protocol id; the newest with a layout otherwise. ``missing``: commands that it does
    not implement ("base.BASE_DISCOVER_AGENT"). ``unknown_message``: the status for an id past the last.
    ``payload``: whether a longer request is accepted. ``unknown_resource``: by protocol id, where it is not
    NOT_FOUND. ``denied_resource``, ``denied_protocol``: how what an agent may not use looks to it.
    ``lists_denied_protocols``: whether LIST_PROTOCOLS tells of them. ``open_permissions``: whether what was
    never denied is allowed. ``anyone_grants``: whether any agent may use Base's permission commands.
    ``reset``: what RESET_AGENT_CONFIGURATION drops; ``reset_flags_0``: whether flags 0 does anything;
    ``reset_needs_devices``: whether it is NOT_FOUND on a platform without devices. ``skip_at_end``,
    ``skip_beyond``: LIST_PROTOCOLS with skip equal to, or beyond, the count. ``system_power_refusal``: for an
    agent that may not set the system's power state.

    Transport: ``payload_bytes_max`` of a request; ``area``: shared memory with a channel status ("smt") or a
    bare message buffer ("msg"); ``wedges``: a bad doorbell leaves the channel busy for ever;
    ``header_reads``: how often the header is read from guest memory; ``spurious``: a doorbell while FREE is
    set; ``bad_length_status``: whether a bad length is answered with PROTOCOL_ERROR beside the ERROR bit.

    Protocols: ``level_set_while_off``: whether a voltage level is taken while its domain is off (then it is
    supplied once it is on), or else with which status it is refused; ``limits_both_zero``: what
    PERFORMANCE_LIMITS_SET says to two zeros, which leave both limits as they are.
    """

    name: str
    title: str
    protocols: tuple[int, ...] | None = None
    versions: Mapping[int, int] = {}
    missing: frozenset[str] = frozenset()
    unknown_message: Status = Status.NOT_FOUND
    payload: Literal["exact", "at_least"] = "exact"
    unknown_resource: Mapping[int, Status] = {}
    denied_resource: Literal["DENIED", "NOT_FOUND", "unlisted"] = "DENIED"
    denied_protocol: Status = Status.DENIED
    lists_denied_protocols: bool = False
    open_permissions: bool = False
    anyone_grants: bool = False
    reset: Literal["full", "permissions", "none"] = "full"
    reset_flags_0: Literal["configuration", "nothing"] = "configuration"
    reset_needs_devices: bool = False
    skip_at_end: Status = Status.SUCCESS
    skip_beyond: Status = Status.INVALID_PARAMETERS
    system_power_refusal: Status = Status.DENIED
    payload_bytes_max: int | None = None
    area: Literal["smt", "msg"] = "smt"
    wedges: bool = False
    header_reads: Literal[1, 2] = 1
    spurious: Literal["error", "ignored"] = "error"
    bad_length_status: bool = False
    level_set_while_off: Status = Status.SUCCESS
    limits_both_zero: Status = Status.OUT_OF_RANGE


SPEC_STRICT = FirmwareProfile("spec-strict", "the specification, read strictly")
PROFILES = {profile.name: profile for profile in (SPEC_STRICT,)}
DEFAULT = SPEC_STRICT
