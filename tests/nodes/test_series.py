"""Series stay few, whatever guests and toolstacks say, and what had no room of its own is in the sums."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from bus import frames, shmem
from bus.scmi import header
from deploy import generated
from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, Work
from deploy.topology import Topology, load_shipped
from nodes.firmware.platform import Platform
from nodes.meters import Histograms, Meters
from nodes.metric_labels import OTHER, Label
from nodes.metrics import BY_NAME, CATALOGUE, LATENCY_BUCKETS_NS, Metric
from nodes.series import Series
from tests.nodes import el3, guest, xen
from tests.nodes.trees import FID

LIBRARY = 25  # lines of the client library's own
SERIES_MAX = 1000  # of one process, in the hundreds
LINES_MAX = 12_000  # ... with as many domains as Xen can have, all of them doing what they should not
OPEN = Metric("trapline_x_total", "counter", "X.", "xen", (Label("a", 3), Label("b", 4)), room=6)
CLOSED = Metric(
    "trapline_y_total", "counter", "Y.", "xen", (Label("a", 9), Label("b", 2, ("yes", "no"))), room=4
)


def lines(meters: Meters) -> int:
    """How many lines a scrape of these has."""
    views = meters.views()
    histograms = {name: len(one) * BY_NAME[name].lines for name, one in meters.histograms.items()}
    return sum(map(len, views.values())) + sum(histograms.values())


def bound(role: str) -> int:
    return sum(row.lines_max for row in CATALOGUE if row.owner in (role, "every"))


def total(meters: Meters, name: str, *labels: str) -> int:
    """The sum over the series that have these values."""
    found = meters.views()[name]
    return sum(count for key, count in found.items() if set(labels) <= set(key))


# ---- one metric -------------------------------------------------------------------------------


def test_a_value_beyond_its_bound_is_other() -> None:
    series = Series(OPEN)
    for value in "pqrst":
        series[value, "b"] += 1
    assert series.view() == {("p", "b"): 1, ("q", "b"): 1, ("r", "b"): 1, (OTHER, "b"): 2}


def test_a_value_that_no_list_has_is_other_and_a_listed_one_never() -> None:
    series = Series(CLOSED)
    for at in range(100):
        series[str(at), "no"] += 1
        series["0", "perhaps"] += 1
    found = series.view()
    assert found["0", OTHER] == 100
    assert sum(count for (_, value), count in found.items() if value == "no") == 100
    assert len(found) <= CLOSED.lines_max


def test_the_last_place_is_a_place() -> None:
    series = Series(OPEN)
    names = [(a, b) for a in "pqr" for b in "wxyz"]
    for at, labels in enumerate(names, 1):
        series[labels] += 1
        assert len(series.view()) == at or at > OPEN.room
        assert (labels in series.view()) is (at <= OPEN.room)
    assert sum(series.view().values()) == len(names)


def test_open_labels_are_given_up_from_the_last() -> None:
    series = Series(OPEN)
    for at in range(OPEN.room):
        series["pqr"[at % 3], "wxyz"[at % 4]] += 1
    series["p", "y"] += 5
    assert series.view()["p", OTHER] == 5
    assert series.folded == 0, "it is told from outside only as long as nothing else comes"
    series["q", "z"] += 1
    assert (series.folded, series.view()["q", OTHER]) == (5, 1)


def test_one_first_label_cannot_take_all_the_room() -> None:
    row = Metric("trapline_x_total", "counter", "X.", "xen", (Label("a", 9), Label("b", 9)), room=8, share=3)
    series = Series(row)
    for at in range(9):
        series["bad", str(at)] += 1
    series["good", "1"] += 1
    assert series.view()["good", "1"] == 1
    assert series.view()["bad", OTHER] == 6


def test_what_has_no_place_counts_again_and_again() -> None:
    """Two at once, so that each pushes the other out each time; and one that stays for long."""
    series = Series(OPEN)
    for value in "pqr":
        series[value, "w"] += 1
    for _ in range(50):
        series["s", "w"] += 1
        series["t", "w"] += 2
    for _ in range(50):
        series["u", "w"] += 1
    assert series.view()[OTHER, "w"] == 200
    assert len(series) <= OPEN.lines_max + 1


def test_a_gauge_without_a_place_is_left_out_and_counted() -> None:
    meters = Meters("xen")
    states = meters.counter("trapline_domain_state")
    for at in range(3000):
        for state in ("running", "dead"):
            states.put((f"d{at}", state), int(state == "running"))
    found = meters.views()
    assert len(found["trapline_domain_state"]) <= BY_NAME["trapline_domain_state"].lines_max
    assert all(value == (state == "running") for (_, state), value in found["trapline_domain_state"].items())
    assert found["trapline_series_folded_total"][("trapline_domain_state",)] > 0
    states.put(("d1", "running"), 0)
    assert states["d1", "running"] == 0


def test_histograms_beyond_the_room_share_one() -> None:
    row = Metric("trapline_x_seconds", "histogram", "X.", "xen", (Label("a", 9), Label("b", 99)), room=4)
    kept = Histograms(row)
    for at in range(1000):
        kept[str(at % 3), str(at)].observe(LATENCY_BUCKETS_NS[0])
    assert len(kept) <= row.lines_max // row.lines
    assert sum(sum(one.counts) for one in kept.values()) == 1000
    assert kept.folded


# ---- whole platforms --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topology", [load_shipped, lambda: generated.topology(32)], ids=["automotive", "32 agents"]
)
def test_a_process_tells_some_hundreds_of_lines(topology: Callable[[], Topology]) -> None:
    described = topology()
    engine = SimulatedEngine(described, 1, lambda *_: None)
    Toolstack(engine, described, Work(run=True, think_ns=100_000)).start()
    engine.run(20_000_000)
    told = {name: lines(driver.core.meters) for name, driver in engine.drivers().items()}
    assert all(one < SERIES_MAX - LIBRARY for one in told.values()), told


# ---- whole cores ------------------------------------------------------------------------------


def fuzzed_el3(platform: Platform, seed: int, messages: int) -> tuple[Meters, Counter[str], Counter[str]]:
    """EL3 after so many messages with any header and any payload; the calls by agent and by status."""
    dice = random.Random(seed)
    bench = el3.Bench(platform)
    by_agent: Counter[str] = Counter()
    by_status: Counter[str] = Counter()
    for _ in range(messages):
        agent = dice.choice(platform.agent)
        head = header.pack(
            dice.choice((dice.randrange(256), dice.randrange(0x10, 0x1D))),
            dice.choice((dice.randrange(256), dice.randrange(0x18))),
            token=dice.randrange(1024),
        ) | (dice.randrange(4) << 8 if dice.random() < 0.1 else 0)
        words = [dice.choice((0, 1, 2, 5, dice.getrandbits(32))) for _ in range(dice.randrange(5))]
        payload = b"".join(word.to_bytes(4, "little") for word in words)
        fid = dice.getrandbits(32) if dice.random() < 0.01 else agent.smc_id
        x, page = bench.smc(fid, shmem.request(head, payload), agent.shmem)
        if fid == agent.smc_id and x[0] == 0:
            by_agent[str(agent.id)] += 1
            by_status[
                el3.Status(int.from_bytes(shmem.read_message(page)[1][:4], "little", signed=True)).name
            ] += 1
    return bench.core.meters, by_agent, by_status


@pytest.mark.parametrize(
    "platform",
    [lambda: load_shipped().platform, lambda: generated.topology(32).platform],
    ids=["automotive", "32 agents"],
)
def test_el3_under_attack(platform: Callable[[], Platform]) -> None:
    meters, by_agent, by_status = fuzzed_el3(platform(), 7, 12_000)
    assert lines(meters) < SERIES_MAX <= bound("firmware")
    for agent, calls in by_agent.items():
        assert total(meters, "trapline_scmi_calls_total", agent) == calls
    for name, calls in by_status.items():
        assert total(meters, "trapline_scmi_calls_total", name) == calls
    row = BY_NAME["trapline_scmi_calls_total"]
    assert len(meters.counter(row.name)) <= row.lines_max + 1


def test_xen_under_attack() -> None:
    """Guests that vary every register, strangers, and a toolstack that never uses a name twice."""
    dice = random.Random(11)
    bench = xen.Bench()
    traps: Counter[str] = Counter()
    for at in range(600):
        domain = bench.create(f"name-{dice.getrandbits(64):x}", dice.choice((2, 3)))
        for _ in range(20):
            x = [dice.choice((FID[2], FID[3], dice.getrandbits(32), dice.getrandbits(64))) for _ in range(8)]
            bench.trapped(domain, *x, ec=dice.choice((0x16, 0x17, 0x13)), immediate=dice.choice((0, 0, 1)))
            traps["all"] += 1
            bench.give(domain.link, frames.EndOfInterrupt(1, at, 0, dice.getrandbits(16), 0))
        bench.give(dice.randbytes(8), frames.Trap(1, at, 0, 0x17, 0, (0,) * 8, 0))
        bench.give(domain.link, frames.Lifecycle(1, at, 0, 3, "x", "running", ""))
        assert bench.rc(frames.DestroyDomain(domain.domid, f"reason {at}")) == 0
    meters = bench.core.meters
    assert lines(meters) <= bound("xen")
    assert total(meters, "trapline_smc_traps_total") == traps["all"]
    assert total(meters, "trapline_domain_lifecycle_events_total", "dead") == 600
    assert total(meters, "trapline_agent_resets_total", OTHER) == 600
    for name, series in meters.counters.items():
        assert len(series) <= BY_NAME[name].lines_max + 1, name


def test_a_guest_under_attack() -> None:
    """Its console asks for anything, and Xen sends anything back."""
    dice = random.Random(13)
    bench = guest.Bench(binding=guest.BINDING)
    for at in range(3000):
        payload, x0 = dice.randbytes(dice.randrange(20)), dice.choice((0, 0, 0, dice.getrandbits(32)))
        _, trap = bench.call(dice.randrange(256), dice.randrange(256), payload)
        bench.returned(trap, guest.reply(trap, dice.randbytes(8)), x0)
        bench.give(frames.Return(1, dice.getrandbits(32), 0, (0, 0, 0, 0)))
        bench.interrupt(dice.getrandbits(16), request=at)
    meters = bench.core.meters
    assert lines(meters) < 300
    assert total(meters, "trapline_guest_calls_total", "domu") == 3000


def test_every_process_has_a_bound() -> None:
    """Whatever a toolstack names its domains; guests alone stay below SERIES_MAX."""
    assert max(bound(role) for role in ("xen", "firmware", "guest", "supervisor")) < LINES_MAX
