"""What a scenario file says, as typed structs: platform, load, faults, phases, thresholds, checkers.

Each key carries its meaning, unit and bounds: ``reference.py`` makes the page from them, ``problems.py`` says
what is wrong with a file that the types cannot. Times are given in the unit that the key's name ends with.
"""

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

SEED_MAX: Final = 2**63 - 1
PHASE_MS_MAX: Final = 86_400_000.0
RATE_MAX: Final = 10_000_000.0
BACKLOG_MAX: Final = 65_536
BOARDS_MAX: Final = 64
GUESTS_MAX: Final = 254
FILE_BYTES_MAX: Final = 1 << 20


def _key(meaning: str, unit: str = "", **bounds: Any) -> msgspec.Meta:
    """What the reference page says of a key."""
    return msgspec.Meta(description=meaning, extra={"unit": unit} if unit else None, **bounds)


Positive = Annotated[float, msgspec.Meta(ge=0)]
Range = tuple[float, float]  # lowest, highest: drawn from the seed
Amount = float | Range  # without bounds: msgspec 0.22 mistakes a float's for the array's
Names = (
    str | tuple[str, ...]
)  # one name, "*" for every, "guests" for all but dom0, "any" for one drawn; or a list
Time = Annotated[float, msgspec.Meta(ge=0, le=PHASE_MS_MAX)]


class PlatformChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which platform: one that comes with Trapline (`name`), files (`host_dt`...), or one that is generated
    (`guests`). Without any of these it is `automotive`.
    """

    name: Annotated[str, _key("a platform that comes with Trapline")] = ""
    host_dt: Annotated[
        tuple[str, ...], _key("host tree and overlays; paths are relative to the scenario")
    ] = ()
    platform: Annotated[str, _key("platform.toml; without it EL3's resources are derived from the tree")] = ""
    xl: Annotated[tuple[str, ...], _key("an xl.cfg for each guest")] = ()
    guests: Annotated[
        int,
        _key(
            "generated: so many guests on each board, agents 0 to N-1, each with a device of its own",
            ge=0,
            le=GUESTS_MAX,
        ),
    ] = 0
    shared: Annotated[int, _key("generated: devices that all guests have", ge=0, le=64)] = 1
    boards: Annotated[int, _key("generated: so many platforms side by side", ge=1, le=BOARDS_MAX)] = 1
    firmware: Annotated[str, _key("the firmware that EL3 plays, as of `trapline profiles`")] = ""
    xen: Annotated[str, _key("the version of Xen's driver")] = "v11"
    xen_cmdline: Annotated[str, _key("appended to Xen's command line")] = ""
    strict: Annotated[bool, _key("refuse what Xen's driver does wrong")] = False


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the simulated engine's time passes. One EL3 serves one SMC at a time. Real processes take the time
    they take: there only `patience_ms` and `xen_patience_ms` count.
    """

    hop_us: Annotated[Positive, _key("what a message takes from one node to the next", "us")] = 20.0
    jitter_us: Annotated[Positive, _key("up to so much more, drawn for each message", "us")] = 10.0
    guest_us: Annotated[Positive, _key("a domain's work on one message", "us")] = 8.0
    xen_us: Annotated[Positive, _key("Xen's work on one message", "us")] = 12.0
    el3_us: Annotated[Positive, _key("EL3's work on one SMC", "us")] = 20.0
    patience_ms: Annotated[Positive, _key("how long a guest waits for an answer", "ms")] = 200.0
    xen_patience_ms: Annotated[
        Positive,
        _key(
            "how long Xen waits for EL3 before it ends a call with an explicit error; 0: for ever, as on the "
            "board. Where messages between Xen and EL3 can be lost, it must be given",
            "ms",
        ),
    ] = 0.0


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of message of a mix."""

    message: Annotated[str, _key('protocol and message, "clock.CLOCK_RATE_GET"')]
    weight: Annotated[Positive, _key("how often, against the other shares")] = 1.0
    fields: Annotated[
        dict[str, int],
        _key("values of its fields; what is not given is drawn from what the domain's own tree names"),
    ] = {}


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What some domains do. `kind`: "linux" is discovery, then a driver's daily life; "closed" a mix, one
    call after the other; "open" a mix whose calls arrive whether earlier ones are done or not, with latency
    counted from the intended start; "replay" what a recorded run did, at its times; "idle" nothing.
    """

    domains: Annotated[Names, _key('names, "guests" (all but Dom0), "*" (all) or "any" (one, drawn)')]
    kind: Annotated[Literal["linux", "closed", "open", "replay", "idle"], _key("see above")] = "linux"
    think_us: Annotated[Amount, _key("linux and closed: pause between calls", "us")] = 0.0
    rate: Annotated[Amount, _key("open: arrivals", "1/s")] = 0.0
    rate_end: Annotated[
        Amount, _key("open: the rate moves there evenly over the load's time; 0: it stays", "1/s")
    ] = 0.0
    arrival: Annotated[Literal["constant", "poisson"], _key("open: how arrivals are spaced")] = "constant"
    burst_calls: Annotated[int, _key("open: so many calls at once, on top of the rate", ge=0, le=4096)] = 0
    burst_every_ms: Annotated[Time, _key("open: time between two bursts", "ms")] = 0.0
    mix: Annotated[str | tuple[Share, ...], _key("a named mix, or a list of shares")] = "mixed"
    trace: Annotated[str, _key("replay: the folder of a recorded run, relative to the scenario")] = ""
    backlog: Annotated[
        int, _key("open: arrivals that may wait; more are dropped and counted", ge=1, le=BACKLOG_MAX)
    ] = 1024
    start_ms: Annotated[Time, _key("when it begins, from the beginning of the run", "ms")] = 0.0
    stop_ms: Annotated[Time, _key("when it ends, from the beginning of the run; 0: with the drain", "ms")] = (
        0.0
    )


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something broken on purpose. Which keys a kind takes is in the table of faults; each takes `at_ms`, and
    `for_ms` unless it is over at once. A pair of numbers is a range to draw from.
    """

    kind: Annotated[str, _key("a row of the table of faults")]
    where: Annotated[
        Names,
        _key('the node or nodes it hits, for a link one end: names, "guests", "*", "any", "xen", "firmware"'),
    ] = "any"
    to: Annotated[str, _key("a link's other end; without it Xen")] = ""
    at_ms: Annotated[Amount, _key("when, from the beginning of the faults phase", "ms")] = 0.0
    for_ms: Annotated[Amount, _key("how long; 0: until the phase ends", "ms")] = 0.0
    every_ms: Annotated[Time, _key("again and again, so far apart, until the phase ends; 0: once", "ms")] = (
        0.0
    )
    likelihood: Annotated[Amount, _key("of each message or occasion, 0 to 1")] = 1.0
    count: Annotated[int, _key("how often at most; 0: no limit", ge=0, le=1_000_000)] = 0
    messages: Annotated[
        tuple[str, ...],
        _key(
            'which: "clock.CLOCK_RATE_SET"... for faults of EL3, frames ("trap", "smc") for faults of links'
        ),
    ] = ()
    delay_us: Annotated[Amount, _key("as the table says", "us")] = 0.0
    jitter_us: Annotated[Amount, _key("up to so much more", "us")] = 0.0
    rate: Annotated[Amount, _key("how often a hostile guest does it", "1/s")] = 0.0
    step: Annotated[Amount, _key("as the table says")] = 0.0


class Phases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long each phase is."""

    warm_up_ms: Annotated[Time, _key("load, nothing broken; not measured", "ms")] = 200.0
    faults_ms: Annotated[
        Annotated[float, msgspec.Meta(gt=0, le=PHASE_MS_MAX)], _key("load and faults; measured", "ms")
    ] = 1000.0
    heal_ms: Annotated[Time, _key("nothing broken any more; everybody must make progress", "ms")] = 500.0
    drain_ms: Annotated[Time, _key("no new calls; at most so long until nothing is outstanding", "ms")] = (
        1000.0
    )


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service-level objective. It holds if the value is not above `at_most` and not below `at_least`."""

    measure: Annotated[str, _key("a row of the table of measures")]
    domain: Annotated[str, _key('whose; "": of all together')] = ""
    phase: Annotated[
        Literal["warm_up", "faults", "heal", "all"], _key("of the calls that should begin in this phase")
    ] = "faults"
    at_most: Annotated[float | None, _key("the highest value that is good")] = None
    at_least: Annotated[float | None, _key("the lowest value that is good")] = None
    times_solo: Annotated[
        bool,
        _key(
            "the bounds are multiples of what the domain has alone: the scenario is run again with only its "
            "load and no faults"
        ),
    ] = False


class Metering(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Metering in the mediator. A limit of 0 is none."""

    mode: Annotated[
        Literal["off", "observe", "enforce"], _key("observe: count what would be refused; enforce: refuse it")
    ] = "off"
    domains: Annotated[Names, _key("whom it concerns")] = "guests"
    rate: Annotated[Positive, _key("calls that a domain may make", "1/s", le=RATE_MAX)] = 0.0
    burst: Annotated[int, _key("the bucket's size in calls", ge=1, le=65_536)] = 16
    in_flight: Annotated[int, _key("calls held by EL3 or waiting for the channel", ge=0, le=1024)] = 0
    el3_us_per_s: Annotated[Positive, _key("EL3's time for a domain", "us per s", le=1_000_000)] = 0.0


class WhatIf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The report's table of limits that were not set: the scenario again on the twin, with each of them."""

    domain: Annotated[Names, _key("who is limited, each to the rate; names, or as in load")]
    rates: Annotated[
        tuple[Annotated[float, msgspec.Meta(gt=0, le=RATE_MAX)], ...],
        _key("the limits to try, one run each", "1/s", min_length=1, max_length=16),
    ]
    victim: Annotated[str, _key("who should feel better")]
    measure: Annotated[str, _key("what is shown of the victim")] = "p99_us"
    at_most: Annotated[
        float | None, _key("the report names the mildest limit that keeps the victim's measure so low")
    ] = None
    times_solo: Annotated[bool, _key("at_most is a multiple of what the victim has alone")] = False


class Swarm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `trapline swarm` may draw beside the seed. An empty list: as the scenario says."""

    guests: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=GUESTS_MAX)], ...], _key("numbers of guests")
    ] = (1, 2, 3, 4, 6, 8)
    shared: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=0, le=64)], ...], _key("numbers of shared devices")
    ] = (0, 1, 2)
    firmware: Annotated[tuple[str, ...], _key("firmwares")] = ()
    xen: Annotated[tuple[str, ...], _key("versions of Xen's driver")] = ()
    faults: Annotated[
        tuple[str, ...], _key("kinds of faults; empty: all that the simulated engine plays")
    ] = ()
    faults_max: Annotated[int, _key("how many faults at most", ge=0, le=64)] = 6
    loads: Annotated[tuple[str, ...], _key("kinds of load")] = ("linux", "closed", "open")


class Explore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every interleaving of life-cycle operations with what is in flight."""

    operations: Annotated[
        tuple[str, ...], _key('each started at every step of a call: "destroy", "reboot", "assign", "create"')
    ] = ()
    el3: Annotated[tuple[str, ...], _key('with each of these: "fast", "slow", "reset-fails"')] = ("fast",)
    neighbour: Annotated[bool, _key("another guest has a call in flight too: many more orders")] = False


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole experiment."""

    title: Annotated[str, _key("one line", min_length=1, max_length=120)]
    question: Annotated[str, _key("what it answers, for the report")] = ""
    engine: Annotated[
        Literal["sim", "local"], _key("where it runs unless told otherwise: virtual time, or real processes")
    ] = "sim"
    pages: Annotated[
        Literal["carried", "mapped"], _key("mapped: guest and EL3 share the page, as on the board")
    ] = "carried"
    record: Annotated[
        Literal["frames", "calls", "none"], _key("frames: all that can be replayed; calls: one row a call")
    ] = "frames"
    seed: Annotated[int, _key("of all that is drawn, unless --seed says otherwise", ge=0, le=SEED_MAX)] = 1
    platform: Annotated[PlatformChoice, _key("which platform")] = PlatformChoice()
    timing: Annotated[Timing, _key("how time passes")] = Timing()
    load: Annotated[tuple[Load, ...], _key("what domains do", max_length=64)] = ()
    fault: Annotated[tuple[Fault, ...], _key("what is broken on purpose", max_length=256)] = ()
    phases: Annotated[Phases, _key("how long each phase is")] = Phases()
    threshold: Annotated[tuple[Threshold, ...], _key("what must hold", max_length=64)] = ()
    metering: Annotated[Metering, _key("limits that Xen puts on its domains")] = Metering()
    what_if: Annotated[WhatIf | None, _key("limits to try on the twin")] = None
    checkers: Annotated[tuple[str, ...], _key('judges of the history: names, "all", or none')] = ("all",)
    known: Annotated[
        tuple[str, ...],
        _key(
            "checkers whose claims this platform is known to break, such as a firmware's defect: the run "
            "passes if exactly these are broken"
        ),
    ] = ()
    swarm: Annotated[Swarm, _key("what `trapline swarm` may draw")] = Swarm()
    explore: Annotated[Explore | None, _key("interleavings to go through")] = None


def ready() -> dict[str, Path]:
    """The scenarios that come with Trapline, by name."""
    folder = Path(str(resources.files("deploy"))) / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}
