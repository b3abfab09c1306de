"""The result of one run, as data: what the report shows, the database keeps, a test asserts."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from deploy.experiments.checkers import Violation
from deploy.experiments.describing.plan import Phase, Planned
from deploy.experiments.describing.scenario import Metering, WhatIf

Verdict = Literal["pass", "fail", "error"]


class FaultDone(msgspec.Struct, frozen=True):
    """What was broken: the plan, and how often it had an effect (None if nobody counts)."""

    planned: Planned
    origin: str
    applied: int | None = None


class Latency(msgspec.Struct, frozen=True):
    """Microseconds, from the intended start. ``calls`` answered calls."""

    calls: int = 0
    p50_us: float = 0.0
    p90_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    max_us: float = 0.0


class AgentResult(msgspec.Struct, frozen=True):
    """One domain over the measured time. ``issued`` = ``answered`` + ``definite`` + ``indefinite`` +
    ``killed`` (ended with its domain); ``statuses`` of the answers by name; ``codes`` of the errors;
    ``latency`` by phase; ``metered``: calls that passed a limit, by the limit's name.
    """

    domain: str
    agent: int | None
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
    latency: Mapping[str, Latency]
    metered: Mapping[str, int] = {}


class Slice(msgspec.Struct, frozen=True):
    """One domain in one slice of time, for the plots."""

    domain: str
    begin_ns: int
    end_ns: int
    answered: int
    denied: int
    errors: int
    p50_us: float
    p99_us: float


class ThresholdResult(msgspec.Struct, frozen=True):
    """One objective: its sentence, the value, the bound as it was applied, whether it held."""

    text: str
    value: float | None
    bound: str
    held: bool


class CheckerResult(msgspec.Struct, frozen=True):
    name: str
    claim: str
    violations: tuple[Violation, ...]
    facts: Mapping[str, Any]


class WhatIfRow(msgspec.Struct, frozen=True):
    """What a limit would have done: the victim's measure, and how many calls it would have refused."""

    rate: float
    value: float
    refused: int


class Arrow(msgspec.Struct, frozen=True):
    """One arrow of the space-time diagram."""

    sent_ns: int
    received_ns: int | None
    sender: str
    receiver: str
    text: str
    highlighted: bool = False


class RaceResult(msgspec.Struct, frozen=True):
    """All orders of messages of one life-cycle operation under one EL3. ``pruned``: orders that could only
    repeat another one; ``complete``: no bound was in the way; ``trail``: the deliveries of the first order
    that broke something.
    """

    operation: str
    el3: str
    orders: int
    pruned: int
    complete: bool
    broke: bool = False
    trail: tuple[str, ...] = ()


class RunResult(msgspec.Struct, frozen=True):
    """``reason``: one sentence for the verdict. ``command``: the line that replays it. ``knobs``: what was
    drawn. ``source``: the scenario's text as it was read; ``version``: Trapline's. ``metering`` as the
    scenario says; ``what_if_of``: what the rows of ``what_if`` are about; ``what_if_bound``: under what the
    victim was to be kept, in its measure's unit. ``races``: of a scenario with [explore].
    """

    run_id: str
    title: str
    question: str
    scenario: str
    seed: int
    engine: str
    command: str
    verdict: Verdict
    reason: str
    started_at: float
    wall_s: float
    duration_ns: int
    knobs: Mapping[str, Any]
    phases: tuple[Phase, ...]
    faults: tuple[FaultDone, ...]
    agents: tuple[AgentResult, ...]
    slices: tuple[Slice, ...]
    fairness: float | None
    thresholds: tuple[ThresholdResult, ...]
    checkers: tuple[CheckerResult, ...]
    what_if: tuple[WhatIfRow, ...] = ()
    diagram: tuple[Arrow, ...] = ()
    account: Mapping[str, int] = {}
    fingerprint: str = ""
    truncated_rows: int = 0
    notes: tuple[str, ...] = ()
    version: str = ""
    source: str = ""
    metering: Metering = Metering()
    what_if_of: WhatIf | None = None
    what_if_bound: float | None = None
    races: tuple[RaceResult, ...] = ()
