"""EL3's resources from a host tree alone: what its devices use is there, usable, and in their devices."""

from pathlib import Path

from bus.scmi import header, perf, sensor, voltage
from bus.scmi.status import Status
from bus.shmem import PrivateMemory
from deploy import assembly
from deploy.derive import LEVEL_UV, OPPS, TEMPERATURE, derive_platform
from deploy.topology import load_shipped
from nodes.firmware.platform import Platform, problems
from tests.deploy import written

MODEM = 8


def derived(tmp_path: Path) -> Platform:
    return derive_platform(written.every_provider(tmp_path))


def test_what_the_devices_use_is_derived_with_their_devices(tmp_path: Path) -> None:
    platform = derived(tmp_path)
    assert [one.id for one in platform.perf_domain] == [1, 4]
    assert [one.id for one in platform.sensor] == [2]
    assert [one.id for one in platform.voltage_domain] == [1]
    by_id = {one.id: one for one in platform.device}
    modem = by_id[MODEM]
    assert (modem.perf_domains, modem.sensors, modem.voltage_domains) == ((1, 4), (2,), (1,))
    assert (modem.clocks, modem.power_domains, modem.reset_domains) == ((8,), (5,), (8,))
    others = [one for one in platform.device if one.id != MODEM]
    assert all(not (one.perf_domains or one.sensors or one.voltage_domains) for one in others)
    assert list(problems(platform)) == []


def test_a_tree_that_names_none_has_none() -> None:
    platform = derive_platform(load_shipped().host)
    assert (platform.perf_domain, platform.sensor, platform.voltage_domain) == ((), (), ())
    assert [one.id for one in platform.clock] == list(range(1, 9))


def test_the_defaults_can_be_used(tmp_path: Path) -> None:
    """Each protocol is served, and each default answers as the module says."""
    core = assembly.firmware(derived(tmp_path), PrivateMemory())
    core.permissions.set_device(4, MODEM, True)

    def ask(protocol: int, message: int, *words: int) -> tuple[Status, list[int]]:
        payload = b"".join(word.to_bytes(4, "little") for word in words)
        _, _, status, answer, *_ = core.ladder.answer(4, header.pack(protocol, message), payload)
        found = [int.from_bytes(answer[at : at + 4], "little") for at in range(4, len(answer), 4)]
        return status, found

    top = OPPS[-1].level
    level_set = perf.PROTOCOL.command("PERFORMANCE_LEVEL_SET").id
    assert ask(0x13, level_set, 4, OPPS[0].level) == (Status.SUCCESS, [])
    assert ask(0x13, level_set, 4, top + 1)[0] is Status.OUT_OF_RANGE
    assert ask(0x17, voltage.PROTOCOL.command("VOLTAGE_LEVEL_GET").id, 1) == (Status.SUCCESS, [LEVEL_UV])
    status, reading = ask(0x15, sensor.PROTOCOL.command("SENSOR_READING_GET").id, 2, 0)
    assert (status, reading[0]) == (Status.SUCCESS, TEMPERATURE.value)
