"""Power capping as agents see it: attributes by version, caps, intervals, measurements."""

import pytest

from bus.scmi import powercap
from bus.scmi.fastchannel import DescribeFastchannelReply
from bus.scmi.protocol import MessageAttributes
from bus.scmi.status import Status
from nodes.firmware.platform import (
    Averaging,
    CapChannel,
    CapLevel,
    CapRange,
    PerfDomain,
    PlatformError,
    PowercapDomain,
    View,
)
from nodes.firmware.platform.perf import Opp
from tests.nodes.el3 import DOM0, THREE, TWO, Bench
from tests.nodes.powercaps import (
    ALONE,
    ASYNC,
    DOMAINS,
    FIXED,
    OK,
    RICH,
    ROOT,
    SILENT,
    ask,
    attributes,
    cap,
    capped,
    interval,
    made,
)
from tests.nodes.unasked import Told, answer, negotiate, platform, reset, wait


@pytest.fixture
def bench() -> Bench:
    return made()


# ---- what there is ----------------------------------------------------------------------------


def test_the_default_version_is_the_last_final_one(bench: Bench) -> None:
    assert answer(bench, TWO, "powercap", "PROTOCOL_VERSION").version == 0x20000
    payload = (0x30000).to_bytes(4, "little")
    assert bench.raw(TWO, 0x18 << 10 | 0x10, payload)[0] is Status.NOT_SUPPORTED
    assert answer(made(0x30000), TWO, "powercap", "PROTOCOL_VERSION").version == 0x30000
    assert answer(bench, TWO, "powercap", "PROTOCOL_ATTRIBUTES").attributes == 4


def test_a_rich_domain(bench: Bench) -> None:
    body = attributes(bench, RICH)
    assert powercap.DOMAIN_OLD.unpack(body.attributes) == {
        "cap_change_notify": 1,
        "measurements_change_notify": 1,
        "async_cap_set": 1,
        "extended_name": 1,
        "cap_configurable": 1,
        "power_monitoring": 1,
        "pai_configurable": 1,
        "power_unit": 1,
        "fastchannels": 1,
    }
    assert (body.min_pai, body.max_pai, body.pai_step) == (1000, 9000, 2000)
    assert (body.min_power_cap, body.max_power_cap, body.power_cap_step) == (100, 1000, 50)
    assert (body.sustainable_power, body.accuracy, body.parent_id) == (800, 2, ROOT)
    assert ask(bench, "DOMAIN_NAME_GET", powercap.DomainNameGet(RICH)).name == DOMAINS[RICH].name


def test_ranges_never_contradict_their_bits(bench: Bench) -> None:
    for one in DOMAINS:
        body = attributes(bench, one.id)
        bits = powercap.DOMAIN_OLD.unpack(body.attributes)
        for least, most, step, bit in (
            (body.min_power_cap, body.max_power_cap, body.power_cap_step, "cap_configurable"),
            (body.min_pai, body.max_pai, body.pai_step, "pai_configurable"),
        ):
            assert least
            assert (least != most) == bool(step) == bool(bits[bit])
    assert attributes(bench, ROOT).parent_id == 0xFFFF_FFFF


def test_a_parent_that_an_agent_does_not_see_is_none() -> None:
    seen = (View(TWO, "powercap_domain", (RICH,)), View(THREE, "powercap_domain", (RICH, ROOT)))
    bench = Bench(platform(powercap_domain=DOMAINS, view=seen))
    assert attributes(bench, 0).parent_id == 0xFFFF_FFFF
    assert attributes(bench, 0, THREE).parent_id == 1


def test_an_agent_without_a_way_back_is_not_offered_what_needs_one(bench: Bench) -> None:
    bits = powercap.DOMAIN_OLD.unpack(attributes(bench, RICH, DOM0).attributes)
    assert not bits["cap_change_notify"] | bits["measurements_change_notify"] | bits["async_cap_set"]
    assert cap(bench, RICH, 500, DOM0, flags=ASYNC) is Status.NOT_SUPPORTED
    assert cap(bench, RICH, 500, DOM0, flags=ASYNC | SILENT) is Status.NOT_SUPPORTED
    for name, request in (
        ("CAP_NOTIFY", powercap.CapNotify(RICH, 1)),
        ("MEASUREMENTS_NOTIFY", powercap.MeasurementsNotify(RICH, 1, 0, 0)),
    ):
        assert ask(bench, name, request, DOM0) is Status.NOT_SUPPORTED


def test_fast_channels(bench: Bench) -> None:
    found = ask(bench, "DESCRIBE_FASTCHANNEL", powercap.DescribeFastchannel(RICH, 5, 0))
    assert found == DescribeFastchannelReply(0b101, 7, 0x5000_0000, 4, 0x5000_1000, 1, 0)
    for domain, message, status in (
        (RICH, 4, Status.NOT_SUPPORTED),
        (RICH, 0xD, Status.NOT_FOUND),
        (RICH, 0x99, Status.NOT_FOUND),
        (ROOT, 5, Status.NOT_SUPPORTED),
        (99, 5, Status.NOT_FOUND),
    ):
        request = powercap.DescribeFastchannel(domain, message, 0)
        assert ask(bench, "DESCRIBE_FASTCHANNEL", request) is status
    for message, bits in ((5, 1), (4, 0)):
        request_ = MessageAttributes(message)
        assert answer(bench, TWO, "powercap", "PROTOCOL_MESSAGE_ATTRIBUTES", request_).attributes == bits


# ---- caps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "value", "flags", "status"),
    [
        (RICH, 100, 0, OK),
        (RICH, 1000, 0, OK),
        (RICH, 99, 0, Status.OUT_OF_RANGE),
        (RICH, 1001, 0, Status.OUT_OF_RANGE),
        (RICH, 101, 0, Status.INVALID_PARAMETERS),
        (RICH, 500, 4, Status.INVALID_PARAMETERS),
        (RICH, 500, SILENT, OK),
        (FIXED, 50, 0, Status.NOT_SUPPORTED),
        (ROOT, 50, ASYNC, Status.NOT_SUPPORTED),
        (99, 50, 0, Status.NOT_FOUND),
    ],
)
def test_setting_a_cap(bench: Bench, domain: int, value: int, flags: int, status: Status) -> None:
    assert cap(bench, domain, value, flags=flags) is status
    if domain == RICH:
        assert capped(bench, RICH) == (value if status is OK else 900)


def test_the_lowest_cap_wins_and_0_is_the_wish_for_none(bench: Bench) -> None:
    for agent, value, expected in (
        (TWO, 500, 500),
        (THREE, 700, 500),
        (TWO, 0, 700),
        (THREE, 0, 0),
        (TWO, 1000, 1000),
    ):
        assert cap(bench, RICH, value, agent) is OK
        assert capped(bench, RICH) == expected
    reset(bench, TWO)
    assert capped(bench, RICH) == 0
    reset(bench, THREE)
    assert capped(bench, RICH) == 900


def test_in_the_first_version_0_is_out_of_range(bench: Bench) -> None:
    negotiate(bench, TWO, "powercap", 0x10000)
    assert cap(bench, RICH, 0) is Status.OUT_OF_RANGE


def test_an_exclusive_domain_is_its_first_users(bench: Bench) -> None:
    assert cap(bench, ALONE, 50) is OK
    assert cap(bench, ALONE, 60, THREE) is Status.DENIED
    assert interval(bench, ALONE, 1500, THREE) is Status.DENIED
    assert cap(bench, ALONE, 40) is OK
    assert cap(bench, ALONE, 0) is OK
    assert cap(bench, ALONE, 60, THREE) is OK


def test_an_asynchronous_cap_comes_too_late_for_a_domain_that_somebody_else_took(bench: Bench) -> None:
    assert cap(bench, ALONE, 50, flags=ASYNC) is OK
    assert cap(bench, ALONE, 60, THREE) is OK
    assert [(one.agent, one.status) for one in wait(bench, 101)] == [(TWO, Status.DENIED)]
    assert capped(bench, ALONE) == 60


def test_an_asynchronous_cap(bench: Bench) -> None:
    assert cap(bench, RICH, 500, flags=ASYNC) is OK
    assert cap(bench, RICH, 600, THREE, flags=ASYNC) is Status.BUSY
    assert capped(bench, RICH) == 900
    assert "powercap_domain 2 POWERCAP_CAP_SET" in bench.held(TWO)
    complete = powercap.CapSetComplete(RICH, 500, 0)
    assert wait(bench, 100) == [Told(TWO, "POWERCAP_CAP_SET", complete, bytes=12)]
    assert capped(bench, RICH) == 500
    assert cap(bench, RICH, 600, flags=ASYNC | SILENT) is OK
    assert wait(bench, 101) == []
    assert capped(bench, RICH) == 600


# ---- intervals, measurements ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "value", "status"),
    [
        (RICH, 1000, OK),
        (RICH, 9000, OK),
        (RICH, 999, Status.OUT_OF_RANGE),
        (RICH, 9001, Status.OUT_OF_RANGE),
        (RICH, 2000, Status.INVALID_PARAMETERS),
        (ROOT, 1000, Status.NOT_SUPPORTED),
    ],
)
def test_setting_an_interval(bench: Bench, domain: int, value: int, status: Status) -> None:
    assert interval(bench, domain, value) is status
    expected = value if status is OK else {RICH: 3000, ROOT: 1000}[domain]
    assert ask(bench, "PAI_GET", powercap.PaiGet(domain)).interval == expected


def test_the_shortest_interval_wins(bench: Bench) -> None:
    assert interval(bench, RICH, 5000) is OK
    assert interval(bench, RICH, 7000, THREE) is OK
    assert ask(bench, "PAI_GET", powercap.PaiGet(RICH)).interval == 5000
    assert ask(bench, "PAI_SET", powercap.PaiSet(RICH, 1, 5000)) is Status.INVALID_PARAMETERS


def test_measurements_are_in_the_unit_of_the_domain(bench: Bench) -> None:
    for domain, power, us in ((ROOT, 1000, 1000), (RICH, 700, 3000), (ALONE, 4, 1000)):
        found = ask(bench, "MEASUREMENTS_GET", powercap.MeasurementsGet(domain))
        assert (found.power, found.interval) == (power, us)
    assert ask(bench, "MEASUREMENTS_GET", powercap.MeasurementsGet(FIXED)) is Status.NOT_SUPPORTED


# ---- what platform.toml may not say -----------------------------------------------------------

RANGE, PAI = CapRange(1, 10), Averaging(1, 1)
TWICE = (CapChannel("CAP_GET", 4), CapChannel("CAP_GET", 8))
FIFTEEN = tuple(CapLevel(str(n), RANGE, PAI) for n in range(15))


@pytest.mark.parametrize(
    ("domains", "rule"),
    [
        ((PowercapDomain(0, "a", CapRange(2, 1), PAI),), "min 2 is above max 1"),
        ((PowercapDomain(0, "a", CapRange(1, 10, 2), PAI),), "whole steps of 2"),
        ((PowercapDomain(0, "a", CapRange(1, 9, 2, boot=2), PAI),), "2 is not in the range"),
        ((PowercapDomain(0, "a", RANGE, Averaging(1, 9, boot=10)),), "10 is not in the range"),
        ((PowercapDomain(0, "a", RANGE, PAI, cai=Averaging(2, 1)),), "cai: min 2 is above"),
        ((PowercapDomain(0, "a", RANGE, PAI, parent=1),), "there is no 1"),
        ((PowercapDomain(0, "a", RANGE, PAI, perf_domains=(8,)),), r"no \[\[perf_domain\]\] has id 8"),
        ((PowercapDomain(0, "a", RANGE, PAI, set_us=1),), "only an asynchronous set"),
        ((PowercapDomain(0, "a", CapRange(1, 1), PAI, async_set=True),), "its cap is fixed"),
        ((PowercapDomain(0, "a", RANGE, PAI, monitoring=False),), "nothing is measured"),
        (
            (PowercapDomain(0, "a", RANGE, PAI, fastchannel=(CapChannel("CAP_GET", 2),)),),
            "not 4-byte",
        ),
        ((PowercapDomain(0, "a", RANGE, PAI, fastchannel=TWICE),), "has a channel already"),
        (tuple(PowercapDomain(n, str(n), RANGE, PAI, perf_domains=(1,)) for n in (1, 2)), "list it in one"),
        ((PowercapDomain(0, "a", RANGE, PAI, levels=FIFTEEN),), "the limit is 14"),
    ],
)
def test_impossible_domains(domains: tuple[PowercapDomain, ...], rule: str) -> None:
    with pytest.raises(PlatformError, match=rule):
        platform(powercap_domain=domains, perf_domain=(PerfDomain(1, "cpu", (Opp(1),)),))
