"""What EL3 tells the record of a message it refused: the rung, the rows that decided, who changed them."""

import msgspec
import pytest

from bus.fields import encode
from bus.scmi import base, clock, header, pinctrl
from bus.scmi.status import Status
from nodes.contract import Note
from nodes.firmware import grounds
from nodes.firmware.grounds import Change, DeviceRow, Grounds
from nodes.firmware.ladder import REFUSALS_KEPT
from nodes.firmware.ladder_table import RUNGS
from nodes.firmware.platform import Right, check
from nodes.firmware.protocols.pinctrl import PERMISSION_FLAGS
from nodes.limits import NOTE_CHARACTERS_MAX
from tests.nodes import specimens
from tests.nodes.el3 import MANAGER, PLATFORM, TWO, Bench

RATE_SET = (0x14, 5)


def told(bench: Bench) -> Grounds:
    """The grounds of the one refusal that was told."""
    (note,) = bench.raised
    bench.raised.clear()
    assert note.what == "refused_at"
    assert note.numbers[0] in (TWO, MANAGER)
    return grounds.decode(note.text)


def refuse(bench: Bench, ids: tuple[int, int], payload: bytes, message_type: int = 0) -> Grounds:
    status, _ = bench.raw(TWO, header.pack(*ids, token=1, message_type=message_type), payload)
    assert status is not Status.SUCCESS
    return told(bench)


def grant(bench: Bench, device: int, allow: int) -> None:
    bench.call(MANAGER, "base", "BASE_SET_DEVICE_PERMISSIONS", base.SetDevicePermissions(TWO, device, allow))


@pytest.mark.parametrize(
    ("ids", "payload", "message_type", "rung"),
    [
        (RATE_SET, b"", 1, 1),
        ((0x77, 0), b"", 0, 2),
        ((0x14, 0xEE), b"", 0, 3),
        (RATE_SET, b"x", 0, 5),
        (RATE_SET, encode(clock.RateSet(0, 99, 2000)), 0, 6),
        (RATE_SET, encode(clock.RateSet(1 << 31, 5, 2000)), 0, 7),
        (RATE_SET, encode(clock.RateSet(0, 5, 2000)), 0, 8),
        (RATE_SET, encode(clock.RateSet(0, 100, 9_999_999)), 0, 8),
        ((0x10, 9), encode(base.SetDevicePermissions(TWO, 5, 1)), 0, 8),
    ],
)
def test_rungs(ids: tuple[int, int], payload: bytes, message_type: int, rung: int) -> None:
    found = refuse(Bench(record=True), ids, payload, message_type)
    assert found.rung == rung
    assert rung in {row.number for row in RUNGS}


def test_the_handler_is_the_ninth_rung() -> None:
    bench = Bench(record=True)
    grant(bench, 5, 1)
    assert refuse(bench, RATE_SET, encode(clock.RateSet(0, 5, 9_999_999))) == Grounds(9, "clock 5")
    assert refuse(bench, RATE_SET, b"x").rung == 5
    assert refuse(bench, RATE_SET, encode(clock.RateSet(0, 5, 9_999_999))).rung == 9, "not the one before"


def test_who_asks_again_is_told_the_same_and_nothing_is_left_of_it() -> None:
    bench = Bench(record=True)
    asked = encode(clock.RateSet(0, 5, 2000))
    first = refuse(bench, RATE_SET, asked)
    assert refuse(bench, RATE_SET, asked) == first
    grant(bench, 5, 1)
    assert refuse(bench, RATE_SET, encode(clock.RateSet(0, 5, 9_999_999))).rung == 9, "not the one before"
    grant(bench, 5, 0)
    assert refuse(bench, RATE_SET, asked) != first, "it was changed since"


def test_what_is_remembered_has_a_bound() -> None:
    bench = Bench(record=True)
    for rate in range(2 * REFUSALS_KEPT + 1):
        assert refuse(bench, RATE_SET, encode(clock.RateSet(0, 5, rate))).rung == 8
    assert len(bench.core.ladder._told) <= REFUSALS_KEPT


def test_implementation_is_the_fourth_rung() -> None:
    profile = msgspec.structs.replace(Bench().core.profile, missing=frozenset({"clock.CLOCK_RATE_SET"}))
    bench = Bench(record=True, profile=profile)
    assert refuse(bench, RATE_SET, encode(clock.RateSet(0, 5, 2000))).rung == 4


def test_a_device_that_was_never_granted_and_one_that_was_taken_away() -> None:
    bench = Bench(record=True)
    asked = encode(clock.RateSet(0, 5, 2000))
    rows = (DeviceRow(5, "i2c", False), DeviceRow(7, "i2c-dma", False))
    assert refuse(bench, RATE_SET, asked) == Grounds(8, "clock 5", "device", rows)
    grant(bench, 5, 1)
    grant(bench, 5, 0)
    changed = Change(3, MANAGER, 3, "BASE_SET_DEVICE_PERMISSIONS")
    first, second = refuse(bench, RATE_SET, asked).devices
    assert first == DeviceRow(5, "i2c", False, changed=changed)
    assert second.changed is None
    grant(bench, 5, 1)
    taken = base.SetProtocolPermissions(TWO, 5, 0x14, 0)
    bench.call(MANAGER, "base", "BASE_SET_PROTOCOL_PERMISSIONS", taken)
    first, _ = refuse(bench, RATE_SET, asked).devices
    assert (first.granted, first.protocol_denied) == (True, True)
    assert first.changed is not None
    assert first.changed.what == "BASE_SET_PROTOCOL_PERMISSIONS"


def test_a_reset_is_a_change() -> None:
    bench = Bench(record=True)
    grant(bench, 5, 1)
    bench.call(MANAGER, "base", "BASE_RESET_AGENT_CONFIGURATION", base.ResetAgentConfiguration(TWO, 1))
    bench.raised.clear()
    first, _ = refuse(bench, RATE_SET, encode(clock.RateSet(0, 5, 2000))).devices
    assert first.changed == Change(2, MANAGER, 2, "reset of its configuration")


def test_a_right_and_a_protocol_decide_before_devices() -> None:
    right = msgspec.structs.replace(PLATFORM, right=(Right(TWO, False, ("clock.CLOCK_RATE_SET",)),))
    check(right)
    bench = Bench(right, record=True)
    grant(bench, 5, 1)
    asked = encode(clock.RateSet(0, 5, 2000))
    assert refuse(bench, RATE_SET, asked) == Grounds(8, "clock 5", "right")
    shut = tuple(
        msgspec.structs.replace(one, protocols=("power",)) if one.id == TWO else one for one in PLATFORM.agent
    )
    bench = Bench(msgspec.structs.replace(PLATFORM, agent=shut), record=True)
    assert refuse(bench, RATE_SET, asked) == Grounds(2, "", "protocol")


def test_what_is_for_trusted_agents() -> None:
    asked = encode(base.SetDevicePermissions(TWO, 5, 1))
    assert refuse(Bench(record=True), (0x10, 9), asked) == Grounds(8, "", "trusted")


def test_nothing_is_told_without_a_record() -> None:
    bench = Bench()
    bench.raw(TWO, header.pack(*RATE_SET), b"x")
    assert bench.raised == []


def test_what_is_told_fits_a_note() -> None:
    long = Grounds(8, "clock 5", "device", tuple(DeviceRow(one, "\x00" * 200, False) for one in range(4)))
    said = grounds.text(long)
    assert len(said) <= NOTE_CHARACTERS_MAX
    assert grounds.decode(said).rung == 8
    assert isinstance(Note("refused_at", 1, (1, 2, 3), said), Note)


def test_a_handler_with_rungs_of_its_own_tells_the_resource() -> None:
    bench = Bench(specimens.PLATFORM, record=True)
    asked = pinctrl.Attributes(1, 0)
    assert bench.status(TWO, "pinctrl", "PINCTRL_ATTRIBUTES", asked) is Status.DENIED
    found = told(bench)
    assert (found.rung, found.resource, found.layer) == (8, "pin 1", "device")
    bench.status(TWO, "pinctrl", "PINCTRL_ATTRIBUTES", pinctrl.Attributes(99, 0))
    assert told(bench).rung == 9, "it named no resource that it knows"


def test_a_function_that_may_not_be_selected_is_told_with_who_took_it() -> None:
    bench = Bench(specimens.PLATFORM, record=True)
    for device in specimens.PLATFORM.device:
        grant(bench, device.id, 1)
    taken = pinctrl.SetPermissions(TWO, 0, PERMISSION_FLAGS.pack(selector=2, allow=0))
    bench.call(MANAGER, "pinctrl", "PINCTRL_SET_PERMISSIONS", taken)
    asked = pinctrl.SettingsConfigure(
        1, 0, pinctrl.SETTINGS_CONFIGURE.pack(function_id_valid=1, num_configs=0, selector=1), ()
    )
    assert bench.status(TWO, "pinctrl", "PINCTRL_SETTINGS_CONFIGURE", asked) is Status.DENIED
    found = told(bench)
    assert (found.rung, found.resource, found.layer) == (8, "pin_function 0", "single")
    assert found.changed is not None
    assert found.changed.what == "PINCTRL_SET_PERMISSIONS"


def test_permissions_of_pins_are_for_trusted_agents_too() -> None:
    bench = Bench(specimens.PLATFORM, record=True)
    asked = pinctrl.SetPermissions(TWO, 1, PERMISSION_FLAGS.pack(selector=0, allow=1))
    assert bench.status(TWO, "pinctrl", "PINCTRL_SET_PERMISSIONS", asked) is Status.DENIED
    assert told(bench) == Grounds(8, "", "trusted")
    nobody = pinctrl.SetPermissions(99, 1, PERMISSION_FLAGS.pack(selector=0, allow=1))
    assert bench.status(MANAGER, "pinctrl", "PINCTRL_SET_PERMISSIONS", nobody) is Status.NOT_FOUND
    assert told(bench) == Grounds(6)
