"""Loads against the real Xen and EL3 on virtual time: they are legal; a lost call heals by a reboot."""

import pytest

from deploy.engines.simulated import SimulatedEngine
from deploy.toolstack import Toolstack, Work
from deploy.topology import load_shipped
from nodes.guest.load import Part, WorkPlan
from nodes.guest.mixes import MIXES
from tests.deploy.experiments.staged import fault, staged

MS = 1_000_000
TOPOLOGY = load_shipped()


def statuses(plan: WorkPlan) -> dict[str, set[str]]:
    """What EL3 answered to the guests' commands, by command."""
    engine = SimulatedEngine(TOPOLOGY, 1, lambda *_: None)
    xl = Toolstack(engine, TOPOLOGY, Work(plans={guest.name: plan for guest in TOPOLOGY.guests}))
    xl.start()
    engine.run(60 * MS)
    found: dict[str, set[str]] = {}
    calls = engine.firmware.meters.counter("trapline_scmi_calls_total")
    for (agent, _, message, status), count in calls.items():
        if count and agent in ("3", "4"):
            found.setdefault(message, set()).add(status)
    return found


@pytest.mark.parametrize("mix", MIXES)
def test_a_named_mix_is_of_what_a_domain_may_do(mix: str) -> None:
    found = statuses(WorkPlan("closed", think_ns=20_000, mix=mix, seed=3))
    assert len(found) >= 5
    assert set().union(*found.values()) == {"SUCCESS"}


def test_what_belongs_to_others_is_denied() -> None:
    part = Part("clock.CLOCK_RATE_SET", fields={"clock_id": 0, "rate": 1_000_000})
    assert statuses(WorkPlan("open", rate=1000, mix=(part,)))["CLOCK_RATE_SET"] == {"DENIED"}


def test_a_lost_call_blocks_its_channel_until_the_domain_is_rebooted() -> None:
    work = Work(True, 100_000, 5 * MS, record=True)
    stage = staged(work=work)
    lost = fault("link.lose", "guest0", to="xen", messages=("trap",))
    stage.begin(lost)
    stage.advance(stage.now_ns() + 20 * MS)
    stage.end(lost)

    def ended() -> dict[str, int]:
        core = stage.boards[0].engine.nodes["guest0"].core
        return {name: count for (_, name), count in core.meters.counter("trapline_guest_calls_total").items()}

    before = ended()
    stage.advance(stage.now_ns() + 20 * MS)
    after = ended()
    assert after["indefinite_error"] == before["indefinite_error"] == 1, "the one that was lost"
    assert after["answered"] == before["answered"]
    assert after["definite_error"] >= before["definite_error"] + 15, "each call that found the channel busy"
    stage.toolstack.reboot("guest0")
    stage.advance(stage.now_ns() + 20 * MS)
    healed = ended()
    assert healed["answered"] > 20
    assert healed["definite_error"] == healed["indefinite_error"] == 0
    stage.stop()
