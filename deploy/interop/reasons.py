"""Why a step differs: the fact of the firmware's profile, or of Xen's driver, that it comes from.

It explains; whether a step differs was played. A step that nothing here knows about gets no reason.
"""

from collections.abc import Mapping
from typing import Final

from nodes.firmware.profile import FirmwareProfile
from nodes.xen.profile import Profile

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "discover": ("area", "checksum", "token_gaps", "missing"),
    "dom0": ("area", "checksum", "missing"),
    "create": ("area", "checksum", "missing", "reset_needs_devices"),
    "call": ("area", "checksum", "wedges"),
    "use": ("denied_resource",),
    "spurious": ("wedges", "spurious"),
    "oversize": ("wedges", "token_gaps"),
    "neighbour": ("wedges",),
    "successor": ("wedges", "token_gaps"),
    "clean": ("reset_flags_0", "reset"),
    "fresh": ("reset_flags_0", "reset"),
    "reset": ("missing", "reset"),
    "votes": ("reset_flags_0", "reset"),
    "permissions": ("reset_flags_0",),
    "destroy": ("reset_needs_devices",),
}
AFTER_DEATH: Final = ("clean", "fresh", "reset", "votes", "permissions")
SILENT: Final = "mainline's forwarder has no hook for a domain's end: EL3 is told nothing"
FLAGS_0: Final = "this driver's reset has flags 0, which leaves permissions as they are"


def why(step: str, firmware: FirmwareProfile, xen: Profile) -> str:
    """The reason in one sentence, or ""."""
    if xen.driver == "forwarder" and step in AFTER_DEATH:
        return SILENT
    for field in FIELDS.get(step, ()):
        if field == "reset_flags_0" and xen.reset_flags:
            continue
        if field in firmware.facts:
            return firmware.facts[field]
    if xen.reset_flags == 0 and step in ("clean", "permissions"):
        return FLAGS_0
    return ""
