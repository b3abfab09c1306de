"""A clock that several agents wish for: the words in which the tests of ``linearizable`` tell of it."""

from msgspec.structs import replace

from deploy.recording.events import Trapped
from deploy.topology import Topology
from tests.deploy.experiments.checkers.histories import Told, asked, automotive, found, word

NAME = "linearizable"
CLOCK = 5  # i2c0: 13_333_333, 33_333_333 (at boot), 66_666_666
LOW, BOOT, HIGH = 13_333_333, 33_333_333, 66_666_666
IVI_LINE = 112


def wish(rate: int, flags: int = 0, clock: int = CLOCK) -> tuple[int, bytes]:
    return asked("clock", "CLOCK_RATE_SET", clock_id=clock, rate=rate, flags=flags)


def read(clock: int = CLOCK) -> tuple[int, bytes]:
    return asked("clock", "CLOCK_RATE_GET", clock_id=clock)


def says(rate: int) -> bytes:
    return word(0, rate, 0)


def wishes(story: Told, domain: str, rate: int) -> None:
    story.call(domain, wish(rate))


def reads(story: Told, domain: str, rate: int) -> None:
    story.call(domain, read(), says(rate))


def ends(story: Told, trap: Trapped, payload: bytes = bytes(4)) -> None:
    story.returned(trap, story.executed(story.smc(trap), payload))


def explained(story: Told, **rest: object) -> bool:
    return found(story, NAME, **rest) == ()


def with_platform(**changes: object) -> Topology:
    return replace(automotive(), platform=replace(automotive().platform, **changes))
