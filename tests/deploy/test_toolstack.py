"""What xl does, on the simulated engine: create, destroy, reboot; whatever fails leaves nothing behind."""

from collections.abc import Callable

import msgspec
import pytest

from bus import frames
from bus.scmi import PROTOCOLS
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, ToolstackError, Work
from deploy.topology import Guest, load_shipped
from deploy.xl.sci import ArmSci, IomemRange, SciType
from nodes.guest import console
from nodes.guest.core import GuestConfig
from tests.nodes.el3 import things

TOPOLOGY = load_shipped()
IVI, TCU = TOPOLOGY.guests
CLOCK_RATE_GET = console.Call(0x14, 6, (5).to_bytes(4, "little"))


class Platform:
    """A booted platform on virtual time."""

    def __init__(self, work: Work | None = None) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self.events: list[tuple[str, str]] = []
        self.engine = SimulatedEngine(TOPOLOGY, 7, lambda *line: self.lines.append(line))
        self.engine.on_lifecycle = lambda frame: self.events.append((frame.name, frame.event))
        self.xl = Toolstack(self.engine, TOPOLOGY, work or Work())
        self.xl.start_boot_domains()

    def states(self) -> dict[str, str]:
        return {info.name: info.state for info in self.xl.list()}

    def running(self) -> set[str]:
        return set(self.engine.drivers()) - {"xen", "firmware"}

    def ledger(self, agent_id: int) -> dict[str, int]:
        return things(self.engine.firmware.ledger(agent_id))


@pytest.fixture
def platform() -> Platform:
    return Platform()


def changed(guest: Guest, **changes: object) -> Guest:
    return msgspec.structs.replace(guest, **changes)


def fails(act: Callable[[], object], told: str, *, definite: bool = True) -> None:
    with pytest.raises(ToolstackError, match=told) as raised:
        act()
    assert raised.value.definite is definite


def test_boot_domains_run(platform: Platform) -> None:
    assert platform.states() == {"dom0": "running", "cluster": "running"}
    assert platform.running() == {"dom0", "cluster"}


# ---- create -----------------------------------------------------------------------------------


def test_create(platform: Platform) -> None:
    info = platform.xl.create(IVI)
    assert (info.name, info.state, info.agent_id, info.incarnation) == ("ivi", "running", 3, 1)
    assert info.devices == IVI.devices
    assert info.mapped == ((0x22001, 0x47FF3, 1), (0x22002, 0x47FE3, 1))
    assert platform.ledger(3) == {"device 5": 1, "device 6": 1}
    assert platform.running() == {"dom0", "cluster", "ivi"}
    answer = platform.xl.ask("ivi", CLOCK_RATE_GET)
    assert (answer.code, answer.status, answer.payload) == ("", 0, (33_333_333).to_bytes(8, "little"))


def test_interrupts_are_routed(platform: Platform) -> None:
    platform.xl.create(changed(IVI, irqs=(112, 113)))
    routes = platform.engine.xen.hypervisor.routes
    assert {line: route.domain.name for line, route in routes.by_line.items()} == {112: "ivi", 113: "ivi"}
    fails(lambda: platform.xl.create(changed(TCU, irqs=(113,))), "interrupt 113 is routed to ivi.*EBUSY")
    assert "tcu" not in platform.states()
    platform.xl.destroy("ivi")
    assert routes.by_line == {}
    platform.xl.create(changed(TCU, irqs=(113,)))


def test_a_name_that_is_taken(platform: Platform) -> None:
    platform.xl.create(IVI)
    fails(lambda: platform.xl.create(changed(TCU, name="ivi")), "a domain named 'ivi' exists already")
    assert len(platform.states()) == 3


def test_an_agent_that_is_taken(platform: Platform) -> None:
    platform.xl.create(IVI)
    fails(lambda: platform.xl.create(changed(TCU, sci=IVI.sci)), "agent 3 belongs to domain 2.*EEXIST")
    assert platform.states() == {"dom0": "running", "cluster": "running", "ivi": "running"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sci": ArmSci(SciType.MULTIAGENT, 99)}, "no channel has agent id 99.*ENOENT"),
        ({"sci": ArmSci(SciType.SCMI_SMC, 0)}, "arm_sci type 1 is not built into this Xen.*EINVAL"),
        ({"devices": ("/soc/i2c@e6508000", "/soc/nothing@0")}, "the host tree has no node /soc/nothing@0"),
        ({"iomem": (IomemRange(0x47FF4, 1, 0x22001),)}, "Dom0 has no access to frame 0x47ff4 itself.*EPERM"),
        ({"iomem": (IomemRange(0, 1 << 19, 0),)}, "524288 frames for ivi"),
    ],
)
def test_a_creation_that_fails_leaves_nothing(
    platform: Platform, changes: dict[str, object], told: str
) -> None:
    fails(lambda: platform.xl.create(changed(IVI, **changes)), told)
    assert platform.states() == {"dom0": "running", "cluster": "running"}
    assert platform.running() == {"dom0", "cluster"}
    assert platform.ledger(3) == {}
    assert "ivi" in platform.xl.guests, "what a configuration file told is still known"
    platform.xl.create(IVI)


def test_a_guest_that_does_not_start_is_undone(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_info: frames.DomainInfo, _config: GuestConfig) -> None:
        raise ToolstackError("no such process")

    with monkeypatch.context() as patched:
        patched.setattr(platform.engine, "start_guest", refuse)
        fails(lambda: platform.xl.create(IVI), "no such process")
    assert "ivi" not in platform.states()
    assert platform.ledger(3) == {}
    platform.xl.create(IVI)


def test_the_first_error_is_told_when_the_undoing_fails_too(platform: Platform) -> None:
    real = platform.engine.domctl

    def unlucky(op: frames.Op) -> frames.DomctlReply:
        if isinstance(op, frames.DestroyDomain):
            raise ToolstackError("and worse")
        return real(op)

    platform.engine.domctl = unlucky  # type: ignore[method-assign]
    fails(lambda: platform.xl.create(changed(IVI, devices=("/nothing",))), "no node /nothing")
    assert platform.states()["ivi"] == "created", "Xen's list shows what is left"


def test_a_guest_without_scmi(platform: Platform) -> None:
    plain = changed(IVI, name="plain", sci=ArmSci(SciType.NONE, 0), iomem=(), devices=(), binding=None)
    assert platform.xl.create(plain).agent_id is None
    assert platform.xl.ask("plain", CLOCK_RATE_GET).code == "no-scmi"
    x0 = platform.xl.ask("plain", console.RawTrap(0x17, 0, (0x8200_0005, 0, 0, 0, 0, 0, 0, 0))).x[0]
    assert x0 == 2**64 - 1


# ---- destroy ----------------------------------------------------------------------------------


def test_destroy(platform: Platform) -> None:
    platform.xl.create(IVI)
    platform.xl.ask("ivi", console.Call(0x14, 7, (5).to_bytes(4, "little") + b"\1\0\0\0" + bytes(4)))
    assert "clock 5 enabled" in platform.ledger(3)
    platform.events.clear()
    platform.xl.destroy("ivi")
    assert platform.states() == {"dom0": "running", "cluster": "running"}
    assert platform.ledger(3) == {}
    assert platform.running() == {"dom0", "cluster"}
    assert [event for name, event in platform.events if name == "ivi"] == ["dying", "reset", "dead"]
    fails(lambda: platform.xl.destroy("ivi"), "there is no domain 'ivi'; there are dom0, cluster")


def test_dom0_is_not_destroyed(platform: Platform) -> None:
    fails(lambda: platform.xl.destroy("dom0"), "Dom0 is the control domain")


def test_a_domain_may_be_named_by_its_number(platform: Platform) -> None:
    info = platform.xl.create(IVI)
    assert platform.xl.find(str(info.domid)).name == "ivi"
    again = platform.xl.reboot(str(info.domid))
    assert (again.name, again.incarnation) == ("ivi", 2)
    platform.xl.destroy(str(again.domid))
    assert platform.running() == {"dom0", "cluster"}


def test_a_name_goes_before_a_number(platform: Platform) -> None:
    """A domain that is called "1" is that domain, whatever the number of another one."""
    info = platform.xl.create(changed(IVI, name="1"))
    assert info.name == "1" != str(info.domid)
    assert platform.xl.find("1").domid == info.domid
    assert platform.xl.find(str(info.domid)).name == "1"


def test_a_refused_reset_keeps_the_domain_dying(platform: Platform) -> None:
    """EL3 turns every other agent's reset down: the domain stays, and a second try ends it."""
    platform.xl.create(IVI)
    trusted = platform.engine.firmware.permissions.trusted
    trusted.remove(1)
    fails(lambda: platform.xl.destroy("ivi"), r"DENIED \(-EACCES\); ivi stays dying with its agent")
    assert platform.states()["ivi"] == "dying"
    trusted.add(1)
    platform.xl.destroy("ivi")
    assert "ivi" not in platform.states()


# ---- reboot, asking ---------------------------------------------------------------------------


def test_reboot(platform: Platform) -> None:
    before = platform.xl.create(IVI)
    after = platform.xl.reboot("ivi")
    assert (after.incarnation, after.agent_id) == (2, 3)
    assert after.domid != before.domid
    assert after.link != before.link
    assert platform.ledger(3) == {"device 5": 1, "device 6": 1}
    assert platform.xl.ask("ivi", CLOCK_RATE_GET).status == 0
    resets = platform.engine.xen.meters.counter("trapline_agent_resets_total")
    assert {labels for labels, count in resets.items() if count} == {("3", "reboot")}


def test_a_boot_domain_cannot_be_made_again(platform: Platform) -> None:
    fails(lambda: platform.xl.reboot("cluster"), "cluster was not created from an xl.cfg")
    fails(lambda: platform.xl.reboot("nobody"), "there is no domain 'nobody'")
    assert platform.states() == {"dom0": "running", "cluster": "running"}


def test_a_guest_that_shut_itself_down(platform: Platform) -> None:
    platform.xl.create(IVI)
    assert platform.xl.ask("ivi", console.Poweroff()).code == "shutdown"
    assert platform.states()["ivi"] == "shutdown"
    assert ("ivi", "shutdown") in platform.events
    platform.xl.reboot("ivi")
    assert platform.states()["ivi"] == "running"


def test_guests_work_and_leave_each_other_alone() -> None:
    platform = Platform(Work(run=True, think_ns=50_000))
    for guest in TOPOLOGY.guests:
        platform.xl.create(guest)
    platform.engine.run(50_000_000)
    for name, driver in platform.engine.drivers().items():
        if name in ("xen", "firmware"):
            continue
        ended = driver.core.meters.counter("trapline_guest_calls_total")
        assert ended[(name, "answered")] > 50
        assert ended[(name, "definite_error")] == ended[(name, "indefinite_error")] == 0
    counted = platform.engine.firmware.meters.counter("trapline_scmi_calls_total")
    denied = {key[2] for key, count in counted.items() if key[3] == "DENIED" and count}
    looks = {row.name for protocol in PROTOCOLS for row in protocol.commands if not row.changes}
    assert denied <= looks, "an agent looks at everything, and changes only what is its own"
    assert denied >= {"CLOCK_ATTRIBUTES", "SENSOR_LIST_UPDATE_INTERVALS"}
