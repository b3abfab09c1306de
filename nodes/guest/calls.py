"""One SCMI call as an agent sees it: what is asked, and the ways it can end.

``definite`` is the honest part: an error says whether the call surely did not happen.
"""

import msgspec


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A message to send: protocol, message, payload; ``key`` labels it in counts."""

    protocol_id: int
    message_id: int
    payload: bytes
    key: str = ""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a call ended.

    ``code`` is "" for an answer (``status`` and ``payload`` hold it). Otherwise nothing was answered:
    smc-refused, undef, too-long, channel-busy, channel-error, bad-response, timeout, no-scmi, queue-full or a
    code of the bus. ``definite``: it surely did not happen. ``elapsed_ns`` counts from the trap.
    """

    code: str
    definite: bool
    status: int
    payload: bytes
    detail: str
    elapsed_ns: int

    @property
    def answered(self) -> bool:
        return not self.code
