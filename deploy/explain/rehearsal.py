"""The platform booted once in the simulated engine, and every doorbell rung from every domain.

What comes out is what the shipped cores do, so no rule of Xen's is told a second time here.
"""

from collections.abc import Mapping, Sequence

import msgspec

from bus import smccc
from bus.frames import DomainInfo
from bus.smccc import ExceptionClass
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Topology
from nodes.guest import console

SEED = 1


class Ring(msgspec.Struct, frozen=True):
    """One doorbell rung by one domain: ``x0`` as a signed number, ``forwarded`` if EL3 saw it."""

    domain: str
    func_id: int
    x0: int
    forwarded: bool


class Rehearsal(msgspec.Struct, frozen=True):
    """``refused`` are the domains that could not be created, and why. ``panic``: why there is none at all.

    ``log`` are Xen's warnings and errors; ``initialized``: Xen has a mediator. ``routes``: the domain to
    which Xen routes an interrupt.
    """

    initialized: bool
    domains: tuple[DomainInfo, ...]
    refused: dict[str, str]
    rings: tuple[Ring, ...]
    log: tuple[str, ...]
    panic: str = ""
    routes: Mapping[int, str] = {}


def rehearse(topology: Topology, doorbells: Sequence[int]) -> Rehearsal:
    """Boot, create every guest, ring each of ``doorbells`` from each domain."""
    lines: list[tuple[str, str]] = []

    def log(node: str, level: str, text: str) -> None:
        if node == "xen":
            lines.append((level, text))

    refused: dict[str, str] = {}
    try:
        engine = SimulatedEngine(topology, SEED, log)
        toolstack = Toolstack(engine, topology, Work())
        toolstack.start_boot_domains()
    except ToolstackError as error:
        return Rehearsal(_registered(lines), (), {}, (), _warnings(lines), str(error))
    for guest in topology.guests:
        try:
            toolstack.create(guest)
        except ToolstackError as error:
            refused[guest.name] = str(error)
    domains = tuple(toolstack.list())
    rings = tuple(_ring(engine, toolstack, one.name, fid) for one in domains for fid in doorbells)
    routes = {irq: route.domain.name for irq, route in engine.xen.hypervisor.routes.by_line.items()}
    return Rehearsal(_registered(lines), domains, refused, rings, _warnings(lines), routes=routes)


def _registered(lines: list[tuple[str, str]]) -> bool:
    return any(level == "info" and "Xen is agent" in text for level, text in lines)


def _warnings(lines: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(text for level, text in lines if level in ("warning", "error"))


def _ring(engine: SimulatedEngine, toolstack: Toolstack, domain: str, func_id: int) -> Ring:
    """SMC #0 with the doorbell in x0, the page as it is."""
    before = _forwarded(engine)
    registers = (func_id, 0, 0, 0, 0, 0, 0, 0)
    answer = toolstack.ask(domain, console.RawTrap(ExceptionClass.SMC64.value, 0, registers))
    x0 = smccc.signed(answer.x[0]) if answer.x else smccc.signed(smccc.NOT_SUPPORTED)
    return Ring(domain, func_id, x0, _forwarded(engine) > before)


def _forwarded(engine: SimulatedEngine) -> int:
    """How many traps Xen has passed on to EL3 so far."""
    traps = engine.xen.meters.counter("trapline_smc_traps_total")
    return sum(count for (_, _, verdict), count in traps.items() if verdict == "forwarded")
