"""An agent's own numbers: what it sees, under which number, in requests, answers, lists and what comes
unasked.
"""

from typing import Any

import msgspec
import pytest

from bus.fields import Message, encode
from bus.scmi import BY_KEY, base, clock, pinctrl, power, powercap, reset, sensor
from bus.scmi.status import Status
from nodes.firmware.permissions import Permissions
from nodes.firmware.platform import Constant, Sensor, View, check
from nodes.firmware.profile import SPEC_STRICT
from nodes.firmware.views import Views
from tests.nodes import specimens
from tests.nodes.el3 import MANAGER, PLATFORM, THREE, TWO, Bench
from tests.nodes.unasked import platform as reachable
from tests.nodes.unasked import told, wait

OK = Status.SUCCESS


def seen_by(*views: View, **tables: Any) -> Bench:
    """The bench's platform where agent 2 has views, and devices 5 and 6."""
    made = msgspec.structs.replace(PLATFORM, view=views, **tables)
    check(made)
    bench = Bench(made)
    for device in (5, 6):
        bench.core.permissions.set_device(TWO, device, True)
    return bench


CLOCKS = View(TWO, "clock", (6, 5))


def name_of(bench: Bench, number: int, agent: int = TWO) -> str | Status:
    reply = bench.call(agent, "clock", "CLOCK_ATTRIBUTES", clock.ClockAttributes(number))
    return reply.body.name if reply.status is OK else reply.status


def test_numbers_are_the_agents_own() -> None:
    bench = seen_by(CLOCKS)
    assert [name_of(bench, number) for number in range(3)] == ["gpu", "i2c", Status.NOT_FOUND]
    assert [name_of(bench, number) for number in (5, 6, 0xFFFF_FFFF)] == [Status.NOT_FOUND] * 3
    assert [name_of(bench, number, MANAGER) for number in (0, 5, 6)] == ["public", "i2c", "gpu"]


def test_a_wish_reaches_the_right_resource() -> None:
    bench = seen_by(CLOCKS)
    assert bench.status(TWO, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 1, 4000)) is OK
    assert bench.core.board.clocks.rate(5) == 4000
    assert bench.call(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(1)).body.rate == 4000
    assert bench.held(TWO)["clock 5 rate"] == 4000, "the ledger has the platform's numbers"


def test_counts_are_the_views() -> None:
    bench = seen_by(CLOCKS, View(TWO, "power_domain", ()))
    counts = {
        key: bench.call(TWO, key, "PROTOCOL_ATTRIBUTES").body.attributes & 0xFFFF
        for key in ("clock", "power", "reset")
    }
    assert counts == {"clock": 2, "power": 0, "reset": 2}
    assert bench.call(MANAGER, "clock", "PROTOCOL_ATTRIBUTES").body.attributes == 35
    assert bench.status(TWO, "power", "POWER_STATE_GET", power.StateGet(1)) is Status.NOT_FOUND


def test_a_view_grants_nothing() -> None:
    bench = seen_by(View(TWO, "clock", (7, 5)))
    assert bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(0)) is Status.DENIED
    assert bench.status(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(1)) is OK


def test_the_rungs_keep_their_order() -> None:
    bench = seen_by(View(TWO, "clock", (7, 5)))
    for request, status in (
        (clock.RateSet(1 << 31, 2, 1), Status.NOT_FOUND),
        (clock.RateSet(1 << 31, 0, 1), Status.INVALID_PARAMETERS),
        (clock.RateSet(0, 0, 1), Status.DENIED),
        (clock.RateSet(0, 1, 1), Status.INVALID_PARAMETERS),
    ):
        assert bench.status(TWO, "clock", "CLOCK_RATE_SET", request) is status


# ---- lists and second numbers -----------------------------------------------------------------


def parents(bench: Bench, number: int, skip: int = 0) -> tuple[tuple[int, ...], int]:
    body = bench.call(TWO, "clock", "CLOCK_POSSIBLE_PARENTS_GET", clock.PossibleParentsGet(number, skip)).body
    return body.parents, clock.NUM_PARENTS.get(body.num_parents_flags, "remaining")


def test_parents_that_are_not_seen_are_left_out() -> None:
    """Clock 6 may have 0 and 5; the agent calls 5 its 1 and does not see 0."""
    bench = seen_by(CLOCKS)
    assert parents(bench, 0) == ((1,), 0)
    assert bench.call(TWO, "clock", "CLOCK_PARENT_GET", clock.ParentGet(0)).body.parent_id == 0xFFFF_FFFF
    for parent, status in ((0, Status.INVALID_PARAMETERS), (2, Status.INVALID_PARAMETERS), (1, OK)):
        request = clock.ParentSet(0, parent)
        assert bench.status(TWO, "clock", "CLOCK_PARENT_SET", request) is status
    assert bench.call(TWO, "clock", "CLOCK_PARENT_GET", clock.ParentGet(0)).body.parent_id == 1
    assert bench.core.board.clocks.parent(6) == 5


def test_a_long_list_is_paged_by_what_is_seen() -> None:
    ids = (8, *range(101, 130, 2), *range(100, 130, 2))
    bench = seen_by(View(TWO, "clock", ids))
    bench.core.permissions.set_device(TWO, 8, True)
    first, remaining = parents(bench, 0)
    assert first == tuple(range(1, 24))
    assert remaining == 7
    assert parents(bench, 0, 23) == (tuple(range(24, 31)), 0)


def sensors(*views: View) -> Bench:
    rows = tuple(Sensor(one, f"s{one}", Constant(one)) for one in (3, 4, 9))
    return seen_by(*views, sensor=rows)


def test_sensors_are_described_in_the_agents_order() -> None:
    bench = sensors(View(TWO, "sensor", (9, 3)))
    found = []
    for index in (0, 1):
        body = bench.call(TWO, "sensor", "SENSOR_DESCRIPTION_GET", sensor.DescriptionGet(index)).body
        bits = sensor.NUM_SENSORS.unpack(body.num_sensor_flags)
        assert bits["returned"] + bits["remaining"] == 2 - index
        found.append((body.desc[0].sensor_id, body.desc[0].name))
    assert found == [(0, "s9"), (1, "s3")]
    beyond = sensor.DescriptionGet(2)
    assert bench.status(TWO, "sensor", "SENSOR_DESCRIPTION_GET", beyond) is Status.INVALID_PARAMETERS


def test_a_powercap_parent_that_is_not_seen_is_no_parent() -> None:
    for ids, parent in (((1, 0), 1), ((1,), 0xFFFF_FFFF)):
        described = specimens.platform(view=(View(TWO, "powercap_domain", ids),))
        bench = Bench(described)
        bench.core.permissions.set_device(TWO, 1, True)
        request = powercap.DomainAttributes(0)
        assert bench.call(TWO, "powercap", "POWERCAP_DOMAIN_ATTRIBUTES", request).body.parent_id == parent
    root = Bench(specimens.platform(view=(View(TWO, "powercap_domain", (0,)),)))
    body = root.call(TWO, "powercap", "POWERCAP_DOMAIN_ATTRIBUTES", powercap.DomainAttributes(0)).body
    assert body.parent_id == 0xFFFF_FFFF


PINS = (View(TWO, "pin", (1, 0)), View(TWO, "pin_group", (1,)), View(TWO, "pin_function", (1, 0)))
GROUP, FUNCTION = 1, 2


def test_pins_by_their_selector() -> None:
    bench = Bench(specimens.platform(view=PINS))
    bench.core.permissions.set_device(TWO, 1, True)
    body = bench.call(TWO, "pinctrl", "PROTOCOL_ATTRIBUTES").body
    assert pinctrl.ATTRIBUTES_LOW.unpack(body.attributes_low) == {"num_groups": 1, "num_pins": 2}
    assert pinctrl.ATTRIBUTES_HIGH.unpack(body.attributes_high) == {"num_functions": 2}
    for kind, number, name in ((0, 0, "specimen-1"), (0, 1, "specimen-0"), (FUNCTION, 1, "specimen-uart")):
        request = pinctrl.NameGet(number, kind)
        assert bench.call(TWO, "pinctrl", "PINCTRL_NAME_GET", request).body.name == name
    assert bench.status(TWO, "pinctrl", "PINCTRL_NAME_GET", pinctrl.NameGet(2, 0)) is Status.NOT_FOUND
    gpio = bench.call(TWO, "pinctrl", "PINCTRL_ATTRIBUTES", pinctrl.Attributes(0, FUNCTION)).body
    assert pinctrl.DESCRIPTION.get(gpio.attributes, "num_elements") == 2
    members = pinctrl.ListAssociations(0, GROUP, 0)
    assert bench.call(TWO, "pinctrl", "PINCTRL_LIST_ASSOCIATIONS", members).body.array == (0, 1)
    bits = pinctrl.SETTINGS_CONFIGURE.pack(function_id_valid=1, selector=GROUP)
    assert (
        bench.status(TWO, "pinctrl", "PINCTRL_SETTINGS_CONFIGURE", pinctrl.SettingsConfigure(0, 1, bits, ()))
        is OK
    )
    assert bench.core.board.pins.states[0].function == 0
    asked = pinctrl.SettingsGet(0, pinctrl.SETTINGS_GET.pack(config_flag=2, selector=GROUP))
    assert bench.call(TWO, "pinctrl", "PINCTRL_SETTINGS_GET", asked).body.function_selected == 1


# ---- what comes unasked -----------------------------------------------------------------------


def test_notifications_and_delayed_responses_have_the_agents_numbers() -> None:
    domain = specimens.PLATFORM.reset_domain[0]
    bench = Bench(
        reachable(
            reset_domain=(msgspec.structs.replace(domain, id=7, sharing="anyone"),),
            view=(View(TWO, "reset_domain", (7,)),),
        )
    )
    assert bench.status(TWO, "reset", "RESET_NOTIFY", reset.ResetNotify(0, 1)) is OK
    assert bench.status(THREE, "reset", "RESET_NOTIFY", reset.ResetNotify(7, 1)) is OK
    later = reset.FLAGS.pack(autonomous=1, async_reset=1)
    assert bench.status(THREE, "reset", "RESET", reset.Reset(7, later, 0)) is OK
    assert [(one.agent, one.name, one.body.domain_id) for one in wait(bench, 20)] == [
        (TWO, "RESET_ISSUED", 0),
        (THREE, "RESET", 7),
    ]
    assert bench.status(TWO, "reset", "RESET", reset.Reset(0, later, 0)) is OK
    assert [(one.agent, one.name, one.body.domain_id) for one in wait(bench, 20)] == [
        (THREE, "RESET_ISSUED", 7),
        (TWO, "RESET", 0),
    ]
    assert told(bench) == []


# ---- views of what was granted ----------------------------------------------------------------


def unlisted(**changes: Any) -> Bench:
    described = msgspec.structs.replace(PLATFORM, **changes)
    return Bench(described, profile=msgspec.structs.replace(SPEC_STRICT, denied_resource="unlisted"))


def names(bench: Bench, agent: int = TWO) -> list[str]:
    """As Linux finds them: from 0, as many as there are."""
    count = bench.call(agent, "clock", "PROTOCOL_ATTRIBUTES").body.attributes & 0xFFFF
    found = [name_of(bench, number, agent) for number in range(count)]
    assert name_of(bench, count, agent) is Status.NOT_FOUND
    assert all(isinstance(one, str) for one in found)
    return [str(one) for one in found]


def test_what_is_not_granted_is_not_counted() -> None:
    bench = unlisted()
    public = ["public", *(f"parent{one}" for one in range(100, 130))]
    assert names(bench) == public
    bench.core.permissions.set_device(TWO, 5, True)
    assert names(bench) == ["public", "i2c", *public[1:]]
    assert names(bench, THREE) == public
    bench.core.permissions.set_device(TWO, 5, False)
    assert names(bench) == public


def test_the_numbers_move_with_the_grants_and_the_wishes_do_not() -> None:
    bench = unlisted()
    for device in (5, 6):
        bench.core.permissions.set_device(TWO, device, True)
    assert bench.status(TWO, "clock", "CLOCK_RATE_SET", clock.RateSet(0, 2, 800)) is OK
    bench.core.permissions.set_device(TWO, 5, False)
    assert bench.call(TWO, "clock", "CLOCK_RATE_GET", clock.RateGet(1)).body.rate == 800
    assert bench.held(TWO)["clock 6 rate"] == 800


def test_a_declared_view_goes_before_the_grants() -> None:
    bench = unlisted(view=(View(TWO, "clock", (6, 5)),))
    bench.core.permissions.set_device(TWO, 5, True)
    assert [name_of(bench, number) for number in (0, 1)] == [Status.NOT_FOUND, "i2c"]


def test_the_trusted_agents_numbers_are_dense_too() -> None:
    assert names(unlisted(), MANAGER)[:5] == [
        "public", "i2c", "gpu", "a-clock-with-a-", "family"
    ]  # fmt: skip


@pytest.mark.parametrize("looks", ["DENIED", "unlisted"])
def test_the_whole_discovery_works_under_a_view(looks: str) -> None:
    """Every number that a count promises is there, and no other."""
    strict = msgspec.structs.replace(SPEC_STRICT, denied_resource=looks)
    views = tuple(View(TWO, kind, (1,)) for kind in ("power_domain", "perf_domain", "voltage_domain"))
    bench = Bench(specimens.platform(view=() if looks == "unlisted" else views), profile=strict)
    bench.core.permissions.set_device(TWO, 1, True)
    for key, name in (
        ("power", "POWER_DOMAIN_ATTRIBUTES"),
        ("perf", "PERFORMANCE_DOMAIN_ATTRIBUTES"),
        ("voltage", "VOLTAGE_DOMAIN_ATTRIBUTES"),
    ):
        command = BY_KEY[key].command(name)
        assert command is not None
        total = msgspec.structs.astuple(bench.call(TWO, key, "PROTOCOL_ATTRIBUTES").body)[0] & 0xFFFF
        assert total
        statuses = [bench.status(TWO, key, name, command.request(number)) for number in range(total + 1)]
        assert statuses == [OK] * total + [Status.NOT_FOUND], name


def test_without_views_nothing_is_looked_at() -> None:
    """Messages are not copied, and a list is the same list."""
    views = Views(PLATFORM, Permissions(PLATFORM))
    assert not views.any
    ids = [1, 2]
    message: Message = base.DiscoverAgent(1)
    assert views.listed(TWO, "clock", ids) is ids
    assert views.outward(TWO, message) is message
    assert encode(message) == b"\1\0\0\0"
