"""One platform of the interop board in the simulated engine, and what a scenario may do on it.

It knows neither what is expected nor why; see ``scenarios``.
"""

from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from bus.fields import Message, decode, encode
from bus.frames import DomainInfo, Lifecycle
from bus.scmi import BY_KEY, clock, power
from bus.scmi.status import Status, name
from bus.smccc import ExceptionClass
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Guest, Topology, XenOptions, load
from nodes.firmware.ledger import Entry
from nodes.firmware.profile import FirmwareProfile
from nodes.guest import console
from nodes.xen.profile import PROFILES, Profile

SEED = 1
FIRST, SECOND, DOM0 = "first", "second", "dom0"
CLOCK, POWER = 0, 0
RATE, RATE_AT_BOOT = 4_000_000, 1_000_000
CONFIG_SET_GREW = 0x30000


@cache
def topology(xen: str) -> Topology:
    """The board for a version of Xen's driver."""
    profile = PROFILES[xen]
    folder = Path(str(resources.files("deploy"))) / "interop" / "board"
    many = profile.driver == "multiagent"
    line = "dom0=sci-agent-id=0" if profile.dom0_agent == "command-line" else ""
    return load(
        [folder / "host.dts"],
        folder / ("platform.toml" if many else "single.toml"),
        [folder / ("guest.cfg" if many else "forwarded.cfg")],
        {},
        XenOptions(profile, xen_cmdline=line if many else "scmi-smc-passthrough"),
    )


class Stage:
    """A booted platform without guests. Raises ToolstackError if Xen panics."""

    def __init__(self, xen: Profile, firmware: FirmwareProfile, *, devices: bool = True) -> None:
        self.many = xen.driver == "multiagent"
        made = msgspec.structs.replace(topology(xen.name), firmware=firmware)
        guest = made.guests[0]
        if not devices:
            guest = msgspec.structs.replace(guest, devices=())
            bare = msgspec.structs.replace(made.platform, device=(), default_permission="allow")
            made = msgspec.structs.replace(made, platform=bare)
        self._guest: Guest = guest
        self.errors: list[str] = []
        self.events: list[Lifecycle] = []
        self.engine = SimulatedEngine(made, SEED, self._log)
        self.engine.on_lifecycle = self.events.append
        self.toolstack = Toolstack(self.engine, made, Work())
        self.toolstack.start_boot_domains()
        self.agent = 2 if self.many else 0
        self.at_boot = set(self.ledger())

    def _log(self, node: str, level: str, text: str) -> None:
        if node == "xen" and level == "error":
            self.errors.append(text)

    @property
    def mediated(self) -> bool:
        """Whether Xen's driver found its platform."""
        return self.engine.xen.hypervisor.sci.initialized

    def ledger(self) -> list[Entry]:
        """What the guest's agent holds in EL3."""
        return self.engine.firmware.ledger(self.agent)

    def left_over(self, *kinds: str) -> list[Entry]:
        """What it holds that it did not hold at boot; of these kinds, if any are named."""
        return [one for one in self.ledger() if one not in self.at_boot and (not kinds or one.kind in kinds)]

    # ---- domains ------------------------------------------------------------------------------

    def create(self, domain: str) -> str:
        """xl create; "" or why not."""
        try:
            self.toolstack.create(msgspec.structs.replace(self._guest, name=domain))
        except ToolstackError as error:
            return str(error)
        return ""

    def destroy(self, domain: str) -> str:
        """xl destroy; "" or why not."""
        try:
            self.toolstack.destroy(domain)
        except ToolstackError as error:
            return str(error)
        return ""

    def there(self) -> list[DomainInfo]:
        return self.toolstack.list()

    def ending(self) -> str:
        """What Xen says became of the agent of the domain that died last."""
        told = [event.detail for event in self.events if event.event == "reset"]
        return told[-1] if told else "nothing"

    # ---- calls --------------------------------------------------------------------------------

    def call(self, domain: str, protocol: str, command: str, request: bytes = b"") -> console.Answer:
        row = BY_KEY[protocol].command(command)
        assert row is not None, command
        return self.toolstack.ask(domain, console.Call(BY_KEY[protocol].id, row.id, request))

    def answer(self, domain: str, protocol: str, command: str, request: bytes = b"") -> str:
        """The status by name, or how the call ended without one."""
        found = self.call(domain, protocol, command, request)
        return f"{found.code}: {found.detail}" if found.code else name(found.status)

    def version(self, domain: str, protocol: str) -> int | None:
        """The version that the platform speaks, None if it does not serve the protocol to the domain."""
        found = self.call(domain, protocol, "PROTOCOL_VERSION")
        if found.code or found.status:
            return None
        return int.from_bytes(found.payload[:4], "little")

    def alive(self, domain: str) -> str:
        """The simplest call there is; "" or how it failed."""
        found = self.answer(domain, "base", "PROTOCOL_VERSION")
        return "" if found == "SUCCESS" else found

    def use(self, domain: str) -> str:
        """Let the domain use its device: clock rate, clock on, power on; "" or what failed."""
        spoken = self.version(domain, "clock")
        if spoken is None:
            return "the clock protocol has no version"
        state = clock.CONFIG_SET if spoken >= CONFIG_SET_GREW else clock.CONFIG_SET_OLD
        bits = state.pack(state=1) if spoken >= CONFIG_SET_GREW else state.pack(enable=1)
        wanted: list[tuple[str, str, Message, int]] = [
            ("clock", "CLOCK_RATE_SET", clock.RateSet(0, CLOCK, RATE), spoken),
            ("clock", "CLOCK_CONFIG_SET", clock.ConfigSet(CLOCK, bits, 0), spoken),
        ]
        spoken_power = self.version(domain, "power")
        if spoken_power is not None:
            wanted.append(("power", "POWER_STATE_SET", power.StateSet(0, POWER, 0), spoken_power))
        for protocol, command, request, version in wanted:
            found = self.answer(domain, protocol, command, encode(request, version))
            if found != Status.SUCCESS.name:
                return f"{command}: {found}"
        return ""

    def rate(self, domain: str) -> int:
        """The clock's rate as the domain sees it, 0 if it does not."""
        found = self.call(domain, "clock", "CLOCK_RATE_GET", encode(clock.RateGet(CLOCK)))
        return 0 if found.code or found.status else decode(clock.RateGetReply, found.payload).rate

    def spurious(self, domain: str) -> None:
        """A doorbell while the page is free: nobody wrote a message."""
        doorbell = next(info.smc_id for info in self.there() if info.name == domain) or 0
        trap = console.RawTrap(ExceptionClass.SMC64.value, 0, (doorbell, 0, 0, 0, 0, 0, 0, 0))
        self.toolstack.ask(domain, trap)

    def oversize(self, domain: str) -> None:
        """A message one word longer than the area takes."""
        room = self.toolstack.topology.platform.area_bytes
        self.call(domain, "base", "PROTOCOL_VERSION", bytes(room))
