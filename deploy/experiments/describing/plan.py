"""A scenario and a seed to a concrete plan: who does what, what breaks, when, to the nanosecond.

Pure: equal scenarios, domains and seeds give equal plans. What a file may say is checked in ``problems``;
this module only draws. It knows no engine.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from bus.chance import below, mixed, unit
from deploy.experiments.describing.faults import BY_NAME
from deploy.experiments.describing.scenario import Amount, Fault, Load, Names, Scenario

DOM0: Final = "dom0"
EVERY, GUESTS, ANY = "*", "guests", "any"
FAULTS_MAX: Final = 10_000  # of one plan: what repeats often enough ends here
MS_NS: Final = 1_000_000
US_NS: Final = 1_000
LAYER_NODE: Final = {"el3": "firmware", "xen": "xen", "toolstack": "toolstack"}


class Planned(msgspec.Struct, frozen=True):
    """One fault as it will happen. Times count from the beginning of the run; ``end_ns`` equals
    ``begin_ns`` for what has no duration (kill -9). ``where``: node names ("xen", "firmware", "dom0", a
    domain); ``to``: a link's other end. ``seed``: for its own draws. The rest as in the scenario, drawn.
    """

    number: int
    kind: str
    where: tuple[str, ...]
    begin_ns: int
    end_ns: int
    to: str = ""
    likelihood: float = 1.0
    count: int = 0
    messages: tuple[str, ...] = ()
    delay_ns: int = 0
    jitter_ns: int = 0
    rate: float = 0.0
    step: int = 0
    seed: int = 0


class Phase(msgspec.Struct, frozen=True):
    """Its name and when it is; times count from the beginning of the run."""

    name: str
    begin_ns: int
    end_ns: int


class Plan(msgspec.Struct, frozen=True):
    """``loads``: what each domain does, every amount a number; ``seeds``: each domain's own, for its draws.

    ``faults`` in order of their beginning; ``phases`` are the four phases.
    """

    phases: tuple[Phase, ...]
    loads: Mapping[str, Load]
    seeds: Mapping[str, int]
    faults: tuple[Planned, ...]

    def phase(self, name: str) -> Phase:
        """The phase of that name."""
        return next(one for one in self.phases if one.name == name)

    def only(self, numbers: Collection[int]) -> "Plan":
        """The same plan with no other faults than these."""
        kept = tuple(one for one in self.faults if one.number in numbers)
        return msgspec.structs.replace(self, faults=kept)

    def without_faults(self, domain: str) -> "Plan":
        """What a domain has to itself: its load, nobody else's, nothing broken."""
        idle = Load(domain, kind="idle")
        loads = {name: load if name == domain else idle for name, load in self.loads.items()}
        return msgspec.structs.replace(self, loads=loads, faults=())


def draw(scenario: Scenario, domains: Sequence[str], seed: int) -> Plan:
    """The plan for these domains (names, Dom0 among them if it is there)."""
    phases = phases_of(scenario)
    loads = {name: Load(name, kind="idle") for name in domains}
    for at, load in enumerate(scenario.load):
        for name in chosen(load.domains, domains, mixed(seed, 1, at)):
            loads[name] = _load(load, name, mixed(seed, 2, at))
    faults: list[Planned] = []
    for at, fault in enumerate(scenario.fault):
        room = FAULTS_MAX - len(faults)
        faults += _occurrences(fault, domains, phases[1], mixed(seed, 3, at))[:room]
    faults.sort(key=lambda one: one.begin_ns)
    numbered = tuple(msgspec.structs.replace(one, number=at + 1) for at, one in enumerate(faults))
    seeds = {name: mixed(seed, 4, *name.encode()) for name in domains}
    return Plan(phases, loads, seeds, numbered)


def phases_of(scenario: Scenario) -> tuple[Phase, Phase, Phase, Phase]:
    """Warm-up, faults, heal and drain, one after the other."""
    one = scenario.phases
    warm = int(one.warm_up_ms * MS_NS)
    broken = warm + int(one.faults_ms * MS_NS)
    healed = broken + int(one.heal_ms * MS_NS)
    drained = healed + int(one.drain_ms * MS_NS)
    return (
        Phase("warm_up", 0, warm),
        Phase("faults", warm, broken),
        Phase("heal", broken, healed),
        Phase("drain", healed, drained),
    )


def chosen(names: Names, domains: Sequence[str], seed: int) -> tuple[str, ...]:
    """Whom ``names`` means: "*", "guests", "any" (one guest, drawn), a name, or several of these."""
    if not isinstance(names, str):
        found = [one for name in names for one in chosen(name, domains, seed)]
        return tuple(dict.fromkeys(found))
    guests = [name for name in domains if name != DOM0]
    if names == EVERY:
        return tuple(domains)
    if names == GUESTS:
        return tuple(guests)
    if names == ANY:
        return (guests[below(len(guests), seed, 0)],) if guests else ()
    return (names,)


def amount(value: Amount, seed: int, number: int) -> float:
    """The value itself, or one drawn between the two ends of a range."""
    if isinstance(value, tuple):
        low, high = value
        return low + unit(seed, number) * (high - low)
    return value


def _load(load: Load, domain: str, seed: int) -> Load:
    """The load of one domain, with numbers for ranges: each domain draws its own."""
    own = mixed(seed, *domain.encode())
    return msgspec.structs.replace(
        load,
        domains=domain,
        think_us=amount(load.think_us, own, 1),
        rate=amount(load.rate, own, 2),
        rate_end=amount(load.rate_end, own, 3),
    )


def _occurrences(fault: Fault, domains: Sequence[str], phase: Phase, seed: int) -> list[Planned]:
    """Each time the fault happens within its phase."""
    found: list[Planned] = []
    offset_ns = 0
    every_ns = int(fault.every_ms * MS_NS)
    while phase.begin_ns + offset_ns < phase.end_ns and len(found) < FAULTS_MAX:
        one = _one(fault, domains, phase, mixed(seed, len(found)), offset_ns)
        if one is not None:
            found.append(one)
        if not every_ns:
            break
        offset_ns += every_ns
    return found


def _one(fault: Fault, domains: Sequence[str], phase: Phase, seed: int, offset_ns: int) -> Planned | None:
    kind = BY_NAME[fault.kind]
    begin_ns = phase.begin_ns + offset_ns + int(amount(fault.at_ms, seed, 1) * MS_NS)
    if begin_ns >= phase.end_ns:
        return None
    lasts_ns = int(amount(fault.for_ms, seed, 2) * MS_NS)
    end_ns = min(begin_ns + lasts_ns, phase.end_ns) if lasts_ns else phase.end_ns
    return Planned(
        0,
        fault.kind,
        chosen(fault.where, domains, seed) if "where" in kind.takes else (LAYER_NODE[kind.layer],),
        begin_ns,
        begin_ns if kind.instant else end_ns,
        _other_end(fault, domains, seed) if kind.layer == "link" else fault.to,
        amount(fault.likelihood, seed, 3),
        fault.count,
        fault.messages,
        int(amount(fault.delay_us, seed, 4) * US_NS),
        int(amount(fault.jitter_us, seed, 5) * US_NS),
        amount(fault.rate, seed, 6),
        round(amount(fault.step, seed, 7)),
        mixed(seed, 8),
    )


def _other_end(fault: Fault, domains: Sequence[str], seed: int) -> str:
    """Every link has Xen at one end: a fault that names one node only means its link to Xen."""
    if fault.to:
        return chosen(fault.to, domains, mixed(seed, 9))[0]
    return "xen" if fault.where != "xen" else EVERY
