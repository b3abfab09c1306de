"""The typed client's lists: read to their ends by the paging rule, whatever the platform says of them."""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import pytest

from bus.fields import Bits, Message
from bus.scmi import base, clock, perf, pinctrl, powercap, sensor, voltage
from bus.scmi.status import Status
from nodes.guest.calls import Ask, Outcome
from nodes.guest.client import Client
from nodes.guest.result import Listing
from tests.nodes.scripted import Platform, timeout

Reading = Generator[Ask, Outcome, Listing[Any]]
PER_PAGE = 3


class Case(NamedTuple):
    """A list: how the client reads it, and the command, the index field, the reply and its count bits."""

    read: Callable[[Client], Reading]
    command: str
    index: str
    reply: Callable[[int, tuple[Any, ...]], Message]
    bits: Bits
    item: Callable[[int], Any] = int

    def pages(self, total: int) -> Callable[[Message], Message]:
        """A platform that has ``total`` entries and puts PER_PAGE of them in a reply."""
        every = tuple(self.item(one) for one in range(total))

        def answer(request: Message) -> Message:
            at = getattr(request, self.index)
            if self.index == "attributes":
                at = pinctrl.SETTINGS_GET.get(at, "skip_configs")
            found = every[at : at + PER_PAGE]
            word = self.bits.pack(returned=len(found), remaining=total - at - len(found))
            return self.reply(word, found)

        return answer


def descriptor(at: int) -> sensor.SensorDescriptor:
    """Every second one is longer."""
    return sensor.SensorDescriptor(at, (at & 1) << 8, 2, f"s{at}", at & 1, 0, 0, 0)


CASES = {
    "rates": Case(
        lambda client: client.every_rate(5),
        "CLOCK_DESCRIBE_RATES", "rate_index", clock.DescribeRatesReply, clock.NUM_RATES,
    ),
    "parents": Case(
        lambda client: client.every_parent(5),
        "CLOCK_POSSIBLE_PARENTS_GET", "skip_parents", clock.PossibleParentsGetReply, clock.NUM_PARENTS,
    ),
    "levels": Case(
        lambda client: client.every_level(5),
        "PERFORMANCE_DESCRIBE_LEVELS", "level_index", perf.DescribeLevelsReply, perf.NUM_LEVELS,
        lambda at: perf.PerfLevel(at, 1, 2, 3, at),
    ),
    "voltages": Case(
        lambda client: client.every_voltage(5),
        "VOLTAGE_DESCRIBE_LEVELS", "level_index", voltage.DescribeLevelsReply, voltage.NUM_LEVELS,
        lambda at: at - 5,
    ),
    "sensors": Case(
        lambda client: client.every_sensor(),
        "SENSOR_DESCRIPTION_GET", "desc_index", sensor.DescriptionGetReply, sensor.NUM_SENSORS, descriptor,
    ),
    "axes": Case(
        lambda client: client.every_axis(5),
        "SENSOR_AXIS_DESCRIPTION_GET", "axis_desc_index", sensor.AxisDescriptionGetReply, sensor.NUM_AXES,
        lambda at: sensor.AxisDescriptor(at, 0, 2, "xyz"[at % 3], 0, 0, 0),
    ),
    "axis names": Case(
        lambda client: client.every_axis_name(5),
        "SENSOR_AXIS_NAME_GET", "axis_desc_index", sensor.AxisNameGetReply, sensor.NUM_AXES,
        lambda at: sensor.AxisName(at, f"axis {at}"),
    ),
    "intervals": Case(
        lambda client: client.every_interval(5),
        "SENSOR_LIST_UPDATE_INTERVALS", "index", sensor.ListUpdateIntervalsReply, sensor.NUM_INTERVALS,
    ),
    "cap levels": Case(
        lambda client: client.every_cap_level(5),
        "POWERCAP_CPC_ATTRIBUTES", "desc_index", powercap.CpcAttributesReply, powercap.NUM_CPL,
        lambda at: powercap.CplDescriptor(at, 1, 2, 3, 4, 5, 6, 7, "fast"),
    ),
    "associations": Case(
        lambda client: client.every_association(5, pinctrl.SELECTOR["GROUP"]),
        "PINCTRL_LIST_ASSOCIATIONS", "index", pinctrl.ListAssociationsReply, pinctrl.NUM_ASSOCIATIONS,
    ),
    "configs": Case(
        lambda client: client.every_config(5, pinctrl.SELECTOR["PIN"]),
        "PINCTRL_SETTINGS_GET", "attributes", lambda word, items: pinctrl.SettingsGetReply(1, word, items),
        pinctrl.NUM_CONFIGS, lambda at: pinctrl.PinConfig(at, 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("total", [0, 1, PER_PAGE, PER_PAGE + 1, 4 * PER_PAGE])
def test_a_list_is_read_to_its_end(case: Case, total: int) -> None:
    platform = Platform({case.command: case.pages(total)})
    listing = platform.run(case.read(Client()))
    assert listing.items == tuple(case.item(one) for one in range(total))
    assert (listing.complete, listing.triplet) == (True, False)
    assert platform.asked == [case.command] * max(1, -(-total // PER_PAGE))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_list_that_breaks_off_keeps_what_came_and_says_why(case: Case) -> None:
    pages = case.pages(5)

    def breaks_off(request: Message) -> Message | Status:
        page = pages(request)
        return page if len(platform.asked) == 1 else Status.HARDWARE_ERROR

    platform = Platform({case.command: breaks_off})
    listing = platform.run(case.read(Client()))
    assert listing.items == tuple(case.item(one) for one in range(PER_PAGE))
    assert listing.failure is not None
    assert listing.failure.status == Status.HARDWARE_ERROR
    assert not listing.complete


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_page_that_gives_nothing_ends_the_list_whatever_remains(case: Case) -> None:
    promise = case.reply(case.bits.pack(returned=0, remaining=9), ())
    platform = Platform({case.command: promise})
    listing = platform.run(case.read(Client()))
    assert (listing.items, listing.complete, len(platform.asked)) == ((), True, 1)


@pytest.mark.parametrize("name", ["associations", "configs", "levels"])
def test_a_list_without_an_end_is_given_up(name: str) -> None:
    case = CASES[name]
    many = 200
    items = tuple(case.item(one) for one in range(many))
    platform = Platform({case.command: case.reply(case.bits.pack(returned=many, remaining=200), items)})
    listing = platform.run(case.read(Client()))
    assert listing.failure is not None
    assert listing.failure.code == "endless-list"
    assert len(listing.items) == many * len(platform.asked)


def test_a_page_is_tried_again_by_itself() -> None:
    case = CASES["rates"]
    pages = case.pages(5)
    said: list[Any] = [timeout(), pages, timeout(), pages]
    platform = Platform({case.command: said})
    listing = platform.run(case.read(Client()))
    assert (listing.items, listing.complete) == ((0, 1, 2, 3, 4), True)
    assert [request.rate_index for request in platform.requests] == [0, 0, 3, 3]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("read", "command", "reply"),
    [
        (CASES["rates"].read, "CLOCK_DESCRIBE_RATES", clock.DescribeRatesReply),
        (CASES["voltages"].read, "VOLTAGE_DESCRIBE_LEVELS", voltage.DescribeLevelsReply),
        (CASES["intervals"].read, "SENSOR_LIST_UPDATE_INTERVALS", sensor.ListUpdateIntervalsReply),
    ],
)
def test_a_range_is_one_page(read: Callable[[Client], Reading], command: str, reply: Any) -> None:
    word = clock.NUM_RATES.pack(returned=3, triplet=1)
    listing = Platform({command: reply(word, (10, 50, 5))}).run(read(Client()))
    assert (listing.items, listing.triplet, listing.complete) == ((10, 50, 5), True, True)


def test_old_levels_and_descriptors_are_read_with_their_layouts() -> None:
    client = Client()
    client.versions = {perf.PROTOCOL.id: 0x2_0000, sensor.PROTOCOL.id: 0x1_0000}
    old = {"perf": 0x2_0000, "sensor": 0x1_0000}
    level = perf.PerfLevel(256, 7, 5, 0, 0)
    reply = perf.DescribeLevelsReply(1, (level,))
    platform = Platform({"PERFORMANCE_DESCRIBE_LEVELS": reply}, old)
    assert platform.run(client.every_level(0)).items == (level,)
    low = sensor.SensorDescriptor(1, 1 << 8, 2, "old", 0, 0, 0, 0)
    platform = Platform({"SENSOR_DESCRIPTION_GET": sensor.DescriptionGetReply(1, (low,))}, old)
    assert platform.run(client.every_sensor()).items == (low,)
    axes = platform.run(client.every_axis(1))
    assert axes.failure is not None
    assert axes.failure.code == "not-in-version"


# ---- protocols --------------------------------------------------------------------------------


def protocols(request: Message) -> Message:
    assert isinstance(request, base.DiscoverListProtocols)
    found = (0x11, 0x14, 0x15, 0x16, 0x19)[request.skip : request.skip + 2]
    return base.DiscoverListProtocolsReply(len(found), found)


def test_protocols_are_read_until_as_many_are_there_as_there_should_be() -> None:
    count = base.ProtocolAttributesReply(base.ATTRIBUTES.pack(num_protocols=5))
    script = {"PROTOCOL_ATTRIBUTES": count, "BASE_DISCOVER_LIST_PROTOCOLS": protocols}
    platform = Platform(script)
    assert platform.run(Client().every_protocol()).items == (0x11, 0x14, 0x15, 0x16, 0x19)
    assert platform.asked == ["PROTOCOL_ATTRIBUTES", *["BASE_DISCOVER_LIST_PROTOCOLS"] * 3]


def test_fewer_protocols_than_promised_are_what_there_is() -> None:
    count = base.ProtocolAttributesReply(base.ATTRIBUTES.pack(num_protocols=9))
    platform = Platform({"PROTOCOL_ATTRIBUTES": count, "BASE_DISCOVER_LIST_PROTOCOLS": protocols})
    listing = platform.run(Client().every_protocol())
    assert (len(listing.items), listing.complete, len(platform.asked)) == (5, True, 5)


def test_protocols_cannot_be_read_where_base_is_silent() -> None:
    platform = Platform({"PROTOCOL_ATTRIBUTES": Status.GENERIC_ERROR})
    listing = platform.run(Client().every_protocol())
    assert listing.failure is not None
    assert (listing.items, listing.failure.status) == ((), Status.GENERIC_ERROR)
