"""Processes that were replaced and come back to a live platform: each ends itself, nobody is disturbed."""

from typing import Any

import msgspec
import pytest

from bus import frames
from deploy import logs, specs
from deploy.engines.breaking import Breaker
from deploy.engines.local import Options
from deploy.launching.identity import Identity, Role, new_cluster
from deploy.platform import Platform
from nodes.contract import REPLACED
from nodes.guest.config import GuestConfig
from tests.system.door import works
from tests.system.local import Local

LATE = "late"  # what its process is called
LINKS = pytest.mark.parametrize("options", [Options(), Options(0)], ids=["ipc", "tcp"])


def comes_late(platform: Platform, identity: Identity, role: Any, token: bytes) -> str:
    """Start the process of an earlier incarnation; gives the one line with which it ended itself."""
    engine = platform.engine
    run, key = platform.run_directory, engine._credentials.server_key
    made = specs.NodeSpec(LATE, role, str(run.path), True, engine.endpoint, token, key, identity=identity)
    child = engine.launcher.start(identity, msgspec.msgpack.encode(made))
    try:
        child.wait_ready()
        child.join()
        assert child.ending is not None, child.how_it_ended()
        code, reason = child.ending
        assert code == child.process.exitcode == REPLACED
        assert [(line.level, line.text) for line in logs.read(run.log, [LATE])][-1] == ("error", reason)
        return reason
    finally:
        engine.launcher.release(child)


def identity(platform: Platform, role: Role, name: str, incarnation: int) -> Identity:
    return Identity(platform.engine.identities.cluster, role, name, incarnation)


@LINKS
def test_a_domain_and_an_el3_that_were_replaced(local: Local, options: Options) -> None:
    platform = local.start(options)
    old = platform.toolstack.find("ivi")
    new = platform.toolstack.reboot("ivi")
    assert (old.incarnation, new.incarnation) == (1, 2)
    guest = specs.GuestSpec(GuestConfig("ivi", "3", None), ())
    said = comes_late(platform, identity(platform, "guest", "ivi", 1), guest, old.link)
    assert said == "this node ends itself: ivi#1 was rebooted; its link is retired"
    works(platform)

    Breaker(platform.engine).restart_firmware()
    works(platform)
    firmware = specs.firmware(platform.topology)
    token = platform.engine._credentials.firmware(1)
    said = comes_late(platform, identity(platform, "firmware", "firmware", 1), firmware, token)
    assert said == "this node ends itself: EL3#1 was replaced; its link is retired"
    works(platform)
    stale = [event for event in platform.events if event.event == "stale"]
    assert [event.domain for event in stale] == ["ivi", "EL3"]


def test_a_process_of_another_cluster(local: Local) -> None:
    platform = local.start()
    domid = platform.engine.domctl(frames.CreateDomain("late")).domid
    platform.engine.domctl(frames.UnpauseDomain(domid))
    other = new_cluster()
    guest = specs.GuestSpec(GuestConfig("late", "none", None), ())
    link = platform.toolstack.find("late").link
    said = comes_late(platform, Identity(other, "guest", "late", 1), guest, link)
    ours = platform.engine.identities.cluster
    assert said == f"this node ends itself: this is cluster {ours}, you say {other}"
    works(platform)
