"""Performance domains as they are described: pages, attributes, versions, places, fast channels."""

from typing import Any

import pytest

from bus.scmi import perf
from bus.scmi.fastchannel import DescribeFastchannelReply
from bus.scmi.status import Status
from nodes.firmware.platform import (
    PerfDomain,
)
from tests.nodes.el3 import THREE, TWO, Bench
from tests.nodes.perf_domains import (
    CPU,
    FAST,
    GPU,
    OPPS,
    PLACES,
    attributes,
    level,
    level_changed,
    limit,
    limits,
    limits_changed,
    made,
    put,
    subscribe,
)
from tests.nodes.unasked import answer, negotiate, told

OK = Status.SUCCESS


@pytest.fixture
def bench() -> Bench:
    return made()


# ---- descriptions ---------------------------------------------------------------------------


def described(bench: Bench, index: int) -> Any:
    request = perf.DescribeLevels(CPU, index)
    return answer(bench, TWO, "perf", "PERFORMANCE_DESCRIBE_LEVELS", request)


@pytest.mark.parametrize(
    ("version", "pages"),
    [
        (0x1_0000, [(7, 3), (3, 0)]),
        (0x2_0000, [(7, 3), (3, 0)]),
        (0x3_0000, [(7, 3), (3, 0)]),
        (0x4_0000, [(4, 6), (4, 2), (2, 0)]),
    ],
)
def test_levels_come_in_pages(bench: Bench, version: int, pages: list[tuple[int, int]]) -> None:
    if version != 0x4_0000:
        negotiate(bench, TWO, "perf", version)
    found: list[Any] = []
    seen = []
    while len(found) < len(OPPS):
        body = described(bench, len(found))
        found += body.perf_levels
        seen.append((len(body.perf_levels), perf.NUM_LEVELS.get(body.num_levels, "remaining")))
    assert seen == pages
    newest = version == 0x4_0000
    assert found == [
        perf.PerfLevel(
            one.level, one.power_cost, one.latency_us, one.frequency_khz if newest else 0, at if newest else 0
        )
        for at, one in enumerate(OPPS)
    ]


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (0x1_0000, Status.INVALID_PARAMETERS),
        (0x2_0000, Status.INVALID_PARAMETERS),
        (0x3_0000, Status.OUT_OF_RANGE),
        (0x4_0000, Status.OUT_OF_RANGE),
    ],
)
def test_the_last_index(bench: Bench, version: int, status: Status) -> None:
    if version != 0x4_0000:
        negotiate(bench, TWO, "perf", version)
    assert len(described(bench, 9).perf_levels) == 1
    assert described(bench, 10) is status
    assert described(bench, 2**32 - 1) is status


def test_what_is_told_of_a_domain(bench: Bench) -> None:
    body = answer(bench, TWO, "perf", "PERFORMANCE_DOMAIN_ATTRIBUTES", perf.DomainAttributes(CPU))
    assert (body.rate_limit, body.sustained_freq, body.sustained_perf_level) == (0, 7000, 70)
    body = answer(bench, TWO, "perf", "PERFORMANCE_DOMAIN_ATTRIBUTES", perf.DomainAttributes(GPU))
    assert (body.rate_limit, body.sustained_freq, body.sustained_perf_level) == (500, 3000, 30)
    name = answer(bench, TWO, "perf", "PERFORMANCE_DOMAIN_NAME_GET", perf.DomainNameGet(GPU))
    assert (name.flags, name.name) == (0, "a-gpu-with-a-very-long-name")


NEWER = {
    0x1_0000: set(),
    0x2_0000: {"fastchannels"},
    0x3_0000: {"fastchannels", "extended_name"},
    0x4_0000: {"fastchannels", "extended_name", "level_indexing"},
}


@pytest.mark.parametrize("version", NEWER)
def test_attributes_by_version(version: int) -> None:
    every = PerfDomain(9, "a-name-longer-than-15", OPPS, level_indexing=True, fastchannel=FAST)
    bench = made(perf_domain=(every,))
    if version != 0x4_0000:
        negotiate(bench, TWO, "perf", version)
    always = {"can_set_limits", "can_set_level", "limits_notify", "level_notify"}
    assert attributes(bench, TWO, 9) == always | NEWER[version]


@pytest.mark.parametrize(("length", "extended"), [(15, False), (16, True)])
def test_how_long_a_name_is_long(length: int, extended: bool) -> None:
    bench = made(perf_domain=(PerfDomain(9, "n" * length, OPPS),))
    assert ("extended_name" in attributes(bench, TWO, 9)) is extended


def test_from_3_on_a_zero_leaves_a_limit_as_it_is(bench: Bench) -> None:
    negotiate(bench, TWO, "perf", 0x3_0000)
    assert limit(bench, TWO, 80, 0) is OK
    assert limits(bench) == (80, 10)


def test_there_are_no_statistics(bench: Bench) -> None:
    body = answer(bench, TWO, "perf", "PROTOCOL_ATTRIBUTES")
    assert (body.statistics_address, body.statistics_len) == (0, 0)


def test_before_3_a_zero_is_a_level_like_any_other(bench: Bench) -> None:
    negotiate(bench, TWO, "perf", 0x2_0000)
    for high, low in ((80, 0), (0, 0)):
        assert limit(bench, TWO, high, low) is Status.OUT_OF_RANGE
    assert limit(bench, TWO, 0, 30) is Status.INVALID_PARAMETERS
    assert limits(bench) == (100, 10)


# ---- levels by their place ------------------------------------------------------------------


def test_levels_by_their_place(bench: Bench) -> None:
    assert (level(bench, PLACES), limits(bench, PLACES)) == (9, (9, 0))
    assert put(bench, TWO, 4, PLACES) is OK
    assert limit(bench, TWO, 4, 0, PLACES) is OK, "0 is a place"
    assert (level(bench, PLACES), limits(bench, PLACES)) == (4, (4, 0))
    assert limit(bench, TWO, 0, 0, PLACES) is OK
    assert (level(bench, PLACES), limits(bench, PLACES)) == (0, (0, 0))
    assert limit(bench, TWO, 9, 0, PLACES) is OK
    assert put(bench, TWO, 10, PLACES) is Status.OUT_OF_RANGE
    assert limit(bench, TWO, 10, 0, PLACES) is Status.OUT_OF_RANGE
    assert limit(bench, TWO, 3, 4, PLACES) is Status.INVALID_PARAMETERS


def test_each_agent_is_told_in_the_numbers_of_its_version(bench: Bench) -> None:
    negotiate(bench, THREE, "perf", 0x3_0000)
    for agent in (TWO, THREE):
        subscribe(bench, agent, PLACES)
    assert limit(bench, TWO, 6, 2, PLACES) is OK
    assert told(bench) == [
        limits_changed(TWO, TWO, 6, 2, PLACES),
        limits_changed(THREE, TWO, 70, 30, PLACES),
        level_changed(TWO, TWO, 6, PLACES),
        level_changed(THREE, TWO, 70, PLACES),
    ]
    assert (level(bench, PLACES, THREE), limits(bench, PLACES, THREE)) == (70, (70, 30))
    assert put(bench, THREE, 40, PLACES) is OK
    assert level(bench, PLACES) == 3


# ---- fast channels --------------------------------------------------------------------------


def fast(bench: Bench, domain: int, message: int) -> Any:
    request = perf.DescribeFastchannel(domain, message)
    return answer(bench, TWO, "perf", "PERFORMANCE_DESCRIBE_FASTCHANNEL", request)


def test_fast_channels_are_described(bench: Bench) -> None:
    assert fast(bench, GPU, 0x7) == DescribeFastchannelReply(
        0b111, 20, 0x4900_0004, 4, 0x4900_0100, 0x2, 0xFD
    )
    assert fast(bench, GPU, 0x8) == DescribeFastchannelReply(0, 0, 0x4900_0008, 4, 0, 0, 0)
    assert fast(bench, GPU, 0x5) == DescribeFastchannelReply(0b011, 0, 0x4900_0010, 8, 0x4900_0202, 1, 0)


def test_where_there_is_no_fast_channel(bench: Bench) -> None:
    for domain, message in ((GPU, 0x6), (GPU, 0x3), (GPU, 0x0), (CPU, 0x7)):
        assert fast(bench, domain, message) is Status.NOT_SUPPORTED
    for message in (0xD, 0x11, 0xFF, 0x107, 2**32 - 1):
        assert fast(bench, GPU, message) is Status.NOT_FOUND
    assert fast(bench, 99, 0x7) is Status.NOT_FOUND


def test_fast_channels_of_messages_that_a_version_has(bench: Bench) -> None:
    negotiate(bench, TWO, "perf", 0x2_0000)
    assert fast(bench, GPU, 0xB) is Status.NOT_SUPPORTED
    assert fast(bench, GPU, 0xC) is Status.NOT_FOUND


def test_messages_that_have_a_fast_channel(bench: Bench) -> None:
    def having() -> set[int]:
        ids = (one.id for one in perf.PROTOCOL.commands)
        heads = {one: bench.raw(TWO, 0x13 << 10 | 0x2, one.to_bytes(4, "little")) for one in ids}
        return {one for one, (status, body) in heads.items() if status is OK and body[0] == 1}

    assert having() == {0x5, 0x7, 0x8}
    negotiate(bench, TWO, "perf", 0x1_0000)
    assert having() == set()
    assert bench.raw(TWO, 0x13 << 10 | 0xB, bytes(8))[0] is Status.NOT_FOUND
