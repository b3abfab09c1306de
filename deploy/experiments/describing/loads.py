"""A load of a scenario to what a guest is told to do: its plan, on the run's clock.

It knows recordings (for loads that replay one); it sends nothing.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bus.scmi import header
from deploy.errors import UserError
from deploy.experiments.describing.plan import MS_NS, US_NS, Plan
from deploy.experiments.describing.scenario import Load
from deploy.experiments.history.files import read_rows
from deploy.recording.decode import Decoder
from deploy.recording.events import Noted, Trapped
from deploy.recording.rows import domain_of
from nodes.guest import load as guest
from nodes.guest.mixes import Part

FIRST: Final = "warm_up"
TRACE_CALLS: Final = 100_000  # of one domain that a load replays; what comes after is left out


def plans_of(plan: Plan, folder: Path, epoch_ns: int) -> dict[str, guest.WorkPlan]:
    """What every domain does, by name. ``epoch_ns``: when the run begins, on the domains' own clock.

    Raises UserError for a trace that cannot be read.
    """
    end_ns = plan.phase("heal").end_ns
    traces: dict[str, Mapping[str, tuple[guest.RecordedMessage, ...]]] = {}
    found = {}
    for name, load in plan.loads.items():
        if load.trace and load.trace not in traces:
            traces[load.trace] = read_trace(folder / load.trace)
        trace = traces[load.trace].get(name, ()) if load.trace else ()
        found[name] = _plan(load, plan.seeds[name], end_ns, epoch_ns, trace)
    return found


def _plan(
    load: Load, seed: int, end_ns: int, epoch_ns: int, trace: tuple[guest.RecordedMessage, ...]
) -> guest.WorkPlan:
    start_ns = int(load.start_ms * MS_NS)
    stop_ns = min(int(load.stop_ms * MS_NS) or end_ns, end_ns)
    kind = load.kind
    if start_ns >= stop_ns or (kind == "replay" and not trace):
        kind = "idle"
    ramp = bool(_number(load.rate_end))
    return guest.WorkPlan(
        kind=kind,
        think_ns=int(_number(load.think_us) * US_NS),
        rate=_number(load.rate),
        rate_end=_number(load.rate_end),
        ramp_ns=stop_ns - start_ns if ramp and kind == "open" else 0,
        arrival=load.arrival,
        burst_calls=load.burst_calls,
        burst_every_ns=int(load.burst_every_ms * MS_NS),
        mix=_mix(load),
        trace=trace if kind == "replay" else (),
        backlog=load.backlog,
        start_ns=start_ns if kind != "idle" else 0,
        stop_ns=stop_ns if kind != "idle" else 0,
        epoch_ns=epoch_ns,
        seed=seed,
    )


def _mix(load: Load) -> str | tuple[Part, ...]:
    if isinstance(load.mix, str):
        return load.mix
    return tuple(Part(share.message, share.weight, share.fields) for share in load.mix)


def _number(value: object) -> float:
    """A drawn amount: ``plan.draw`` left no ranges."""
    assert isinstance(value, int | float)
    return float(value)


def read_trace(folder: Path) -> dict[str, tuple[guest.RecordedMessage, ...]]:
    """What each domain of a recorded run sent, by name; at most TRACE_CALLS calls of each.

    Raises UserError if there is no such recording, or none of its rows is a call.
    """
    found: dict[str, list[guest.RecordedMessage]] = {}
    begin_ns = 0
    for event in _told(folder):
        if isinstance(event, Noted):
            begin_ns = event.numbers[0]
            continue
        name = domain_of(event.domain)
        calls = found.setdefault(name, [])
        if len(calls) < TRACE_CALLS:
            protocol, message = header.protocol_id(event.head), header.message_id(event.head)
            calls.append(
                guest.RecordedMessage(max(0, event.at_ns - begin_ns), protocol, message, event.payload)
            )
    if not found:
        raise UserError(f'{folder}: no call was recorded there; give a run with record = "frames"')
    return {name: tuple(calls) for name, calls in found.items()}


def _told(folder: Path) -> Iterator[Trapped | Noted]:
    """Every call, and when the first phase after the boot began."""
    for event in Decoder().events(read_rows(folder)):
        if not isinstance(event, Trapped | Noted):
            continue
        called = isinstance(event, Trapped) and event.head >= 0
        if called or (isinstance(event, Noted) and event.what == "phase" and event.text == FIRST):
            yield event
