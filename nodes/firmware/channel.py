"""From a doorbell to a message, and from an answer to a page: the transport, with each firmware's habits.

``Smt`` is shared memory with a channel status, read once and judged by the copy; ``Quirky`` the same with
the habits that a profile tells of; ``Bare`` a message buffer without a status. None of them knows what a
message means, nor who rang.

The bare buffer behind an SMC is a convention of this project: x1 tells the length of the message (header
and payload, from the buffer's first byte), and on return that of the response; a length that cannot be is
x0 = -1. So is the checksum: kind 1 in the area's third word, and in the fourth the CRC-32 of header and
payload.
"""

import struct
import zlib
from collections.abc import Callable
from typing import Final

from bus import shmem, smccc
from bus.scmi import header
from bus.scmi.status import Status
from nodes.firmware.ledger import Entry
from nodes.firmware.platform import Agent
from nodes.firmware.profile import DEFAULT, FirmwareProfile
from nodes.meters import Meters

UNAVAILABLE: Final = shmem.FREE | shmem.ERROR
MESSAGE_ID: Final = header.HEADER.pack(message_id=0xFF)
TOKEN_GAP: Final = struct.pack("<i", -133)
KIND_CRC32: Final = 1
_CHECK = struct.Struct("<II")
_CHECK_AT: Final = shmem.STATUS_AT + 4
_WORD = struct.Struct("<I")


class Channel:
    """A doorbell, its page, its agent. ``completion``: the interrupt that tells of an answer, or None.

    ``busy`` and ``token`` are EL3's own state: whether a message is being handled, the last token seen.
    """

    __slots__ = ("agent_id", "busy", "completion", "label", "page", "shmem", "token")

    def __init__(self, agent: Agent, page: shmem.Buffer) -> None:
        self.agent_id = agent.id
        self.label = str(agent.id)
        self.shmem = agent.shmem
        self.completion = agent.a2p_interrupt
        self.page = page
        self.busy = False
        self.token: int | None = None


Serve = Callable[[Channel, int, bytes, int], bytes]


class Smt:
    """``exchange`` turns a private copy of the page into the page to leave behind.

    ``serve`` takes (channel, header, payload, channel flags) and gives the response's payload.
    ``on_bad_length`` is told of a message (channel, header) whose length cannot be: it gets no response.
    ``on_failed`` is told of a claimed page (channel, channel flags) that ends with ERROR alone.
    """

    def __init__(self, profile: FirmwareProfile, area_bytes: int, serve: Serve, meters: Meters) -> None:
        self._profile = profile
        self._area_bytes = area_bytes
        self._serve = serve
        self.on_bad_length: Callable[[Channel, int], None] = lambda channel, head: None
        self.on_failed: Callable[[Channel, int], None] = lambda channel, flags: None
        self._errors = meters.counter("trapline_scmi_transport_errors_total")

    def start(self, channel: Channel) -> None:
        """Start of day, or the channel's agent is reset: the page is free."""
        shmem.publish(channel.page, shmem.IDLE)
        channel.token = None

    def exchange(self, channel: Channel, page: bytes) -> bytes:
        """One doorbell in carried mode."""
        size = len(page)
        if size >= shmem.PAYLOAD_AT:
            status, flags, length, head = shmem.fields(page)
            end = shmem.HEADER_AT + length
            fits = shmem.PAYLOAD_AT <= end <= self._area_bytes and end <= size
            if fits and not status & UNAVAILABLE:
                answer = self._serve(channel, head, page[shmem.PAYLOAD_AT : end], flags)
                return shmem.reply(head, answer)
            if not fits and not status & UNAVAILABLE:
                self.on_bad_length(channel, head)
            if not status & shmem.FREE:
                self.on_failed(channel, flags)
        self._errors[(channel.label,)] += 1
        return shmem.FAILED

    def exchange_shared(self, channel: Channel) -> None:
        """One doorbell in mapped mode: a private copy is judged, and the answer published."""
        snapshot = bytes(channel.page[: self._area_bytes])
        shmem.publish(channel.page, self.exchange(channel, snapshot))

    def misplaced(self, channel: Channel) -> None:
        """A doorbell that came with another page than the channel's."""
        self._errors[(channel.label,)] += 1

    def ledger(self, channel: Channel) -> list[Entry]:
        """What stays of the channel's last agent."""
        return [Entry("channel", "", "", "busy for ever")] if channel.busy else []


class Quirky(Smt):
    """The same, with what a profile tells: see the transport part of ``FirmwareProfile``."""

    def __init__(self, profile: FirmwareProfile, area_bytes: int, serve: Serve, meters: Meters) -> None:
        super().__init__(profile, area_bytes, serve, meters)
        room = area_bytes - shmem.PAYLOAD_AT
        self._payload_max = (
            room if profile.payload_bytes_max is None else min(room, profile.payload_bytes_max)
        )

    def exchange(self, channel: Channel, page: bytes) -> bytes:
        """One doorbell in carried mode: nobody but EL3 can change the page meanwhile."""
        return self._exchange(channel, page, page)

    def exchange_shared(self, channel: Channel) -> None:
        """One doorbell in mapped mode: whatever is read twice may have changed in between."""
        snapshot = bytes(channel.page[: self._area_bytes])
        answer = self._exchange(channel, snapshot, channel.page)
        after = shmem.STATUS_AT + 4
        if answer[after:] == snapshot[after:]:  # as it was found, but for the status
            channel.page[shmem.STATUS_AT : after] = answer[shmem.STATUS_AT : after]
        else:
            shmem.publish(channel.page, answer)

    def _exchange(self, channel: Channel, page: bytes, live: bytes | shmem.Buffer) -> bytes:
        profile = self._profile
        if len(page) < shmem.PAYLOAD_AT:
            return self._failed(channel, shmem.FAILED)
        status, flags, length, head = shmem.fields(page)
        if status & shmem.FREE and profile.spurious == "ignored":
            self._errors[(channel.label,)] += 1
            return page
        if channel.busy:
            return self._failed(channel, page)
        channel.busy = profile.wedges
        payload = page[shmem.PAYLOAD_AT : shmem.HEADER_AT + length]
        if not 0 <= length - shmem.HEADER_BYTES <= min(self._payload_max, len(page) - shmem.PAYLOAD_AT):
            if not status & UNAVAILABLE and not profile.bad_length_status:
                self.on_bad_length(channel, head)
            return self._bad_length(channel, page, head)
        if status & UNAVAILABLE or not self._intact(page, head, payload):
            return self._failed(channel, page)
        if profile.header_reads == 2:
            (again,) = _WORD.unpack(bytes(live[shmem.HEADER_AT : shmem.PAYLOAD_AT]))
            head = head & ~MESSAGE_ID | again & MESSAGE_ID
        answer = self._answer(channel, head, payload, flags)
        channel.busy = False
        return self._sealed(shmem.reply(head, answer), head, answer)

    def _answer(self, channel: Channel, head: int, payload: bytes, flags: int) -> bytes:
        token = header.token(head)
        last, channel.token = channel.token, token
        follows = last is None or token == last + 1 & header.TOKEN_MAX
        if self._profile.token_gaps == "refused" and not follows:
            self._errors[(channel.label,)] += 1
            return TOKEN_GAP
        return self._serve(channel, head, payload, flags)

    def _failed(self, channel: Channel, page: bytes) -> bytes:
        """A doorbell that no message came of."""
        self._errors[(channel.label,)] += 1
        if len(page) >= shmem.PAYLOAD_AT and not shmem.status_of(page) & shmem.FREE:
            self.on_failed(channel, shmem.fields(page)[1])
        if self._profile.failure == "blank":
            return shmem.FAILED
        status = shmem.status_of(page) | UNAVAILABLE
        return page[: shmem.STATUS_AT] + _WORD.pack(status) + page[shmem.STATUS_AT + 4 :]

    def _bad_length(self, channel: Channel, page: bytes, head: int) -> bytes:
        failed = self._failed(channel, page)
        if not self._profile.bad_length_status:
            return failed
        answer = bytearray(shmem.reply(head, Status.PROTOCOL_ERROR.word))
        answer[shmem.STATUS_AT : shmem.STATUS_AT + 4] = _WORD.pack(UNAVAILABLE)
        return bytes(answer)

    # ---- checksums ----------------------------------------------------------------------------

    def _intact(self, page: bytes, head: int, payload: bytes) -> bool:
        if not self._profile.checksum:
            return True
        return _CHECK.unpack_from(page, _CHECK_AT) == (KIND_CRC32, checksum(head, payload))

    def _sealed(self, page: bytes, head: int, payload: bytes) -> bytes:
        if not self._profile.checksum:
            return page
        seal = _CHECK.pack(KIND_CRC32, checksum(head, payload))
        return page[:_CHECK_AT] + seal + page[_CHECK_AT + len(seal) :]


def checksum(head: int, payload: bytes) -> int:
    """The CRC-32 of a message, header first."""
    return zlib.crc32(payload, zlib.crc32(_WORD.pack(head)))


class Bare(Smt):
    """A buffer that holds the message alone; lengths travel in x1."""

    def start(self, channel: Channel) -> None:
        """Nothing says whose turn it is."""

    def message(self, channel: Channel, page: bytes, length: int) -> tuple[int, int, bytes]:
        """One doorbell: (x0, x1, the buffer's new content), no content when x0 is not 0."""
        content = page or bytes(channel.page[: self._area_bytes])
        if not shmem.HEADER_BYTES <= length <= min(self._area_bytes, len(content)):
            self._errors[(channel.label,)] += 1
            return smccc.NOT_SUPPORTED, length, b""
        (head,) = _WORD.unpack_from(content)
        answer = _WORD.pack(head) + self._serve(channel, head, content[shmem.HEADER_BYTES : length], 0)
        if not page:
            channel.page[: len(answer)] = answer
        return smccc.SUCCESS, len(answer), answer


QUIRKS: Final = (
    *("payload_bytes_max", "wedges", "header_reads", "spurious", "bad_length_status"),
    *("failure", "checksum", "token_gaps"),
)


def transport(profile: FirmwareProfile, area_bytes: int, serve: Serve, meters: Meters) -> Smt:
    """The transport that a profile tells of; one without quirks costs nothing for those of others."""
    if profile.area == "msg":
        return Bare(profile, area_bytes, serve, meters)
    quirky = any(getattr(profile, field) != getattr(DEFAULT, field) for field in QUIRKS)
    return (Quirky if quirky else Smt)(profile, area_bytes, serve, meters)
