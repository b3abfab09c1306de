"""The metric catalogue as data: every metric with type, unit, labels and their bounds, help and owner.

One owner per fact: a metric is kept by the one role that its row names. Who keeps the numbers is in
``nodes.meters``, who exports them in ``deploy.metrics``; the page, the dashboards, the rules and their lint
read it too. TARGET_LABELS are not a process' own: whoever discovers it adds them.
"""

import math

import msgspec

from nodes.metric_labels import (
    ACTION,
    AGENT,
    ARRIVAL,
    BLOW,
    CELL,
    DEVICE,
    DIRECTION,
    DOMAIN,
    DROP,
    ENTRY,
    FAULT,
    FUNCTION,
    HAZARD,
    HOSTILITY,
    INTERRUPT,
    JOB_STATE,
    KIND,
    LEVEL,
    LIFECYCLE,
    MESSAGE,
    METER_MODE,
    METERED,
    METRIC,
    NODE,
    OUTCOME,
    PHASE,
    PROTOCOL,
    QUEUED,
    REASON,
    RECEIVED,
    REFUSAL,
    RUN_VERDICT,
    STATE,
    STATUS,
    TARGET,
    VERDICT,
    WAY_BACK,
    Label,
)

UNITS = ("seconds", "bytes")
JOB = "trapline"
TARGET_LABELS = ("job", "instance", "process", "role", "cluster", "experiment")
ROLES = ("xen", "firmware", "guest", "host", "supervisor", "fleet")  # what the target label says
LATENCY_BUCKETS_NS = tuple(
    int(us * 1000) for us in (50, 100, 200, 350, 500, 750, 1e3, 2e3, 3500, 5e3, 1e4, 2.5e4, 1e5, 5e5, 2.5e6)
)
COARSE_NS = (100_000, 200_000, 500_000, 1_000_000, 5_000_000, 25_000_000, 500_000_000)
ROOM = 512  # sets of label values of one metric that one process keeps in full
ALL_DOMAINS = 1280  # ... where each domain that Xen can have has five or so
ALL_CELLS = 1024  # ... where each cell of a fleet's matrix has its verdicts
CALLS_SHARE = 64  # ... of them that one agent can take: the others keep theirs
HISTOGRAM_ROOM = 64  # ... of one histogram: each takes many lines


class Metric(msgspec.Struct, frozen=True):
    """One row of the catalogue. ``type`` is counter, gauge or histogram.

    ``unit`` is a base unit, "" for a plain count; ``owner`` a role, or "every". ``room``: how many sets of
    label values one process keeps; ``share``: how many of them for one value of the first label (0: all).
    ``told_ns``: the bounds of a histogram that are told, of LATENCY_BUCKETS_NS.
    """

    name: str
    type: str
    help: str
    owner: str
    labels: tuple[Label, ...] = ()
    room: int = ROOM
    share: int = 0
    told_ns: tuple[int, ...] = LATENCY_BUCKETS_NS

    @property
    def unit(self) -> str:
        """seconds or bytes, as the name says; else ""."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in UNITS if stem.endswith(f"_{unit}")), "")

    @property
    def lines(self) -> int:
        """How many lines of a scrape one set of label values takes."""
        return len(self.told_ns) + 3 if self.type == "histogram" else 1

    @property
    def folded(self) -> int:
        """The room beside ``room`` for what is told with fewer labels."""
        return self.room // 2

    @property
    def lines_max(self) -> int:
        """How many lines of a scrape it can take in one process, whatever anybody does."""
        sets = math.prod(label.most for label in self.labels)
        closed = math.prod(label.most for label in self.labels if label.values)
        return self.lines * min(sets, self.room + self.folded + closed)


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
        HISTOGRAM_ROOM,
        told_ns=COARSE_NS,
    ),
    Metric(
        "trapline_agent_info",
        "gauge",
        "Which domain has an agent: 1; 0 for the one that had it last.",
        "xen",
        (AGENT, DOMAIN),
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
        HISTOGRAM_ROOM,
        told_ns=COARSE_NS,
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
        ALL_DOMAINS,
    ),
    Metric(
        "trapline_domain_lifecycle_events_total",
        "counter",
        "Domain life-cycle events.",
        "xen",
        (DOMAIN, LIFECYCLE),
        ALL_DOMAINS,
    ),
    Metric(
        "trapline_domain_state",
        "gauge",
        "1 for the state that a domain is in, 0 for the others.",
        "xen",
        (DOMAIN, STATE),
        ALL_DOMAINS,
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
        share=CALLS_SHARE,
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
        "trapline_smc_stale_total", "counter", "SMCs of a Xen that had been replaced, refused.", "firmware"
    ),
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
        HISTOGRAM_ROOM // 4,
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
        "trapline_registry_refused_total",
        "counter",
        "Who wanted to be a node, or said something as one, and is none; by the word it was told.",
        "supervisor",
        (REFUSAL,),
    ),
    Metric(
        "trapline_registry_dropped_total",
        "counter",
        "Messages from and to nodes that found no room, and what they sent that is not theirs.",
        "supervisor",
    ),
    Metric(
        "trapline_experiment_running",
        "gauge",
        "1 for the phase that the experiment is in, 0 for the others; its name is a label of the target.",
        "supervisor",
        (PHASE,),
    ),
    Metric(
        "trapline_fleet_jobs",
        "gauge",
        "Platforms of a fleet, by what has become of them; running: at this moment.",
        "fleet",
        (JOB_STATE,),
    ),
    Metric(
        "trapline_fleet_results_total",
        "counter",
        "Platforms of a fleet that have a result, by cell of the matrix and verdict.",
        "fleet",
        (CELL, RUN_VERDICT),
        ALL_CELLS,
    ),
    Metric("trapline_fleet_attempts_total", "counter", "Jobs handed to a worker of the fleet.", "fleet"),
    Metric(
        "trapline_fleet_workers_lost_total",
        "counter",
        "Workers of the fleet that ended in the middle of a job.",
        "fleet",
    ),
    Metric(
        "trapline_fleet_results_refused_total",
        "counter",
        "Results of an attempt that was given up before, or that came twice: not counted as a result.",
        "fleet",
    ),
    Metric("trapline_log_lines_total", "counter", "Lines of this process' log, by level.", "every", (LEVEL,)),
    Metric(
        "trapline_log_dropped_total", "counter", "Lines for which this process' log had no room.", "every"
    ),
    Metric(
        "trapline_series_folded_total",
        "counter",
        'Counts that had no room under their own labels and are told as "other", or of a gauge not at all.',
        "every",
        (METRIC,),
    ),
    Metric(
        "trapline_build_info",
        "gauge",
        "1; version and python of this process.",
        "every",
        (Label("version", 1), Label("python", 1)),
    ),
)
BY_NAME = {metric.name: metric for metric in CATALOGUE}
