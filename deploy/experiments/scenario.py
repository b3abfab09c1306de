"""What a scenario file says, as typed structs: platform, load, faults, phases, thresholds, checkers.

Every key's meaning is the docstring of its struct; ``reference.py`` makes the page from them, ``problems.py``
says what is wrong with a file. Times are given in the unit that the key's name ends with.
"""

from typing import Literal

import msgspec

Range = tuple[float, float]  # lowest, highest: drawn from the seed
Amount = float | Range
Names = (
    str | tuple[str, ...]
)  # one name, "*" for every, "guests" for all but dom0, "any" for one drawn; or a list


class PlatformChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which platform. ``name``: one that comes with Trapline. Or files: ``host_dt``, ``platform``, ``xl``,
    relative to the scenario. Or ``guests``: a generated platform of so many guests (agents 0 to N-1), each
    with a device of its own, and ``shared`` devices that all of them have; ``boards`` such platforms side by
    side. ``firmware`` and ``xen``: profiles; ``xen_cmdline``, ``strict`` as of ``trapline up``.
    """

    name: str = ""
    host_dt: tuple[str, ...] = ()
    platform: str = ""
    xl: tuple[str, ...] = ()
    guests: int = 0
    shared: int = 1
    boards: int = 1
    firmware: str = ""
    xen: str = "v11"
    xen_cmdline: str = ""
    strict: bool = False


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the simulated engine's time passes: microseconds that a hop, its jitter, and each node's work on
    one frame take. One EL3 serves one SMC at a time. ``patience_ms``: how long a guest waits for an answer.
    ``xen_patience_ms``: how long Xen waits for EL3 before it ends a call with an explicit error; 0: for
    ever, as on the board. A plan that can lose frames between Xen and EL3 needs one.
    """

    hop_us: float = 20.0
    jitter_us: float = 10.0
    guest_us: float = 8.0
    xen_us: float = 12.0
    el3_us: float = 20.0
    patience_ms: float = 200.0
    xen_patience_ms: float = 0.0


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of message of a mix: ``message`` as "clock.CLOCK_RATE_GET", ``weight`` against the others'.

    ``fields``: values of its fields; what is not given is drawn from what the domain's own tree names.
    """

    message: str
    weight: float = 1.0
    fields: dict[str, int] = {}


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``domains`` do. ``kind``: "linux" (discovery, then a driver's daily life, one call after the
    other), "closed" (a mix, one call after the other with ``think_us`` between), "open" (a mix, calls
    arrive at ``rate`` per second whether earlier ones are done or not; latency counts from the intended
    start), "replay" (what ``trace`` recorded, at its times) or "idle".

    ``rate_end``: the rate moves there evenly over the load's time. ``arrival``: "constant" or "poisson".
    ``burst_calls`` every ``burst_every_ms`` on top. ``mix``: a named one ("reads", "rates", "power",
    "mixed", "shared") or a list of shares. ``backlog``: arrivals that may wait; more are counted and
    dropped. ``start_ms``, ``stop_ms``: from the beginning of the run; ``stop_ms`` 0: until the drain.
    """

    domains: Names
    kind: Literal["linux", "closed", "open", "replay", "idle"] = "linux"
    think_us: Amount = 0.0
    rate: Amount = 0.0
    rate_end: Amount = 0.0
    arrival: Literal["constant", "poisson"] = "constant"
    burst_calls: int = 0
    burst_every_ms: float = 0.0
    mix: str | tuple[Share, ...] = "mixed"
    trace: str = ""
    backlog: int = 1024
    start_ms: float = 0.0
    stop_ms: float = 0.0


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something broken on purpose. ``kind``: a row of the table of faults. ``where``: the node or nodes it
    hits (for a link: one end), ``to``: a link's other end. ``at_ms``: when, from the beginning of the
    faults phase; ``for_ms``: how long; ``every_ms``: again and again until that phase ends. A pair of
    numbers is a range to draw from. ``likelihood``: per message or occasion. ``count``: how often at most,
    0 for no limit. ``messages``: "clock.CLOCK_RATE_SET"..., for faults of EL3; frame kinds ("trap") for
    faults of links. ``delay_us``, ``jitter_us``, ``rate``, ``step``: as the kind's row says.
    """

    kind: str
    where: Names = "any"
    to: str = ""
    at_ms: Amount = 0.0
    for_ms: Amount = 0.0
    every_ms: float = 0.0
    likelihood: Amount = 1.0
    count: int = 0
    messages: tuple[str, ...] = ()
    delay_us: Amount = 0.0
    jitter_us: Amount = 0.0
    rate: Amount = 0.0
    step: Amount = 0.0


class Phases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long each phase is: ``warm_up_ms`` (load, nothing broken; not measured), ``faults_ms``
    (measured), ``heal_ms`` (nothing broken any more; everybody must make progress), ``drain_ms`` (no new
    calls; at most so long until nothing is outstanding).
    """

    warm_up_ms: float = 200.0
    faults_ms: float = 1000.0
    heal_ms: float = 500.0
    drain_ms: float = 1000.0


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service-level objective. ``measure``: a row of the table of measures ("p99_us", "rate", "denied",
    "fairness"...). ``domain``: whose, "" for all together. ``phase``: "faults" unless said. It holds if the
    value is not above ``at_most`` and not below ``at_least``. ``times_solo``: the bounds are multiples of
    what the domain has alone: the same scenario is run again with only its load and no faults.
    """

    measure: str
    domain: str = ""
    phase: Literal["warm_up", "faults", "heal", "all"] = "faults"
    at_most: float | None = None
    at_least: float | None = None
    times_solo: bool = False


class Metering(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Metering in the mediator. ``mode``: "off", "observe" (count what would be refused) or "enforce".
    ``domains``: whom it concerns. ``rate``: calls per second; ``burst``: the bucket's size in calls;
    ``in_flight``: calls held by EL3 or waiting for the channel; ``el3_us_per_s``: EL3's time. 0: no limit
    of that kind.
    """

    mode: Literal["off", "observe", "enforce"] = "off"
    domains: Names = "guests"
    rate: float = 0.0
    burst: int = 16
    in_flight: int = 0
    el3_us_per_s: float = 0.0


class WhatIf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The report's table of limits that were not set: the scenario again on the twin, with ``domain``
    limited to each of ``rates`` calls per second; shown is what that does to ``measure`` of ``victim``.
    """

    domain: str
    rates: tuple[float, ...]
    victim: str
    measure: str = "p99_us"


class Swarm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``trapline swarm`` may draw beside the seed: numbers of guests, profiles, kinds of faults and
    how many of them at most, kinds of load. What a list leaves out is as the scenario says; ``faults``
    empty: all kinds that the simulated engine plays.
    """

    guests: tuple[int, ...] = (1, 2, 3, 4, 6, 8)
    shared: tuple[int, ...] = (0, 1, 2)
    firmware: tuple[str, ...] = ()
    xen: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    faults_max: int = 6
    loads: tuple[str, ...] = ("linux", "closed", "open")


class Explore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every interleaving of life-cycle operations with what is in flight: ``operations`` ("destroy",
    "reboot", "assign", "create") each started at every step of a call, with each of ``el3`` ("fast",
    "slow", "reset-fails").
    """

    operations: tuple[str, ...] = ()
    el3: tuple[str, ...] = ("fast",)


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole experiment. ``title``: one line; ``question``: what it answers, for the report. ``engine``:
    where it runs unless told otherwise: "sim" (virtual time) or "local" (real processes). ``pages``:
    "carried" or "mapped". ``record``: "frames" (all that can be replayed), "calls" (one row a call) or
    "none". ``checkers``: names, or "all". ``known``: checkers whose claims this platform is known to break,
    such as a firmware's defect: the run passes if exactly these are broken.
    """

    title: str
    question: str = ""
    engine: Literal["sim", "local"] = "sim"
    pages: Literal["carried", "mapped"] = "carried"
    record: Literal["frames", "calls", "none"] = "frames"
    seed: int = 1
    platform: PlatformChoice = PlatformChoice()
    timing: Timing = Timing()
    load: tuple[Load, ...] = ()
    fault: tuple[Fault, ...] = ()
    phases: Phases = Phases()
    threshold: tuple[Threshold, ...] = ()
    metering: Metering = Metering()
    what_if: WhatIf | None = None
    checkers: tuple[str, ...] = ("all",)
    known: tuple[str, ...] = ()
    swarm: Swarm = Swarm()
    explore: Explore | None = None
