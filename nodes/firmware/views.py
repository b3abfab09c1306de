"""Per-agent numbering of resources: what an agent calls clock 0 may be the platform's clock 5.

Ids inside EL3 are always the platform's; they are translated where a request comes in and where an answer
goes out, by the field tables (``of``). An agent without a view uses the platform's ids.
"""

from bus.fields import M
from nodes.firmware.permissions import Permissions
from nodes.firmware.platform import Platform


class Views:
    """``any`` is False when no agent has a view: then nobody asks."""

    def __init__(self, _platform: Platform, _permissions: Permissions) -> None:
        self.any = False

    def inward(self, _agent: int, _kind: str, resource_id: int) -> int | None:
        """The platform's id for what the agent calls ``resource_id``; None when it sees no such resource."""
        return resource_id

    def outward(self, _agent: int, message: M) -> M:
        """The message with the ids that the agent knows."""
        return message
