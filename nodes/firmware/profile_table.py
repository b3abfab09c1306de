"""Firmware profiles in words: what each field is called, how its value reads. For pages and screens.

It knows no firmware: what is told comes from ``profile.py``.
"""

from collections.abc import Mapping, Set
from typing import Final

import msgspec

from bus.scmi import BY_ID
from bus.scmi.status import Status
from nodes.firmware.profile import BASE, DEFAULT, PROFILES, FirmwareProfile

TITLES: Final[Mapping[str, str]] = {
    "protocols": "protocols",
    "versions": "versions",
    "missing": "commands it lacks",
    "unknown_message": "unknown message",
    "wrong_type": "message that is no command",
    "payload": "request's size",
    "negotiates": "older versions",
    "unknown_resource": "unknown resource",
    "denied_resource": "denied resource",
    "denied_protocol": "denied protocol",
    "lists_denied_protocols": "lists denied protocols",
    "open_permissions": "allowed unless denied",
    "anyone_grants": "any agent may grant",
    "reset": "agent reset drops",
    "reset_flags_0": "reset with flags 0",
    "reset_needs_devices": "reset needs devices",
    "skip_at_end": "LIST_PROTOCOLS at the end",
    "skip_beyond": "LIST_PROTOCOLS beyond it",
    "error_pair": "pair in BASE_ERROR_EVENT",
    "reset_told_to_requester": "requester hears RESET_ISSUED",
    "system_power_refusal": "system power, not for it",
    "level_set_while_off": "voltage level while off",
    "limits_both_zero": "performance limits 0 and 0",
    "perf_limits": "performance limits",
    "payload_bytes_max": "request's limit",
    "area": "shared memory",
    "wedges": "a bad doorbell wedges",
    "header_reads": "header is read",
    "spurious": "doorbell while FREE is set",
    "bad_length_status": "bad length has a status",
    "failure": "page after a bad doorbell",
    "checksum": "checksum in the area",
    "token_gaps": "gaps between tokens",
    "clock_async": "asynchronous clock rates",
    "p2a_full": "agent's page taken",
}
WORDS: Final[Mapping[tuple[str, object], str]] = {
    ("protocols", None): "all",
    ("versions", ()): "the newest",
    ("missing", ()): "none",
    ("unknown_resource", ()): "NOT_FOUND",
    ("payload", "exact"): "exact",
    ("payload", "at_least"): "longer accepted",
    ("negotiates", "all"): "all that it knows",
    ("negotiates", "same_major"): "of the same major",
    ("perf_limits", "common"): "hold for everybody",
    ("perf_limits", "own"): "each agent's own",
    ("reset", "full"): "everything",
    ("reset", "permissions"): "permissions only",
    ("reset_flags_0", "configuration"): "keeps permissions",
    ("reset_flags_0", "nothing"): "does nothing",
    ("payload_bytes_max", None): "the area",
    ("area", "smt"): "with a channel status",
    ("area", "msg"): "a bare message",
    ("header_reads", 1): "once",
    ("header_reads", 2): "twice",
    ("spurious", "error"): "ERROR",
    ("failure", "blank"): "emptied",
    ("failure", "as-found"): "as it was found",
    ("error_pair", "header_low"): "header first",
    ("error_pair", "status_low"): "status first",
    ("p2a_full", "queue"): "queued",
    ("p2a_full", "drop"): "dropped",
}


def fields_of(profile: FirmwareProfile) -> list[str]:
    """The fields in which a profile differs, in the table's order."""
    return [field for field in TITLES if field in profile.facts]


def shown(profile: FirmwareProfile, field: str) -> str:
    """A field's value in few words."""
    value = getattr(profile, field)
    plain = () if isinstance(value, Mapping | Set) and not value else value
    if not isinstance(plain, Mapping | Set) and (field, plain) in WORDS:
        return WORDS[field, plain]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Status):
        return value.name
    if field == "versions":
        return ", ".join(f"{BY_ID[one].key} {version:#x}" for one, version in sorted(value.items()))
    if field == "unknown_resource":
        return ", ".join(f"{BY_ID[one].key} {Status(status).name}" for one, status in sorted(value.items()))
    if field == "protocols":
        return ", ".join(BY_ID[one].key for one in sorted({BASE, *value}))
    if field == "missing":
        return ", ".join(_missing(value))
    if field == "payload_bytes_max":
        return f"{value} bytes"
    return str(value)


def _missing(names: Set[str]) -> list[str]:
    """Commands without their protocol."""
    commands = {name.partition(".")[2] for name in names}
    return sorted(commands)


def markdown() -> str:
    """Every profile with its differences and their facts."""
    lines = [f"* [**{one.name}**](#{one.name}): {one.title}." for one in PROFILES.values()]
    for profile in PROFILES.values():
        if profile is DEFAULT:
            continue
        lines += ["", f"### {profile.name}", "", "| | | the fact |", "| --- | --- | --- |"]
        for field in fields_of(profile):
            lines.append(f"| {TITLES[field]} | {shown(profile, field)} | {profile.facts[field]} |")
        for name, option in profile.options.items():
            lines.append(f"| option `{profile.name}+{name}` | {TITLES[option.field]} | {option.fact} |")
    lines += ["", "### spec-strict", "", "| | |", "| --- | --- |"]
    lines += [f"| {title} | {shown(DEFAULT, field)} |" for field, title in TITLES.items()]
    return "\n".join([*lines, ""])


def as_data(profile: FirmwareProfile) -> dict[str, object]:
    """A profile for scripts: every value, and the facts behind those that differ."""
    values = {field: _plain(getattr(profile, field)) for field in TITLES}
    return {
        "name": profile.name,
        "title": profile.title,
        "options": {name: option.fact for name, option in profile.options.items()},
        "values": values,
        "facts": {field: profile.facts[field] for field in fields_of(profile)},
    }


def _plain(value: object) -> object:
    if isinstance(value, Set):
        return sorted(value)
    if isinstance(value, Status):
        return value.name
    if isinstance(value, Mapping):
        return {
            BY_ID[one].key: what.name if isinstance(what, Status) else what for one, what in value.items()
        }
    return msgspec.to_builtins(value)
