"""What EL3 owns, as declared in ``platform.toml``: agents with their channels, resources, devices.

The structs say which keys exist and of which type; ``check`` says which values make sense together.
Reading the file is ``deploy.topology``'s business.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec

from bus import smccc
from bus.shmem import PAGE_BYTES
from nodes.limits import AGENTS, AREA_BYTES, PARENTS, RATES, RESOURCES

Id = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=63, pattern=r"^[ -~]+$")]
Hertz = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class PlatformError(ValueError):
    """A platform description that cannot be: names the key, the rule and how to fix it."""


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every table in ``platform.toml``: a key that is not listed is an error."""


class Agent(Described, frozen=True):
    """An SCMI agent and its channel. ``trusted``: may use the permission and reset commands of Base."""

    id: Id
    name: Name
    smc_id: Id
    shmem: Annotated[int, msgspec.Meta(ge=0)]
    trusted: bool = False


class RateRange(Described, frozen=True):
    """A clock with evenly spaced rates, in Hz (a CLOCK_DESCRIBE_RATES triplet)."""

    min: Hertz
    max: Hertz
    step: Annotated[int, msgspec.Meta(ge=1)]


class Clock(Described, frozen=True):
    """A clock. ``rates`` in Hz, ascending, or a range; ``rate`` is the rate at boot."""

    id: Id
    name: Name
    rates: tuple[Hertz, ...] | RateRange
    rate: Hertz
    enabled: bool = False
    parents: tuple[Id, ...] = ()
    enable_delay_us: Id = 0


class PowerDomain(Described, frozen=True):
    """A power domain. ``state`` is the state at boot."""

    id: Id
    name: Name
    state: Literal["on", "off"] = "off"


class ResetDomain(Described, frozen=True):
    """A reset domain. ``latency_us`` absent: not known."""

    id: Id
    name: Name
    latency_us: Id | None = None


class Device(Described, frozen=True):
    """A group of resources that is granted as a whole (BASE_SET_DEVICE_PERMISSIONS)."""

    id: Id
    name: Name
    clocks: tuple[Id, ...] = ()
    power_domains: tuple[Id, ...] = ()
    reset_domains: tuple[Id, ...] = ()


class Platform(Described, frozen=True):
    """The whole of ``platform.toml``."""

    name: Name
    agent: tuple[Agent, ...]
    vendor: Annotated[str, msgspec.Meta(max_length=15)] = "Trapline"
    sub_vendor: Annotated[str, msgspec.Meta(max_length=15)] = ""
    implementation_version: Id = 1
    area_bytes: Annotated[int, msgspec.Meta(ge=AREA_BYTES, le=PAGE_BYTES)] = AREA_BYTES
    default_permission: Literal["deny", "allow"] = "deny"
    clock: tuple[Clock, ...] = ()
    power_domain: tuple[PowerDomain, ...] = ()
    reset_domain: tuple[ResetDomain, ...] = ()
    device: tuple[Device, ...] = ()


def check(platform: Platform) -> None:
    """Raise PlatformError for the first rule that the description breaks."""
    for problem in problems(platform):
        raise PlatformError(problem)


def problems(platform: Platform) -> Iterator[str]:
    """Every broken rule, as ``key: rule; how to fix it``."""
    if not platform.agent:
        yield "agent: the platform has no agent; add an [[agent]] for Xen and one for each domain"
    for table in ("agent", "clock", "power_domain", "reset_domain", "device"):
        rows: Sequence[Agent | Clock | PowerDomain | ResetDomain | Device] = getattr(platform, table)
        limit = AGENTS if table == "agent" else RESOURCES
        if len(rows) > limit:
            yield f"{table}: {len(rows)} entries, the limit is {limit}; leave some out"
        yield from _repeated(table, "id", [row.id for row in rows])
        yield from _repeated(table, "name", [row.name for row in rows])
    yield from _channel_problems(platform)
    yield from _clock_problems(platform)
    for at, device in enumerate(platform.device):
        for key, kind in (
            ("clocks", "clock"),
            ("power_domains", "power_domain"),
            ("reset_domains", "reset_domain"),
        ):
            known = {row.id for row in getattr(platform, kind)}
            for wanted in getattr(device, key):
                if wanted not in known:
                    yield (f"device[{at}].{key}: no [[{kind}]] has id {wanted}; add it or correct the number")


def _repeated(table: str, key: str, values: Sequence[object]) -> Iterator[str]:
    seen: dict[object, int] = {}
    for at, value in enumerate(values):
        if value in seen:
            yield f"{table}[{at}].{key}: {value!r} is taken by {table}[{seen[value]}]; give each its own"
        seen.setdefault(value, at)


def _channel_problems(platform: Platform) -> Iterator[str]:
    yield from _repeated("agent", "smc_id", [hex(agent.smc_id) for agent in platform.agent])
    yield from _repeated("agent", "shmem", [hex(agent.shmem) for agent in platform.agent])
    for at, agent in enumerate(platform.agent):
        if agent.shmem % 8:
            yield f"agent[{at}].shmem: {agent.shmem:#x} is not 8-byte aligned; use the start of a page"
        if agent.shmem % PAGE_BYTES + platform.area_bytes > PAGE_BYTES:
            yield f"agent[{at}].shmem: the area at {agent.shmem:#x} crosses a page; use the start of a page"
        if not smccc.is_fast(agent.smc_id):
            yield f"agent[{at}].smc_id: {agent.smc_id:#x} is not a fast call; set bit 31"


def _clock_problems(platform: Platform) -> Iterator[str]:
    known = {clock.id for clock in platform.clock}
    for at, clock in enumerate(platform.clock):
        rates = clock.rates
        if isinstance(rates, RateRange):
            if rates.min > rates.max:
                yield f"clock[{at}].rates: min {rates.min} is above max {rates.max}; swap them"
            fits = rates.min <= clock.rate <= rates.max and not (clock.rate - rates.min) % rates.step
        else:
            if len(rates) > RATES:
                yield f"clock[{at}].rates: {len(rates)} rates, the limit is {RATES}; give a range"
            if not rates or list(rates) != sorted(set(rates)):
                yield f"clock[{at}].rates: give at least one rate, in ascending order, each once"
            fits = clock.rate in rates
        if not fits:
            yield f"clock[{at}].rate: {clock.rate} Hz is not one of its rates; choose one that is"
        if len(clock.parents) > PARENTS:
            yield f"clock[{at}].parents: {len(clock.parents)} parents, the limit is {PARENTS}; leave some out"
        for parent in clock.parents:
            if parent not in known or parent == clock.id:
                yield f"clock[{at}].parents: {parent} is not another [[clock]]; correct the number"
