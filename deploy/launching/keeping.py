"""What comes over the registry's link for the supervisor's disk: lines of logs, files of rows.

A node may write its own log and its own rows, only so many bytes, and no other file: what it says is checked
against who it is. It does not know what a row means.
"""

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from deploy.engines.node_log import Rotating
from deploy.files import private
from deploy.launching import messages as m
from deploy.launching.identity import Identity
from deploy.logs import Line
from deploy.recording.segments import SUFFIX, Recording

LINE_BYTES_MAX: Final = 16_384
_line = msgspec.json.Decoder(Line).decode


class Kept:
    """``log`` is where logs are. ``rows`` may be called by another thread than the rest.

    ``refused`` counts what was not kept.
    """

    def __init__(self, log: Path) -> None:
        self.refused = 0
        self._log = log
        self._logs: dict[str, Rotating] = {}
        self._recordings: dict[Identity, Recording] = {}

    def expect(self, identity: Identity, recording: Recording | None) -> None:
        """A process that will record so, if it does."""
        if recording is not None and not recording.ring:
            self._recordings[identity] = recording

    def forget(self, identity: Identity) -> None:
        """Nothing comes of it any more."""
        self._recordings.pop(identity, None)

    def lines(self, identity: Identity, lines: list[bytes]) -> None:
        """Those that are what a node's log has are written as they are."""
        for one in lines:
            try:
                own = len(one) <= LINE_BYTES_MAX and _line(one).node == identity.name and b"\n" not in one
            except (msgspec.DecodeError, UnicodeDecodeError):
                own = False
            if own:
                self._writer(identity.name).write(one + b"\n")
            else:
                self.refused += 1

    def _writer(self, name: str) -> Rotating:
        if name not in self._logs:
            self._logs[name] = Rotating(self._log, name)
        return self._logs[name]

    def rows(self, identity: Identity, piece: m.Rows) -> None:
        """A piece of a file of its own, where the supervisor's histories are."""
        recording = self._recordings.get(identity)
        if recording is None or not _is_file_of(recording, piece.file):
            self.refused += 1
            return
        end = piece.at + len(piece.data)
        if piece.at < 0 or end > recording.segment_bytes or not self._has_room(recording, piece.file, end):
            self.refused += 1
            return
        try:
            handle = private(os.path.join(recording.folder, piece.file), os.O_WRONLY | os.O_CREAT)
        except OSError:
            self.refused += 1
            return
        try:
            os.pwrite(handle, piece.data, piece.at)
        except OSError:
            self.refused += 1
        finally:
            os.close(handle)

    def _has_room(self, recording: Recording, file: str, end: int) -> bool:
        """Whether it is one of the files that the recording may have."""
        return int(file.rsplit(".", 2)[1]) * recording.segment_bytes + end <= recording.bytes_max

    def close(self) -> None:
        for log in self._logs.values():
            log.close()
        self._logs.clear()


def _is_file_of(recording: Recording, file: str) -> bool:
    begin = f"{quote(recording.node, safe='#')}.{recording.life:04d}."
    return re.fullmatch(re.escape(begin) + r"\d{9}" + re.escape(SUFFIX), file) is not None
