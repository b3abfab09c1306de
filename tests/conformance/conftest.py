"""Every scenario runs twice: on the simulated link, and over ZeroMQ with real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.board import Board
from tests.conformance.rig import Rig
from tests.conformance.rig_simulated import SimulatedRig
from tests.conformance.rig_zeromq import ZeroMQRig

RIGS: dict[str, type[Rig]] = {"simulated": SimulatedRig, "zeromq": ZeroMQRig}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = RIGS[request.param]()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def board(rig: Rig, tmp_path: Path) -> Board:
    return Board(rig, tmp_path)
