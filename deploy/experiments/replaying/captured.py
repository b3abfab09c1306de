"""A capture played like a run: the same cores from its description, the same rows out of its packets.

A capture is only playable from its beginning: a core whose boot was not captured cannot be made again.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from deploy import plugins
from deploy.errors import UserError
from deploy.experiments.history import recorded
from deploy.experiments.replaying.replay import INPUTS, Replay, Replayed, playable
from deploy.recording.rows import BOOTED, NOTE, Row
from deploy.tracing.capture import GAP, Capture
from nodes.contract import Note

TOOLSTACK: Final = "toolstack"  # has no core, and so no boot
NAMED_MAX: Final = 5  # nodes that an error names
REMEDY: Final = (
    "start 'trapline trace --follow --save FILE.pcapng' as soon as the platform is up, or capture a whole "
    "recorded run with 'trapline trace --run RUN --save FILE.pcapng'"
)
_note = msgspec.msgpack.Decoder(Note).decode


class Beginnings:
    """What a first look at all rows tells: ``late`` nodes, whose boot is missing; rows ``missed`` in gaps."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.missed = 0
        self.rows = 0
        first: dict[str, int] = {}
        for row in rows:
            self.rows += 1
            if row[3] in INPUTS:
                first.setdefault(row[1], row[3])
            elif row[3] == NOTE and row[1] == "run":
                self.missed += _missed(row[4])
        late = (node for node, event in first.items() if event != BOOTED)
        self.late = sorted(node for node in late if node.partition(".")[0] != TOOLSTACK)


def _missed(envelope: bytes) -> int:
    try:
        note = _note(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0
    return note.numbers[0] if note.what == GAP and note.numbers else 0


def replay_capture(capture: Capture) -> Replayed:
    """Replay all of it; raises UserError if it is damaged, has no description, or begins in the middle."""
    path = str(capture.path)
    if not capture.made:
        raise UserError(
            f"{path}: no description of the platform is in front; write the capture with 'trapline trace "
            "--save', and save it from Wireshark without a display filter"
        )
    made = playable(recorded.read(capture.made, path, REMEDY), path)
    seen = Beginnings(capture.rows())
    if seen.late or not seen.rows:
        more = ", ..." if len(seen.late) > NAMED_MAX else ""
        who = ", ".join(seen.late[:NAMED_MAX]) + more
        rule = f"begins after {who} had booted" if who else "has no rows"
        raise UserError(f"{path}: {rule}, so no fresh core can follow it; {REMEDY}")
    return Replay(made, plugins.load().tables).run(capture.rows(), capture.truncated + seen.missed)
