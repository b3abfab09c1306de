"""What is wrong with a scenario: one UserError with file, line, key, rule and fix.

``read`` judges what the file says by itself, ``check_domains`` what it says of a platform's domains.
"""

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import msgspec

from bus.scmi import BY_KEY
from deploy import platform_mistakes
from deploy.engines.driver import KINDS as FRAMES
from deploy.errors import UserError
from deploy.experiments.checkers.registry import CHECKERS
from deploy.experiments.describing import faults
from deploy.experiments.describing.lines import line_of
from deploy.experiments.describing.scenario import (
    FILE_BYTES_MAX,
    RATE_MAX,
    Fault,
    Load,
    Names,
    Scenario,
    ready,
)
from deploy.experiments.judging import measure
from deploy.files import read_text
from deploy.topology import firmware_profile, shipped, with_line
from nodes.guest.mixes import MIXES, Part, problem_of
from nodes.xen.profile import PROFILES

FILE: Final = "the scenario"
ANYBODY: Final = ("*", "guests", "any")
NODES: Final = ("xen", "firmware")
LOSING: Final = ("link.lose", "link.partition")
OPEN_KEYS: Final = ("rate_end", "burst_calls", "burst_every_ms")
LIFE: Final = ("destroy", "reboot", "assign", "create")
EL3S: Final = ("fast", "slow", "reset-fails")
FAULT_KEYS: Final = (
    "where", "to", "likelihood", "count", "messages", "delay_us", "jitter_us", "rate", "step",
)  # fmt: skip
Complaint = tuple[str, str]  # the key, "what is wrong; the fix"


def read(name_or_path: str | Path) -> tuple[Scenario, Path, str]:
    """The scenario of that name or file, where it is, and its text. Raises UserError."""
    path = find(name_or_path)
    text = read_text(path, FILE_BYTES_MAX)
    scenario = _decoded(text, path)
    check(scenario, path, text)
    return scenario, path, text


def find(name_or_path: str | Path) -> Path:
    """A path as it is; a name is one of the scenarios that come with Trapline."""
    given = str(name_or_path)
    if given.endswith(".toml") or "/" in given or Path(given).is_file():
        return Path(given)
    there = ready()
    if given in there:
        return there[given]
    raise UserError(
        f"{given}: no scenario of that name comes with Trapline, and no such file is here; "
        f"{_fix(given, there) or 'give the path of a .toml file'}"
    )


def _decoded(text: str, path: Path) -> Scenario:
    try:
        return msgspec.toml.decode(text, type=Scenario)
    except msgspec.ValidationError as error:
        complaint = platform_mistakes.told(str(error), msgspec.toml.decode(text), Scenario, FILE)
        key = complaint.partition(":")[0]
        raise UserError(f"{_place(path, text, key)}: {complaint}") from None
    except msgspec.DecodeError as error:
        raise UserError(f"{path}{with_line(str(error))}; correct the TOML") from None
    except RecursionError:
        raise UserError(
            f"{path}: tables or arrays nest too deeply; nothing here needs more than three"
        ) from None


def check(scenario: Scenario, path: Path | str, text: str = "") -> None:
    """Raise UserError for the first thing that cannot be."""
    for key, complaint in _complaints(scenario):
        raise UserError(f"{_place(path, text, key)}: {key}: {complaint}")


def check_domains(scenario: Scenario, domains: Collection[str], path: Path | str, text: str = "") -> None:
    """Raise UserError for a name that no domain of the platform has."""
    known = (*domains, *ANYBODY)
    places: list[tuple[str, Names, Sequence[str]]] = []
    places += [(f"load[{at}].domains", one.domains, known) for at, one in enumerate(scenario.load)]
    for at, fault in enumerate(scenario.fault):
        places.append((f"fault[{at}].where", fault.where, (*known, *NODES)))
        places.append((f"fault[{at}].to", fault.to or "any", (*known, *NODES)))
    places += [
        (f"threshold[{at}].domain", one.domain or "any", (*domains, "any"))
        for at, one in enumerate(scenario.threshold)
    ]
    places.append(("metering.domains", scenario.metering.domains, known))
    if scenario.what_if is not None:
        places.append(("what_if.domain", scenario.what_if.domain, known))
        places.append(("what_if.victim", scenario.what_if.victim, tuple(domains)))
    for key, names, there in places:
        for name in (names,) if isinstance(names, str) else names:
            if name not in there:
                fix = _fix(name, there)
                raise UserError(
                    f"{_place(path, text, key)}: {key}: the platform has no domain {name!r}; {fix}"
                )


def _place(path: Path | str, text: str, key: str) -> str:
    line = line_of(text, key)
    return f"{path}:{line}" if line else str(path)


def _fix(given: str, there: Collection[str]) -> str:
    """What to write instead."""
    close = get_close_matches(given, list(there), 1, 0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(there)}" if there else ""


def _complaints(scenario: Scenario) -> Iterator[Complaint]:
    yield from _platform(scenario)
    for at, load in enumerate(scenario.load):
        yield from ((f"load[{at}].{key}", said) for key, said in _load(load))
    for at, fault in enumerate(scenario.fault):
        yield from ((f"fault[{at}].{key}", said) for key, said in _fault(fault, scenario))
    yield from _thresholds(scenario)
    yield from _metering(scenario)
    yield from _tools(scenario)


def _platform(scenario: Scenario) -> Iterator[Complaint]:
    one = scenario.platform
    given = [key for key in ("name", "host_dt", "guests") if getattr(one, key)]
    if len(given) > 1:
        yield f"platform.{given[1]}", f"{given[0]} names a platform already; keep one of the two"
    if (one.platform or one.xl) and not one.host_dt:
        key = "platform" if one.platform else "xl"
        yield f"platform.{key}", "files go with host_dt; give the host tree too"
    if one.name and not (shipped(one.name) / "host.dts").is_file():
        there = sorted(path.parent.name for path in shipped().parent.glob("*/host.dts"))
        yield "platform.name", f"no platform {one.name!r} comes with Trapline; {_fix(one.name, there)}"
    if one.boards > 1 and not one.guests:
        yield "platform.boards", "several boards are generated ones; give guests too"
    if one.boards > 1 and scenario.engine == "local":
        yield (
            "platform.boards",
            'several boards are for the simulated engine; leave it out, or engine = "sim"',
        )
    if one.xen not in PROFILES:
        yield "platform.xen", f"Xen's driver has no version {one.xen!r}; {_fix(one.xen, PROFILES)}"
    try:
        if one.firmware:
            firmware_profile(one.firmware)
    except UserError as error:
        yield "platform.firmware", str(error)


def _amounts(one: Load | Fault, keys: Sequence[str], most: float = RATE_MAX * 1000) -> Iterator[Complaint]:
    """Ranges the right way round, nothing below zero."""
    for key in keys:
        value = getattr(one, key)
        low, high = value if isinstance(value, tuple) else (value, value)
        if not (low >= 0 and high >= 0):
            yield key, f"{low if not low >= 0 else high:g} is below zero; give 0 or more"
        if low > high:
            yield key, f"[{low:g}, {high:g}] is upside down; give the lowest first"
        if high > most:
            yield key, f"{high:g} is too much; give at most {most:g}"


def _load(load: Load) -> Iterator[Complaint]:
    yield from _amounts(load, ("think_us",))
    yield from _amounts(load, ("rate", "rate_end"), RATE_MAX)
    if not load.domains:
        yield "domains", 'nobody is named; give names, "guests" or "*"'
    if load.kind == "open" and not (load.rate or load.rate_end or load.burst_calls):
        yield "rate", "an open loop needs arrivals; give a rate or bursts"
    if load.kind != "open":
        for key in ("rate", *OPEN_KEYS):
            if getattr(load, key):
                yield key, f'a load of kind "{load.kind}" does not take it; remove it, or kind = "open"'
    if load.kind not in ("linux", "closed") and load.think_us:
        yield "think_us", f'a load of kind "{load.kind}" does not take it; give rate, or kind = "closed"'
    if bool(load.burst_calls) != bool(load.burst_every_ms):
        yield "burst_calls", "bursts need both burst_calls and burst_every_ms; give both"
    if (load.kind == "replay") != bool(load.trace):
        yield "trace", 'kind = "replay" and trace belong together; give both or neither'
    if load.stop_ms and load.stop_ms <= load.start_ms:
        yield "stop_ms", f"{load.stop_ms:g} is not after start_ms {load.start_ms:g}; give a later time"
    yield from _mix(load)


def _mix(load: Load) -> Iterator[Complaint]:
    if isinstance(load.mix, str):
        if load.mix not in MIXES:
            yield "mix", f"there is no mix {load.mix!r}; {_fix(load.mix, MIXES)}"
        return
    if not load.mix or not any(share.weight for share in load.mix):
        yield "mix", "no share has a weight; give one at least"
    for share in load.mix:
        wrong = [*_message(share.message)]
        wrong += [
            f"{share.message} has no field {field}" for field in _unknown_fields(share.message, share.fields)
        ]
        more = problem_of(Part(share.message, share.weight, share.fields))  # values that no field takes
        yield from (("mix", said) for said in wrong or [more] if said)


def _message(name: str) -> Iterator[str]:
    protocol, dot, title = name.partition(".")
    if not dot or protocol not in BY_KEY:
        yield f'{name!r} names no protocol; {_fix(protocol, BY_KEY)}; write it as "clock.CLOCK_RATE_GET"'
        return
    titles = [command.name for command in BY_KEY[protocol].commands]
    if title not in titles:
        yield f"protocol {protocol} has no message {title!r}; {_fix(title, titles)}"


def _unknown_fields(message: str, fields: Collection[str]) -> Iterator[str]:
    protocol, _, title = message.partition(".")
    command = (
        next((one for one in BY_KEY[protocol].commands if one.name == title), None)
        if protocol in BY_KEY
        else None
    )
    if command is not None:
        there = command.request.__struct_fields__
        yield from (
            f"{field!r}; {_fix(field, there) or 'it has none'}" for field in fields if field not in there
        )


def _fault(fault: Fault, scenario: Scenario) -> Iterator[Complaint]:
    kind = faults.BY_NAME.get(fault.kind)
    if kind is None:
        yield "kind", f"there is no fault {fault.kind!r}; {_fix(fault.kind, faults.BY_NAME)}"
        return
    yield from _amounts(fault, ("at_ms", "for_ms", "delay_us", "jitter_us", "rate", "step"))
    yield from _amounts(fault, ("likelihood",), 1.0)
    given = [one.name for one in msgspec.structs.fields(Fault) if getattr(fault, one.name) != one.default]
    for key in given:
        if key in FAULT_KEYS and key not in kind.takes:
            yield key, f"{kind.name} does not take it; it takes {', '.join(taken(kind))}"
    if kind.instant and fault.for_ms:
        yield "for_ms", f"{kind.name} is over at once; remove it"
    low = fault.at_ms[0] if isinstance(fault.at_ms, tuple) else fault.at_ms
    if low >= scenario.phases.faults_ms:
        yield "at_ms", f"{low:g} is after the faults phase ({scenario.phases.faults_ms:g} ms); give less"
    if kind.needs == "mapped" and scenario.pages != "mapped":
        yield "kind", f'{kind.name} needs mapped pages; write pages = "mapped" at the top'
    if kind.name in LOSING and _between_xen_and_el3(fault) and not scenario.timing.xen_patience_ms:
        yield (
            "kind",
            (
                f"{kind.name} between Xen and EL3 would leave Xen waiting for ever; "
                "give timing.xen_patience_ms, such as 50"
            ),
        )
    yield from _fault_messages(fault, kind)


def taken(kind: faults.Kind) -> tuple[str, ...]:
    """The keys that a kind of fault takes."""
    return ("at_ms", *(() if kind.instant else ("for_ms",)), "every_ms", *kind.takes)


def _fault_messages(fault: Fault, kind: faults.Kind) -> Iterator[Complaint]:
    if kind.layer != "link":
        for name in fault.messages:
            yield from (("messages", said) for said in _message(name))
        return
    frames = list(FRAMES.values())
    for name in fault.messages:
        if name not in frames:
            yield "messages", f"there is no frame {name!r}; {_fix(name, frames)}"


def _between_xen_and_el3(fault: Fault) -> bool:
    """Every link has Xen at one end; the other is EL3 if it is named, or if anybody is meant."""
    where = (fault.where,) if isinstance(fault.where, str) else fault.where
    return (
        "firmware" in (*where, fault.to) or "*" in (*where, fault.to) or (where == ("xen",) and not fault.to)
    )


def _thresholds(scenario: Scenario) -> Iterator[Complaint]:
    for at, one in enumerate(scenario.threshold):
        key = f"threshold[{at}]"
        row = measure.BY_NAME.get(one.measure)
        if row is None:
            yield (
                f"{key}.measure",
                f"there is no measure {one.measure!r}; {_fix(one.measure, measure.BY_NAME)}",
            )
            continue
        if one.at_most is None and one.at_least is None:
            yield f"{key}.at_most", "it has no bound; give at_most or at_least"
        if one.at_most is not None and one.at_least is not None and one.at_least > one.at_most:
            yield f"{key}.at_least", f"{one.at_least:g} is above at_most {one.at_most:g}; swap them"
        if row.of_all and one.domain:
            yield f"{key}.domain", f"{row.name} is of all domains together; remove it"
        if one.times_solo and (not one.domain or row.of_all):
            yield f"{key}.times_solo", "it compares a domain with itself alone; give domain"


def _metering(scenario: Scenario) -> Iterator[Complaint]:
    one = scenario.metering
    if one.mode != "off" and not (one.rate or one.in_flight or one.el3_us_per_s):
        yield "metering.mode", f'"{one.mode}" without a limit; give rate, in_flight or el3_us_per_s'
    if scenario.what_if is not None and scenario.what_if.measure not in measure.BY_NAME:
        name = scenario.what_if.measure
        yield "what_if.measure", f"there is no measure {name!r}; {_fix(name, measure.BY_NAME)}"
    if scenario.what_if is not None and scenario.what_if.times_solo and scenario.what_if.at_most is None:
        yield "what_if.times_solo", "it says what at_most is a multiple of; give at_most"


RACERS: Final = 2  # guests on a platform for [explore]


def _tools(scenario: Scenario) -> Iterator[Complaint]:
    choices: list[tuple[str, Sequence[str], Collection[str]]] = [
        ("checkers", scenario.checkers, ("all", *CHECKERS)),
        ("known", scenario.known, CHECKERS),
        ("swarm.faults", scenario.swarm.faults, faults.BY_NAME),
        ("swarm.loads", scenario.swarm.loads, ("linux", "closed", "open", "idle")),
        ("swarm.xen", scenario.swarm.xen, PROFILES),
    ]
    if scenario.explore is not None:
        if scenario.platform.guests != RACERS:
            yield "platform.guests", f"races are run on a generated platform; give guests = {RACERS}"
        choices.append(("explore.operations", scenario.explore.operations, LIFE))
        choices.append(("explore.el3", scenario.explore.el3, EL3S))
    for key, given, there in choices:
        for name in given:
            if name not in there:
                yield key, f"there is no {name!r}; {_fix(name, there)}"
    if scenario.record == "none" and scenario.checkers:
        yield "record", 'without a record nothing can be checked; write "frames", or checkers = []'
