"""What firmwares do with a page that holds no proper message, and with one that changes while it is read."""

import struct
import zlib

import msgspec
import pytest

from bus import shmem, smccc
from bus.scmi import header
from bus.scmi.status import Status
from nodes.firmware.profile import PROFILES, SPEC_STRICT, FirmwareProfile, chosen
from tests.nodes.el3 import DOM0, FID, MANAGER, PLATFORM, SHMEM, TWO, Bench

VERSION_GET = header.pack(0x10, 0)
REQUEST = shmem.request(VERSION_GET, b"")
FREE = REQUEST[:4] + shmem.IDLE[4:8] + REQUEST[8:]
FAILED_WORD = shmem.FREE | shmem.ERROR
BOTH = pytest.mark.parametrize("carried", [True, False], ids=["carried", "mapped"])


def with_length(length: int) -> bytes:
    page = bytearray(shmem.request(VERSION_GET, bytes(100)))
    page[shmem.LENGTH_AT : shmem.HEADER_AT] = length.to_bytes(4, "little")
    return bytes(page)


def strict(**facts: object) -> FirmwareProfile:
    return msgspec.structs.replace(SPEC_STRICT, **facts)


def lives(bench: Bench, agent: int) -> bool:
    """Whether a proper message on the agent's channel still gets an answer."""
    return shmem.status_of(bench.ring(agent, REQUEST)) == shmem.FREE


# ---- one bad doorbell -------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("bad", [FREE, with_length(3), with_length(4 + 101)], ids=["free", "short", "long"])
@pytest.mark.parametrize("name", sorted(set(PROFILES) - {"optee-msg"}))
def test_one_bad_doorbell(carried: bool, bad: bytes, name: str) -> None:
    """It ends the channel where the busy flag is left behind, and nothing of the kind elsewhere."""
    profile = PROFILES[name]
    bench = Bench(carried=carried, profile=profile)
    assert lives(bench, TWO)
    bench.ring(TWO, bad)
    assert lives(bench, TWO) is not profile.wedges
    assert lives(bench, DOM0)


@BOTH
def test_a_wedged_channel_outlives_its_agent(carried: bool) -> None:
    """Neither a reset of the agent nor a page that is free again gives the channel back; the ledger tells."""
    bench = Bench(carried=carried, profile=PROFILES["tfa-multiagent"])
    bench.ring(TWO, FREE)
    assert bench.raw(MANAGER, header.pack(0x10, 0xB), struct.pack("<II", TWO, 1))[0] is Status.SUCCESS
    assert not lives(bench, TWO)
    assert "busy for ever" in bench.held(TWO)
    assert "busy for ever" not in bench.held(DOM0)


@BOTH
def test_a_refused_doorbell_may_leave_the_page_as_it_was(carried: bool) -> None:
    """No response: whoever looks past ERROR reads its own request as one."""
    bench = Bench(carried=carried, profile=strict(failure="as-found"))
    page = with_length(200)
    answer = bench.ring(TWO, page)
    assert shmem.status_of(answer) == FAILED_WORD
    assert answer[8 : len(page)] == page[8:]
    assert Bench(profile=strict(failure="as-found")).ring(TWO, b"\0" * 20) == shmem.FAILED


@BOTH
def test_a_spurious_doorbell_may_be_ignored(carried: bool) -> None:
    bench = Bench(carried=carried, profile=PROFILES["scp-firmware"])
    assert bench.ring(TWO, FREE)[: len(FREE)] == FREE
    assert bench.core.meters.counter("trapline_scmi_transport_errors_total")[("2",)] == 1
    claimed_and_failed = FREE[:4] + shmem.ERROR.to_bytes(4, "little") + FREE[8:]
    assert shmem.status_of(bench.ring(TWO, claimed_and_failed)) == FAILED_WORD


@pytest.mark.parametrize(("name", "told"), [("scp-firmware", True), ("imx-sm", False)])
def test_a_bad_length_may_have_a_status(name: str, told: bool) -> None:
    answer = Bench(profile=PROFILES[name]).ring(TWO, with_length(105))
    assert shmem.status_of(answer) == FAILED_WORD
    found = answer[shmem.PAYLOAD_AT : shmem.PAYLOAD_AT + 4]
    assert (found == Status.PROTOCOL_ERROR.word) is told


@pytest.mark.parametrize(
    ("profile", "payload_bytes", "fits"),
    [
        *((PROFILES["tfa"], 92, True), (PROFILES["tfa"], 93, False)),
        *((SPEC_STRICT, 100, True), (SPEC_STRICT, 101, False)),
        *((PROFILES["scp-firmware"], 100, True), (PROFILES["scp-firmware"], 101, False)),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_how_long_a_request_may_be(profile: FirmwareProfile, payload_bytes: int, fits: bool) -> None:
    answer = Bench(profile=profile).ring(TWO, shmem.request(VERSION_GET, bytes(payload_bytes)))
    assert (shmem.status_of(answer) == shmem.FREE) is fits


# ---- the header read twice --------------------------------------------------------------------


class Scribbled(bytearray):
    """A page whose owner changes the header as soon as the platform has copied it once."""

    armed = False

    def __getitem__(self, key: object) -> object:
        found = super().__getitem__(key)  # type: ignore[call-overload]
        if self.armed and isinstance(key, slice) and (key.start or 0) <= shmem.HEADER_AT:
            self.armed = False
            self[shmem.HEADER_AT : shmem.PAYLOAD_AT] = header.pack(0x14, 3).to_bytes(4, "little")
        return found


class Memory(shmem.PrivateMemory):
    def map(self, address: int) -> bytearray:
        page = super().map(address)
        if address == SHMEM[TWO] and not isinstance(page, Scribbled):
            page = self._pages[address] = Scribbled(page)
        return page


@pytest.mark.parametrize(("reads", "message"), [(1, "PROTOCOL_VERSION"), (2, "BASE_DISCOVER_VENDOR")])
def test_a_header_that_changes_between_two_reads(reads: int, message: str) -> None:
    """Protocol of the first reading, message of the second; who reads once is not to be had."""
    bench = Bench(carried=False, profile=strict(header_reads=reads), memory=Memory())
    page = bench.memory.map(SHMEM[TWO])
    assert isinstance(page, Scribbled)
    page[: len(REQUEST)] = REQUEST
    page.armed = True
    bench.smc(FID[TWO])
    assert list(bench.counted("trapline_scmi_calls_total")) == [("2", "base", message, "SUCCESS")]


# ---- checksums and tokens ---------------------------------------------------------------------


def sealed(page: bytes, kind: int = 1, flip: int = 0) -> bytes:
    value = zlib.crc32(page[shmem.HEADER_AT :]) ^ flip
    return page[:8] + struct.pack("<II", kind, value) + page[16:]


@BOTH
def test_checksums(carried: bool) -> None:
    bench = Bench(carried=carried, profile=chosen("imx-sm+checksum"))
    answer = bench.ring(TWO, sealed(REQUEST))
    assert shmem.status_of(answer) == shmem.FREE
    _, payload = shmem.read_message(answer)
    assert answer[8:16] == sealed(shmem.reply(VERSION_GET, payload))[8:16]
    for bad in (REQUEST, sealed(REQUEST, kind=0), sealed(REQUEST, flip=1)):
        assert shmem.status_of(bench.ring(TWO, bad)) == FAILED_WORD
    assert shmem.status_of(Bench(profile=PROFILES["imx-sm"]).ring(TWO, REQUEST)) == shmem.FREE


def test_tokens() -> None:
    bench = Bench(profile=chosen("imx-sm+tokens"))

    def status(token: int) -> int:
        page = bench.ring(TWO, shmem.request(header.pack(0x10, 0, token), b""))
        return int(struct.unpack_from("<i", page, shmem.PAYLOAD_AT)[0])

    assert [status(token) for token in (1022, 1023, 0, 0, 1, 3, 4)] == [0, 0, 0, -133, 0, -133, 0]
    assert bench.core.meters.counter("trapline_scmi_transport_errors_total")[("2",)] == 2


def test_a_reset_agent_may_begin_with_any_token() -> None:
    bench = Bench(profile=chosen("imx-sm+tokens"))
    for token in (5, 6):
        assert bench.raw(TWO, header.pack(0x10, 0, token))[0] is Status.SUCCESS
    assert bench.raw(MANAGER, header.pack(0x10, 0xB), struct.pack("<II", TWO, 1))[0] is Status.SUCCESS
    assert bench.raw(TWO, header.pack(0x10, 0, 99))[0] is Status.SUCCESS


# ---- a buffer without a status ----------------------------------------------------------------


@BOTH
def test_a_bare_buffer(carried: bool) -> None:
    bench = Bench(carried=carried, profile=PROFILES["optee-msg"])
    request = VERSION_GET.to_bytes(4, "little")
    if carried:
        x, answer = bench.smc(FID[TWO], request, SHMEM[TWO], (4, 5, 6, 0, 0, 0, 0))
    else:
        bench.memory.map(SHMEM[TWO])[:4] = request
        x, nothing = bench.smc(FID[TWO], arguments=(4, 5, 6, 0, 0, 0, 0))
        assert nothing == b""
        answer = bytes(bench.memory.map(SHMEM[TWO])[: x[1]])
    assert x == (0, 12, 5, 6)
    assert answer == request + struct.pack("<iI", 0, 0x20000)


@BOTH
@pytest.mark.parametrize("length", [0, 3, 129, 1 << 40])
def test_a_bare_buffers_length(carried: bool, length: int) -> None:
    """Nobody could tell otherwise: the SMC itself says that nothing was delivered."""
    bench = Bench(carried=carried, profile=PROFILES["optee-msg"])
    page, address = (bytes(128), SHMEM[TWO]) if carried else (b"", 0)
    x, answer = bench.smc(FID[TWO], page, address, (length, 0, 0, 0, 0, 0, 0))
    assert (x[:2], answer) == ((smccc.NOT_SUPPORTED, length), b"")
    assert bench.core.meters.counter("trapline_scmi_transport_errors_total")[("2",)] == 1
    x, _ = bench.smc(FID[TWO], page, address, (128, 0, 0, 0, 0, 0, 0))
    assert x[0] == 0


def test_a_bare_buffer_shorter_than_it_says() -> None:
    bench = Bench(profile=PROFILES["optee-msg"])
    x, _ = bench.smc(FID[TWO], bytes(7), SHMEM[TWO], (8, 0, 0, 0, 0, 0, 0))
    assert x[0] == smccc.NOT_SUPPORTED


# ---- the way back -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "counted"), [("spec-strict", "queued"), ("scp-firmware", "dropped")])
def test_a_notification_that_finds_the_page_taken(name: str, counted: str) -> None:
    """Delayed responses always wait: an agent was promised them."""
    agents = tuple(
        msgspec.structs.replace(agent, p2a_shmem=0x4800_0000, p2a_interrupt=80) if agent.id == TWO else agent
        for agent in PLATFORM.agent
    )
    bench = Bench(msgspec.structs.replace(PLATFORM, agent=agents), profile=PROFILES[name])
    notification = header.pack(0x14, 0, message_type=header.MessageType.NOTIFICATION)
    delayed = header.pack(0x14, 5, message_type=header.MessageType.DELAYED_RESPONSE)
    outbox = bench.core.outbox
    assert outbox.send(TWO, notification, b"")
    assert outbox.send(TWO, notification, b"") is (counted == "queued")
    assert outbox.send(TWO, delayed, b"")
    sent = bench.counted("trapline_p2a_messages_total")
    first = {("2", "notification", "queued"): 1, ("2", "delayed", "queued"): 1}
    first["2", "notification", counted] = first.get(("2", "notification", counted), 0) + 1
    assert dict(sent) == first
