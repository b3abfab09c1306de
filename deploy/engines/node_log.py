"""A node's log: JSON lines, bounded, written with structlog.

A storm of lines is cut off and counted, for a guest must not fill a disk. What is read of them, and where, is
in ``deploy.logs``.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from deploy.files import private
from deploy.logs import DEFAULT, KEPT, LEVELS, Line, file, files
from nodes.meters import Meters

FILE_BYTES_MAX: Final = 1 << 20  # of one file; a node has two
BURST_LINES: Final = 500  # at once
REFILL_LINES_S: Final = 50  # after a burst


class Rotating:
    """The newest file of a node; there are at most KEPT of FILE_BYTES_MAX each."""

    def __init__(self, folder: Path, node: str) -> None:
        self._folder = folder
        self._node = node
        self._paths = files(folder).get(node, [])
        self._number = int(self._paths[-1].name.rsplit(".", 2)[1]) if self._paths else 0
        self._open()

    def _open(self) -> None:
        self._number += 1
        path = file(self._folder, self._node, self._number)
        self._file = open(path, "xb", buffering=0, opener=private)  # noqa: SIM115 - for as long as it is the newest
        self._bytes = 0
        self._paths.append(path)
        while len(self._paths) > KEPT:
            self._paths.pop(0).unlink(missing_ok=True)

    def write(self, line: bytes) -> None:
        if self._bytes + len(line) > FILE_BYTES_MAX and self._bytes:
            self._file.close()
            self._open()
        self._file.write(line)
        self._bytes += len(line)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self._file.close()


class Budget:
    """How many lines may be written now: BURST_LINES, then REFILL_LINES_S each second."""

    def __init__(self) -> None:
        self._left = float(BURST_LINES)
        self._at_ns = time.monotonic_ns()

    def spend(self, now_ns: int) -> bool:
        fresh = (now_ns - self._at_ns) * REFILL_LINES_S / 1e9
        self._at_ns = now_ns
        self._left = min(BURST_LINES, self._left + fresh)
        if self._left < 1:
            return False
        self._left -= 1
        return True


class NodeLog:
    """``line`` is what a driver calls; ``about`` tells which frame is being handled, if any is.

    ``also`` is given each line too. ``clock``: what traces count by, too.

    ``dropped`` counts the lines of a storm; the next line that is written tells of them. Errors are never
    cut off.
    """

    def __init__(
        self,
        folder: Path,
        node: str,
        level: str = DEFAULT,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._clock = clock
        self.about: Callable[[], Any] = _nothing
        self.also: Callable[[bytes], object] = _kept
        self.dropped = 0
        self._untold = 0
        self._node = node
        self._budget = Budget()
        self._file = Rotating(folder, node)
        self._meters = Meters("supervisor")
        self.set_level(level)

    def set_level(self, level: str) -> None:
        """From now on: lines below that level are not written."""
        self._log = structlog.wrap_logger(
            structlog.BytesLogger(self._file),  # type: ignore[arg-type]
            processors=[structlog.processors.add_log_level, self._stamp, self._render],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            cache_logger_on_first_use=True,
        )
        self._threshold = LEVELS.index(level)

    def count_in(self, meters: Meters) -> None:
        """Count lines there from now on."""
        self._meters = meters

    def line(self, level: str, text: str) -> None:
        """One line, unless its level is too low or there is a storm of them."""
        if LEVELS.index(level) < self._threshold:
            return
        if level != "error" and not self._budget.spend(time.monotonic_ns()):
            self.dropped += 1
            self._untold += 1
            self._meters.counter("trapline_log_dropped_total")[()] += 1
            return
        if self._untold:
            untold, self._untold = self._untold, 0
            self._write("warning", f"{untold} lines were not written: there were too many at once")
        self._write(level, text)

    def _write(self, level: str, text: str) -> None:
        self._meters.counter("trapline_log_lines_total")[(level,)] += 1
        frame = self.about()
        ids = {} if frame is None else {"request": frame.request, "cause": frame.cause}
        getattr(self._log, level)(text, **ids)

    def _stamp(self, _logger: Any, _method: str, event: Any) -> Any:
        event["at"] = time.time_ns()
        event["at_ns"] = self._clock()
        event["node"] = self._node
        return event

    def _render(self, _logger: Any, _method: str, event: Any) -> bytes:
        """The last processor: a line of JSON."""
        line = _rendered(event)
        self.also(line)
        return line

    def close(self) -> None:
        self._file.close()


def _nothing() -> None:
    """No frame is being handled."""


def _kept(_line: bytes) -> None:
    """The file is enough."""


def _rendered(event: Any) -> bytes:
    at_ns = event["at"]
    day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ns // 1_000_000_000))
    at = f"{day}.{at_ns // 1000 % 1_000_000:06d}Z"
    line = Line(
        at,
        event["at_ns"],
        event["node"],
        event["level"],
        event["event"],
        event.get("request", 0),
        event.get("cause", 0),
    )
    return msgspec.json.encode(line)
