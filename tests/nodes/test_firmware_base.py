"""Base on the bench: discovery by version, and errors that no response could carry."""

import struct

import msgspec
import pytest

from bus import shmem
from bus.fields import encode
from bus.scmi import base, header
from bus.scmi.status import Status
from nodes.firmware.profile import SPEC_STRICT, FirmwareProfile
from tests.nodes import specimens
from tests.nodes.el3 import DOM0, MANAGER, THREE, TWO, Bench
from tests.nodes.unasked import Told, answer, negotiate, platform, reset, told

OK = Status.SUCCESS
HEAD = header.pack(0x14, 5, token=77)
ON, OFF = base.NotifyErrors(1), base.NotifyErrors(0)


def listening(*agents: int, profile: FirmwareProfile = SPEC_STRICT) -> Bench:
    bench = Bench(platform(), profile=profile)
    for agent in agents:
        assert bench.status(agent, "base", "BASE_NOTIFY_ERRORS", ON) is OK
    return bench


def bad_length(bench: Bench, agent: int, length: int = 200) -> None:
    page = bytearray(shmem.request(HEAD, b"\1\2\3\4"))
    page[0x14:0x18] = length.to_bytes(4, "little")
    assert shmem.status_of(bench.ring(agent, bytes(page))) & shmem.ERROR


def reports(bench: Bench) -> list[tuple[int, int, tuple[int, ...]]]:
    """Who was told of whose error, and the pairs."""
    found: list[Told] = told(bench)
    assert {one.name for one in found} <= {"BASE_ERROR_EVENT"}
    return [(one.agent, one.body.agent_id, one.body.msg_reports) for one in found]


PAIR = HEAD | (-10 & 0xFFFF_FFFF) << 32


def test_an_agent_hears_of_its_own_bad_message() -> None:
    bench = listening(TWO, THREE)
    bad_length(bench, TWO)
    (event,) = told(bench)
    assert (event.agent, event.name) == (TWO, "BASE_ERROR_EVENT")
    assert base.ERROR_STATUS.unpack(event.body.error_status) == {"fatal": 0, "command_count": 1}
    assert (event.body.agent_id, event.body.msg_reports) == (TWO, (PAIR,))
    assert event.bytes == 16


@pytest.mark.parametrize("length", [0, 3, 105, 0xFFFF_FFFF])
def test_every_length_that_cannot_be(length: int) -> None:
    bench = listening(TWO)
    bad_length(bench, TWO, length)
    assert len(reports(bench)) == 1


def test_who_does_not_listen_hears_nothing() -> None:
    bench = listening(THREE)
    bad_length(bench, TWO)
    bad_length(bench, DOM0)
    assert reports(bench) == []


def test_what_was_answered_or_was_no_message_is_no_event() -> None:
    bench = listening(TWO)
    assert bench.raw(TWO, header.pack(0x14, 5), b"short")[0] is Status.NOT_SUPPORTED
    page = bytearray(shmem.request(HEAD, b""))
    page[4] = shmem.FREE
    bench.ring(TWO, bytes(page))
    page[0x14:0x18] = b"\xff" * 4
    bench.ring(TWO, bytes(page))
    assert reports(bench) == []


def test_a_trusted_agent_hears_of_everybodys() -> None:
    agents = tuple(
        msgspec.structs.replace(one, trusted=one.id in (MANAGER, THREE)) for one in platform().agent
    )
    bench = Bench(platform(agent=agents))
    assert bench.status(THREE, "base", "BASE_NOTIFY_ERRORS", ON) is OK
    for agent in (DOM0, TWO, THREE):
        bad_length(bench, agent)
    assert [(who, whose) for who, whose, _ in reports(bench)] == [(THREE, DOM0), (THREE, TWO), (THREE, THREE)]


def test_it_is_off_at_boot_and_off_again() -> None:
    bench = listening()
    bad_length(bench, TWO)
    assert bench.status(TWO, "base", "BASE_NOTIFY_ERRORS", ON) is OK
    assert bench.held(TWO)["base BASE_ERROR_EVENT"] == 1
    assert bench.status(TWO, "base", "BASE_NOTIFY_ERRORS", OFF) is OK
    bad_length(bench, TWO)
    assert reports(bench) == []


def test_a_reset_ends_it() -> None:
    bench = listening(TWO)
    reset(bench, TWO)
    bad_length(bench, TWO)
    assert reports(bench) == []
    assert "base BASE_ERROR_EVENT" not in bench.held(TWO)


def test_an_agent_without_a_way_back_cannot_listen() -> None:
    bench = listening()
    for agent in (DOM0, MANAGER):
        assert bench.status(agent, "base", "BASE_NOTIFY_ERRORS", ON) is Status.NOT_SUPPORTED
    assert bench.status(TWO, "base", "BASE_NOTIFY_ERRORS", base.NotifyErrors(2)) is Status.INVALID_PARAMETERS


def test_the_order_of_a_pair_is_a_setting() -> None:
    other = msgspec.structs.replace(SPEC_STRICT, error_pair="status_low")
    bench = listening(TWO, profile=other)
    bad_length(bench, TWO)
    status, head = struct.unpack("<iI", struct.pack("<Q", reports(bench)[0][2][0]))
    assert (status, head) == (Status.PROTOCOL_ERROR, HEAD)


def test_a_firmware_that_answers_a_bad_length_has_nothing_to_tell() -> None:
    answers = msgspec.structs.replace(SPEC_STRICT, bad_length_status=True)
    bench = listening(TWO, profile=answers)
    bad_length(bench, TWO)
    assert reports(bench) == []
    quirky = listening(TWO, profile=msgspec.structs.replace(SPEC_STRICT, payload_bytes_max=92))
    bad_length(quirky, TWO, 4 + 93)
    assert len(reports(quirky)) == 1


# ---- discovery --------------------------------------------------------------------------------


def test_agents_before_version_2() -> None:
    bench = listening()
    assert answer(bench, TWO, "base", "BASE_DISCOVER_AGENT", base.DiscoverAgent(base.SELF)).agent_id == TWO
    negotiate(bench, TWO, "base", 0x1_0000)
    asked = base.DiscoverAgent(base.SELF)
    assert answer(bench, TWO, "base", "BASE_DISCOVER_AGENT", asked) is Status.NOT_FOUND
    known = encode(base.DiscoverAgent(MANAGER))
    assert bench.raw(TWO, header.pack(0x10, 7), known) == (OK, b"xen".ljust(16, b"\0"))
    grant = encode(base.SetDevicePermissions(TWO, 5, 1))
    assert bench.raw(TWO, header.pack(0x10, 9), grant)[0] is Status.NOT_FOUND, "that came with version 2"


def test_without_agent_discovery_no_agents_are_told_of() -> None:
    profile = msgspec.structs.replace(SPEC_STRICT, missing=frozenset({"base.BASE_DISCOVER_AGENT"}))
    bench = listening(profile=profile)
    attributes = bench.call(TWO, "base", "PROTOCOL_ATTRIBUTES").body.attributes
    assert base.ATTRIBUTES.get(attributes, "num_agents") == 0
    assert bench.status(TWO, "base", "BASE_DISCOVER_AGENT", base.DiscoverAgent(1)) is Status.NOT_SUPPORTED


def test_skip_leaves_out_from_the_front() -> None:
    bench = Bench(specimens.PLATFORM)
    every = []
    for skip in range(10):
        request = base.DiscoverListProtocols(skip)
        body = bench.call(TWO, "base", "BASE_DISCOVER_LIST_PROTOCOLS", request).body
        every.append(body.protocols)
    assert every == [tuple(range(0x11 + skip, 0x1A)) for skip in range(10)]
