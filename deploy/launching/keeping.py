"""What comes over the registry's link for the supervisor's disk: lines of logs, files of rows.

A node may write its own log and its own rows, only so many bytes, and no other file: what it says is checked
against who it is. It does not know what a row means.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from deploy.engines.node_log import Rotating
from deploy.files import private
from deploy.launching import messages as m
from deploy.launching.identity import Identity
from deploy.launching.row_files import RowFiles, files_of
from deploy.logs import Line
from deploy.recording.segments import Recording

LINE_BYTES_MAX: Final = 16_384
_line = msgspec.json.Decoder(Line).decode


class Kept:
    """``log`` is where logs are. ``rows`` is called by another thread than the rest.

    ``refused`` counts what was not kept.
    """

    def __init__(self, log: Path) -> None:
        self.refused = 0
        self._log = log
        self._logs: dict[str, Rotating] = {}
        self._files: dict[Identity, RowFiles] = {}

    def expect(self, identity: Identity, recording: Recording | None) -> None:
        """A process that will record so, if it does."""
        if recording is not None:
            self._files[identity] = files_of(recording)

    def forget(self, identity: Identity) -> None:
        """Nothing comes of it any more."""
        self._files.pop(identity, None)

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
        files = self._files.get(identity)
        if files is not None and files.takes(piece):
            self._write(files.recording, piece)
        else:
            self.refused += 1

    def _write(self, recording: Recording, piece: m.Rows) -> None:
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

    def close(self) -> None:
        for log in self._logs.values():
            log.close()
        self._logs.clear()
