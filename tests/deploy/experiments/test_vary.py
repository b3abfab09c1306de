"""The swarm's dice: all that is allowed turns up, nothing else, and a seed is enough to know all of it."""

import msgspec
import pytest

from deploy.experiments.describing.faults import BY_NAME
from deploy.experiments.describing.plan import draw
from deploy.experiments.describing.scenario import Fault, Metering, Phases, PlatformChoice, Scenario, Swarm
from deploy.experiments.searching.vary import ANYBODYS, LOSSY, VARIED, knobs, vary

BASE = Scenario("swarm", phases=Phases(20, 150, 100, 300))
SEEDS = range(600)


def varied(swarm: Swarm = Swarm()) -> list[Scenario]:  # noqa: B008 - a frozen value
    base = msgspec.structs.replace(BASE, swarm=swarm)
    return [vary(base, seed) for seed in SEEDS]


def test_equal_seeds_vary_alike() -> None:
    assert [vary(BASE, seed) for seed in range(20)] == [vary(BASE, seed) for seed in range(20)]
    assert len({msgspec.json.encode(one) for one in varied()}) == len(SEEDS)


def test_every_kind_of_fault_and_load_turns_up() -> None:
    found = varied()
    assert {fault.kind for one in found for fault in one.fault} == set(VARIED)
    assert {load.kind for one in found for load in one.load} == {"linux", "closed", "open"}
    assert {one.platform.guests for one in found} == set(Swarm().guests)
    assert {one.metering.mode for one in found} == {"off", "observe", "enforce"}
    assert {one.pages for one in found} == {"carried", "mapped"}
    assert max(len(one.fault) for one in found) == Swarm().faults_max
    assert min(len(one.fault) for one in found) == 0


def test_nothing_but_what_is_allowed_turns_up() -> None:
    found = varied(
        Swarm(
            guests=(2,),
            shared=(0,),
            firmware=("tfa", "imx-sm"),
            xen=("v9",),
            faults=("el3.busy",),
            faults_max=1,
            loads=("open",),
        )
    )
    assert {fault.kind for one in found for fault in one.fault} == {"el3.busy"}
    assert {len(one.fault) for one in found} == {0, 1}
    assert {one.platform for one in found} == {
        PlatformChoice(guests=2, shared=0, firmware=name, xen="v9") for name in ("tfa", "imx-sm")
    }


def test_what_is_not_to_be_drawn_is_as_the_scenario_says() -> None:
    base = msgspec.structs.replace(
        BASE, platform=PlatformChoice(name="automotive"), swarm=Swarm(guests=(), loads=(), faults_max=0)
    )
    found = vary(base, 3)
    assert (found.platform.name, found.load, found.fault) == ("automotive", base.load, ())


def test_a_plan_that_loses_frames_has_an_impatient_xen() -> None:
    lossy = [one for one in varied() if {fault.kind for fault in one.fault} & LOSSY]
    assert lossy
    assert all(one.timing.xen_patience_ms for one in lossy)


def test_faults_that_need_mapped_pages_have_them() -> None:
    for one in varied():
        if any(BY_NAME[fault.kind].needs for fault in one.fault):
            assert one.pages == "mapped"


def test_no_amount_is_left_to_draw() -> None:
    for one in varied()[:100]:
        for row in (*one.fault, *one.load):
            ranges = [value for key, value in msgspec.structs.asdict(row).items() if key != "mix"]
            assert not [value for value in ranges if isinstance(value, tuple) and value]


def test_somebody_tries_what_is_not_his() -> None:
    """Without that a swarm would say little of isolation."""
    prying = [
        share for one in varied() for load in one.load if isinstance(load.mix, tuple) for share in load.mix
    ]
    assert {share.message for share in prying} == {row[0] for row in ANYBODYS}
    assert max(share.fields.get("clock_id", 0) for share in prying) > 4


def test_every_template_takes_the_keys_it_draws_from() -> None:
    """A range on a key that the kind ignores would be a knob without an effect."""
    default = Fault("process.kill")
    for kind, template in VARIED.items():
        row = BY_NAME[kind]
        changed = {
            field for field in Fault.__struct_fields__ if getattr(template, field) != getattr(default, field)
        } - {"kind", "for_ms"}
        assert changed <= set(row.takes), kind
        assert row.instant == (template.for_ms == 0.0), kind


@pytest.mark.parametrize("seed", [1, 99])
def test_a_varied_scenario_can_be_planned(seed: int) -> None:
    scenario = vary(BASE, seed)
    names = ["dom0", *(f"guest{at}" for at in range(scenario.platform.guests))]
    plan = draw(scenario, names, seed)
    assert len(plan.faults) == len(scenario.fault)


def test_knobs_tell_what_was_drawn() -> None:
    told = knobs(vary(msgspec.structs.replace(BASE, metering=Metering("observe", rate=7.0)), 11))
    assert told["seed"] == 11
    assert told["load.1.domains"] == "guests"
    assert {key.split(".")[0] for key in told} <= {
        "seed",
        "pages",
        "platform",
        "timing",
        "metering",
        "load",
        "fault",
    }
