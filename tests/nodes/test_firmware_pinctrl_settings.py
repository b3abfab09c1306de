"""Pin control: settings, functions, who holds what, permissions by command."""

from typing import Any

import pytest

from bus.scmi import pinctrl
from bus.scmi.status import Status
from nodes.firmware.platform import (
    Device,
    Pin,
    PinControl,
    PinFunction,
    View,
)
from tests.nodes.el3 import DOM0, MANAGER, THREE, TWO, Bench
from tests.nodes.pins import (
    ALL,
    BAD,
    BOOT,
    FUNCTION,
    GPIO,
    GROUP,
    NO,
    NONE,
    NOTHING,
    OEM,
    OK,
    ONE,
    ONLY_FUNCTION,
    OPEN_DRAIN,
    PIN,
    PULL_UP,
    SPI,
    STRENGTH,
    UART,
    configure,
    described,
    settings,
    status,
)
from tests.nodes.unasked import reset as reset_agent


@pytest.fixture
def bench() -> Bench:
    return Bench(described())


# ---- settings ---------------------------------------------------------------------------------


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


def test_the_one_who_permits_names_a_pin_as_it_always_does() -> None:
    """The trusted agent has numbers of its own: its pin 0 is the platform's 5."""
    settings_ = PinControl(set_permissions=True)
    view = View(MANAGER, "pin", (5, 4))
    bench = Bench(described(pin_control=settings_, default_permission="deny", view=(view,)))
    assert permit(bench, ALLOW | PIN, number=0) is OK
    assert bench.held(TWO) == {"pin 5 permission": 1}
    assert permit(bench, ALLOW | PIN, number=2) is Status.NOT_FOUND
