"""A Xen core on the bench: frames in, effects sorted by who gets them. EL3 answers when told to."""

import itertools
import struct
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bus import frames, shmem
from bus.scmi import header
from nodes.contract import Boot, Event, Halt, Log, Received, Send, Undelivered
from nodes.devicetree import Tree
from nodes.xen.config import XenConfig
from nodes.xen.core import XenCore
from nodes.xen.domain import Domain
from tests.nodes.trees import FID, host

FIRMWARE, TOOLSTACK = b"el3", b"xl"
MA = 2
AGENT_OF = {fid: agent for agent, fid in FID.items()}
Answer = tuple[int, bytes]


def well(smc: frames.Smc, page: bytes) -> Answer:
    """What a plain firmware answers: the discovery of the caller, success to everything else."""
    if len(page) < shmem.PAYLOAD_AT:
        return 0, page
    head, _ = shmem.read_message(page)
    payload = bytes(4)
    if header.protocol_id(head) == 0x10 and header.message_id(head) == 7:
        payload += struct.pack("<I16s", AGENT_OF.get(smc.x[0], 99), b"name")
    elif header.protocol_id(head) == 0x10 and header.message_id(head) == 1:
        payload += struct.pack("<I", 4 << 8 | 3)
    return 0, shmem.reply(head, payload)


def status(code: int) -> Callable[[frames.Smc, bytes], Answer]:
    def answer(_smc: frames.Smc, page: bytes) -> Answer:
        if len(page) < shmem.PAYLOAD_AT:
            return 0, page
        return 0, shmem.reply(shmem.read_message(page)[0], struct.pack("<i", code))

    return answer


def in_turn(*answers: Callable[[frames.Smc, bytes], Answer]) -> Callable[[frames.Smc, bytes], Answer]:
    """The first SMC gets the first answer, and so on."""
    left = list(answers)

    def answer(smc: frames.Smc, page: bytes) -> Answer:
        return left.pop(0)(smc, page)

    return answer


class Bench:
    """``sent[peer]`` are the frames for a peer, ``smcs`` those EL3 has not answered, ``lines`` the log."""

    def __init__(self, tree: Tree | None = None, *, boot: bool = True, **config: Any) -> None:
        self.memory = shmem.PrivateMemory()
        numbers = (b"link%d" % number for number in itertools.count(1))
        made = XenConfig(tree or host(), **config)
        self.core = XenCore(made, self.memory, numbers, FIRMWARE, TOOLSTACK)
        self.sent: dict[bytes, list[Any]] = defaultdict(list)
        self.pages: dict[tuple[bytes, int], bytes] = {}
        self.smcs: list[tuple[frames.Smc, bytes]] = []
        self.seen: list[frames.Smc] = []
        self.lines: list[Log] = []
        self.halted: Halt | None = None
        self.now_ns = 0
        self._request = 100
        self.feed(Boot())
        if boot:
            self.boot()

    # ---- in and out ---------------------------------------------------------------------------

    def feed(self, event: Event) -> None:
        self.now_ns += 1000
        for effect in self.core.step(event, self.now_ns):
            if isinstance(effect, Send):
                self._sent(effect)
            elif isinstance(effect, Halt):
                self.halted = effect
            else:
                self.lines.append(effect)

    def _sent(self, effect: Send) -> None:
        if effect.peer == FIRMWARE and isinstance(effect.frame, frames.Smc):
            self.smcs.append((effect.frame, effect.page))
            self.seen.append(effect.frame)
            return
        self.sent[effect.peer].append(effect.frame)
        self.pages[effect.peer, effect.frame.request] = effect.page

    def give(self, peer: bytes, frame: Any, page: bytes = b"") -> None:
        self.feed(Received(peer, frame, page))

    def next_request(self) -> int:
        self._request += 1
        return self._request

    def answers(self, peer: bytes, request: int) -> list[Any]:
        return [frame for frame in self.sent[peer] if frame.request == request]

    def answer(self, peer: bytes, request: int) -> Any:
        (found,) = self.answers(peer, request)
        return found

    def counted(self, name: str) -> dict[tuple[str, ...], int]:
        return {labels: count for labels, count in self.core.meters.counter(name).items() if count}

    # ---- EL3 ----------------------------------------------------------------------------------

    def el3(self, answer: Callable[[frames.Smc, bytes], Answer] = well) -> bool:
        """Answer the oldest SMC; False when there is none."""
        if not self.smcs:
            return False
        smc, page = self.smcs.pop(0)
        x0, reply = answer(smc, page)
        x = (x0, *smc.x[1:4])
        self.give(FIRMWARE, frames.SmcReturn(1, smc.request, smc.cause, x), reply)  # type: ignore[arg-type]
        return True

    def el3_all(self, answer: Callable[[frames.Smc, bytes], Answer] = well) -> None:
        while self.el3(answer):
            pass

    def boot(self, answer: Callable[[frames.Smc, bytes], Answer] = well) -> None:
        self.give(FIRMWARE, frames.Hello(1, 1, 0, "firmware"))
        self.el3_all(answer)

    def lose_el3(self) -> None:
        """Every SMC under way turns out to be undeliverable."""
        lost, self.smcs = self.smcs, []
        for smc, _ in lost:
            self.feed(Undelivered(FIRMWARE, smc))

    # ---- the toolstack ------------------------------------------------------------------------

    def domctl(self, op: frames.Op) -> int:
        request = self.next_request()
        self.give(TOOLSTACK, frames.Domctl(1, request, 5, op))
        return request

    def done(self, op: frames.Op, answer: Callable[[frames.Smc, bytes], Answer] = well) -> frames.DomctlReply:
        """A hypercall, EL3 answering whatever it costs."""
        request = self.domctl(op)
        self.el3_all(answer)
        reply = self.answer(TOOLSTACK, request)
        assert isinstance(reply, frames.DomctlReply)
        return reply

    def rc(self, op: frames.Op, answer: Callable[[frames.Smc, bytes], Answer] = well) -> int:
        return self.done(op, answer).rc

    def lifecycle(self, name: str) -> list[str]:
        told = [frame for frame in self.sent[TOOLSTACK] if isinstance(frame, frames.Lifecycle)]
        return [frame.event for frame in told if frame.name == name]

    # ---- domains ------------------------------------------------------------------------------

    def domain(self, domid: int) -> Domain:
        return self.core.hypervisor.domains[domid]

    def create(
        self, name: str, agent_id: int = 0, *, sci: int = MA, run: bool = True, iommu: bool = True
    ) -> Domain:
        reply = self.done(frames.CreateDomain(name, sci, agent_id, iommu=iommu))
        assert reply.rc == 0, reply
        domain = self.domain(reply.domid)
        self.give(domain.link, frames.Hello(1, 1, 0, "guest"))
        if run:
            assert self.rc(frames.UnpauseDomain(domain.domid)) == 0
        return domain

    def trap(
        self,
        domain: Domain,
        *x: int,
        ec: int = 0x17,
        immediate: int = 0,
        page: bytes = b"",
        address: int = 0,
    ) -> int:
        request = self.next_request()
        registers = (*x, *(0,) * (8 - len(x)))
        frame = frames.Trap(1, request, 6, ec, immediate, registers, address)  # type: ignore[arg-type]
        self.give(domain.link, frame, page)
        return request

    def trapped(self, domain: Domain, *x: int, **how: Any) -> Any:
        """A trap, EL3 answering; gives the one answer to it."""
        request = self.trap(domain, *x, **how)
        self.el3_all()
        return self.answer(domain.link, request)
