"""What a console request becomes, and how it is answered: values only, the core does the rest."""

from typing import Final

from bus import frames
from bus.scmi import header
from nodes.contract import Send
from nodes.guest import console
from nodes.guest.calls import Ask, Outcome
from nodes.guest.receiving import Receiver

VERSION: Final = frames.PROTOCOL_VERSION
NO_WAY_BACK = ("no-p2a", "the guest has no P2A channel; its tree names none, or the page is not mapped")
DONE = Outcome("", True, 0, b"", "", 0)


def asked(wanted: console.Call | console.Message) -> Ask:
    """The call that an operator wants."""
    if isinstance(wanted, console.Call):
        return Ask(wanted.protocol_id, wanted.message_id, wanted.payload)
    head = wanted.header
    return Ask(
        header.protocol_id(head), header.message_id(head), wanted.payload, "", head, wanted.wait_delayed
    )


def answer(peer: bytes, request: int, outcome: Outcome, x: tuple[int, ...] = ()) -> Send:
    """How it ended, for whoever asked at the console."""
    told = console.Answer(
        outcome.code,
        outcome.definite,
        outcome.status,
        outcome.payload,
        outcome.detail,
        outcome.elapsed_ns,
        x,
        outcome.header,
    )
    return Send(peer, frames.ConsoleReply(VERSION, request, 0, console.encode(told)))


def refused(peer: bytes, request: int, code: str, detail: str) -> Send:
    """What was asked surely did not happen."""
    return answer(peer, request, Outcome(code, True, 0, b"", detail, 0))


def taken(peer: bytes, request: int, receiver: Receiver | None) -> Send:
    """What waits in the inbox."""
    if receiver is None:
        return refused(peer, request, *NO_WAY_BACK)
    messages, left = receiver.take()
    told = console.Answer("", True, left, b"", "", 0, messages=messages)
    return Send(peer, frames.ConsoleReply(VERSION, request, 0, console.encode(told)))
