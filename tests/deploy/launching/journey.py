"""A recorder in one folder, a courier that goes when it is sent, a supervisor with another folder."""

from pathlib import Path

from deploy.launching import messages as m
from deploy.launching.courier import Courier
from deploy.launching.identity import Identity
from deploy.launching.keeping import Kept
from deploy.recording import ring
from deploy.recording.rows import RECEIVED
from deploy.recording.segments import Recording

IVI = Identity("ab" * 16, "guest", "ivi", 1)
NODE = "ivi#1"
NEVER_S = 3600.0  # by itself


class Journey:
    """``there`` and ``here`` are the folders; the supervisor takes ``takes`` pieces."""

    def __init__(self, there: Path, here: Path, life: int = 0, **how: int) -> None:
        self.there, self.here = there, here
        for one in (there, here):
            one.mkdir(exist_ok=True)
        self.recorder = ring.recorder(Recording(str(there), NODE, 0, life, **how))
        self.kept = Kept(here)
        self.kept.expect(IVI, Recording(str(here), NODE, 0, life, **how))
        self.takes = 1_000_000
        self.courier = Courier(there, self._send, NEVER_S)

    def _send(self, piece: m.Rows) -> bool:
        self.takes -= 1
        if self.takes < 0:
            return False
        self.kept.rows(IVI, piece)
        return True

    def record(self, numbers: range, page: bytes = b"") -> None:
        for number in numbers:
            self.recorder.tap(number, b"", RECEIVED, b"%06d" % number, page)

    def bring(self) -> bool:
        """Whether all that is new was taken."""
        return self.courier._bring()

    def close(self) -> None:
        self.recorder.close()
        assert self.courier.finish()
