"""Pin control on the bench: discovery, settings, functions, who holds what."""

from typing import Any

import msgspec
import pytest

from bus.fields import Message
from bus.scmi import pinctrl
from bus.scmi.status import Status
from nodes.firmware.platform import (
    Device,
    Pin,
    PinControl,
    PinFunction,
    PinGroup,
    Platform,
    PlatformError,
    check,
)
from nodes.firmware.profile import SPEC_STRICT
from tests.nodes.el3 import DOM0, MANAGER, PLATFORM, THREE, TWO, Bench
from tests.nodes.unasked import platform
from tests.nodes.unasked import reset as reset_agent

OK, NO, BAD = Status.SUCCESS, Status.DENIED, Status.INVALID_PARAMETERS
PIN, GROUP, FUNCTION, NOTHING = 0, 1, 2, 3
PULL_UP, STRENGTH, OEM, OPEN_DRAIN = 0x4, 0xA, 0xC0, 0x7
CONFIGS = {"drive_strength": (2, 4, 8), "bias_pull_up": (0, 1), "oem_192": ()}
NONE = 0xFFFF_FFFF
UART, SPI, GPIO = 0, 1, 2


def described(**tables: Any) -> Platform:
    """Eight pins, two groups that overlap in pin 2, functions for groups and one for single pins."""
    given: dict[str, Any] = {
        "pin": tuple(Pin(one, f"pin{one}", CONFIGS if one < 6 else {}) for one in range(8)),
        "pin_group": (
            PinGroup(0, "uart-group-with-a-long-name", (1, 0, 2)),
            PinGroup(1, "spi", (2, 3)),
        ),
        "pin_function": (
            PinFunction(UART, "uart", groups=(0,)),
            PinFunction(SPI, "spi", groups=(1, 0)),
            PinFunction(GPIO, "gpio", pins=(5, 4, 0), pin_only=True, gpio=True),
        ),
    }
    return platform(**given | tables)


@pytest.fixture
def bench() -> Bench:
    return Bench(described())


def call(bench: Bench, name: str, request: Message, agent: int = TWO) -> Any:
    """The body of the reply, or the status that is not SUCCESS."""
    reply = bench.call(agent, "pinctrl", f"PINCTRL_{name}", request)
    return reply.body if reply.status is OK else reply.status


def status(bench: Bench, name: str, request: Message, agent: int = TWO) -> Status:
    return bench.status(agent, "pinctrl", f"PINCTRL_{name}", request)


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


# ---- settings ---------------------------------------------------------------------------------


def settings(bench: Bench, kind: int, number: int, flag: int, type_: int = 0, *, skip: int = 0) -> Any:
    word = pinctrl.SETTINGS_GET.pack(config_flag=flag, selector=kind, skip_configs=skip, config_type=type_)
    body = call(bench, "SETTINGS_GET", pinctrl.SettingsGet(number, word))
    if isinstance(body, Status):
        return body
    bits = pinctrl.NUM_CONFIGS.unpack(body.num_configs)
    assert bits["returned"] == len(body.configs)
    return (
        body.function_selected,
        {one.config_type: one.config_value for one in body.configs},
        bits["remaining"],
    )


ONE, ALL, ONLY_FUNCTION = 0, 1, 2
BOOT = {PULL_UP: 0, STRENGTH: 2, OEM: 0}


def configure(
    bench: Bench,
    kind: int,
    number: int,
    *pairs: tuple[int, int],
    function: int | None = None,
    agent: int = TWO,
) -> Status:
    word = pinctrl.SETTINGS_CONFIGURE.pack(
        function_id_valid=function is not None, num_configs=len(pairs), selector=kind
    )
    configs = tuple(pinctrl.PinConfig(*pair) for pair in pairs)
    chosen = 0xDEAD if function is None else function
    return status(
        bench, "SETTINGS_CONFIGURE", pinctrl.SettingsConfigure(number, chosen, word, configs), agent
    )


def test_settings_at_boot(bench: Bench) -> None:
    assert settings(bench, PIN, 0, ALL) == (NONE, BOOT, 0)
    assert settings(bench, PIN, 7, ALL) == (NONE, {}, 0)
    with_function = Bench(described(pin=(Pin(0, "p", {}, function=UART),), pin_group=(), pin_function=(
        PinFunction(UART, "uart", pins=(0,), pin_only=True),
    )))  # fmt: skip
    assert settings(with_function, PIN, 0, ONLY_FUNCTION) == (UART, {}, 0)


def test_what_was_set_is_read(bench: Bench) -> None:
    assert configure(bench, PIN, 0, (PULL_UP, 1), (STRENGTH, 8), (OEM, 0xFFFF_FFFF)) is OK
    wanted = {PULL_UP: 1, STRENGTH: 8, OEM: 0xFFFF_FFFF}
    assert settings(bench, PIN, 0, ALL) == (NONE, wanted, 0)
    assert settings(bench, PIN, 0, ONE, STRENGTH) == (NONE, {STRENGTH: 8}, 0)
    assert settings(bench, PIN, 1, ALL) == (NONE, BOOT, 0), "no other pin"


def test_a_group_is_its_pins(bench: Bench) -> None:
    assert configure(bench, GROUP, 0, (STRENGTH, 4), function=UART) is OK
    assert settings(bench, GROUP, 0, ALL) == (UART, BOOT | {STRENGTH: 4}, 0)
    assert settings(bench, PIN, 1, ALL) == (UART, BOOT | {STRENGTH: 4}, 0)
    assert settings(bench, PIN, 3, ALL) == (NONE, BOOT, 0)
    assert configure(bench, PIN, 1, (STRENGTH, 8)) is OK
    assert settings(bench, GROUP, 0, ALL) == (UART, {PULL_UP: 0, OEM: 0}, 0), "what all of them agree on"
    assert settings(bench, GROUP, 0, ONE, STRENGTH) == (UART, {}, 0)
    assert configure(bench, GROUP, 1, function=SPI) is OK
    assert settings(bench, GROUP, 0, ONLY_FUNCTION) == (NONE, {}, 0), "pin 2 is in both"


@pytest.mark.parametrize(
    ("flag", "type_", "skip", "wanted"),
    [
        (ONE, OPEN_DRAIN, 0, Status.NOT_SUPPORTED),
        (ONE, 0xFF, 0, Status.NOT_SUPPORTED),
        (3, 0, 0, BAD),
        (ALL, 0, 2, (NONE, {OEM: 0}, 0)),
        (ALL, 0, 3, Status.OUT_OF_RANGE),
    ],
)
def test_asking_for_settings(bench: Bench, flag: int, type_: int, skip: int, wanted: Any) -> None:
    assert settings(bench, PIN, 0, flag, type_, skip=skip) == wanted


def test_settings_come_in_pages_of_eleven() -> None:
    many = {f"oem_{number}": () for number in range(192, 217)}
    bench = Bench(described(pin=(Pin(0, "p", many),), pin_group=(), pin_function=()))
    pages: list[Any] = []
    while not pages or pages[-1][2]:
        pages.append(settings(bench, PIN, 0, ALL, skip=11 * len(pages)))
    assert [(len(page[1]), page[2]) for page in pages] == [(11, 14), (11, 3), (3, 0)]
    assert [number for page in pages for number in page[1]] == list(range(192, 217))


@pytest.mark.parametrize(
    ("kind", "pairs", "function", "wanted"),
    [
        (PIN, ((STRENGTH, 3),), None, BAD),
        (PIN, ((OPEN_DRAIN, 1),), None, Status.NOT_SUPPORTED),
        (PIN, (), 99, Status.NOT_FOUND),
        (PIN, (), UART, BAD),
        (GROUP, (), GPIO, BAD),
        (GROUP, (), UART, OK),
        (PIN, (), GPIO, OK),
        (PIN, (), None, OK),
        (FUNCTION, (), None, BAD),
        (NOTHING, (), None, BAD),
    ],
)
def test_configuring(
    bench: Bench, kind: int, pairs: tuple[tuple[int, int], ...], function: int | None, wanted: Status
) -> None:
    assert configure(bench, kind, 0, *pairs, function=function) is wanted


def test_all_of_it_or_nothing(bench: Bench) -> None:
    assert configure(bench, GROUP, 0, (PULL_UP, 1), (STRENGTH, 3), function=UART) is BAD
    assert settings(bench, GROUP, 0, ALL) == (NONE, BOOT, 0)
    assert bench.held(TWO).keys() == Bench(described()).held(TWO).keys()


def test_a_function_that_may_not_be_read_may_not_be_applied() -> None:
    devices = (Device(1, "pins", pin_groups=(0,)), Device(2, "uart", pin_functions=(UART,)))
    bench = Bench(described(device=devices, default_permission="deny"))
    bench.core.permissions.set_device(TWO, 1, True)
    assert configure(bench, GROUP, 0, function=UART) is NO
    assert configure(bench, GROUP, 0, function=SPI) is OK
    bench.core.permissions.set_device(TWO, 2, True)
    assert configure(bench, GROUP, 0, function=UART) is OK


# ---- who holds what ---------------------------------------------------------------------------


def take(bench: Bench, kind: int, number: int, agent: int = TWO) -> Status:
    return status(bench, "REQUEST", pinctrl.Request(number, kind), agent)


def give(bench: Bench, kind: int, number: int, agent: int = TWO) -> Status:
    return status(bench, "RELEASE", pinctrl.Release(number, kind), agent)


def test_the_first_owner_wins(bench: Bench) -> None:
    assert take(bench, PIN, 5) is OK
    assert take(bench, PIN, 5) is OK, "twice is as once"
    assert take(bench, PIN, 5, THREE) is Status.IN_USE
    assert give(bench, PIN, 5, THREE) is NO
    assert give(bench, PIN, 5) is OK
    assert give(bench, PIN, 5) is NO
    assert take(bench, PIN, 5, THREE) is OK


def test_members_of_a_group_count(bench: Bench) -> None:
    assert take(bench, GROUP, 0) is OK
    assert [take(bench, PIN, pin, THREE) for pin in range(4)] == [Status.IN_USE] * 3 + [OK]
    assert take(bench, GROUP, 1, THREE) is Status.IN_USE, "pin 2 is in both"
    assert take(bench, GROUP, 1) is Status.IN_USE, "and pin 3 is the other's now"
    assert give(bench, PIN, 0) is NO, "the group was requested, not the pin"


def test_a_pin_that_is_held_twice_by_one_agent(bench: Bench) -> None:
    assert take(bench, GROUP, 0) is OK
    assert take(bench, PIN, 0) is OK
    assert give(bench, GROUP, 0) is OK
    assert take(bench, PIN, 0, THREE) is Status.IN_USE
    assert take(bench, PIN, 1, THREE) is OK
    assert give(bench, PIN, 0) is OK
    assert take(bench, PIN, 0, THREE) is OK


def test_what_another_holds_is_not_configured(bench: Bench) -> None:
    assert take(bench, PIN, 2) is OK
    assert configure(bench, PIN, 2, (STRENGTH, 8), agent=THREE) is NO
    assert configure(bench, GROUP, 1, (STRENGTH, 8), agent=THREE) is NO
    assert configure(bench, PIN, 3, (STRENGTH, 8), agent=THREE) is OK
    assert configure(bench, PIN, 2, (STRENGTH, 8)) is OK
    assert give(bench, PIN, 2) is OK
    assert configure(bench, PIN, 2, (STRENGTH, 4), agent=THREE) is OK


def test_a_reset_releases_and_restores(bench: Bench) -> None:
    nothing = bench.held(TWO)
    assert take(bench, GROUP, 0) is OK
    assert configure(bench, GROUP, 0, (STRENGTH, 8), function=UART) is OK
    held = bench.held(TWO)
    assert {thing: held[thing] for thing in held if thing not in nothing} == {
        "pin_group 0 requested": 1,
        **{f"pin {pin} settings": 1 for pin in (0, 1, 2)},
    }
    reset_agent(bench, TWO)
    assert bench.held(TWO) == nothing
    assert settings(bench, GROUP, 0, ALL) == (NONE, BOOT, 0)
    assert take(bench, PIN, 0, THREE) is OK


def test_a_reset_leaves_what_others_set_since(bench: Bench) -> None:
    assert configure(bench, PIN, 0, (STRENGTH, 8)) is OK
    assert configure(bench, PIN, 0, (STRENGTH, 4), agent=THREE) is OK
    reset_agent(bench, TWO)
    assert settings(bench, PIN, 0, ONE, STRENGTH) == (NONE, {STRENGTH: 4}, 0)
    reset_agent(bench, THREE)
    assert settings(bench, PIN, 0, ONE, STRENGTH) == (NONE, {STRENGTH: 2}, 0)


# ---- permissions by command -------------------------------------------------------------------


def permit(bench: Bench, flags: int, agent: int = TWO, number: int = 0, caller: int = MANAGER) -> Status:
    return status(bench, "SET_PERMISSIONS", pinctrl.SetPermissions(agent, number, flags), caller)


ALLOW = 1 << 2


def test_it_is_not_there_unless_the_platform_says_so(bench: Bench) -> None:
    assert permit(bench, ALLOW) is Status.NOT_SUPPORTED


@pytest.fixture
def permitting() -> Bench:
    return Bench(described(pin_control=PinControl(set_permissions=True), default_permission="deny"))


def test_single_pins_are_given_and_taken(permitting: Bench) -> None:
    assert take(permitting, PIN, 0) is NO
    assert permit(permitting, ALLOW | PIN) is OK
    assert permitting.held(TWO) == {"pin 0 permission": 1}
    assert take(permitting, PIN, 0) is OK
    assert take(permitting, PIN, 1) is NO
    assert take(permitting, GROUP, 0) is NO
    assert permit(permitting, PIN) is OK
    assert status(permitting, "NAME_GET", pinctrl.NameGet(0, PIN)) is NO, "taken: not even read"
    assert permit(permitting, ALLOW | GROUP) is OK
    assert take(permitting, GROUP, 0) is OK
    reset_agent(permitting, TWO)
    assert permitting.held(TWO) == {}
    assert take(permitting, GROUP, 0) is NO
    assert status(permitting, "NAME_GET", pinctrl.NameGet(0, PIN)) is OK


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"flags": ALLOW, "caller": TWO}, NO),
        ({"flags": ALLOW, "caller": DOM0}, NO),
        ({"flags": ALLOW | NOTHING}, BAD),
        ({"flags": ALLOW | 8}, BAD),
        ({"flags": ALLOW, "agent": 99}, Status.NOT_FOUND),
        ({"flags": ALLOW, "number": 99}, Status.NOT_FOUND),
        ({"flags": ALLOW | FUNCTION, "number": GPIO}, OK),
    ],
)
def test_who_may_permit_what(permitting: Bench, given: dict[str, int], wanted: Status) -> None:
    assert permit(permitting, **given) is wanted


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
