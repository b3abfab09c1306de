"""Platforms of any size, made of numbers instead of files: for the twin, for the benchmarks.

Each guest has a device of its own (a clock, a power domain, a reset domain), and all of them have the
shared ones (a clock with several rates and a power domain each; the first has a sensor too). Agents are
numbered from 0, Xen's is 255; Dom0 has none. What is made is what files would give; this knows no engine.
"""

from pathlib import Path
from typing import Final

from deploy.devicetree.source import Sources
from deploy.errors import UserError
from deploy.topology import NEWEST, Guest, Topology, XenOptions
from deploy.xl.sci import ArmSci, IomemRange, SciType
from nodes.devicetree import Tree
from nodes.firmware.platform import Agent, Clock, Constant, Device, Platform, PowerDomain, ResetDomain, Sensor
from nodes.firmware.profile import DEFAULT, FirmwareProfile
from nodes.guest.binding import Binding, Consumer
from nodes.limits import AGENT_ID_MAX

XEN_AGENT: Final = 255
GUESTS_MAX: Final = AGENT_ID_MAX  # agents 0 to 253: Dom0 is a domain too, and Xen an agent
SHARED_MAX: Final = 64
PAGE: Final = 0x1000
BASE_FID, BASE_PAGE = 0x8200_0100, 0x5000_0000
XEN_FID, XEN_PAGE = 0x8200_0003, 0x47FF_1000
GUEST_PAGE: Final = 0x2200_1000
RATES: Final = (100, 200, 300)
SHARED_RATES: Final = (1_000, 2_000, 3_000, 4_000)


def topology(
    guests: int,
    *,
    shared: int = 1,
    xen: XenOptions = NEWEST,
    firmware: FirmwareProfile = DEFAULT,
    first: int = 0,
) -> Topology:
    """``guests`` domains, named from "guest" and ``first`` on, and ``shared`` devices that all of them have.

    Raises UserError for more of either than a platform has room for.
    """
    if not 1 <= guests <= GUESTS_MAX:
        raise UserError(f"{guests} guests: a generated platform has 1 to {GUESTS_MAX}; use several boards")
    if not 0 <= shared <= SHARED_MAX:
        raise UserError(f"{shared} shared devices: a generated platform has 0 to {SHARED_MAX}")
    names = tuple(f"guest{first + at}" for at in range(guests))
    platform = _platform(names, shared)
    sources = Sources(None)
    sources.add(Path(f"{platform.name}.dts"), _source(guests, shared))
    return Topology(
        platform.name,
        Tree(sources.finish(), f"{platform.name}.dts"),
        platform,
        {},
        {},
        tuple(_guest(at, name, shared, guests) for at, name in enumerate(names)),
        xen.profile,
        xen.strict,
        xen.xen_cmdline,
        firmware,
    )


def device_path(at: int) -> str:
    """The own device of guest ``at``, in the host tree."""
    return f"/device@{at:x}"


def binding(at: int, shared: tuple[int, ...] = ()) -> Binding:
    """What the tree of guest ``at`` tells; ``shared`` are the ids of the shared clocks and domains."""
    consumers = [Consumer("/device", (at,), (at,), (at,))]
    consumers += [Consumer(f"/shared{one}", (one,), (one,)) for one in shared]
    return Binding("/scmi", BASE_FID + at, GUEST_PAGE, False, tuple(consumers))


def _guest(at: int, name: str, shared: int, guests: int) -> Guest:
    return Guest(
        name,
        f"{name}.cfg",
        ArmSci(SciType.MULTIAGENT, at),
        (IomemRange(BASE_PAGE // PAGE + at, 1, GUEST_PAGE // PAGE),),
        (device_path(at),),
        binding(at, tuple(range(guests, guests + shared))),
        on_crash="restart",
        iommu=True,
    )


def _platform(names: tuple[str, ...], shared: int) -> Platform:
    guests = len(names)
    agents = [Agent(XEN_AGENT, "xen", XEN_FID, XEN_PAGE, trusted=True)]
    agents += [Agent(at, name, BASE_FID + at, BASE_PAGE + at * PAGE) for at, name in enumerate(names)]
    own, common = range(guests), range(guests, guests + shared)
    clocks = [Clock(at, f"clock{at}", RATES, RATES[0]) for at in own]
    clocks += [Clock(at, f"shared{at}", SHARED_RATES, SHARED_RATES[0]) for at in common]
    devices = [Device(at, f"device{at}", (at,), (at,), (at,)) for at in own]
    devices += [
        Device(at, f"shared{at}", (at,), (at,), sensors=(0,) if at == guests else ()) for at in common
    ]
    return Platform(
        name=f"generated{guests}",
        agent=tuple(agents),
        clock=tuple(clocks),
        power_domain=tuple(PowerDomain(at, f"power{at}") for at in (*own, *common)),
        reset_domain=tuple(ResetDomain(at, f"reset{at}") for at in own),
        sensor=(Sensor(0, "board", Constant(42), type="celsius"),) if shared else (),
        device=tuple(devices),
    )


def _source(guests: int, shared: int) -> str:
    """The host tree. A guest's device is behind the shared ones as well: assigning it grants them too."""
    pages = "".join(
        f'shm{at}: sram@{BASE_PAGE + at * PAGE:x} {{ compatible = "arm,scmi-shmem"; '
        f"reg = <0 {BASE_PAGE + at * PAGE:#x} 0 {PAGE:#x}>; }};\n"
        for at in range(guests)
    )
    entries = " ".join(f"{BASE_FID + at:#x} &shm{at} {at}" for at in range(guests))
    common = "".join(f" &xen {guests + one}" for one in range(shared))
    devices = "".join(
        f"device@{at:x} {{ reg = <0 {at:#x} 0 1>; xen,passthrough; "
        f"access-controllers = <&xen {at}{common}>; }};\n"
        for at in range(guests)
    )
    return f"""/dts-v1/;
/ {{
    #address-cells = <2>; #size-cells = <2>;
    {devices}
    chosen {{ #address-cells = <2>; #size-cells = <2>; ranges;
        config {{ compatible = "xen,sci"; #address-cells = <2>; #size-cells = <2>; ranges;
            scmi-secondary-agents = <{entries}>;
            {pages}
            own: sram@{XEN_PAGE:x} {{ compatible = "arm,scmi-shmem"; reg = <0 {XEN_PAGE:#x} 0 {PAGE:#x}>; }};
            xen: scmi {{ compatible = "arm,scmi-smc"; arm,smc-id = <{XEN_FID:#x}>; shmem = <&own>;
                #access-controller-cells = <1>; }};
        }};
    }};
}};
"""
