"""The rungs of ``ladder.py`` in words, with what each firmware answers. For the page about EL3.

A status that a profile can change is named by the profile's field. Tests send a message to each rung.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from bus.scmi.status import Status
from nodes.firmware.profile import DEFAULT, PROFILES, FirmwareProfile
from nodes.firmware.profile_table import shown


class Rung(msgspec.Struct, frozen=True):
    """What is asked, and what an agent gets when the answer is no: a status, or that of a profile's field."""

    number: int
    asked: str
    status: Status | str

    def refusal(self, profile: FirmwareProfile) -> str:
        """What the profile gives, in words."""
        return self.status.name if isinstance(self.status, Status) else shown(profile, self.status)


RUNGS: Final = (
    Rung(1, "Is it a command, by its type?", "wrong_type"),
    Rung(2, "Is the protocol served?", Status.NOT_SUPPORTED),
    Rung(2, "May the agent use the protocol at all?", "denied_protocol"),
    Rung(3, "Does the version that the agent speaks have the message?", "unknown_message"),
    Rung(4, "Is the message implemented?", Status.NOT_SUPPORTED),
    Rung(5, "Has the payload the size of its layout, to the byte?", Status.PROTOCOL_ERROR),
    Rung(6, "Is there such a resource for the agent?", "unknown_resource"),
    Rung(7, "Are all reserved bits 0?", Status.INVALID_PARAMETERS),
    Rung(8, "May the agent do this with the resource?", "denied_resource"),
)


def markdown() -> str:
    """The table of rungs."""
    lines = [
        f"| rung | what is asked | no, with {DEFAULT.name} | no, with others |",
        "| --- | --- | --- | --- |",
    ]
    for rung in RUNGS:
        others = "; ".join(_others(rung)) or "the same"
        lines.append(f"| {rung.number} | {rung.asked} | {rung.refusal(DEFAULT)} | {others} |")
    lines.append("| 9 | Is it in range, and can the resource do it now? | what the message's page says | |")
    return "\n".join([*lines, ""])


def _others(rung: Rung) -> Iterator[str]:
    """What other firmwares say, each with who."""
    said: dict[str, list[str]] = {}
    for name, profile in PROFILES.items():
        if rung.refusal(profile) != rung.refusal(DEFAULT):
            said.setdefault(rung.refusal(profile), []).append(name)
    if rung.number == 5:
        longer = [name for name, profile in PROFILES.items() if profile.payload != "exact"]
        said["longer accepted"] = longer
    for words, names in said.items():
        yield f"{words} ({', '.join(names)})"
