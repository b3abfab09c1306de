"""The guest's end of its SCMI channel: claims the page, makes the doorbell, judges what comes back.

One call at a time, whose it is it does not know. In carried mode the page's bytes travel behind the trap,
in mapped mode only the registers do. With a completion interrupt a call ends when the SMC has returned and
the interrupt has come, in whatever order, and FREE or ERROR is set; without one the return ends it.
"""

from typing import Final

from bus import frames, shmem, smccc
from bus.scmi.status import STATUS_BYTES, read
from bus.smccc import ExceptionClass
from nodes.guest.binding import Binding
from nodes.guest.calls import Ask, Flight, Outcome

VERSION: Final = frames.PROTOCOL_VERSION
IDLE_REGISTERS = (0, 0, 0, 0, 0, 0, 0)
DONE = shmem.FREE | shmem.ERROR
FREE_WORD = shmem.FREE.to_bytes(4, "little")


class Channel:
    """``page`` is the guest's view of its shared page, None when it has none.

    ``completion`` is the interrupt ID, None for polling; ``x`` what the SMC returned while that is awaited.
    """

    def __init__(self, binding: Binding | None, page: shmem.Buffer | None, carried: bool) -> None:
        self._page = page
        self._bound = binding is not None
        self._carried = carried
        self._registers = (binding.func_id if binding else 0, *IDLE_REGISTERS)
        hvc = binding is not None and binding.hvc
        self.ec: frames.TrapClass = ExceptionClass.HVC64.value if hvc else ExceptionClass.SMC64.value
        self._address = binding.shmem if binding else 0
        self.completion = binding.completion if binding else None
        self._flags = 0 if self.completion is None else shmem.INTERRUPT
        self.x: frames.Results | None = None
        self._signalled = False
        self._came = b""

    # ---- out ----------------------------------------------------------------------------------

    def refusal(self, wanted: Ask) -> tuple[str, str] | None:
        """Why the call cannot even ring: (code, detail), or None when it can."""
        if self._page is None or not self._bound:
            return "no-scmi", "the guest has no SCMI channel"
        if len(wanted.payload) > shmem.PAYLOAD_BYTES_MAX:
            return "too-long", f"{len(wanted.payload)} payload bytes, a page takes {shmem.PAYLOAD_BYTES_MAX}"
        if not self._page[shmem.STATUS_AT] & shmem.FREE:  # one byte of the word, cheaply
            return "channel-busy", "FREE is not set in the page"
        return None

    def claim(self, request: int, head: int, payload: bytes) -> tuple[frames.Trap, bytes]:
        """Write the message into the page; gives the doorbell and what travels behind it."""
        assert self._page is not None
        content = shmem.request(head, payload, self._flags)
        self._page[: len(content)] = content
        self.x, self._signalled, self._came = None, False, b""
        trap = frames.Trap(VERSION, request, request, self.ec, 0, self._registers, self._address)
        return trap, content if self._carried else b""

    def crafted(self, request: int, content: bytes) -> tuple[frames.Trap, bytes]:
        """Ring with a page that no honest guest would leave."""
        if self._page is not None:
            self._page[: len(content)] = content
        return self.doorbell(request), content if self._carried else b""

    def doorbell(self, request: int) -> frames.Trap:
        """The trap alone."""
        return frames.Trap(VERSION, request, request, self.ec, 0, self._registers, self._address)

    def raw(
        self, request: int, ec: frames.TrapClass, immediate: int, x: frames.Registers
    ) -> tuple[frames.Trap, bytes]:
        """Any trap at all: the page goes along as it is, nobody claimed it."""
        page = bytes(self._page[: shmem.PAYLOAD_AT]) if self._page is not None and self._carried else b""
        return frames.Trap(VERSION, request, request, ec, immediate, x, self._address), page

    def free(self) -> None:
        """Nobody looks at the channel any more: the next call may have it."""
        if self._page is not None:
            self._page[shmem.STATUS_AT : shmem.STATUS_AT + 4] = FREE_WORD

    def platform_lost(self) -> None:
        """EL3 is gone, and will look at no page it had: its next start of day sets FREE in every one.

        A page that both map it frees itself; one that travels has only this end.
        """
        if self._carried:
            self.free()

    # ---- back ---------------------------------------------------------------------------------

    def judge(self, flight: Flight, x0: int, came: bytes, elapsed_ns: int) -> Outcome:
        """What a return means: first x0, then the page (as Linux does, x0 != 0 means: do not look)."""
        if flight.ask is None:
            return Outcome("", False, 0, b"", "", elapsed_ns)
        page = self._page
        assert page is not None
        if x0:
            self.free()
            return Outcome("smc-refused", True, 0, b"", f"x0 = {smccc.signed(x0)}", elapsed_ns)
        if 0 < len(came) < shmem.PAYLOAD_AT:
            return Outcome(
                "bad-response", False, 0, b"", f"a page of {len(came)} bytes came back", elapsed_ns
            )
        if came:
            page[: len(came)] = came
        snapshot = came or bytes(page)
        if len(snapshot) < shmem.PAYLOAD_AT:
            return Outcome("bad-response", False, 0, b"", f"a page of {len(snapshot)} bytes", elapsed_ns)
        return _judged(flight, flight.ask, snapshot, elapsed_ns)

    # ---- with a completion interrupt ----------------------------------------------------------

    def give_up(self) -> None:
        """The SMC is back, the interrupt is not: what EL3 left in the page is there all the same."""
        if self._page is not None and len(self._came) >= shmem.PAYLOAD_AT:
            self._page[: len(self._came)] = self._came

    def returned(self, x: frames.Results, came: bytes) -> None:
        """The SMC is back with x0 = 0: the interrupt is awaited."""
        self.x = x
        self._came = came or self._came

    def signalled(self, came: bytes) -> None:
        """The completion interrupt; the page may have come with it."""
        self._signalled = True
        self._came = came or self._came

    def result(self) -> bytes | None:
        """The page to judge once the call is complete; None while it is not.

        An interrupt that finds neither FREE nor ERROR set was somebody else's: the next one is awaited.
        """
        if self.x is None or not self._signalled:
            return None
        page = self._came or bytes(self._page or b"")
        if len(page) >= shmem.PAYLOAD_AT and not shmem.status_of(page) & DONE:
            self._signalled = False
            return None
        return page

    def somebody_else_s(self, flight: Flight, came: bytes) -> bool:
        """Whether a page that came with a completion interrupt answers another call than this one."""
        whole = len(came) >= shmem.PAYLOAD_AT
        own_header = flight.ask is not None and flight.ask.header is not None
        return whole and not own_header and shmem.fields(came)[3] != flight.head

    def late(self, came: bytes = b"") -> None:
        """A call ended after the guest had lost patience: the channel is usable again.

        A shared page that is completed by interrupt is EL3's to free, whenever it is done.
        """
        if self._page is not None and len(came) >= shmem.PAYLOAD_AT:
            self._page[: len(came)] = came
        elif self.completion is None or self._carried:
            self.free()


def _judged(flight: Flight, ask: Ask, snapshot: bytes, elapsed_ns: int) -> Outcome:
    """The meaning of a page that is long enough."""
    status, _, length, head = shmem.fields(snapshot)
    if status & shmem.ERROR:
        return Outcome("channel-error", True, 0, b"", "ERROR is set in the page", elapsed_ns)
    if not status & shmem.FREE:
        return Outcome("channel-busy", False, 0, b"", "returned, but FREE is not set", elapsed_ns)
    if ask.header is None and head != flight.head:
        detail = f"header {head:#010x} answers {flight.head:#010x}"
        return Outcome("bad-response", False, 0, b"", detail, elapsed_ns)
    try:
        return response(ask, head, shmem.payload_of(snapshot, length), elapsed_ns)
    except ValueError as error:
        return Outcome("bad-response", False, 0, b"", str(error), elapsed_ns)


def response(ask: Ask, head: int, payload: bytes, elapsed_ns: int) -> Outcome:
    """A response, immediate or delayed; raises ValueError for one without a status.

    Who sent a header word of his own gets all of it, even without a status.
    """
    if ask.header is None:
        return Outcome("", False, read(payload), payload[STATUS_BYTES:], "", elapsed_ns, head)
    status = read(payload) if len(payload) >= STATUS_BYTES else 0
    return Outcome("", False, status, payload, "", elapsed_ns, head)
