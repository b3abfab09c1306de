"""A scenario's platform, ready to run: topologies, domains by name, what Xen is told of the experiment.

Paths are relative to the scenario's file. It starts nothing.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bus.chance import mixed
from deploy import generated
from deploy.experiments.describing.plan import DOM0, MS_NS, chosen
from deploy.experiments.describing.scenario import Metering, Scenario
from deploy.topology import (
    DEFAULT_PLATFORM,
    Topology,
    XenOptions,
    firmware_profile,
    load,
    load_shipped,
    with_firmware,
)
from nodes.firmware.profile import DEFAULT as STRICT_FIRMWARE
from nodes.xen.config import Tuning
from nodes.xen.metering import Limit, MeterConfig
from nodes.xen.profile import PROFILES

METERED: int = 5  # of the numbers that are mixed into a seed: whom "any" means in [metering]


def boards_of(scenario: Scenario, folder: Path) -> tuple[Topology, ...]:
    """The scenario's platform, or platforms side by side. Raises UserError for what its files say."""
    choice = scenario.platform
    xen = XenOptions(PROFILES[choice.xen], choice.strict, choice.xen_cmdline)
    if choice.guests:
        firmware = firmware_profile(choice.firmware) if choice.firmware else STRICT_FIRMWARE
        return tuple(
            generated.topology(
                choice.guests, shared=choice.shared, xen=xen, firmware=firmware, first=board * choice.guests
            )
            for board in range(choice.boards)
        )
    if choice.host_dt:
        platform = folder / choice.platform if choice.platform else None
        files = [folder / one for one in choice.host_dt]
        found = load(files, platform, [folder / one for one in choice.xl], {}, xen)
    else:
        found = load_shipped(choice.name or DEFAULT_PLATFORM, xen)
    return (with_firmware(found, choice.firmware or None),)


def domains_of(boards: Sequence[Topology]) -> tuple[str, ...]:
    """Dom0, the boot domains, the guests: as they are started."""
    names = [DOM0]
    for board in boards:
        names += [*board.bindings, *(guest.name for guest in board.guests)]
    return tuple(dict.fromkeys(names))


def tuned(boards: Sequence[Topology], scenario: Scenario, seed: int) -> tuple[Topology, ...]:
    """The boards with what this experiment sets in Xen: metering, patience, and that nodes tell notes."""
    tuning = Tuning(
        metering=_metering(scenario.metering, domains_of(boards), seed),
        patience_ns=int(scenario.timing.xen_patience_ms * MS_NS),
        record=scenario.record != "none",
    )
    return tuple(msgspec.structs.replace(board, tuning=tuning) for board in boards)


def _metering(said: Metering, domains: Sequence[str], seed: int) -> MeterConfig:
    limit = Limit(said.rate, said.burst, said.in_flight, said.el3_us_per_s)
    limited = chosen(said.domains, domains, mixed(seed, METERED))
    return MeterConfig(said.mode, dict.fromkeys(limited, limit) if said.mode != "off" else {})
