"""Why a message was refused: the rung, and for a permission the row that decided and who changed it last.

Values only, for the record and for ``trapline why``; ``permissions.py`` knows them. They travel as JSON in
the text of the note "refused_at".
"""

from typing import Final, Literal

import msgspec

from nodes.limits import NOTE_CHARACTERS_MAX

DEVICES_TOLD: Final = 4  # of those that list one resource
Layer = Literal["protocol", "right", "single", "device", "no device", "trusted"]


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """``by``: the agent that said so, in ``request`` (Xen's number), at EL3's time; ``what``: the message."""

    at_ns: int
    by: int
    request: int
    what: str
    allow: bool = False


class DeviceRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A device through which the resource could be used. ``protocol_denied``: the protocol was taken away on
    it. ``changed`` None: as it was at boot.
    """

    device: int
    name: str
    granted: bool
    protocol_denied: bool = False
    changed: Change | None = None


class Grounds(msgspec.Struct, frozen=True, omit_defaults=True):
    """``rung`` as in ``ladder_table.RUNGS``, 9 for the handler's own rules; ``resource``: "clock 3" or "".

    Of a permission (rungs 2 and 8): ``layer`` decided (``permissions.py`` has the order; "trusted": the
    command is for trusted agents), ``devices`` are those that list the resource,
    ``changed`` is the last change of that layer where it is not a device's.
    """

    rung: int
    resource: str = ""
    layer: Layer | None = None
    devices: tuple[DeviceRow, ...] = ()
    changed: Change | None = None


decode = msgspec.json.Decoder(Grounds).decode
_encode = msgspec.json.Encoder().encode


def text(grounds: Grounds) -> str:
    """As the text of a note, which may be so long; devices that find no room are left out."""
    while len(said := _encode(grounds).decode()) > NOTE_CHARACTERS_MAX and grounds.devices:
        grounds = msgspec.structs.replace(grounds, devices=grounds.devices[:-1])
    return said
