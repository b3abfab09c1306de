"""Power capping: what is told unasked, and what the third version has."""

import pytest

from bus.scmi import powercap
from bus.scmi.protocol import Nothing
from bus.scmi.status import Status
from tests.nodes.el3 import THREE, TWO, Bench
from tests.nodes.powercaps import ALONE, FIXED, OK, RICH, ask, attributes, cap, capped, interval, made, watch
from tests.nodes.unasked import Told, negotiate, reset, told, wait


@pytest.fixture
def bench() -> Bench:
    return made()


# ---- notifications ----------------------------------------------------------------------------


def test_a_changed_cap_is_told_when_it_changes(bench: Bench) -> None:
    for agent in (TWO, THREE):
        assert ask(bench, "CAP_NOTIFY", powercap.CapNotify(RICH, 1), agent) == Nothing()
    assert cap(bench, RICH, 500) is OK
    changed = powercap.CapChanged(TWO, RICH, 500, 3000, 0)
    assert told(bench) == [
        Told(TWO, "POWERCAP_CAP_CHANGED", changed, bytes=16),
        Told(THREE, "POWERCAP_CAP_CHANGED", changed, bytes=16),
    ]
    assert cap(bench, RICH, 600, THREE) is OK
    assert told(bench) == [], "500 is still the lowest"
    assert interval(bench, RICH, 1000, THREE) is OK
    assert [one.body.interval for one in told(bench)] == [1000, 1000]
    reset(bench, TWO)
    assert [(one.agent, one.body.power_cap) for one in told(bench)] == [(THREE, 600)]
    assert ask(bench, "CAP_NOTIFY", powercap.CapNotify(FIXED, 1)) is Status.NOT_SUPPORTED


def test_thresholds_0_and_0_are_every_measurement_where_the_domain_says_so(bench: Bench) -> None:
    watch(bench, RICH, 0, 0)
    came = wait(bench, 9100)
    assert (
        came
        == [
            Told(
                TWO, "POWERCAP_MEASUREMENTS_CHANGED", powercap.MeasurementsChanged(0, RICH, 700, 0), bytes=12
            )
        ]
        * 3
    )
    watch(bench, RICH, 0, 0, enable=0)
    assert bench.core.deadline_ns() is None
    watch(bench, ALONE, 0, 0)
    assert len(wait(bench, 9100)) == 1, "the power left 0 to 0 once"


@pytest.mark.parametrize(("low", "high", "count"), [(0, 699, 1), (701, 800, 1), (700, 700, 0), (0, 700, 0)])
def test_who_gave_thresholds_is_told_once_when_the_power_leaves_them(
    bench: Bench, low: int, high: int, count: int
) -> None:
    watch(bench, RICH, low, high)
    assert len(wait(bench, 30_000)) == count


def test_thresholds_that_contradict_each_other(bench: Bench) -> None:
    assert watch(bench, RICH, 2, 1) is Status.INVALID_PARAMETERS
    assert watch(bench, FIXED, 1, 2) is Status.NOT_SUPPORTED
    assert bench.held(TWO) == {}


def test_measurements_follow_a_new_interval(bench: Bench) -> None:
    watch(bench, RICH, 0, 0)
    assert interval(bench, RICH, 1000) is OK
    assert len(wait(bench, 5100)) == 5


def test_a_reset_frees_everything(bench: Bench) -> None:
    assert cap(bench, RICH, 500) is OK
    assert interval(bench, RICH, 1000) is OK
    ask(bench, "CAP_NOTIFY", powercap.CapNotify(RICH, 1))
    watch(bench, RICH, 1, 2)
    assert set(bench.held(TWO)) == {
        "powercap_domain 2 cap",
        "powercap_domain 2 interval",
        "powercap_domain 2 POWERCAP_CAP_CHANGED",
        "powercap_domain 2 POWERCAP_MEASUREMENTS_CHANGED",
    }
    reset(bench, TWO)
    assert bench.held(TWO) == {}
    assert bench.core.deadline_ns() is None
    assert ask(bench, "PAI_GET", powercap.PaiGet(RICH)).interval == 3000


# ---- version 3 --------------------------------------------------------------------------------


def test_levels_of_the_third_version() -> None:
    bench = made(0x30000)
    body = attributes(bench, ALONE)
    bits = powercap.DOMAIN.unpack(body.attributes)
    assert (bits["num_cpl"], bits["cai_configurable"], bits["cap_change_notify"]) == (2, 1, 1)
    assert (body.min_cai, body.max_cai, body.cai_step) == (100, 300, 100)
    peak = ask(bench, "CPC_ATTRIBUTES", powercap.CpcAttributes(ALONE, 1))
    assert peak.desc == (powercap.CplDescriptor(1, 1, 10, 200, 10, 10, 20, 5, "peak"),)
    first = ask(bench, "CPC_ATTRIBUTES", powercap.CpcAttributes(ALONE, 0))
    assert powercap.NUM_CPL.unpack(first.num_cpl) == {"remaining": 1, "returned": 1}
    assert ask(bench, "CPC_ATTRIBUTES", powercap.CpcAttributes(ALONE, 2)) is Status.INVALID_PARAMETERS
    assert (cap(bench, ALONE, 150, cpli=1), cap(bench, ALONE, 150)) == (OK, Status.OUT_OF_RANGE)
    assert (capped(bench, ALONE, 1), capped(bench, ALONE)) == (150, 0)
    assert cap(bench, ALONE, 50, cpli=2) is Status.INVALID_PARAMETERS
    assert ask(bench, "CAP_GET", powercap.CapGet(ALONE, 2)) is Status.INVALID_PARAMETERS


@pytest.mark.parametrize(
    ("domain", "cpli", "cai", "flags", "status"),
    [
        (ALONE, 0, 200, 0, None),
        (ALONE, 1, 15, 0, None),
        (ALONE, 1, 17, 0, Status.INVALID_PARAMETERS),
        (ALONE, 0, 99, 0, Status.INVALID_PARAMETERS),
        (ALONE, 2, 15, 0, Status.INVALID_PARAMETERS),
        (ALONE, 0, 200, 1, Status.INVALID_PARAMETERS),
        (RICH, 0, 1000, 0, Status.NOT_SUPPORTED),
        (99, 0, 1000, 0, Status.NOT_FOUND),
    ],
)
def test_setting_the_interval_of_a_cap(
    domain: int, cpli: int, cai: int, flags: int, status: Status | None
) -> None:
    bench = made(0x30000)
    found = ask(bench, "CAI_SET", powercap.CaiSet(domain, flags, cai, cpli))
    if status is not None:
        assert found is status
        assert bench.held(TWO) == {}
    else:
        assert ask(bench, "CAI_GET", powercap.CaiGet(domain, cpli)).cai == cai
    assert ask(bench, "CAI_GET", powercap.CaiGet(ALONE, 2)) is Status.INVALID_PARAMETERS


def test_each_version_is_told_in_its_own_words() -> None:
    bench = made(0x30000)
    negotiate(bench, THREE, "powercap", 0x20000)
    for agent in (TWO, THREE):
        ask(bench, "CAP_NOTIFY", powercap.CapNotify(ALONE, 1), agent)
    assert cap(bench, ALONE, 150, cpli=1) is OK
    assert cap(bench, ALONE, 50) is OK
    came = sorted(told(bench), key=lambda one: one.agent)
    assert [(one.agent, one.bytes, one.body) for one in came] == [
        (TWO, 20, powercap.CapChanged(TWO, ALONE, 150, 10, 1)),
        (TWO, 20, powercap.CapChanged(TWO, ALONE, 50, 100, 0)),
        (THREE, 16, powercap.CapChanged(TWO, ALONE, 50, 1000, 0)),
    ]
    watch(bench, RICH, 0, 0)
    assert [(one.bytes, one.body.mai) for one in wait(bench, 3100)] == [(16, 3000)]
