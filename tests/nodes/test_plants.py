"""Every planted bug gets into its core and does what its sentence says, and nothing is there without it.

That checkers find them is proved where the checkers are.
"""

from collections.abc import Callable
from typing import Any

import pytest

from bus import frames, shmem
from bus.links import XEN
from bus.scmi import base, clock, header
from bus.scmi.status import Status
from nodes.contract import Received, Send
from nodes.xen.domain import Domain
from tests.nodes.el3 import FID as EL3_FID
from tests.nodes.el3 import MANAGER, SHMEM, THREE, TWO, Bench
from tests.nodes.trees import FID, XEN_PHANDLE, described, tree
from tests.nodes.xen import FIRMWARE, TOOLSTACK
from tests.nodes.xen import Bench as XenBench
from tests.nodes.xen import status as answered
from tests.plants import Plant, el3, table, xen

I2C, UART = "/soc/i2c@1000", "/soc/uart@2000"


# ---- EL3 --------------------------------------------------------------------------------------


def grant(bench: Bench, agent: int, device: int = 5, allow: int = 1) -> None:
    wanted = base.SetDevicePermissions(agent, device, allow)
    assert bench.status(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", wanted) is Status.SUCCESS


def reset(bench: Bench, agent: int) -> None:
    wanted = base.ResetAgentConfiguration(agent, 1)
    assert bench.status(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", wanted) is Status.SUCCESS


def rate(bench: Bench, agent: int) -> int:
    found: int = bench.call(agent, "clock", "CLOCK_RATE_GET", clock.RateGet(5)).body.rate
    return found


def rate_set(bench: Bench, agent: int, value: int) -> Status:
    return bench.status(agent, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 5, value))


def forgets(bench: Bench) -> int:
    return sum(rate_set(bench, TWO, 2000) is Status.SUCCESS for _ in range(200))


def applies(bench: Bench) -> int:
    grant(bench, THREE)
    for _ in range(50):
        assert rate_set(bench, TWO, 4000) is Status.DENIED
    return rate(bench, THREE) == 4000


def stale(bench: Bench) -> int:
    grant(bench, TWO)
    reset(bench, TWO)
    found = rate_set(bench, TWO, 2000) is Status.SUCCESS
    bench.now_ns += el3.STALE_NS
    assert rate_set(bench, TWO, 2000) is Status.DENIED
    return found


def late(bench: Bench) -> int:
    grant(bench, TWO)
    found = rate_set(bench, TWO, 2000) is Status.DENIED
    bench.now_ns += el3.STALE_NS
    assert rate_set(bench, TWO, 2000) is Status.SUCCESS
    return found


def twice(bench: Bench) -> int:
    grant(bench, TWO)
    found = 0
    for _ in range(100):
        rate_set(bench, TWO, 2000)
        rate_set(bench, TWO, 1000)
        found += rate(bench, TWO) != 1000 or rate(bench, TWO) != 1000
    return found


def loses(bench: Bench) -> int:
    grant(bench, TWO)
    found = 0
    for at in range(200):
        wanted = (1000, 2000)[at % 2]
        assert rate_set(bench, TWO, wanted) is Status.SUCCESS
        found += rate(bench, TWO) != wanted
    return found


def lowest(bench: Bench) -> int:
    for agent, value in ((TWO, 4000), (THREE, 2000)):
        grant(bench, agent)
        rate_set(bench, agent, value)
    return rate(bench, TWO) == 2000


def leaves(kind: str) -> Callable[[Bench], int]:
    def found(bench: Bench) -> int:
        leaks = 0
        for _ in range(20):
            grant(bench, TWO)
            rate_set(bench, TWO, 2000)
            reset(bench, TWO)
            leaks += kind in {entry.kind for entry in bench.core.last_reset[TWO].leaks}
        return leaks

    return found


def wrong_page(bench: Bench) -> int:
    found = 0
    for token in range(300):
        for agent, message in ((TWO, 1), (THREE, 3)):
            head = header.pack(0x10, message, token)
            found += shmem.read_message(bench.ring(agent, shmem.request(head, b"")))[0] != head
    return found


def answers(bench: Bench) -> int:
    """How many SMCs did not get exactly one answer."""
    odd = 0
    for _ in range(1000):
        frame = frames.Smc(1, bench.next_request(), 7, (EL3_FID[TWO], 0, 0, 0, 0, 0, 0, 0), SHMEM[TWO])
        effects = bench.core.step(Received(XEN, frame, shmem.request(header.pack(0x10, 0), b"")), 5)
        odd += [type(effect) for effect in effects] != [Send]
    return odd


def serves_the_old(bench: Bench) -> int:
    """An SMC of the first Xen after the second one's Welcome."""
    bench.core.step(Received(XEN, frames.Welcome(1, 0, 0, 0, "firmware", b"", 2), b""), 0)
    frame = frames.Smc(1, 5, 7, (EL3_FID[TWO], 0, 0, 0, 0, 0, 0, 0), 0)
    return sum(isinstance(effect, Send) for effect in bench.core.step(Received(XEN, frame, b""), 0))


EL3_SHOWS: dict[str, Callable[[Bench], int]] = {
    "serves-any-xen": serves_the_old,
    "forgets-permission": forgets,
    "applies-denied-set": applies,
    "stale-permission": stale,
    "late-grant": late,
    "executes-twice": twice,
    "lost-update": loses,
    "lowest-wins": lowest,
    "reset-leaves-vote": leaves("vote"),
    "reset-leaves-grant": leaves("grant"),
    "previous-reply": wrong_page,
    "mixes-agents": wrong_page,
    "drops-smc": answers,
    "answers-twice": answers,
}


@pytest.mark.parametrize("name", el3.PLANTS)
@pytest.mark.parametrize("carried", [True, False])
def test_a_bug_of_el3(name: str, carried: bool) -> None:
    if name in ("drops-smc", "answers-twice") and not carried:
        carried = True
    planted = Bench(carried=carried)
    el3.plant(planted.core, name, 1)
    assert EL3_SHOWS[name](planted) > 0, el3.PLANTS[name].what


def absent(shows: Callable[[Any], int], bench: Any) -> bool:
    try:
        return shows(bench) == 0
    except AssertionError:
        return True  # what the bug makes possible is not


@pytest.mark.parametrize("name", el3.PLANTS)
def test_el3_without_it(name: str) -> None:
    assert absent(EL3_SHOWS[name], Bench())


# ---- Xen --------------------------------------------------------------------------------------


def calls(bench: XenBench, domain: Domain, agent: int, count: int = 600) -> list[int]:
    """How many answers each of so many traps got."""
    found = []
    for _ in range(count):
        request = bench.trap(domain, FID[agent])
        bench.el3_all()
        found.append(len(bench.answers(domain.link, request)))
    return found


def foreign(bench: XenBench) -> int:
    domain = bench.create("domu", 2)
    bench.create("other", 3)
    before = len(bench.seen)
    for _ in range(20):
        bench.trapped(domain, FID[3])
    return len(bench.seen) - before


def strays(bench: XenBench) -> int:
    domain, other = bench.create("domu", 2), bench.create("other", 3)
    unanswered = calls(bench, domain, 2).count(0)
    returns = sum(isinstance(frame, frames.Return) for frame in bench.sent[other.link])
    assert returns == unanswered
    return returns


def doubles(bench: XenBench) -> int:
    return calls(bench, bench.create("domu", 2), 2).count(2)


def drops(bench: XenBench) -> int:
    return calls(bench, bench.create("domu", 2), 2).count(0)


def haunts(bench: XenBench) -> int:
    old = bench.create("domu", 2)
    calls(bench, old, 2, 1)
    assert bench.rc(frames.DestroyDomain(old.domid)) == 0
    before = len(bench.sent[old.link])
    calls(bench, bench.create("domu", 2), 2)
    return len(bench.sent[old.link]) - before


def unbounded(bench: XenBench) -> int:
    domain = bench.create("domu", 2)
    for _ in range(100):
        bench.trap(domain, FID[2])
    return not any(isinstance(frame, frames.Error) for frame in bench.sent[domain.link])


def unreset(bench: XenBench) -> int:
    for _ in range(10):
        assert bench.rc(frames.DestroyDomain(bench.create("domu", 2).domid)) == 0
    resets = sum(bench.counted("trapline_agent_resets_total").values())
    return resets - sum(page_message(page) == 0xB for page in asked(bench))


def asked(bench: XenBench) -> list[bytes]:
    return bench.__dict__.setdefault("asked", [])


def page_message(page: bytes) -> int:
    return header.message_id(shmem.read_message(page)[0])


def early(bench: XenBench) -> int:
    domain = bench.create("domu", 2)
    request = bench.domctl(frames.DestroyDomain(domain.domid))
    return bool(bench.answers(TOOLSTACK, request)) and bool(bench.smcs)


def wedges(bench: XenBench) -> int:
    domain = bench.create("domu", 2, run=False)
    assert bench.rc(frames.AssignDevice(domain.domid, I2C), answered(Status.BUSY)) < 0
    request = bench.domctl(frames.AssignDevice(domain.domid, I2C))
    return not bench.smcs and not bench.answers(TOOLSTACK, request)


def granted(bench: XenBench) -> list[int]:
    return [int.from_bytes(page[32:36], "little") for page in asked(bench) if page_message(page) == 9]


def mistakes(bench: XenBench) -> int:
    for _ in range(10):
        domain = bench.create("domu", 2, run=False)
        for path in (I2C, UART):
            bench.rc(frames.AssignDevice(domain.domid, path))
        bench.rc(frames.DestroyDomain(domain.domid))
    found = granted(bench)
    return abs(found.count(found[0]) - len(found) // 2) if len(set(found)) > 1 else len(found)


def skips(bench: XenBench) -> int:
    for _ in range(10):
        domain = bench.create("domu", 2, run=False)
        assert bench.rc(frames.AssignDevice(domain.domid, I2C)) == 0
        bench.rc(frames.DestroyDomain(domain.domid))
    return 10 - len(granted(bench))


def unretired(bench: XenBench) -> int:
    old = bench.create("domu", 2)
    assert bench.rc(frames.DestroyDomain(old.domid)) == 0
    bench.create("domu", 2)
    bench.trap(old, FID[2])
    return len(bench.smcs)


XEN_SHOWS: dict[str, Callable[[XenBench], int]] = {
    "never-retires": unretired,
    "forwards-foreign": foreign,
    "return-to-another": strays,
    "answers-twice": doubles,
    "drops-return": drops,
    "dead-incarnation": haunts,
    "no-bound": unbounded,
    "forgets-reset": unreset,
    "releases-early": early,
    "keeps-lock": wedges,
    "wrong-device": mistakes,
    "skips-grant": skips,
}


def xen_bench() -> XenBench:
    """One that remembers the pages of Xen's own messages."""
    root = described()
    root.children["soc"].children["uart@2000"].properties["access-controllers"] = [XEN_PHANDLE, 6]
    bench = XenBench(tree(root))
    sent = bench._sent

    def watch(effect: Send) -> None:
        if effect.peer == FIRMWARE and isinstance(effect.frame, frames.Smc) and not effect.frame.cause:
            asked(bench).append(effect.page)
        sent(effect)

    bench._sent = watch  # type: ignore[method-assign]
    return bench


@pytest.mark.parametrize("name", xen.PLANTS)
def test_a_bug_of_xen(name: str) -> None:
    bench = xen_bench()
    xen.plant(bench.core, name, 1)
    assert XEN_SHOWS[name](bench) > 0, xen.PLANTS[name].what


@pytest.mark.parametrize("name", xen.PLANTS)
def test_xen_without_it(name: str) -> None:
    assert absent(XEN_SHOWS[name], xen_bench())


# ---- the tables -------------------------------------------------------------------------------


@pytest.mark.parametrize("plant", [el3.plant, xen.plant])
def test_a_name_that_none_has(plant: Callable[[Any, str, int], None]) -> None:
    with pytest.raises(ValueError, match="there is no plant 'rose'; there are "):
        plant(None, "rose", 1)


def test_two_of_one_name() -> None:
    rose = Plant("rose", "smells", lambda _core, _dice: None)
    with pytest.raises(ValueError, match="two plants"):
        table(rose, rose)
