"""What a guest asks at start, message by message: the order of Linux, for every protocol that is listed."""

from typing import Any

import pytest

from bus.fields import Message
from bus.scmi import PROTOCOLS, base, clock, perf, pinctrl, power, powercap, reset, sensor, system, voltage
from bus.scmi.protocol import MessageAttributesReply, VersionReply
from bus.scmi.status import Status
from bus.scmi.tables import STANDARD
from nodes.guest.client import Client
from nodes.guest.discovery import LOOKS, discover
from nodes.limits import DISCOVERED
from tests.bus.vendor import FAN
from tests.nodes.scripted import Platform

BASE = [
    "PROTOCOL_VERSION",
    "PROTOCOL_ATTRIBUTES",
    "BASE_DISCOVER_VENDOR",
    "BASE_DISCOVER_SUB_VENDOR",
    "BASE_DISCOVER_IMPLEMENTATION_VERSION",
    "BASE_DISCOVER_LIST_PROTOCOLS",
]
BEGIN = ["PROTOCOL_VERSION", "PROTOCOL_ATTRIBUTES"]


def script(*ids: int, agents: int = 0, **says: Any) -> dict[str, Any]:
    """A Base that lists ``ids``, and what else the platform says."""
    count = base.ATTRIBUTES.pack(num_agents=agents, num_protocols=len(ids))
    return {
        "base.PROTOCOL_ATTRIBUTES": base.ProtocolAttributesReply(count),
        "BASE_DISCOVER_VENDOR": base.DiscoverVendorReply("v"),
        "BASE_DISCOVER_SUB_VENDOR": base.DiscoverSubVendorReply("s"),
        "BASE_DISCOVER_IMPLEMENTATION_VERSION": base.DiscoverImplementationVersionReply(1),
        "BASE_DISCOVER_LIST_PROTOCOLS": base.DiscoverListProtocolsReply(len(ids), ids),
        "BASE_DISCOVER_AGENT": lambda request: base.DiscoverAgentReply(request.agent_id, "a"),
        **says,
    }


def asked(ids: tuple[int, ...], says: dict[str, Any], versions: dict[str, int] | None = None) -> list[str]:
    """What is asked after Base's part."""
    platform = Platform({**script(*ids), **says}, versions)
    platform.run(discover(Client()))
    assert platform.asked[: len(BASE)] == BASE
    return platform.asked[len(BASE) :]


def test_every_protocol_but_base_is_looked_at() -> None:
    assert set(LOOKS) == {one.key for one in PROTOCOLS} - {"base"}


def test_base_tells_of_itself_its_protocols_and_its_agents() -> None:
    platform = Platform(script(agents=3))
    assert platform.run(discover(Client())) == []
    assert platform.asked == [*BASE, *["BASE_DISCOVER_AGENT"] * 3]
    assert platform.requests[-3:] == [base.DiscoverAgent(one) for one in range(3)]


def test_protocols_are_looked_at_in_the_order_of_the_list() -> None:
    ids = tuple(one.id for one in PROTOCOLS if one.id != 0x10)
    platform = Platform(script(*ids))
    assert [one.id for one in platform.run(discover(Client()))] == list(ids)
    assert platform.asked == [*BASE, *BEGIN * len(ids)]
    assert [ask.protocol_id for ask in platform.asks[len(BASE) :: 2]] == list(ids)


def test_what_nobody_knows_or_does_not_answer_is_passed_over() -> None:
    says = {"PROTOCOL_VERSION": [VersionReply(0x2_0000), Status.DENIED, VersionReply(0x3_0000)]}
    platform = Platform(script(0x11, 0x14, 0x1B, 0x81, **says))
    assert platform.run(discover(Client())) == [clock.PROTOCOL]
    assert platform.asked == [*BASE, "PROTOCOL_VERSION", *BEGIN]


def test_a_newer_platform_is_asked_to_speak_what_is_known() -> None:
    newer = {"PROTOCOL_VERSION": VersionReply(0x9_0000), "NEGOTIATE_PROTOCOL_VERSION": Status.NOT_SUPPORTED}
    there = {"PROTOCOL_MESSAGE_ATTRIBUTES": MessageAttributesReply(0)}
    wanted = ["PROTOCOL_VERSION", "PROTOCOL_MESSAGE_ATTRIBUTES", "NEGOTIATE_PROTOCOL_VERSION"]
    platform = Platform(script(0x12, **newer, **there))
    assert platform.run(discover(Client())) == [system.PROTOCOL]
    assert platform.asked == [*wanted, *BASE[1:], *wanted, "PROTOCOL_ATTRIBUTES"]


def test_a_vendor_s_protocol_is_asked_for_its_version_and_attributes() -> None:
    tables = STANDARD.with_more([FAN])
    platform = Platform(script(0x81), tables=tables)
    assert platform.run(discover(Client(tables))) == [FAN]
    assert platform.asked == [*BASE, *BEGIN]
    assert Platform(script(0x81), tables=tables).run(discover(Client())) == [], "unknown without its table"


# ---- resources --------------------------------------------------------------------------------


def test_power_domains() -> None:
    long = power.DOMAIN.pack(extended_name=1)
    says = {
        "power.PROTOCOL_ATTRIBUTES": power.ProtocolAttributesReply(2, 0, 0),
        "POWER_DOMAIN_ATTRIBUTES": [
            power.DomainAttributesReply(long, "a"),
            power.DomainAttributesReply(0, "b"),
        ],
        "POWER_DOMAIN_NAME_GET": power.DomainNameGetReply(0, "a-long-name"),
    }
    wanted = ["POWER_DOMAIN_ATTRIBUTES", "POWER_DOMAIN_NAME_GET", "POWER_DOMAIN_ATTRIBUTES"]
    assert asked((0x11,), says) == [*BEGIN, *wanted]


def test_clocks_with_all_there_is_to_them() -> None:
    bits = clock.CLOCK.pack(extended_name=1, parents=1, restricted=1)
    says = {
        "clock.PROTOCOL_ATTRIBUTES": clock.ProtocolAttributesReply(clock.ATTRIBUTES.pack(num_clocks=3)),
        "CLOCK_ATTRIBUTES": [
            clock.ClockAttributesReply(bits, "a", 0),
            Status.DENIED,
            clock.ClockAttributesReply(0, "c", 0),
        ],
        "CLOCK_DESCRIBE_RATES": clock.DescribeRatesReply(1, (5,)),
        "CLOCK_POSSIBLE_PARENTS_GET": clock.PossibleParentsGetReply(1, (2,)),
    }
    first = ["CLOCK_ATTRIBUTES", "CLOCK_NAME_GET", "CLOCK_POSSIBLE_PARENTS_GET", "CLOCK_GET_PERMISSIONS"]
    wanted = [*first, "CLOCK_DESCRIBE_RATES", "CLOCK_ATTRIBUTES", "CLOCK_ATTRIBUTES", "CLOCK_DESCRIBE_RATES"]
    assert asked((0x14,), says) == [*BEGIN, *wanted]


def test_performance_domains_with_their_levels_and_fast_channels() -> None:
    bits = perf.DOMAIN.pack(fastchannels=1, extended_name=1)
    says = {
        "perf.PROTOCOL_ATTRIBUTES": perf.ProtocolAttributesReply(1, 0, 0),
        "PERFORMANCE_DOMAIN_ATTRIBUTES": perf.DomainAttributesReply(bits, 0, 1000, 1, "cpu"),
        "PERFORMANCE_DESCRIBE_LEVELS": perf.DescribeLevelsReply(1, (perf.PerfLevel(1, 1, 1, 1, 0),)),
    }
    wanted = ["PERFORMANCE_DOMAIN_ATTRIBUTES", "PERFORMANCE_DOMAIN_NAME_GET", "PERFORMANCE_DESCRIBE_LEVELS"]
    assert asked((0x13,), says) == [*BEGIN, *wanted, *["PERFORMANCE_DESCRIBE_FASTCHANNEL"] * 4]


IMU = sensor.SensorDescriptor(
    4,
    sensor.DESCRIPTOR_LOW.pack(extended_name=1),
    sensor.DESCRIPTOR_HIGH.pack(axis_support=1, num_axes=1),
    "imu",
    0,
    0,
    0,
    0,
)
SENSORS = {
    "sensor.PROTOCOL_ATTRIBUTES": sensor.ProtocolAttributesReply(1, 0, 0),
    "SENSOR_DESCRIPTION_GET": sensor.DescriptionGetReply(1, (IMU,)),
    "SENSOR_AXIS_DESCRIPTION_GET": sensor.AxisDescriptionGetReply(
        1, (sensor.AxisDescriptor(0, sensor.AXIS_LOW.pack(extended_name=1), 2, "x", 0, 0, 0),)
    ),
}


def test_sensors_with_their_intervals_and_axes() -> None:
    wanted = ["SENSOR_DESCRIPTION_GET", "SENSOR_NAME_GET", "SENSOR_LIST_UPDATE_INTERVALS"]
    axes = ["SENSOR_AXIS_DESCRIPTION_GET", "SENSOR_AXIS_NAME_GET"]
    assert asked((0x15,), SENSORS) == [*BEGIN, *wanted, *axes]


def test_old_sensors_have_neither() -> None:
    assert asked((0x15,), SENSORS, {"sensor": 0x1_0000}) == [*BEGIN, "SENSOR_DESCRIPTION_GET"]


def test_no_sensors_are_not_described() -> None:
    none = {"sensor.PROTOCOL_ATTRIBUTES": sensor.ProtocolAttributesReply(0, 0, 0)}
    assert asked((0x15,), {**SENSORS, **none}) == BEGIN


def test_resets_and_voltages() -> None:
    says = {
        "reset.PROTOCOL_ATTRIBUTES": reset.ProtocolAttributesReply(1),
        "RESET_DOMAIN_ATTRIBUTES": reset.DomainAttributesReply(
            reset.DOMAIN.pack(extended_name=1), reset.LATENCY_UNKNOWN, "r"
        ),
        "voltage.PROTOCOL_ATTRIBUTES": voltage.ProtocolAttributesReply(2),
        "VOLTAGE_DOMAIN_ATTRIBUTES": [
            voltage.DomainAttributesReply(voltage.DOMAIN.pack(extended_name=1), "v"),
            Status.NOT_FOUND,
        ],
        "VOLTAGE_DESCRIBE_LEVELS": voltage.DescribeLevelsReply(0, ()),
    }
    assert asked((0x16, 0x17), says) == [
        *BEGIN,
        "RESET_DOMAIN_ATTRIBUTES",
        "RESET_DOMAIN_NAME_GET",
        *BEGIN,
        "VOLTAGE_DOMAIN_ATTRIBUTES",
        "VOLTAGE_DOMAIN_NAME_GET",
        "VOLTAGE_DESCRIBE_LEVELS",
        "VOLTAGE_DOMAIN_ATTRIBUTES",
    ]


@pytest.mark.parametrize(("version", "levels"), [(0x2_0000, 0), (0x3_0000, 1)])
def test_power_caps(version: int, levels: int) -> None:
    bits = powercap.DOMAIN.pack(extended_name=1, fastchannels=1)
    says = {
        "powercap.PROTOCOL_ATTRIBUTES": powercap.ProtocolAttributesReply(1),
        "POWERCAP_DOMAIN_ATTRIBUTES": powercap.DomainAttributesReply(bits, "soc", *([0] * 12)),
        "POWERCAP_CPC_ATTRIBUTES": powercap.CpcAttributesReply(0, ()),
    }
    assert asked((0x18,), says, {"powercap": version}) == [
        *BEGIN,
        "POWERCAP_DOMAIN_ATTRIBUTES",
        "POWERCAP_DOMAIN_NAME_GET",
        *["POWERCAP_CPC_ATTRIBUTES"] * levels,
        *["POWERCAP_DESCRIBE_FASTCHANNEL"] * 4,
    ]


def test_pins_groups_and_functions() -> None:
    counts = pinctrl.ATTRIBUTES_LOW.pack(num_pins=2, num_groups=1)

    def attributes(request: Message) -> Message | Status:
        assert isinstance(request, pinctrl.Attributes)
        if request.identifier:
            return Status.DENIED
        return pinctrl.AttributesReply(pinctrl.DESCRIPTION.pack(extended_name=request.flags & 1), "n")

    says = {
        "pinctrl.PROTOCOL_ATTRIBUTES": pinctrl.ProtocolAttributesReply(counts, 1),
        "PINCTRL_ATTRIBUTES": attributes,
        "PINCTRL_LIST_ASSOCIATIONS": pinctrl.ListAssociationsReply(0, ()),
    }
    pins = ["PINCTRL_ATTRIBUTES"] * 2
    group = ["PINCTRL_ATTRIBUTES", "PINCTRL_NAME_GET", "PINCTRL_LIST_ASSOCIATIONS"]
    function = ["PINCTRL_ATTRIBUTES", "PINCTRL_LIST_ASSOCIATIONS"]
    assert asked((0x19,), says) == [*BEGIN, *pins, *group, *function]


def test_only_the_first_of_very_many_resources_are_looked_at() -> None:
    says = {
        "reset.PROTOCOL_ATTRIBUTES": reset.ProtocolAttributesReply(0xFFFF),
        "RESET_DOMAIN_ATTRIBUTES": Status.DENIED,
    }
    assert asked((0x16,), says) == [*BEGIN, *["RESET_DOMAIN_ATTRIBUTES"] * DISCOVERED]
