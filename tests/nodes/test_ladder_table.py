"""The page about EL3 says of each rung what EL3 does there."""

import ast
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bus.fields import encode
from bus.scmi import base, clock, header
from bus.scmi.status import Status
from deploy import limits_table
from nodes import firmware
from nodes.firmware import ladder_table
from nodes.firmware.ladder_table import RUNGS, Rung
from nodes.firmware.profile import PROFILES, SPEC_STRICT
from tests.nodes.el3 import PLATFORM, TWO, Bench

CLOCK, BASE, RATE_SET = 0x14, 0x10, 5
WITHOUT = msgspec.structs.replace(
    PLATFORM,
    agent=tuple(
        msgspec.structs.replace(one, protocols=("reset",)) if one.id == TWO else one for one in PLATFORM.agent
    ),
)
LACKS = msgspec.structs.replace(SPEC_STRICT, missing=frozenset({"base.BASE_DISCOVER_VENDOR"}))


def send(bench: Bench, protocol: int, message: int, payload: bytes, message_type: int = 0) -> Status:
    head = header.pack(protocol, message, token=1, message_type=message_type)
    return bench.raw(TWO, head, payload)[0]


# One message for each rung that every rung above lets pass, wrong for most of those below.
REFUSED: tuple[Callable[[], Status], ...] = (
    lambda: send(Bench(), CLOCK, RATE_SET, b"", message_type=1),
    lambda: send(Bench(), 0x80, 0, b"?"),
    lambda: send(Bench(WITHOUT), CLOCK, RATE_SET, b"?"),
    lambda: send(Bench(), CLOCK, 0xFF, b"?"),
    lambda: send(Bench(profile=LACKS), BASE, 3, b"?"),
    lambda: send(Bench(), CLOCK, RATE_SET, b"?"),
    lambda: send(Bench(), CLOCK, RATE_SET, encode(clock.RateSet(1 << 31, 99, 1))),
    lambda: send(Bench(), CLOCK, RATE_SET, encode(clock.RateSet(1 << 31, 5, 1))),
    lambda: send(Bench(), CLOCK, RATE_SET, encode(clock.RateSet(0, 5, 1))),
)


@pytest.mark.parametrize(
    ("rung", "refused"), list(zip(RUNGS, REFUSED, strict=True)), ids=[one.asked for one in RUNGS]
)
def test_the_page_says_what_el3_does(rung: Rung, refused: Callable[[], Status]) -> None:
    assert refused().name == rung.refusal(SPEC_STRICT)


def test_what_passes_every_rung_is_the_handlers() -> None:
    bench = Bench()
    assert bench.status(TWO, "base", "BASE_DISCOVER_AGENT", base.DiscoverAgent(base.SELF)) is Status.SUCCESS


def test_every_firmware_that_differs_is_named() -> None:
    page = ladder_table.markdown()
    for rung in RUNGS:
        (row,) = [line for line in page.splitlines() if rung.asked in line]
        for name, profile in PROFILES.items():
            if rung.refusal(profile) != rung.refusal(SPEC_STRICT):
                assert rung.refusal(profile) in row
                assert name in row


def test_every_limit_of_el3_is_told() -> None:
    page = limits_table.markdown()
    root = Path(str(firmware.__file__)).parent
    used = {
        name.name
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "nodes.limits"
        for name in node.names
    }
    assert used == set(limits_table.NAMES)
    assert all(f"`{name}`" in page for name in used)
