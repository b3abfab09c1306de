"""A plan is drawn from the seed alone: who, what, when."""

import os
import subprocess
import sys

import msgspec
import pytest

from deploy.experiments.describing.plan import FAULTS_MAX, Plan, Planned, chosen, draw
from deploy.experiments.describing.scenario import Fault, Load, Phases, Scenario

DOMAINS = ("dom0", "ivi", "tcu", "cluster")
MS = 1_000_000


def scenario(*faults: Fault, load: tuple[Load, ...] = ()) -> Scenario:
    return Scenario("test", load=load, fault=faults, phases=Phases(100, 1000, 300, 200))


def faults(one: Fault, seed: int = 1) -> tuple[Planned, ...]:
    return draw(scenario(one), DOMAINS, seed).faults


def test_phases_follow_one_another() -> None:
    plan = draw(scenario(), DOMAINS, 1)
    assert [(one.name, one.begin_ns // MS, one.end_ns // MS) for one in plan.phases] == [
        ("warm_up", 0, 100),
        ("faults", 100, 1100),
        ("heal", 1100, 1400),
        ("drain", 1400, 1600),
    ]


def test_equal_seeds_give_equal_plans_and_others_do_not() -> None:
    described = scenario(Fault("process.pause", at_ms=(0, 900), for_ms=(1, 50)))
    plans = [draw(described, DOMAINS, seed) for seed in (7, 7, 8)]
    assert plans[0] == plans[1] != plans[2]


def test_a_plan_does_not_depend_on_the_interpreter() -> None:
    program = (
        "import msgspec;from tests.deploy.experiments.test_plan import DOMAINS, scenario;"
        "from deploy.experiments.describing.plan import draw;"
        "from deploy.experiments.describing.scenario import Fault;"
        "f=Fault('link.delay',where='any',at_ms=(0,900),for_ms=(1,50),delay_us=(1,100),every_ms=70.0);"
        "print(msgspec.json.encode(draw(scenario(f), DOMAINS, 5)).decode())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert len(msgspec.json.decode(told.pop(), type=Plan).faults) > 1


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("*", DOMAINS),
        ("guests", DOMAINS[1:]),
        ("tcu", ("tcu",)),
        (("tcu", "guests"), ("tcu", "ivi", "cluster")),
    ],
)
def test_who_is_meant(names: str | tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert chosen(names, DOMAINS, 1) == expected


def test_any_is_every_guest_sometimes_and_never_dom0() -> None:
    assert {chosen("any", DOMAINS, seed) for seed in range(60)} == {(name,) for name in DOMAINS[1:]}


def test_any_of_a_platform_without_guests_is_nobody() -> None:
    assert chosen("any", ("dom0",), 1) == ()


def test_a_fault_without_a_duration_lasts_to_the_end_of_its_phase() -> None:
    (one,) = faults(Fault("process.pause", where="ivi", at_ms=250))
    assert (one.where, one.begin_ns, one.end_ns) == (("ivi",), 350 * MS, 1100 * MS)


def test_a_fault_ends_with_its_phase_at_the_latest() -> None:
    (one,) = faults(Fault("process.pause", where="ivi", at_ms=900, for_ms=500))
    assert one.end_ns == 1100 * MS


def test_what_begins_with_the_end_of_its_phase_does_not_happen() -> None:
    assert faults(Fault("process.pause", at_ms=1000)) == ()
    assert len(faults(Fault("process.pause", at_ms=999.999))) == 1


def test_an_instant_has_no_end() -> None:
    (one,) = faults(Fault("process.kill", at_ms=10, for_ms=100))
    assert one.begin_ns == one.end_ns


def test_repetitions_are_numbered_in_order_of_time_and_draw_anew() -> None:
    plan = draw(
        scenario(Fault("process.kill", at_ms=(0, 20), every_ms=100.0), Fault("el3.stall", at_ms=5, for_ms=1)),
        DOMAINS,
        3,
    )
    assert [one.number for one in plan.faults] == list(range(1, 12))
    assert sorted(one.begin_ns for one in plan.faults) == [one.begin_ns for one in plan.faults]
    kills = [one for one in plan.faults if one.kind == "process.kill"]
    assert len({one.where for one in kills}) > 1
    assert len({one.seed for one in kills}) == len(kills) == 10


def test_there_is_an_end_to_repetition() -> None:
    assert len(faults(Fault("process.kill", every_ms=0.0001))) == FAULTS_MAX


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        (Fault("link.lose", where="ivi"), (("ivi",), "xen")),
        (Fault("link.lose", where="xen"), (("xen",), "*")),
        (Fault("link.lose", where="xen", to="firmware"), (("xen",), "firmware")),
        (Fault("el3.stall"), (("firmware",), "")),
        (Fault("xen.restart"), (("xen",), "")),
        (Fault("el3.busy", where="tcu"), (("tcu",), "")),
    ],
)
def test_where_it_happens(fault: Fault, ends: tuple[tuple[str, ...], str]) -> None:
    (one,) = faults(fault)
    assert (one.where, one.to) == ends


def test_later_loads_replace_earlier_ones_and_the_rest_is_idle() -> None:
    load = (
        Load("guests", kind="closed", think_us=(1.0, 9.0)),
        Load("tcu", kind="open", rate=(10.0, 20.0)),
    )
    plan = draw(scenario(load=load), DOMAINS, 1)
    assert {name: one.kind for name, one in plan.loads.items()} == {
        "dom0": "idle",
        "ivi": "closed",
        "tcu": "open",
        "cluster": "closed",
    }
    assert plan.loads["ivi"].think_us != plan.loads["cluster"].think_us
    assert isinstance(plan.loads["tcu"].rate, float)
    assert 10 <= plan.loads["tcu"].rate < 20
    assert len(set(plan.seeds.values())) == len(DOMAINS)


def test_solo_leaves_one_load_and_no_faults() -> None:
    plan = draw(scenario(Fault("el3.stall"), load=(Load("*"),)), DOMAINS, 1)
    alone = plan.without_faults("ivi")
    assert alone.faults == ()
    assert {name for name, one in alone.loads.items() if one.kind != "idle"} == {"ivi"}


def test_a_part_of_a_plan_keeps_its_numbers() -> None:
    plan = draw(scenario(Fault("process.kill", every_ms=100.0)), DOMAINS, 1)
    assert [one.number for one in plan.only({2, 5}).faults] == [2, 5]
