"""Results as runs have them, with numbers such as the twin gives: for report, database, commands."""

import math
from collections.abc import Sequence

from bus.chance import unit
from deploy.experiments.checkers import Violation
from deploy.experiments.describing.plan import Phase, Planned
from deploy.experiments.describing.scenario import Metering, WhatIf
from deploy.experiments.result import (
    AgentResult,
    Arrow,
    CheckerResult,
    FaultDone,
    Latency,
    RunResult,
    Slice,
    ThresholdResult,
    WhatIfRow,
)

MS = 1_000_000
PHASES = (
    Phase("warm_up", 0, 200 * MS),
    Phase("faults", 200 * MS, 1200 * MS),
    Phase("heal", 1200 * MS, 1700 * MS),
    Phase("drain", 1700 * MS, 1760 * MS),
)
SLICES = 44
SOURCE = 'title = "Noisy neighbour"\n\n[[load]]\ndomains = "guests"\nkind = "open"\nrate = 2000\n'


def wave(number: int, at: int) -> float:
    """Between 0 and 1, the same every time."""
    return unit(7, number, at)


def latency(p50: float, calls: int = 4000) -> Latency:
    return Latency(calls, p50, p50 * 1.9, p50 * 3.4, p50 * 7.2, p50 * 11.5)


def agent(domain: str, number: int | None, p50: float = 85.0, **changes: object) -> AgentResult:
    """An agent that nothing happened to, but for ``changes``."""
    given: dict[str, object] = {
        "domain": domain,
        "agent": number,
        "issued": 8000,
        "answered": 8000,
        "definite": 0,
        "indefinite": 0,
        "killed": 0,
        "refused_traps": 0,
        "resets": 0,
        "leaks": 0,
        "statuses": {"SUCCESS": 7600, "DENIED": 400},
        "codes": {},
        "latency": {
            "warm_up": latency(p50 * 0.8, 800),
            "faults": latency(p50),
            "heal": latency(p50 * 0.82, 2000),
        },
    }
    return AgentResult(**{**given, **changes})  # type: ignore[arg-type]


def slices(domains: Sequence[str], faults: Sequence[Planned] = (), count: int = SLICES) -> tuple[Slice, ...]:
    """Evenly cut time; slower while anything is broken."""
    made = []
    step = PHASES[-1].end_ns // count
    for number, domain in enumerate(domains):
        for at in range(count):
            begin = at * step
            broken = any(one.begin_ns <= begin <= max(one.end_ns, one.begin_ns + step) for one in faults)
            slow = (1 + 0.3 * wave(number, at)) * (4.5 if broken else 1) * (1 + 0.07 * number)
            rate = 80 * (1 + 0.2 * math.sin(at / 5 + number)) / (2 if broken else 1)
            quiet = broken and wave(number, at) > 0.97
            made.append(
                Slice(
                    domain,
                    begin,
                    begin + step,
                    0 if quiet else int(rate),
                    int(4 * wave(number + 7, at)),
                    int(9 * wave(number, at + 9)) if broken else 0,
                    0.0 if quiet else 82 * slow,
                    0.0 if quiet else 290 * slow * (1 + wave(number + 1, at)),
                )
            )
    return tuple(made)


FAULTS = (
    FaultDone(
        Planned(0, "el3.late", ("firmware",), 320 * MS, 620 * MS, likelihood=0.2, delay_ns=900_000),
        "architecture",
        412,
    ),
    FaultDone(Planned(1, "link.lose", ("ivi",), 700 * MS, 830 * MS, to="xen", likelihood=0.05), "bus", 19),
    FaultDone(Planned(2, "process.kill", ("telematics",), 910 * MS, 910 * MS), "architecture", None),
)
CHECKERS = (
    CheckerResult(
        "answers",
        "every doorbell gets exactly one answer or one explicit error",
        (),
        {"doorbells": 24_000, "answers": 23_702, "errors": 298},
    ),
    CheckerResult(
        "isolation",
        "an agent changes and sees only what it was granted",
        (),
        {"requests": 24_000, "denied": 1_220},
    ),
    CheckerResult("resets", "after a reset the ledger is empty and defaults are back", (), {"resets": 2}),
)
THRESHOLDS = (
    ThresholdResult("p99_us of ivi in faults, times solo", 2.41, "at most 3", True),
    ThresholdResult("fairness in faults", 0.973, "at least 0.9", True),
)


def passing(run_id: str = "20261123-174005-noisy-1", **changes: object) -> RunResult:
    """A run in which all was well, but for ``changes``."""
    domains = ("dom0", "ivi", "telematics", "adas")
    given: dict[str, object] = {
        "run_id": run_id,
        "title": "Noisy neighbour",
        "question": "Does a guest that rings as fast as it can slow its neighbours beyond three times "
        "what they have alone?",
        "scenario": "noisy-neighbour",
        "seed": 42,
        "engine": "sim",
        "command": "trapline run noisy-neighbour --engine sim --seed 42",
        "verdict": "pass",
        "reason": "2 thresholds held and 3 checkers found nothing in 24 000 calls.",
        "started_at": 1_795_455_605.0,
        "wall_s": 3.82,
        "duration_ns": PHASES[-1].end_ns,
        "knobs": {"guests": 3, "shared": 1, "firmware": "strict", "xen": "v11", "el3.late.delay_us": 900.0},
        "phases": PHASES,
        "faults": FAULTS,
        "agents": (
            agent("dom0", 0, 60.0, issued=900, answered=900, statuses={"SUCCESS": 900}),
            agent("ivi", 1),
            agent(
                "telematics",
                2,
                91.0,
                issued=8000,
                answered=7691,
                definite=280,
                indefinite=18,
                killed=11,
                refused_traps=3,
                resets=2,
                codes={"timeout": 18, "domain-dead": 280},
            ),
            agent("adas", 3, 88.0, metered={"rate": 812, "in_flight": 3}),
        ),
        "slices": slices(domains, [one.planned for one in FAULTS]),
        "fairness": 0.973,
        "thresholds": THRESHOLDS,
        "checkers": CHECKERS,
        "what_if": (
            WhatIfRow(500.0, 171.0, 5231),
            WhatIfRow(1000.0, 204.0, 3120),
            WhatIfRow(2000.0, 262.0, 811),
            WhatIfRow(4000.0, 289.0, 0),
        ),
        "account": {"issued": 24_900, "answered": 24_591, "definite": 280, "indefinite": 18, "killed": 11},
        "fingerprint": "9f2c41d0a7b3e658",
        "version": "0.5.0",
        "source": SOURCE,
        "metering": Metering("observe", ("adas",), 2000.0, 16, 4),
        "what_if_of": WhatIf("adas", (500.0, 1000.0, 2000.0, 4000.0), "ivi"),
    }
    return RunResult(**{**given, **changes})  # type: ignore[arg-type]


def arrows() -> tuple[Arrow, ...]:
    """Two calls that cross; the answer of one goes to the other's domain, one message is lost."""
    at = 731 * MS

    def one(
        sent: int, took: int | None, sender: str, receiver: str, text: str, *, bad: bool = False
    ) -> Arrow:
        return Arrow(
            at + sent * 1000, None if took is None else at + (sent + took) * 1000, sender, receiver, text, bad
        )

    return (
        one(0, 21, "ivi#1", "xen", "trap 118 CLOCK_RATE_GET token 55"),
        one(9, 24, "telematics#2", "xen", "trap 7 CLOCK_RATE_GET token 55"),
        one(35, 22, "xen", "firmware", "smc 901 CLOCK_RATE_GET"),
        one(46, 25, "xen", "firmware", "smc 902 CLOCK_RATE_GET"),
        one(80, 27, "firmware", "xen", "return 902 SUCCESS", bad=True),
        one(98, 20, "firmware", "xen", "return 901 SUCCESS"),
        one(121, None, "xen", "telematics#2", "return 7 SUCCESS"),
        one(131, 19, "xen", "ivi#1", "return 7 SUCCESS token 55", bad=True),
        one(900, 30, "toolstack", "xen", "domctl destroydomain 4"),
    )


def failing(**changes: object) -> RunResult:
    """A run with a violation and a threshold that was missed."""
    violations = (
        Violation(
            "replies",
            731 * MS + 150_000,
            "the reply to trap 7 of telematics#2 reached ivi#1, which had asked trap 118",
            ("ivi#1", "telematics#2"),
            (10_391, 10_402),
        ),
        Violation(
            "replies", 744 * MS, "the reply to trap 9 of telematics#2 reached nobody", ("telematics#2",)
        ),
    )
    bad = CheckerResult(
        "replies", "no reply reaches another agent or a dead incarnation", violations, {"replies": 23_702}
    )
    given: dict[str, object] = {
        "run_id": "20261123-174105-noisy-7",
        "seed": 7,
        "command": "trapline run noisy-neighbour --engine sim --seed 7",
        "verdict": "fail",
        "reason": "A reply reached another agent: the reply to trap 7 of telematics#2 reached ivi#1, "
        "which had asked trap 118.",
        "thresholds": (
            ThresholdResult("p99_us of ivi in faults, times solo", 4.17, "at most 3", False),
            ThresholdResult("rate of adas in faults", None, "at least 100", False),
            *THRESHOLDS[1:],
        ),
        "checkers": (bad, *CHECKERS),
        "diagram": arrows(),
        "agents": (
            *passing().agents[:3],
            agent("adas", 3, 210.0, leaks=2, resets=1, statuses={"SUCCESS": 7000, "BUSY": 1000}),
        ),
        "truncated_rows": 1_204,
        "notes": ("the history's bound of 2 000 000 rows was reached after 1.4 s",),
    }
    return passing(**{**given, **changes})


def huge(agents: int = 64, faults: int = 60) -> RunResult:
    """Many of everything."""
    kinds = ("el3.late", "link.delay", "process.kill", "guest.trap_storm", "link.partition", "el3.busy")
    names = tuple(f"guest{number}" for number in range(agents))
    done = tuple(
        FaultDone(
            Planned(
                number,
                kinds[number % 6],
                (names[number % agents],),
                (210 + 16 * number) * MS,
                (210 + 16 * number + (0 if number % 6 == 2 else 10 + number)) * MS,
            ),
            "bus" if number % 6 == 4 else "architecture",
            number * 3,
        )
        for number in range(faults)
    )
    return passing(
        "20261123-175005-boot-storm-3",
        title=f"Boot storm of {agents} domains",
        question="Do all boot, and how long does the slowest wait?",
        faults=done,
        agents=tuple(agent(name, number, 80.0 + 3 * number) for number, name in enumerate(names)),
        slices=slices(names, [one.planned for one in done[:7]], 60),
        what_if=(),
        what_if_of=None,
        metering=Metering(),
        knobs={f"fault.{number}.at_ms": 210.0 + number for number in range(faults)},
    )
