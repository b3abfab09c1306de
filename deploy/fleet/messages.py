"""What travels between coordinator and workers, as plain data: a job to do, and what came of it.

Encoded to bytes, for a worker may be on another machine and of another interpreter. A job is known by its
number in the plan and by the attempt: only an answer to the newest attempt counts (``book``).
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Verdict = Literal["pass", "fail", "error"]
Keep = Literal["failed", "all", "none"]
MEASURED: Final = "faults"  # the phase whose calls are counted
COUNTS: Final = (
    "issued", "answered", "definite", "indefinite", "killed", "refused_traps", "resets", "leaks",
)  # fmt: skip
"""What is counted of a domain, and added up over platforms."""


class Order(msgspec.Struct, frozen=True):
    """One platform to run. ``engine``: of the run, "" as the scenario says; ``faults`` as of ``trapline
    run``.

    ``folder``: where the run goes if it is to be kept, a name that no other attempt has.
    """

    job: int
    attempt: int
    scenario: str
    seed: int
    engine: str = ""
    profile: str = ""
    firmware: str = ""
    seconds: float | None = None
    faults: str | None = None
    drawn: bool = False
    keep: Keep = "none"
    folder: str = ""


class Times(msgspec.Struct, frozen=True):
    """A histogram as ``judging.histogram`` has it: values by bucket, and the largest."""

    buckets: Mapping[int, int] = {}
    max_ns: int = 0


class AgentCount(msgspec.Struct, frozen=True):
    """One domain in the measured phase; as of ``result.AgentResult``, with the whole histogram."""

    domain: str
    issued: int
    answered: int
    definite: int
    indefinite: int
    killed: int
    refused_traps: int
    resets: int
    leaks: int
    statuses: Mapping[str, int]
    codes: Mapping[str, int]
    times: Times


class Outcome(msgspec.Struct, frozen=True):
    """What came of a job. ``command`` replays it; ``kept``: the order's folder has the run.

    Equal orders on virtual time have equal outcomes but for ``wall_s``.
    """

    verdict: Verdict
    reason: str
    command: str
    agents: tuple[AgentCount, ...] = ()
    violations: int = 0
    missed: int = 0
    fingerprint: str = ""
    wall_s: float = 0.0
    kept: bool = False


class Answer(msgspec.Struct, frozen=True):
    """What a worker says to an order."""

    job: int
    attempt: int
    outcome: Outcome
