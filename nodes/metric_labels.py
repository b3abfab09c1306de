"""The labels of metrics and what they may say, for the catalogue in ``nodes.metrics``.

A label with a list of values says one of these or "other"; one without keeps as many as its bound, and what
comes later is "other" (``nodes.series``). What grows for ever (tokens, process ids, addresses) is no label.
"""

import msgspec

from bus.scmi.status import Status

OTHER = "other"


class Label(msgspec.Struct, frozen=True):
    """A label and how many values it may take; what is outside ``values`` (if given) becomes "other"."""

    name: str
    bound: int
    values: tuple[str, ...] = ()

    @property
    def most(self) -> int:
        """How many values can be seen, "other" among them."""
        return self.bound + (OTHER not in self.values)


DOMAIN = Label("domain", 256)
AGENT = Label("agent", 256)
FUNCTION = Label(
    "function",
    9,
    (
        "doorbell",
        "foreign_doorbell",
        "management_doorbell",
        "psci",
        "arch",
        "hypervisor",
        "standard",
        "sip",
        OTHER,
    ),
)
VERDICT = Label("verdict", 5, ("forwarded", "handled", "refused", "undef", "overflow"))
PROTOCOL = Label("protocol", 32)
MESSAGE = Label("message", 256)
STATUSES = tuple(status.name for status in Status)
STATUS = Label("status", len(STATUSES), STATUSES)
REASON = Label("reason", 6, ("destroy", "crash", "reboot", "poweroff", "shutdown", OTHER))
LIFECYCLE = Label(
    "event", 9, ("created", "running", "link_up", "shutdown", "dying", "refused", "reset", "dead", OTHER)
)
ACTION = Label("action", 2, ("allow", "deny"))
DEVICE = Label("device", 64)
DIRECTION = Label("direction", 2, ("in", "out"))
KIND = Label(
    "kind",
    16,
    (
        "hello", "welcome", "trap", "return", "undef", "smc", "smcreturn", "error", "domctl",
        "domctlreply", "lifecycle", "console", "consolereply", "interrupt", "endofinterrupt", OTHER,
    ),
)  # fmt: skip
WAY_BACK = Label("kind", 2, ("notification", "delayed"))
QUEUED = Label("result", 3, ("queued", "dropped", "withdrawn"))
DROP = Label(
    "cause",
    12,
    (
        "handshake",
        "second_link",
        "crowd",
        "kept_out",
        "malformed",
        "unknown_link",
        "not_allowed",
        "late",
        "undelivered",
        "overflow",
        "duplicate",
        "stale",
    ),
)
METERED = Label("reason", 3, ("rate", "in_flight", "el3_time"))
METER_MODE = Label("mode", 3, ("observe", "enforce", "wait"))
INTERRUPT = Label(
    "verdict",
    7,
    ("injected", "merged", "unrouted", "not_running", "undelivered", "ended", "refused"),
)
RECEIVED = Label("kind", 5, ("delayed_response", "notification", "unasked", "malformed", "stray"))
HAZARD = Label(
    "hazard",
    5,
    (
        "dangling-shmem",
        "second-management-node",
        "enxio-swallowed",
        "wedged-channel",
        "permission-not-revoked",
    ),
)
NODE = Label("node", 256)
REFUSAL = Label(
    "refusal",
    14,
    (
        *("version", "cluster", "role", "unknown", "old", "taken", "stranger", "again", "malformed"),
        *("handshake", "second_link", "crowd", "kept_out", OTHER),
    ),
)
STATE = Label("state", 5, ("created", "running", "shutdown", "dying", "dead"))
FAULT = Label(
    "kind",
    36,
    (
        "link.delay", "link.lose", "link.duplicate", "link.reorder", "link.partition", "process.kill",
        "process.pause", "process.slow", "el3.stall", "el3.restart", "el3.busy", "el3.hardware_error",
        "el3.late", "el3.wrong_token", "el3.torn_page", "el3.corrupt_page", "el3.lost_completion",
        "el3.refuse_reset", "xen.restart", "toolstack.dies_creating", "toolstack.dies_destroying",
        "toolstack.reboot", "toolstack.destroy", "guest.spurious_doorbell", "guest.oversize",
        "guest.undersize", "guest.error_preset", "guest.header_flip", "guest.rewrite_page",
        "guest.foreign_flood", "guest.junk_frames", "guest.trap_storm", "kill", "stop", "cont", OTHER,
    ),
)  # fmt: skip
TARGET = Label("target", 6, ("firmware", "xen", "guest", "link", "toolstack", OTHER))
PHASE = Label("phase", 5, ("boot", "warm_up", "faults", "heal", "drain"))
LEVEL = Label("level", 4, ("debug", "info", "warning", "error"))
METRIC = Label("metric", 64)
HOSTILITY = Label(
    "kind",
    7,
    (
        "spurious_doorbell",
        "oversize",
        "undersize",
        "error_preset",
        "foreign_flood",
        "junk_frames",
        "trap_storm",
    ),
)
BLOW = Label("result", 5, ("sent", "answered", "definite_error", "indefinite_error", "held_back"))
ARRIVAL = Label("reason", 2, ("backlog", "stopped"))
ENTRY = Label("entry", 4, ("duplicate", "refused", "error", "undelivered"))
OUTCOME = Label("outcome", 3, ("answered", "definite_error", "indefinite_error"))
JOB_STATE = Label(
    "state", 6, ("waiting", "running", "pass", "fail", "error", "lost")
)  # of a fleet's platform: the last four are results
RUN_VERDICT = Label("verdict", 4, ("pass", "fail", "error", "lost"))
CELL = Label("cell", 256)
