"""Any interleaving of traps, returns and hypercalls: in the end each was answered exactly once.

A swarm: every run draws which kinds of steps it uses at all, then their order. EL3 answers late, early,
badly, or is lost; domains are created, destroyed and destroyed again meanwhile.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus import frames
from nodes.contract import Undelivered
from nodes.xen.domain import Domain, State
from nodes.xen.profile import PROFILES
from tests.nodes.trees import FID, described, tree
from tests.nodes.xen import FIRMWARE, MA, TOOLSTACK, Bench, status, well

I2C = "/soc/i2c@1000"
OUTCOMES: tuple[Callable[..., Any], ...] = (
    well,
    well,
    well,
    status(-3),
    status(-1),
    lambda *_: (2**64 - 1, b""),
)
KINDS = (
    "create", "destroy", "unpause", "assign", "test", "deassign", "map", "list", "trap", "trap", "foreign",
    "psci", "answer", "answer", "lose_one", "lose_el3", "el3_back", "console", "console_answer", "guest_gone",
    "late",
)  # fmt: skip
Step = tuple[str, int]


class Swarm:
    """A bench, and what was asked of it: each entry of ``asked`` must get one answer."""

    def __init__(self, profile: str = "v11", *, strict: bool = False) -> None:
        root = described()
        root.children["soc"].children["i2c@1000"].properties["iommus"] = [99, 1]
        self.sci = 1 if profile == "forwarder" else MA
        line = "scmi-smc-passthrough dom0=sci-agent-id=0"
        made = PROFILES[profile]
        self.bench = Bench(tree(root), boot=False, profile=made, strict=strict, command_line=line)
        self.asked: list[tuple[bytes, int]] = []
        self.known: list[Domain] = []
        self.up = True
        self.names = 0

    def domctl(self, op: frames.Op) -> None:
        self.asked.append((TOOLSTACK, self.bench.domctl(op)))

    def domain(self, number: int) -> Domain | None:
        """Any domain there ever was, the dead ones too: its frames must be answered all the same."""
        for domain in self.bench.core.hypervisor.domains.values():
            if domain.domid and domain not in self.known:
                self.known.append(domain)
        return self.known[number % len(self.known)] if self.known else None

    def step(self, kind: str, number: int) -> None:
        domain = self.domain(number // 7)
        domid = domain.domid if domain else number % 4
        if kind == "create":
            self.names += 1
            self.domctl(frames.CreateDomain(f"d{self.names}", self.sci, 2 + number % 3, iommu=number % 5 > 0))
        elif kind in ("destroy", "unpause", "assign", "test", "deassign", "map", "list"):
            self.domctl(self._op(kind, domid, number))
        elif kind in ("trap", "foreign", "psci") and domain is not None:
            own = FID[2 + number % 2] if self.sci == MA else FID[0]
            fids = {"trap": own, "foreign": 0x8200_0077, "psci": 0x8400_0008}
            self.asked.append((domain.link, self.bench.trap(domain, fids[kind], immediate=number % 11 == 0)))
        elif kind.startswith("console") or kind == "guest_gone":
            self._console(kind, domain)
        else:
            self._el3(kind, number)

    def _op(self, kind: str, domid: int, number: int) -> frames.Op:
        return {
            "destroy": frames.DestroyDomain(domid),
            "unpause": frames.UnpauseDomain(domid),
            "assign": frames.AssignDevice(domid, I2C),
            "test": frames.TestAssignDevice(domid, I2C),
            "deassign": frames.DeassignDevice(domid, I2C),
            "map": frames.IomemPermission(domid, 0x47FF0 + number % 5, 1, True),
            "list": frames.ListDomains(),
        }[kind]  # type: ignore[return-value]

    def _console(self, kind: str, domain: Domain | None) -> None:
        if domain is None:
            return
        if kind == "console":
            self.bench.give(domain.link, frames.Hello(1, 0, 0, "guest"))
            request = self.bench.next_request()
            self.bench.give(TOOLSTACK, frames.Console(1, request, 0, domain.domid, b""))
            self.asked.append((TOOLSTACK, request))
        elif kind == "console_answer":
            for frame in self._questions(domain, 1):
                self.bench.give(domain.link, frames.ConsoleReply(1, frame.request, 0, b""))
        else:
            for frame in self._questions(domain):
                self.bench.feed(Undelivered(domain.link, frame))

    def _questions(self, domain: Domain, most: int = 1000) -> list[frames.Console]:
        """Take the oldest questions that the domain has not answered."""
        sent = self.bench.sent[domain.link]
        questions = [frame for frame in sent if isinstance(frame, frames.Console)][:most]
        self.bench.sent[domain.link] = [frame for frame in sent if frame not in questions]
        return questions

    def _el3(self, kind: str, number: int) -> None:
        bench = self.bench
        if kind == "answer" and self.up and bench.smcs:
            bench.smcs.insert(0, bench.smcs.pop(number % len(bench.smcs)))
            bench.el3(OUTCOMES[number % len(OUTCOMES)])
        elif kind == "lose_one" and bench.smcs:
            smc, _ = bench.smcs.pop(number % len(bench.smcs))
            bench.feed(Undelivered(FIRMWARE, smc))
        elif kind == "lose_el3":
            self.up = False
            bench.smcs.clear()
            self.domctl(frames.NodeLost("firmware"))
        elif kind == "el3_back":
            self.up = True
            bench.give(FIRMWARE, frames.Hello(1, 1, 0, "firmware"))
        elif kind == "late":
            bench.give(FIRMWARE, frames.SmcReturn(1, 10**6 + number, 0, (0, 0, 0, 0)))

    def finish(self) -> None:
        """Faults end: EL3 comes back, answers everything; guests answer what they were asked."""
        self._el3("el3_back", 0)
        self.bench.el3_all()
        for domain in self.known:
            for frame in self._questions(domain):
                self.bench.give(domain.link, frames.ConsoleReply(1, frame.request, 0, b""))


def check(swarm: Swarm) -> None:
    bench = swarm.bench
    for peer, request in swarm.asked:
        assert len(bench.answers(peer, request)) == 1, (peer, request)
    assert bench.halted is None
    assert all(count == 0 for count in bench.core.meters.counter("trapline_scmi_inflight_calls").values())
    for channel in bench.core.hypervisor.sci.channels:
        assert not channel.lock.held
        assert not channel.lock.waiters
    for path, owner in bench.core.hypervisor.devices.iommu.owners.items():
        assert owner.state not in (State.DYING, State.DEAD), path
    owners = [d.channel for d in bench.core.hypervisor.domains.values() if d.channel is not None]
    assert len({id(channel) for channel in owners}) == len(owners)
    for domain in bench.core.hypervisor.domains.values():
        assert domain.channel is None or domain.channel.domain_id == domain.domid


@st.composite
def runs(draw: st.DrawFn) -> list[Step]:
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=3, max_size=12))
    numbers = st.integers(0, 10_000)
    steps: list[Step] = draw(st.lists(st.tuples(st.sampled_from(kinds), numbers), max_size=60))
    return steps


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs(), st.booleans(), st.sampled_from(list(PROFILES)), st.booleans())
def test_each_trap_and_each_hypercall_gets_one_answer(
    steps: list[Step], booted: bool, profile: str, strict: bool
) -> None:
    swarm = Swarm(profile, strict=strict)
    if booted:
        swarm.bench.boot()
        for agent in (2, 3) if swarm.sci == MA else (0,):
            swarm.bench.create(f"first{agent}", agent, sci=swarm.sci)
    for kind, number in steps:
        swarm.step(kind, number)
    swarm.finish()
    check(swarm)


def test_the_check_catches_a_planted_loss() -> None:
    """The breach: a return that never reaches Xen leaves a trap unanswered."""
    swarm = Swarm()
    swarm.bench.boot()
    domain = swarm.bench.create("domu", 2)
    swarm.asked.append((domain.link, swarm.bench.trap(domain, FID[2])))
    swarm.bench.smcs.clear()
    swarm.finish()
    try:
        check(swarm)
    except AssertionError:
        return
    raise AssertionError("an unanswered trap went unnoticed")
