"""Guests that share a process: what becomes of one does not touch the others; all end with the process."""

import signal
import urllib.error
import urllib.request

import msgspec
import pytest

from deploy import generated
from deploy.engines.local import Options
from deploy.errors import UserError
from deploy.experiments.stages.local import LocalStage
from deploy.platform import Platform
from deploy.rundir import RunDirectory
from deploy.scale.footprint import cpu_s
from deploy.toolstack import ToolstackError, Work
from nodes.guest import console
from tests.system.cluster import Cluster
from tests.system.local import Local, counter, pump_until
from tests.system.processes import kill

GUESTS, PER_PROCESS = 6, 3
FIRST, SECOND = ("guest0", "guest1", "guest2"), ("guest3", "guest4", "guest5")


@pytest.fixture
def platform(local: Local) -> Platform:
    return begin(local, Work())


def begin(local: Local, work: Work) -> Platform:
    options = Options(guests_per_process=PER_PROCESS)
    run = RunDirectory(local.cluster.run)
    made = Platform(generated.topology(GUESTS), run, options, work)
    made.start()
    local.platforms.append(made)
    return made


def works(platform: Platform, name: str) -> bool:
    """It is answered for the clock that only it has."""
    payload = int(name.removeprefix("guest")).to_bytes(4, "little")
    answer = platform.toolstack.ask(name, console.Call(0x14, 0x6, payload))
    return not answer.code and not answer.status


def pids(platform: Platform) -> dict[str, int]:
    return {name: facts["pid"] for name, facts in platform.engine.nodes().items() if name.startswith("guest")}


def lives(platform: Platform) -> dict[str, int]:
    return {info.name: info.incarnation for info in platform.toolstack.list() if info.name != "dom0"}


def resets(platform: Platform) -> dict[str, int]:
    """By guest, as the life-cycle events tell."""
    found = [event.domain for event in platform.events if event.event == "reset"]
    return {name: found.count(name) for name in (*FIRST, *SECOND)}


def test_each_process_has_its_share_and_dom0_is_alone(platform: Platform) -> None:
    found = pids(platform)
    assert len({found[name] for name in FIRST}) == 1
    assert len({found[name] for name in SECOND}) == 1
    assert len(set(found.values()) | {facts["pid"] for facts in platform.engine.nodes().values()}) == 6
    assert all(works(platform, name) for name in found)


def test_one_that_is_destroyed_leaves_its_neighbours_alone(platform: Platform) -> None:
    platform.toolstack.destroy("guest1")
    assert sorted(lives(platform)) == sorted({*FIRST, *SECOND} - {"guest1"})
    assert all(works(platform, name) for name in lives(platform))
    again = platform.toolstack.create(platform.topology.guests[1])
    assert again.incarnation == 2
    assert pids(platform)["guest1"] == pids(platform)["guest0"]
    assert works(platform, "guest1")
    assert resets(platform) == {**dict.fromkeys((*FIRST, *SECOND), 0), "guest1": 1}


def test_one_that_crashes_is_reset_alone(platform: Platform) -> None:
    before = pids(platform)
    platform.engine.inject("guest1", "KILL")
    pump_until(platform, lambda: lives(platform).get("guest1") == 2, "guest1 once more")
    assert any(event.event == "process ended" and "SIGKILL" in event.detail for event in platform.events)
    assert pids(platform) == before
    assert lives(platform) == {**dict.fromkeys((*FIRST, *SECOND), 1), "guest1": 2}
    assert resets(platform) == {**dict.fromkeys((*FIRST, *SECOND), 0), "guest1": 1}
    assert all(works(platform, name) for name in before)


def test_one_that_is_stopped_waits_alone_and_goes_on(platform: Platform) -> None:
    platform.engine.inject("guest1", "STOP")
    assert works(platform, "guest0")
    with pytest.raises(ToolstackError):
        platform.engine.console(
            platform.toolstack.find("guest1").domid, console.encode(console.Take()), within_s=0.2
        )
    before = cpu_s([pids(platform)["guest1"]])
    pump_until(platform, lambda: platform.engine.silent_s()["guest1"] > 1.5, "its silence")
    assert cpu_s([pids(platform)["guest1"]]) < before + 0.4, "what waits for it keeps its process busy"
    assert platform.engine.silent_s()["guest0"] < platform.engine.silent_s()["guest1"]
    platform.engine.inject("guest1", "CONT")
    assert works(platform, "guest1")
    pump_until(platform, lambda: platform.engine.silent_s()["guest1"] < 1, "its numbers")


def test_the_end_of_a_process_resets_each_of_its_agents_once(platform: Platform) -> None:
    before = pids(platform)
    kill(before["guest0"])
    wanted = {**dict.fromkeys(FIRST, 2), **dict.fromkeys(SECOND, 1)}
    pump_until(platform, lambda: lives(platform) == wanted, "all guests, the dead ones once more")
    pump_until(platform, lambda: all(works(platform, name) for name in before), "answers")
    assert resets(platform) == {**dict.fromkeys(FIRST, 1), **dict.fromkeys(SECOND, 0)}
    after = pids(platform)
    assert {name for name in before if before[name] != after[name]} == set(FIRST)


def test_all_of_them_get_on_when_nobody_pauses(local: Local) -> None:
    platform = begin(local, Work(True))

    def slowest() -> int:
        stats = platform.engine.stats()
        ended = (counter(stats.get(name, {}), "trapline_guest_calls_total") for name in (*FIRST, *SECOND))
        return min(sum(one.values()) for one in ended)

    assert pump_until(platform, lambda: slowest() >= 100, "a hundred calls of each")


def test_one_exporter_keeps_the_numbers_of_each_apart(platform: Platform) -> None:
    sd = platform.run_directory.targets
    targets = {path.stem: msgspec.json.decode(path.read_bytes())[0] for path in sd.glob("*.json")}
    addresses = {name: targets[name]["targets"][0] for name in (*FIRST, "host1")}
    assert len(set(addresses.values())) == 1
    assert targets["host1"]["labels"]["role"] == "host"
    paths = [targets[name]["labels"]["__metrics_path__"] for name in FIRST]
    assert paths == [f"/metrics/{name}" for name in FIRST]
    assert works(platform, "guest0")
    with urllib.request.urlopen(f"http://{addresses['guest0']}{paths[0]}") as answer:
        text = answer.read().decode()
    assert 'domain="guest0"' in text
    assert "guest1" not in text
    assert "process_cpu_seconds_total" not in text
    with urllib.request.urlopen(f"http://{addresses['guest0']}/metrics") as answer:
        assert "process_cpu_seconds_total" in answer.read().decode()
    platform.toolstack.destroy("guest0")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://{addresses['guest0']}{paths[0]}")
    assert not (sd / "guest0.json").exists()


def test_a_process_that_is_stopped_ends_all_the_same(platform: Platform, local: Local) -> None:
    kill(pids(platform)["guest0"], signal.SIGSTOP)
    platform.stop()
    Cluster.expect_nothing_left(local.cluster)


def test_guests_of_an_experiment_do_not_share(local: Local) -> None:
    options = Options(guests_per_process=PER_PROCESS)
    stage = LocalStage(generated.topology(2), work=Work(), run=local.cluster.run, options=options)
    with pytest.raises((UserError, ToolstackError), match="of an experiment have a process each"):
        stage.start()
