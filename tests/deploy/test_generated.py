"""Generated platforms: what is made is a platform as files would give, of any size there is room for."""

import pytest

from deploy import generated
from deploy.engines.simulated import SimulatedEngine
from deploy.errors import UserError
from deploy.generated import GUESTS_MAX, SHARED_MAX, topology
from deploy.toolstack import Toolstack, Work
from nodes.firmware.platform import check
from nodes.guest import console
from nodes.xen import binding

DENIED = -3


@pytest.mark.parametrize(("guests", "shared"), [(1, 0), (3, 2), (GUESTS_MAX, SHARED_MAX)])
def test_what_is_made_obeys_every_rule(guests: int, shared: int) -> None:
    made = topology(guests, shared=shared)
    check(made.platform)
    assert [one.agent_id for one in binding.secondaries(made.host)] == list(range(guests))
    assert [guest.sci.agent_id for guest in made.guests] == list(range(guests))
    assert len({guest.name for guest in made.guests}) == guests


@pytest.mark.parametrize(("guests", "shared"), [(0, 0), (GUESTS_MAX + 1, 0), (1, -1), (1, SHARED_MAX + 1)])
def test_no_more_than_there_is_room_for(guests: int, shared: int) -> None:
    with pytest.raises(UserError, match="a generated platform has"):
        topology(guests, shared=shared)


def test_several_boards_have_guests_of_different_names() -> None:
    names = [guest.name for first in (0, 3) for guest in topology(3, first=first).guests]
    assert names == [f"guest{at}" for at in range(6)]


def test_a_guest_has_its_own_device_and_the_shared_ones_and_no_other() -> None:
    made = topology(2, shared=1)
    engine = SimulatedEngine(made, 1, lambda *_: None)
    toolstack = Toolstack(engine, made, Work())
    toolstack.start()

    def set_rate(name: str, clock: int, rate: int) -> int:
        payload = b"".join(word.to_bytes(4, "little") for word in (0, clock, rate, 0))
        answer = toolstack.ask(name, console.Call(0x14, 5, payload))
        assert not answer.code
        return answer.status

    assert [set_rate("guest0", clock, 200) for clock in (0, 1)] == [0, DENIED]
    assert [set_rate("guest1", clock, 200) for clock in (0, 1)] == [DENIED, 0]
    assert [set_rate(name, 2, generated.SHARED_RATES[-1]) for name in ("guest0", "guest1")] == [0, 0]
