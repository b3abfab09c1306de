"""The metric catalogue as data: every metric with type, unit, labels and their bounds, help and owner.

One owner per fact: a metric is kept by the one role that its row names. Who keeps the numbers is in
``nodes.meters``, who exports them in ``deploy.exporter``; the page, the dashboards, the rules and their lint
read it too. TARGET_LABELS are not a process' own: whoever discovers it adds them.
"""

import msgspec

OTHER = "other"
UNITS = ("seconds", "bytes")
JOB = "trapline"
TARGET_LABELS = ("job", "instance", "process", "role", "cluster", "experiment")


class Label(msgspec.Struct, frozen=True):
    """A label and how many values it may take; what is outside ``values`` (if given) becomes "other"."""

    name: str
    bound: int
    values: tuple[str, ...] = ()


class Metric(msgspec.Struct, frozen=True):
    """One row of the catalogue. ``type`` is counter, gauge or histogram.

    ``unit`` is a base unit, "" for a plain count; ``owner`` a role, or "every".
    """

    name: str
    type: str
    help: str
    owner: str
    labels: tuple[Label, ...] = ()

    @property
    def unit(self) -> str:
        """seconds or bytes, as the name says; else ""."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in UNITS if stem.endswith(f"_{unit}")), "")


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
STATUS = Label("status", 14)
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
    8,
    (
        "handshake",
        "malformed",
        "unknown_link",
        "not_allowed",
        "late",
        "undelivered",
        "overflow",
        "duplicate",
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
STATE = Label("state", 5, ("created", "running", "shutdown", "dying", "dead"))
FAULT = Label("kind", 64)
TARGET = Label("target", 6, ("firmware", "xen", "guest", "link", "toolstack", OTHER))
EXPERIMENT = Label("experiment", 1)
PHASE = Label("phase", 16)
LEVEL = Label("level", 4, ("debug", "info", "warning", "error"))
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

LATENCY_BUCKETS_NS = tuple(
    int(us * 1000)
    for us in (
        50,
        100,
        200,
        350,
        500,
        750,
        1000,
        2000,
        3500,
        5000,
        10_000,
        25_000,
        100_000,
        500_000,
        2_500_000,
    )
)

CATALOGUE: tuple[Metric, ...] = (
    Metric(
        "trapline_smc_traps_total",
        "counter",
        "SMC and HVC instructions trapped by Xen.",
        "xen",
        (DOMAIN, FUNCTION, VERDICT),
    ),
    Metric(
        "trapline_scmi_queue_wait_seconds",
        "histogram",
        "How long a trap or hypercall waited for its channel.",
        "xen",
        (AGENT,),
    ),
    Metric(
        "trapline_scmi_inflight_calls",
        "gauge",
        "SMCs forwarded to EL3 and not yet returned.",
        "xen",
        (AGENT,),
    ),
    Metric(
        "trapline_scmi_waiting_calls",
        "gauge",
        "Traps that wait for their channel or a token.",
        "xen",
        (AGENT,),
    ),
    Metric(
        "trapline_scmi_service_seconds",
        "histogram",
        "How long EL3 had an SMC of a domain, as Xen saw it: both ways are in it.",
        "xen",
        (AGENT,),
    ),
    Metric(
        "trapline_trap_ledger_total",
        "counter",
        "What counts of frames need to add up to traps: those that came twice or were nobody's, errors that "
        "answer no trap, answers that could not be handed over.",
        "xen",
        (ENTRY,),
    ),
    Metric(
        "trapline_meter_refusals_total",
        "counter",
        "Doorbells beyond a limit of metering: only counted (observe), refused (enforce), held back (wait).",
        "xen",
        (AGENT, METERED, METER_MODE),
    ),
    Metric(
        "trapline_agent_resets_total",
        "counter",
        "BASE_RESET_AGENT_CONFIGURATION sent by Xen and accepted.",
        "xen",
        (AGENT, REASON),
    ),
    Metric(
        "trapline_domain_lifecycle_events_total",
        "counter",
        "Domain life-cycle events.",
        "xen",
        (DOMAIN, LIFECYCLE),
    ),
    Metric(
        "trapline_domain_state",
        "gauge",
        "1 for the state that a domain is in, 0 for the others.",
        "xen",
        (DOMAIN, STATE),
    ),
    Metric(
        "trapline_interrupts_total",
        "counter",
        "Physical interrupts, by what Xen did with them, and their ends.",
        "xen",
        (DOMAIN, INTERRUPT),
    ),
    Metric(
        "trapline_xen_hazards_total",
        "counter",
        "Times Xen's driver did what nobody wants, by the hazard's name.",
        "xen",
        (HAZARD,),
    ),
    Metric(
        "trapline_scmi_calls_total",
        "counter",
        "SCMI messages that EL3 answered.",
        "firmware",
        (AGENT, PROTOCOL, MESSAGE, STATUS),
    ),
    Metric(
        "trapline_scmi_transport_errors_total",
        "counter",
        "Doorbells whose page held no message (channel ERROR bit).",
        "firmware",
        (AGENT,),
    ),
    Metric("trapline_smc_duplicates_total", "counter", "SMCs that came twice and were dropped.", "firmware"),
    Metric(
        "trapline_smc_unknown_total", "counter", "SMCs with a function id that no channel has.", "firmware"
    ),
    Metric(
        "trapline_device_permission_changes_total",
        "counter",
        "Device permissions set for an agent.",
        "firmware",
        (AGENT, DEVICE, ACTION),
    ),
    Metric(
        "trapline_agent_resets_applied_total",
        "counter",
        "Agent configurations that EL3 dropped.",
        "firmware",
        (AGENT,),
    ),
    Metric(
        "trapline_agent_reset_leaks_total",
        "counter",
        "Things that an agent still held after its reset.",
        "firmware",
        (AGENT,),
    ),
    Metric(
        "trapline_p2a_messages_total",
        "counter",
        "What is said to an agent unasked: queued for its page, dropped, or taken back by a reset.",
        "firmware",
        (AGENT, WAY_BACK, QUEUED),
    ),
    Metric(
        "trapline_scmi_call_duration_seconds",
        "histogram",
        "How long a guest's call took, from when it was meant to begin.",
        "guest",
        (AGENT, PROTOCOL),
    ),
    Metric(
        "trapline_guest_calls_total",
        "counter",
        "SCMI calls a guest issued, by how they ended.",
        "guest",
        (DOMAIN, OUTCOME),
    ),
    Metric(
        "trapline_guest_arrivals_dropped_total",
        "counter",
        "Arrivals of a guest's open loop that never became calls: no room to wait, or the work was stopped.",
        "guest",
        (DOMAIN, ARRIVAL),
    ),
    Metric(
        "trapline_guest_hostile_total",
        "counter",
        "What a hostile guest sent beside its calls, and how it ended; held_back: all vCPUs were in a trap.",
        "guest",
        (DOMAIN, HOSTILITY, BLOW),
    ),
    Metric(
        "trapline_guest_received_total",
        "counter",
        "What interrupts brought a guest: messages of its P2A page, or nothing it could use.",
        "guest",
        (DOMAIN, RECEIVED),
    ),
    Metric(
        "trapline_bus_messages_total", "counter", "Frames moved by this process.", "every", (KIND, DIRECTION)
    ),
    Metric(
        "trapline_bus_bytes_total",
        "counter",
        "Bytes moved by this process, envelopes and pages.",
        "every",
        (DIRECTION,),
    ),
    Metric("trapline_bus_dropped_total", "counter", "Frames dropped, by cause.", "every", (DROP,)),
    Metric("trapline_node_up", "gauge", "1 while the process of a node runs.", "supervisor", (NODE,)),
    Metric(
        "trapline_node_last_heartbeat_timestamp_seconds",
        "gauge",
        "When a node last answered the supervisor.",
        "supervisor",
        (NODE,),
    ),
    Metric(
        "trapline_node_heartbeats_total",
        "counter",
        "Answers of a node to the supervisor.",
        "supervisor",
        (NODE,),
    ),
    Metric(
        "trapline_faults_injected_total",
        "counter",
        "Faults injected on purpose, by kind and by the role they hit.",
        "supervisor",
        (FAULT, TARGET),
    ),
    Metric(
        "trapline_node_exits_total",
        "counter",
        "Node processes that ended without being asked to.",
        "supervisor",
        (NODE,),
    ),
    Metric(
        "trapline_experiment_running",
        "gauge",
        "1 for the phase that the current experiment is in, 0 for the others.",
        "supervisor",
        (EXPERIMENT, PHASE),
    ),
    Metric("trapline_log_lines_total", "counter", "Lines of this process' log, by level.", "every", (LEVEL,)),
    Metric(
        "trapline_log_dropped_total", "counter", "Lines for which this process' log had no room.", "every"
    ),
    Metric(
        "trapline_build_info",
        "gauge",
        "1; version and python of this process.",
        "every",
        (Label("version", 1), Label("python", 1), Label("role", 5)),
    ),
)
BY_NAME = {metric.name: metric for metric in CATALOGUE}
