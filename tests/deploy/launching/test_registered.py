"""A registered launcher and a node that does not come. With nodes: tests/system/test_registered.py."""

from pathlib import Path

import msgspec
import pytest

from deploy.engines.watching import ReadableSources
from deploy.launching.arriving import Arriving
from deploy.launching.config import NodeConfig
from deploy.launching.identity import Identity, new_cluster
from deploy.launching.launcher import Ground, LaunchFailed
from deploy.launching.registered import RegisteredLauncher
from deploy.launching.starter import Place
from deploy.specs import GuestSpec, NodeSpec
from nodes.guest.config import GuestConfig
from nodes.meters import Meters

IVI = Identity(new_cluster(), "guest", "ivi", 1)
SPEC = msgspec.msgpack.encode(NodeSpec("ivi", GuestSpec(GuestConfig("ivi", "3", None), ()), "", True))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    (tmp_path / "log").mkdir()
    meters = Meters("supervisor")
    return Ground(
        tmp_path, IVI.cluster, None, ReadableSources(), lambda level, text: None, meters, lambda: False
    )


def waited_for(launcher: RegisteredLauncher, ground: Ground, why: str) -> None:
    """Nobody brings the node up; waiting for it ends like that, and it is over then."""
    launcher.open(ground)
    handle = launcher.start(IVI, SPEC)
    with pytest.raises(LaunchFailed, match=why):
        handle.wait_ready()
    handle.join()
    assert not handle.is_alive()
    launcher.close()


def test_who_does_not_come_in_time_is_ended(ground: Ground) -> None:
    launcher = RegisteredLauncher(lambda folder: Arriving(), start_s=0.1)
    waited_for(launcher, ground, r"ivi was not ready within 0\.1 s")


def test_who_is_interrupted_does_not_wait_for_a_node(ground: Ground) -> None:
    turns: list[bool] = []

    def interrupted() -> bool:
        turns.append(True)
        return len(turns) == 3

    launcher = RegisteredLauncher(lambda folder: Arriving(), start_s=1e6)
    ground = msgspec.structs.replace(ground, interrupted=interrupted)
    waited_for(launcher, ground, "stopped while waiting for ivi")


class Lost(Arriving):
    """Of a cluster that is gone."""

    def start(self, identity: Identity, config: NodeConfig, key: bytes) -> Place:
        raise ConnectionError("the cluster is lost")


def test_a_starter_that_cannot_leaves_no_handle(ground: Ground) -> None:
    launcher = RegisteredLauncher(lambda folder: Lost())
    launcher.open(ground)
    with pytest.raises(LaunchFailed, match="ivi cannot be started: the cluster is lost"):
        launcher.start(IVI, SPEC)
    assert not launcher._handles
    launcher.close()
