"""Misbehaviour of EL3 on purpose: what firmware on a board may do wrong, switched on and off by an operator.

While nothing misbehaves the core runs untouched; the first ``misbehave`` puts two hooks into it (before a
message is judged, after its page is written), the last ``behave`` takes them out. Which messages are hit is
drawn from the seed that came with the request. What is a *bug*, and not a fault, is in ``plants.py``.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from bus import frames, shmem
from bus.chance import below, unit
from bus.fields import WrongSize, decode
from bus.scmi import BY_KEY, base, header
from bus.scmi.status import Status
from nodes.contract import Send
from nodes.firmware.channel import Bare, Channel, Smt
from nodes.firmware.ladder import COMMAND_MASK, Ladder
from nodes.firmware.machine import Machine
from nodes.firmware.misbehaving import ACTIONS, Misbehave
from nodes.firmware.outbox import Outbox
from nodes.limits import MISBEHAVIOURS

Smc = Callable[[frames.Smc, bytes, int], Send | None]
Judging = Callable[[int, int, bytes], tuple[str, str, Status, bytes]]
RESET: Final = header.pack(base.PROTOCOL.id, 0xB)
INSTEAD: Final = {"busy": Status.BUSY, "hardware_error": Status.HARDWARE_ERROR}
TOKEN: Final = header.HEADER.pack(token=1)


class Core(Protocol):
    """The EL3 core as it is needed here. ``take`` answers one SMC, ``judge`` one message of an agent."""

    take: Smc
    judge: Judging
    ladder: Ladder
    machine: Machine
    outbox: Outbox
    channels: dict[int, Channel]
    transport: Smt


class Rule:
    """One Misbehave at work: what it was told, and how often it was met and applied."""

    __slots__ = ("applied", "heads", "met", "spec")

    def __init__(self, spec: Misbehave, heads: frozenset[int]) -> None:
        self.spec = spec
        self.heads = heads
        self.met = 0
        self.applied = 0

    def hits(self, agent: int, spared: bool, head: int, payload: bytes) -> bool:
        """Whether this message meets it; ``spared``: the agent must be named to be meant."""
        spec = self.spec
        if spec.count and self.applied >= spec.count:
            return False
        if spec.action == "refuse_reset":
            if head & COMMAND_MASK != RESET or not _resets(payload, spec.agents):
                return False
        elif (agent not in spec.agents if spec.agents else spared) or (
            self.heads and head & COMMAND_MASK not in self.heads
        ):
            return False
        self.met += 1
        return spec.likelihood >= 1.0 or unit(spec.seed, spec.number, self.met) < spec.likelihood


def _resets(payload: bytes, agents: tuple[int, ...]) -> bool:
    try:
        wanted = decode(base.ResetAgentConfiguration, payload)
    except WrongSize:
        return False
    return not agents or wanted.agent_id in agents


class Faults:
    """``misbehave`` begins, ``behave`` ends and tells how often it was applied. Raise ValueError for what is
    not known, with a sentence. Rules apply in the order in which they were begun.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rules: dict[int, Rule] = {}
        self._met: list[Rule] = []
        self._take: Smc = core.take
        self._judge: Judging = core.judge

    # ---- on and off ---------------------------------------------------------------------------

    def misbehave(self, spec: Misbehave) -> None:
        """Begin; the same number again begins it anew."""
        if spec.number not in self._rules and len(self._rules) >= MISBEHAVIOURS:
            raise ValueError(f"{MISBEHAVIOURS} misbehaviours are under way already; end one")
        if spec.action not in ACTIONS:
            raise ValueError(f"there is no {spec.action!r}; there are {', '.join(ACTIONS)}")
        heads = frozenset(map(_head, spec.messages))
        if not self._rules:
            self._take, self._judge = self._core.take, self._core.judge
            self._core.take, self._core.judge = self._smc, self._message
        self._rules[spec.number] = Rule(spec, heads)

    def behave(self, number: int) -> int:
        """End; how often it was applied."""
        rule = self._rules.pop(number, None)
        if rule is None:
            raise ValueError(f"there is no misbehaviour {number}")
        if not self._rules:
            self._core.take, self._core.judge = self._take, self._judge
        return rule.applied

    def applied(self, number: int) -> int:
        """How often it was applied so far; 0 for one that is over, or unknown."""
        rule = self._rules.get(number)
        return rule.applied if rule is not None else 0

    # ---- the hooks ----------------------------------------------------------------------------

    def _message(self, agent: int, head: int, payload: bytes) -> tuple[str, str, Status, bytes]:
        spared = agent in self._core.machine.permissions.trusted
        self._met = [rule for rule in self._rules.values() if rule.hits(agent, spared, head, payload)]
        for rule in self._met:
            status = INSTEAD.get(rule.spec.action)
            if rule.spec.action == "refuse_reset":
                status = Status.GENERIC_ERROR
            if status is not None:
                rule.applied += 1
                return (*self._core.ladder.names(agent, head), status, status.word)
        return self._judge(agent, head, payload)

    def _smc(self, frame: frames.Smc, page: bytes, now_ns: int) -> Send | None:
        channel = self._core.channels.get(frame.x[0] & 0xFFFF_FFFF)
        before = b"" if page or channel is None else bytes(channel.page)
        self._met = []
        answer = self._take(frame, page, now_ns)
        if channel is None or answer is None:
            return answer
        for rule in self._met:
            spoil = SPOILS.get(rule.spec.action)
            if spoil is None or answer is None:
                continue
            hit = Hit(self._core, channel, rule, page or before, carried=bool(page))
            answer = spoil(hit, answer)
        return answer


def _head(message: str) -> int:
    protocol, _, name = message.partition(".")
    command = BY_KEY[protocol].command(name) if protocol in BY_KEY else None
    if command is None:
        raise ValueError(f"there is no message {message!r}; say it as clock.CLOCK_RATE_SET")
    return header.pack(BY_KEY[protocol].id, command.id)


class Hit(msgspec.Struct, frozen=True):
    """One answer that a rule meets. ``before``: the page as the agent left it."""

    core: Core
    channel: Channel
    rule: Rule
    before: bytes
    carried: bool

    def rewrite(self, answer: Send, change: Callable[[bytearray, int], bool]) -> Send:
        """The answer with another page; ``change`` gets it and where the header is, and says if it did it."""
        bare = isinstance(self.core.transport, Bare)
        head_at = 0 if bare else shmem.HEADER_AT
        page = bytearray(answer.page if self.carried else self.channel.page)
        end = answer.frame.x[1] if bare else shmem.HEADER_AT + _length(page)
        if not head_at + shmem.HEADER_BYTES <= end <= len(page):
            return answer
        content = page[:end]
        if change(content, head_at):
            self.rule.applied += 1
            if self.carried:
                return msgspec.structs.replace(answer, page=bytes(content))
            self.channel.page[:end] = content
        return answer


def _length(page: bytearray) -> int:
    return shmem.fields(bytes(page[: shmem.PAYLOAD_AT]))[2] if len(page) >= shmem.PAYLOAD_AT else 0


# ---- what is done to an answer ----------------------------------------------------------------


def _wrong_token(hit: Hit, answer: Send) -> Send:
    def change(page: bytearray, head_at: int) -> bool:
        head = int.from_bytes(page[head_at : head_at + 4], "little")
        page[head_at : head_at + 4] = (head ^ TOKEN).to_bytes(4, "little")
        return True

    return hit.rewrite(answer, change)


def _torn(hit: Hit, answer: Send) -> Send:
    """The second half of the payload is still what was there before."""

    def change(page: bytearray, head_at: int) -> bool:
        payload_at = head_at + shmem.HEADER_BYTES
        cut = payload_at + (len(page) - payload_at) // 2
        page[cut:] = hit.before[cut : len(page)].ljust(len(page) - cut, b"\0")
        return cut < len(page)

    return hit.rewrite(answer, change)


def _corrupt(hit: Hit, answer: Send) -> Send:
    """One bit of the payload is the other way round."""
    spec = hit.rule.spec

    def change(page: bytearray, head_at: int) -> bool:
        payload_at = head_at + shmem.HEADER_BYTES
        bits = 8 * (len(page) - payload_at)
        if not bits:
            return False
        bit = below(bits, spec.seed, spec.number, hit.rule.met, 1)
        page[payload_at + bit // 8] ^= 1 << bit % 8
        return True

    return hit.rewrite(answer, change)


def _late(hit: Hit, answer: Send) -> None:
    """Done now, told later: until then the page is EL3's."""
    core, page = hit.core, hit.channel.page
    told = b""
    if not hit.carried:
        told, page[:] = bytes(page), hit.before

    def tell() -> None:
        if told:
            shmem.publish(page, told)
        core.outbox.put(answer)

    hit.rule.applied += 1
    core.machine.schedule.at(core.machine.now_ns + hit.rule.spec.delay_ns, tell)


def _lost_completion(hit: Hit, answer: Send) -> Send:
    intid = hit.channel.completion
    if intid is not None and hit.core.outbox.lose(intid):
        hit.rule.applied += 1
    return answer


SPOILS: Final[dict[str, Callable[[Hit, Send], Any]]] = {
    "wrong_token": _wrong_token,
    "torn_page": _torn,
    "corrupt_page": _corrupt,
    "late": _late,
    "lost_completion": _lost_completion,
}
