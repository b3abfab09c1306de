"""Who does a fleet's jobs: the interface behind which there are processes of this machine, or a cluster's.

A crew is given encoded orders (``messages.Order``) and gives back encoded answers, or tells that whoever had
a job is gone. It counts nothing, retries nothing, and may give an answer late or twice: which one counts is
the coordinator's business (``book``).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec


class Answered(msgspec.Struct, frozen=True):
    """``answer``: an encoded ``messages.Answer``."""

    answer: bytes


class Gone(msgspec.Struct, frozen=True):
    """Whoever had that attempt of the job ended; there will be no answer that anybody waits for."""

    job: int
    attempt: int
    how: str


class Crew(Protocol):
    """``room``: how many more jobs it takes now."""

    @property
    def room(self) -> int: ...

    def give(self, job: int, attempt: int, order: bytes) -> None:
        """Let somebody do it. Only while there is ``room``. Raises UserError if nobody can be had at all."""
        ...

    def wait(self, timeout_s: float) -> Sequence[Answered | Gone]:
        """What happened since, as soon as something did, at most after so long."""
        ...

    def end(self, job: int, attempt: int) -> None:
        """It takes too long: end whoever has it. ``wait`` tells of it like of any other end."""
        ...

    def run_directories(self) -> Sequence[Path]:
        """Where platforms may run now that can be watched from this machine."""
        ...

    def close(self) -> None:
        """End everybody, and wait until nothing of theirs is left. Safe to call twice."""
        ...
