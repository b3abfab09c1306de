"""How often a domain is tried again whose machine was lost, with no machine that has room for it."""

from pathlib import Path

from deploy import generated
from deploy.engines.local import Options
from deploy.moving import WAITS_S, MovingPlatform, on_ray
from deploy.rundir import RunDirectory
from deploy.toolstack import Work


def platform(folder: Path) -> MovingPlatform:
    """One that is not running: whatever is created there fails."""
    options = on_ray(Options(), "127.0.0.1:1", ("guests=any",))
    assert options.tcp_port == 0
    return MovingPlatform(generated.topology(2), RunDirectory(folder / "run"), options, Work())


def test_it_is_tried_so_often_and_then_given_up(tmp_path: Path) -> None:
    made = platform(tmp_path)
    guest, other = made.topology.guests
    made._recreate(other)
    made._recreate(guest)
    tries = 0
    while guest.name in made._due:
        made._again(guest)
        tries += 1
    assert tries == len(WAITS_S)
    told = [event.detail for event in made.events if event.domain == guest.name]
    assert len(told) == tries + 1
    assert told[-1] == f"given up after {tries} tries; 'trapline xl create' begins it"
    assert list(made._due) == [other.name]


def test_each_wait_is_as_long_as_the_one_before_or_longer_and_the_first_is_none() -> None:
    assert WAITS_S[0] == 0.0
    assert list(WAITS_S) == sorted(WAITS_S)


def test_who_lived_long_begins_at_once_again(tmp_path: Path) -> None:
    made = platform(tmp_path)
    guest = made.topology.guests[0]
    made._tries[guest.name] = len(WAITS_S)
    made._tried[guest.name] = float("-inf")
    made._recreate(guest)
    assert made._tries[guest.name] == 1
