"""What Xen answers with: an Error or a DomctlReply, for the asker's own request and cause, text bounded."""

from typing import Any, Final

from bus import frames
from nodes.contract import Received, Send
from nodes.xen.domain import Domain

VERSION: Final = frames.PROTOCOL_VERSION
TEXT_CHARACTERS_MAX: Final = 1024  # of frames.Text


def error(peer: bytes, asked: Any, code: str, definite: bool, detail: str) -> Send:
    """``definite``: what was asked surely did not happen."""
    text = detail[:TEXT_CHARACTERS_MAX]
    return Send(peer, frames.Error(VERSION, asked.request, asked.cause, code, definite, text))


def not_running(domain: Domain, event: Received) -> Send:
    """The answer to a trap of a domain that does not run."""
    detail = f"domain {domain.name} is {domain.state}"
    return error(event.peer, event.frame, "not-running", True, detail)


def reply(
    peer: bytes,
    asked: Any,
    rc: int,
    domid: int = 0,
    detail: str = "",
    *,
    domains: tuple[frames.DomainInfo, ...] = (),
) -> Send:
    """``rc`` is 0 or a negative errno."""
    text = detail[:TEXT_CHARACTERS_MAX]
    return Send(peer, frames.DomctlReply(VERSION, asked.request, asked.cause, rc, domid, text, domains))
