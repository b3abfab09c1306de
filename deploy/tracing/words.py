"""A message's name and its fields in words, in whatever version of its protocol it can be read.

It reads headers and payloads by the tables; whose message it was, and when, it does not know.
"""

from typing import NamedTuple

from bus.scmi import header, trace
from bus.scmi import status as scmi_status
from bus.scmi.header import MessageType
from bus.scmi.status import STATUS_BYTES
from deploy.recording.messages import Remembering, fitting


class Words(NamedTuple):
    """``fields``: "clock_id=3"; ``status``: by name, of a response only, "" for none.

    ``resource``: what a request is about, "clock 3"; ``changes``: it alters state.
    """

    protocol: str
    message: str
    fields: str = ""
    status: str = ""
    resource: str = ""
    changes: bool = False


class Reader(Remembering[Words]):
    """For lines of a trace."""

    def name(self, head: int) -> Words:
        """Of a message of which nothing but the header is known."""
        return Words(*self._names(head))

    def _make(self, is_reply: bool, head: int, payload: bytes) -> Words:
        words = self.name(head)
        if not is_reply:
            resource, changes = self._about(head, payload)
            fields = self._fields(False, head, payload)
            return words._replace(fields=fields, resource=resource, changes=changes)
        if header.message_type(head) == MessageType.NOTIFICATION:
            return words._replace(fields=self._fields(True, head, payload))
        if len(payload) < STATUS_BYTES:
            return words._replace(fields=f"malformed: {payload.hex() or 'no payload'}")
        status, rest = scmi_status.read(payload), payload[STATUS_BYTES:]
        fields = rest.hex() if status else self._fields(True, head, rest)
        return words._replace(fields=fields, status=scmi_status.name(status))

    def _about(self, head: int, payload: bytes) -> tuple[str, bool]:
        """What a command is about, and whether it changes that, whatever type its header claims."""
        command = self._tables.command(head)
        if command is None:
            return "", False
        field, plain = command.resource, header.pack(header.protocol_id(head), header.message_id(head))
        found = fitting(self._layouts(False, plain), payload) if field is not None else None
        if field is None or found is None:
            return "", command.changes
        return f"{field.of} {getattr(found[0], field.name)}", command.changes

    def _fields(self, is_reply: bool, head: int, payload: bytes) -> str:
        layouts = self._layouts(is_reply, head)
        found = fitting(layouts, payload)
        if found is not None:
            return trace.fields_text(*found)
        return f"malformed: {payload.hex() or 'no payload'}" if layouts else payload.hex()
