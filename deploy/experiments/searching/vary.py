"""A scenario and a seed to another scenario: how large, which profiles, what load, what breaks.

Pure: the swarm's dice. What comes out is an ordinary scenario without ranges, so that all of it can be
printed, run anywhere and shrunk.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from bus.chance import below, mixed, unit
from deploy.experiments.describing.faults import BY_NAME, KINDS
from deploy.experiments.describing.plan import amount
from deploy.experiments.describing.scenario import Fault, Load, Metering, PlatformChoice, Scenario, Share

T = TypeVar("T")
XEN_PATIENCE_MS: Final = 40.0  # with links that may lose frames nobody waits for ever
LINKS: Final = (("any", "xen"), ("xen", "any"), ("xen", "firmware"), ("firmware", "xen"))
MIXES: Final = ("reads", "rates", "power", "mixed", "shared")
LOSSY: Final = frozenset({"link.lose", "link.partition"})
PRYING: Final = 6  # kinds of requests of one who tries what is not his
ON, OFF = 0, 1 << 30
ANYBODYS: Final[tuple[tuple[str, str, Mapping[str, tuple[int, ...]]], ...]] = (
    ("clock.CLOCK_RATE_GET", "clock_id", {}),
    ("clock.CLOCK_RATE_SET", "clock_id", {"flags": (0,), "rate": (100, 200, 300, 1_000, 3_000)}),
    ("clock.CLOCK_CONFIG_SET", "clock_id", {"attributes": (0, 1), "extended_config_val": (0,)}),
    ("power.POWER_STATE_GET", "domain_id", {}),
    ("power.POWER_STATE_SET", "domain_id", {"flags": (0,), "power_state": (ON, OFF)}),
    ("reset.RESET", "domain_id", {"flags": (1,), "reset_state": (0,)}),
)
EMPTY: Final = ("", 0, (), False)
METERED: Final = 0.25  # how likely a run is metered at all

# What each kind of fault is drawn from; what is not here is not for the swarm.
VARIED: Final[Mapping[str, Fault]] = {
    one.kind: one
    for one in (
        Fault("link.delay", for_ms=(5, 80), likelihood=(0.05, 1), delay_us=(10, 3_000), jitter_us=(0, 2_000)),
        Fault("link.lose", for_ms=(5, 60), likelihood=(0.002, 0.1)),
        Fault("link.duplicate", for_ms=(5, 80), likelihood=(0.01, 0.5), jitter_us=(0, 2_000)),
        Fault("link.reorder", for_ms=(5, 80), likelihood=(0.01, 0.3), delay_us=(50, 3_000)),
        Fault("link.partition", for_ms=(1, 30)),
        Fault("process.kill"),
        Fault("process.pause", for_ms=(1, 60)),
        Fault("process.slow", for_ms=(5, 80), step=(2, 50)),
        Fault("el3.stall", for_ms=(0.5, 30)),
        Fault("el3.restart"),
        Fault("el3.busy", for_ms=(5, 80), likelihood=(0.01, 1)),
        Fault("el3.hardware_error", for_ms=(5, 80), likelihood=(0.01, 1)),
        Fault("el3.late", for_ms=(5, 80), likelihood=(0.01, 0.5), delay_us=(100, 60_000)),
        Fault("el3.wrong_token", for_ms=(5, 40), likelihood=(0.01, 0.3)),
        Fault("el3.torn_page", for_ms=(5, 40), likelihood=(0.01, 0.3)),
        Fault("el3.corrupt_page", for_ms=(5, 40), likelihood=(0.01, 0.3)),
        Fault("el3.lost_completion", for_ms=(5, 40), likelihood=(0.01, 0.3)),
        Fault("el3.refuse_reset", for_ms=(5, 40), likelihood=(0.2, 1)),
        Fault("xen.restart"),
        Fault("toolstack.reboot"),
        Fault("toolstack.destroy", for_ms=(1, 60)),
        Fault("toolstack.dies_creating", step=(0, 8)),
        Fault("toolstack.dies_destroying", step=(0, 2)),
        Fault("guest.spurious_doorbell", for_ms=(5, 60), rate=(50, 3_000)),
        Fault("guest.oversize", for_ms=(5, 60), rate=(50, 3_000)),
        Fault("guest.undersize", for_ms=(5, 60), rate=(50, 3_000)),
        Fault("guest.error_preset", for_ms=(5, 60), rate=(50, 3_000)),
        Fault("guest.header_flip", for_ms=(5, 60), likelihood=(0.01, 0.5)),
        Fault("guest.rewrite_page", for_ms=(5, 60), likelihood=(0.01, 0.5)),
        Fault("guest.foreign_flood", for_ms=(5, 60), rate=(50, 3_000)),
        Fault("guest.junk_frames", for_ms=(5, 60), rate=(50, 3_000)),
        Fault("guest.trap_storm", for_ms=(2, 20), rate=(500, 100_000)),
    )
}  # fmt: skip


class Dice:
    """Draws in a row: each asks the seed for the next number, so that what is drawn later changes nothing
    before.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def next(self) -> int:
        """A fresh seed."""
        self._drawn += 1
        return mixed(self._seed, self._drawn)

    def one(self, of: Sequence[T]) -> T:
        return of[below(len(of), self.next())]

    def chance(self, likelihood: float) -> bool:
        return unit(self.next()) < likelihood

    def between(self, low: float, high: float) -> float:
        """Rounded, so that it can be told and typed."""
        return float(f"{low + unit(self.next()) * (high - low):.4g}")


def vary(scenario: Scenario, seed: int) -> Scenario:
    """The scenario that this seed makes of what ``[swarm]`` allows."""
    dice = Dice(seed)
    platform = _platform(scenario, dice)
    load = _loads(scenario, platform, dice)
    fault = _faults(scenario, dice)
    kinds = {one.kind for one in fault}
    patience = XEN_PATIENCE_MS if kinds & LOSSY else scenario.timing.xen_patience_ms
    timing = msgspec.structs.replace(
        scenario.timing,
        hop_us=dice.between(1, 60),
        jitter_us=dice.between(0, 60),
        el3_us=dice.between(2, 60),
        xen_patience_ms=patience,
    )
    mapped = any(BY_NAME[kind].needs == "mapped" for kind in kinds)
    return msgspec.structs.replace(
        scenario,
        seed=seed,
        platform=platform,
        load=load,
        fault=fault,
        timing=timing,
        metering=_metering(scenario, dice),
        pages="mapped" if mapped or dice.chance(0.2) else "carried",
    )


def _platform(scenario: Scenario, dice: Dice) -> PlatformChoice:
    said, may = scenario.platform, scenario.swarm
    if may.guests:
        said = PlatformChoice(
            guests=dice.one(may.guests), shared=dice.one(may.shared or (said.shared,)), strict=said.strict
        )
    return msgspec.structs.replace(
        said,
        firmware=dice.one(may.firmware or (scenario.platform.firmware,)),
        xen=dice.one(may.xen or (scenario.platform.xen,)),
    )


def _loads(scenario: Scenario, platform: PlatformChoice, dice: Dice) -> tuple[Load, ...]:
    """A load for everybody, and another one for somebody now and then."""
    kinds = scenario.swarm.loads
    if not kinds:
        return scenario.load
    found = [_load("guests", dice.one(kinds), max(1, platform.guests), dice)]
    if dice.chance(0.4):
        found.append(_load("any", dice.one(kinds), max(1, platform.guests), dice))
    if platform.guests and dice.chance(0.4):
        found.append(_prying(platform, dice))
    return tuple(found)


def _prying(platform: PlatformChoice, dice: Dice) -> Load:
    """Somebody asks for what may be his, may be shared, and may be somebody else's."""
    ids = range(platform.guests + platform.shared)
    shares = []
    for _ in range(PRYING):
        message, field, values = dice.one(ANYBODYS)
        fields = {name: dice.one(choices) for name, choices in values.items()}
        shares.append(Share(message, fields={field: dice.one(ids), **fields}))
    return Load("any", kind="closed", think_us=dice.between(50, 2_000), mix=tuple(shares))


def _load(domains: str, kind: Any, guests: int, dice: Dice) -> Load:
    """A load that all guests together can carry: a swarm looks at many short runs, not at one long one."""
    mix = dice.one(MIXES)
    if kind == "open":
        return Load(
            domains,
            kind="open",
            rate=dice.between(200 / guests, 6_000 / guests),
            rate_end=dice.between(200 / guests, 6_000 / guests) if dice.chance(0.3) else 0.0,
            arrival=dice.one(("constant", "poisson")),
            burst_calls=dice.one((0, 0, 5, 40)),
            burst_every_ms=dice.between(10, 60),
            backlog=dice.one((1, 16, 1024)),
            mix=mix,
        )
    return Load(domains, kind=kind, think_us=dice.between(20 * guests, 500 * guests), mix=mix)


def _faults(scenario: Scenario, dice: Dice) -> tuple[Fault, ...]:
    may = scenario.swarm.faults or tuple(kind.name for kind in KINDS if kind.name in VARIED)
    number = below(scenario.swarm.faults_max + 1, dice.next())
    length_ms = scenario.phases.faults_ms
    return tuple(_fault(VARIED[dice.one(may)], length_ms, dice) for _ in range(number))


def _fault(template: Fault, length_ms: float, dice: Dice) -> Fault:
    """The template with numbers for its ranges, and a time in the phase."""
    drawn: dict[str, Any] = {"at_ms": dice.between(0, length_ms * 0.95)}
    for field in ("for_ms", "likelihood", "delay_us", "jitter_us", "rate", "step"):
        drawn[field] = float(f"{amount(getattr(template, field), dice.next(), 0):.4g}")
    if BY_NAME[template.kind].layer == "link":
        drawn["where"], drawn["to"] = dice.one(LINKS)
    return msgspec.structs.replace(template, **drawn)


def _metering(scenario: Scenario, dice: Dice) -> Metering:
    if not dice.chance(METERED):
        return scenario.metering
    return Metering(
        mode=dice.one(("observe", "enforce")),
        rate=dice.between(100, 5_000),
        burst=dice.one((1, 4, 64)),
        in_flight=dice.one((0, 1, 8)),
        el3_us_per_s=dice.one((0.0, 20_000.0, 200_000.0)),
    )


def knobs(scenario: Scenario) -> dict[str, Any]:
    """Everything that was drawn, flat: ``{"load.1.kind": "open", "fault.2.at_ms": 12.5, ...}``."""
    found: dict[str, Any] = {"seed": scenario.seed, "pages": scenario.pages}
    for table in ("platform", "timing", "metering"):
        found.update(_told(table, getattr(scenario, table)))
    for table in ("load", "fault"):
        for at, one in enumerate(getattr(scenario, table), 1):
            found.update(_told(f"{table}.{at}", one))
    return found


def _told(prefix: str, one: msgspec.Struct) -> dict[str, Any]:
    """The fields that say something: what is empty or nothing is left out."""
    return {
        f"{prefix}.{name}": value for name, value in msgspec.structs.asdict(one).items() if value not in EMPTY
    }
