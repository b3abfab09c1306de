"""Pin control: discovery, the rungs that a selector moves, what a platform cannot say."""

from typing import Any

import msgspec
import pytest

from bus.scmi import pinctrl
from bus.scmi.status import Status
from nodes.firmware.platform import (
    Device,
    Pin,
    PinFunction,
    PinGroup,
    PlatformError,
    check,
)
from nodes.firmware.profile import SPEC_STRICT
from tests.nodes.el3 import MANAGER, PLATFORM, TWO, Bench
from tests.nodes.pins import (
    BAD,
    FUNCTION,
    GPIO,
    GROUP,
    NO,
    OK,
    PIN,
    SPI,
    call,
    described,
    status,
)


@pytest.fixture
def bench() -> Bench:
    return Bench(described())


# ---- discovery --------------------------------------------------------------------------------


def test_how_many_there_are(bench: Bench) -> None:
    body = bench.call(TWO, "pinctrl", "PROTOCOL_ATTRIBUTES").body
    assert (body.attributes_low, body.attributes_high) == (2 << 16 | 8, 3)


@pytest.mark.parametrize(
    ("kind", "number", "name", "bits"),
    [
        (PIN, 7, "pin7", {}),
        (GROUP, 0, "uart-group-with", {"extended_name": 1, "num_elements": 3}),
        (GROUP, 1, "spi", {"num_elements": 2}),
        (FUNCTION, SPI, "spi", {"num_elements": 2}),
        (FUNCTION, GPIO, "gpio", {"num_elements": 3, "pin_only_function": 1, "gpio_function": 1}),
    ],
)
def test_attributes(bench: Bench, kind: int, number: int, name: str, bits: dict[str, int]) -> None:
    body = call(bench, "ATTRIBUTES", pinctrl.Attributes(number, kind))
    assert body.name == name
    assert body.attributes == pinctrl.DESCRIPTION.pack(**bits)


def test_names(bench: Bench) -> None:
    for kind, number, name in (
        (PIN, 0, "pin0"),
        (GROUP, 0, "uart-group-with-a-long-name"),
        (FUNCTION, 0, "uart"),
    ):
        assert call(bench, "NAME_GET", pinctrl.NameGet(number, kind)).name == name


def associated(bench: Bench, kind: int, number: int, index: int = 0) -> Any:
    body = call(bench, "LIST_ASSOCIATIONS", pinctrl.ListAssociations(number, kind, index))
    if isinstance(body, Status):
        return body
    bits = pinctrl.NUM_ASSOCIATIONS.unpack(body.flags)
    assert bits["returned"] == len(body.array)
    return body.array, bits["remaining"]


def test_associations_ascend(bench: Bench) -> None:
    assert associated(bench, GROUP, 0) == ((0, 1, 2), 0)
    assert associated(bench, GROUP, 0, 2) == ((2,), 0)
    assert associated(bench, FUNCTION, SPI) == ((0, 1), 0)
    assert associated(bench, FUNCTION, GPIO) == ((0, 4, 5), 0)
    assert associated(bench, GROUP, 0, 3) is Status.OUT_OF_RANGE
    assert associated(bench, PIN, 0) is BAD, "a pin has none"


def test_associations_come_in_pages() -> None:
    pins = tuple(Pin(one, f"p{one}") for one in range(100))
    bench = Bench(described(pin=pins, pin_group=(PinGroup(0, "all", tuple(range(100))),), pin_function=()))
    pages = []
    while not pages or pages[-1][1]:
        pages.append(associated(bench, GROUP, 0, sum(len(page[0]) for page in pages)))
    assert [len(page[0]) for page in pages] == [46, 46, 8]
    assert [page[1] for page in pages] == [54, 8, 0]
    assert sum((page[0] for page in pages), ()) == tuple(range(100))


# ---- the rungs that a selector moves here -----------------------------------------------------


REQUESTS = {
    "ATTRIBUTES": lambda number, word: pinctrl.Attributes(number, word),
    "LIST_ASSOCIATIONS": lambda number, word: pinctrl.ListAssociations(number, word, 0),
    "REQUEST": lambda number, word: pinctrl.Request(number, word),
    "RELEASE": lambda number, word: pinctrl.Release(number, word),
    "NAME_GET": lambda number, word: pinctrl.NameGet(number, word),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_selector_then_identifier_then_reserved_bits_then_permission(name: str) -> None:
    bench = Bench(described(device=(Device(1, "all", pin_groups=(0,)),), default_permission="deny"))
    for number, word, wanted in (
        (99, 0xF3, BAD),
        (99, 0xF0 | GROUP, Status.NOT_FOUND),
        (0, 0xF0 | GROUP, BAD),
        (0, GROUP, NO),
    ):
        assert status(bench, name, REQUESTS[name](number, word)) is wanted, (number, word)


@pytest.mark.parametrize("name", ["REQUEST", "RELEASE"])
def test_a_function_is_nobodys(bench: Bench, name: str) -> None:
    assert status(bench, name, REQUESTS[name](0, FUNCTION)) is BAD


def test_each_selector_has_numbers_of_its_own() -> None:
    devices = (Device(1, "pins", pins=(1,)), Device(2, "groups", pin_groups=(1,), pin_functions=(1,)))
    bench = Bench(described(device=devices, default_permission="deny"))
    bench.core.permissions.set_device(TWO, 1, True)
    asked = {kind: status(bench, "NAME_GET", pinctrl.NameGet(1, kind)) for kind in (PIN, GROUP, FUNCTION)}
    assert asked == {PIN: OK, GROUP: NO, FUNCTION: NO}


def test_what_is_in_no_device_is_read_only() -> None:
    bench = Bench(described(default_permission="deny"))
    assert status(bench, "NAME_GET", pinctrl.NameGet(0, PIN)) is OK
    assert status(bench, "REQUEST", pinctrl.Request(0, PIN)) is NO
    assert status(bench, "REQUEST", pinctrl.Request(0, PIN), MANAGER) is OK


def test_an_unknown_identifier_may_be_an_invalid_parameter() -> None:
    strange = msgspec.structs.replace(SPEC_STRICT, unknown_resource={0x19: BAD})
    assert status(Bench(described(), profile=strange), "NAME_GET", pinctrl.NameGet(99, PIN)) is BAD


# ---- what a platform cannot say ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            {"pin": (Pin(0, "p", {"pull_up": (1,)}),)},
            r"pin\[0\].configs: there is no setting 'pull_up'; choose",
        ),
        ({"pin": (Pin(0, "p", {"oem_191": ()}),)}, r"there is no setting 'oem_191'"),
        ({"pin": (Pin(0, "p", {"oem_256": ()}),)}, r"there is no setting 'oem_256'"),
        ({"pin": (Pin(0, "p", {"oem_192": (1, 1)}),)}, r"pin\[0\].configs.oem_192: a value is there twice"),
        ({"pin": (Pin(0, "p", {}, 9),)}, r"pin\[0\].function: no \[\[pin_function\]\] has id 9"),
        ({"pin_group": (PinGroup(0, "g", (9,)),)}, r"pin_group\[0\].pins: no \[\[pin\]\] has id 9"),
        ({"pin_group": (PinGroup(0, "g", ()),)}, r"pin_group\[0\].pins: it has none"),
        ({"pin_function": (PinFunction(0, "f", (9,)),)}, r"pin_function\[0\].groups: no \[\[pin_group\]\]"),
        ({"pin_function": (PinFunction(0, "f", (), (0,)),)}, r"pin_function\[0\].pins: only a pin_only"),
        (
            {
                "pin_group": (PinGroup(0, "g", (0,)),),
                "pin_function": (PinFunction(0, "f", (0,), (), pin_only=True),),
            },
            r"pin_function\[0\].groups: a pin_only function has pins",
        ),
    ],
)
def test_rows_that_make_no_sense(rows: dict[str, Any], told: str) -> None:
    with pytest.raises(PlatformError, match=told):
        check(msgspec.structs.replace(PLATFORM, **{"pin": (Pin(0, "p"),)} | rows))
