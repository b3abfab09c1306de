"""Whatever four agents do, EL3 answers within its tables, tells nobody too much and forgets everything."""

from random import Random

import pytest

from nodes.firmware.profile import PROFILES, FirmwareProfile
from tests.nodes import specimens
from tests.nodes.specimens import THREE, TWO
from tests.nodes.stories import Teller, mixed

STEPS = 400
SPOKEN = [profile for profile in PROFILES.values() if profile.area == "smt"]


@pytest.mark.parametrize("profile", SPOKEN, ids=lambda one: one.name)
@pytest.mark.parametrize("kind", ["granted", "own view", "open", "mixed"])
def test_a_story_ends_where_it_began(profile: FirmwareProfile, kind: str) -> None:
    rnd = Random(f"{profile.name} {kind}")
    described = {
        "granted": lambda: specimens.PLATFORM,
        "own view": lambda: specimens.platform(agent_view="own"),
        "open": lambda: specimens.platform(default_permission="allow"),
        "mixed": lambda: mixed(rnd),
    }[kind]()
    teller = Teller(rnd, profile, described)
    teller.tell(STEPS)
    teller.forget()


def test_what_is_left_behind_is_seen() -> None:
    """The teller's own test: a wish that nobody's reset takes back, and a timer that nobody cancels."""
    teller = Teller(Random(0), PROFILES["spec-strict"], specimens.PLATFORM)
    clocks = teller.core.board.clocks
    clocks.ask_state(1, not clocks.on(1))
    with pytest.raises(AssertionError, match="CLOCK_ATTRIBUTES"):
        teller.forget()
    teller = Teller(Random(0), PROFILES["spec-strict"], specimens.PLATFORM)
    teller.core.machine.schedule.at(10**18, lambda: None)
    with pytest.raises(AssertionError):
        teller.forget()


def test_who_is_told_too_much_is_seen() -> None:
    teller = Teller(Random(0), PROFILES["spec-strict"], specimens.PLATFORM)
    teller.core.permissions.set_device(TWO, specimens.GRANTED, True)
    changed = next(
        one for one in teller.core.machine.subscriptions if one.notification.name.startswith("CLOCK_RATE")
    )
    with pytest.raises(AssertionError):
        teller.core.outbox.send(THREE, changed._head, bytes(4) + (1).to_bytes(4, "little") + bytes(8))
