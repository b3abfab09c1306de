"""The recording rules and the alerts as data; ``grafana/prometheus/rules.yml`` is written from these rows.

It knows the catalogue's names only; ``deploy.observability.lint`` proves that it does, ``promtool`` that the
rules do what they say (``grafana/prometheus/tests``). How rows become YAML is in ``rules_file``.

``cluster`` is kept in every ``by``: two clusters under one Prometheus are never added up.

Faults on purpose: while an experiment runs, TraplineExperimentRunning fires for its cluster. Alerts whose
``in_experiment`` is "expected" carry that label, and INHIBIT mutes these, for that cluster only, in
Alertmanager. Prometheus and the dashboards still show them; "loud" ones are never muted.
"""

from typing import Final, Literal

import msgspec

Severity = Literal["critical", "warning", "info"]
InExperiment = Literal["expected", "loud"]

EVENT_WINDOW: Final = "5m"  # how long one rare event keeps its alert firing: somebody has to see it
JOB: Final = 'job="trapline"'
CALLS: Final = "cluster_agent:trapline_scmi_calls:rate30s"
ERRORS: Final = "cluster_agent:trapline_scmi_call_errors:ratio_rate30s"
CALLS_BY_PROTOCOL: Final = "cluster_agent_protocol:trapline_scmi_calls:rate30s"
DURATIONS: Final = "cluster_agent_protocol_le:trapline_scmi_call_duration_seconds_bucket:rate30s"
TRAPS: Final = "cluster_domain_verdict:trapline_smc_traps:rate30s"
RUNNING: Final = "TraplineExperimentRunning"


class Recording(msgspec.Struct, frozen=True):
    """A recording rule: ``name`` is what stays, ``labels`` are its own. Later rules may use earlier ones."""

    name: str
    labels: tuple[str, ...]
    expr: str


class Alert(msgspec.Struct, frozen=True):
    """An alert. ``wait`` is Prometheus' "for" ("" = at once); ``summary`` may use ``$labels``.

    ``means`` and ``do`` are what a person reads at night: what it means, what to do.
    """

    name: str
    expr: str
    wait: str
    severity: Severity
    in_experiment: InExperiment
    summary: str
    means: str
    do: str


def happened(metric: str, by: str, matchers: str = "") -> str:
    """True for EVENT_WINDOW after ``metric`` grew, also when its series was born with its first event.

    increase() sees nothing of a series' first value; a series that EVENT_WINDOW ago was not there tells it.
    """
    series = f"{metric}{{{JOB}{matchers}}}"
    born = f"{series} unless {series} offset {EVENT_WINDOW}"
    return f"sum by ({by}) (increase({series}[{EVENT_WINDOW}])) > 0\n  or\nsum by ({by}) ({born}) > 0"


RECORDINGS: Final = (
    Recording(
        CALLS_BY_PROTOCOL,
        ("cluster", "agent", "protocol"),
        f"sum by (cluster, agent, protocol) (rate(trapline_scmi_calls_total{{{JOB}}}[30s]))",
    ),
    Recording(
        CALLS,
        ("cluster", "agent"),
        f"sum by (cluster, agent) (rate(trapline_scmi_calls_total{{{JOB}}}[30s]))",
    ),
    Recording(
        ERRORS,
        ("cluster", "agent"),
        "(\n"
        f'  sum by (cluster, agent) (rate(trapline_scmi_calls_total{{{JOB},status!="SUCCESS"}}[30s]))\n'
        "    or\n"
        f"  0 * {CALLS}\n"
        ")\n"
        "  /\n"
        f"({CALLS} > 0)",
    ),
    Recording(
        DURATIONS,
        ("cluster", "agent", "protocol", "le"),
        "sum by (cluster, agent, protocol, le) "
        f"(rate(trapline_scmi_call_duration_seconds_bucket{{{JOB}}}[30s]))",
    ),
    Recording(
        TRAPS,
        ("cluster", "domain", "verdict"),
        f"sum by (cluster, domain, verdict) (rate(trapline_smc_traps_total{{{JOB}}}[30s]))",
    ),
)

PROCESSES: Final = (
    Alert(
        "TraplineTargetDown",
        f"up{{{JOB}}} == 0",
        "10s",
        "critical",
        "expected",
        "{{ $labels.process }} of {{ $labels.cluster }} is not scraped",
        "Prometheus cannot read the metrics of a process that is still listed in the run directory: the "
        "process is stopped, hangs, or was killed and not yet swept.",
        "'trapline status' shows its state and pid; 'trapline logs' what it said last. A stopped process "
        "goes on with SIGCONT, one that hangs is ended by 'trapline down'.",
    ),
    Alert(
        "TraplineNoTargets",
        f"absent(up{{{JOB}}})",
        "30s",
        "info",
        "loud",
        "Prometheus has no Trapline process to scrape",
        "No cluster runs, or Prometheus looks for targets in another folder. All other alerts are silent now "
        "because they have nothing to judge.",
        "If a cluster should be running: 'trapline status', then compare file_sd_configs in the scrape "
        "configuration with the sd/ folder of the run directory.",
    ),
    Alert(
        "TraplineClusterGone",
        f"count by (cluster) (up{{{JOB}}} offset 1m) unless count by (cluster) (up{{{JOB}}})",
        "5s",
        "info",
        "loud",
        "All processes of {{ $labels.cluster }} are gone",
        "A minute ago this cluster had targets, now it has none. After 'trapline down' that is as it "
        "should be; it looks the same when EL3 or Xen ended and took the platform with them.",
        "If nobody took it down: the exit code and the last lines of 'trapline up' name the process that "
        "ended first.",
    ),
    Alert(
        "TraplineNodeHeartbeatStale",
        "clamp_min(time() - max by (cluster, node) "
        f"(trapline_node_last_heartbeat_timestamp_seconds{{{JOB}}}), 0) > 5\n"
        "  and on (cluster, node)\n"
        f"max by (cluster, node) (trapline_node_up{{{JOB}}}) == 1",
        "5s",
        "critical",
        "expected",
        "{{ $labels.node }} of {{ $labels.cluster }} has not answered the supervisor for 5 s",
        "Its process exists and does not answer: it is stopped, swapped out, or spins in one step. Calls "
        "that depend on it wait.",
        "'trapline status' gives the pid; look whether it uses a core (spins) or none (stopped). If EL3 "
        "or Xen is concerned all agents wait: take the platform down and read its logs.",
    ),
    Alert(
        "TraplineGuestExited",
        happened("trapline_node_exits_total", "cluster, node", ',node!~"firmware|xen"'),
        "",
        "warning",
        "expected",
        "The process of guest {{ $labels.node }} in {{ $labels.cluster }} ended by itself",
        "A guest's process ended without being asked to. Xen treats that as a crashed domain: its agent is "
        "reset, and on_crash of its configuration decides what follows.",
        "'trapline status' tells whether it was restarted; the log of the node tells why it ended.",
    ),
    Alert(
        "TraplinePlatformExited",
        happened("trapline_node_exits_total", "cluster, node", ',node=~"firmware|xen"'),
        "",
        "critical",
        "expected",
        "{{ $labels.node }} of {{ $labels.cluster }} ended by itself: the platform is lost",
        "EL3 or Xen ended. Every outstanding call ends with an explicit error and the platform goes down "
        "with exit code 1.",
        "Keep the run directory's logs and the flight recorder before you start again; 'trapline up' printed "
        "how the process ended.",
    ),
    Alert(
        "TraplineVersionSkew",
        f"count by (cluster) (count by (cluster, version) (trapline_build_info{{{JOB}}})) > 1",
        "1m",
        "warning",
        "loud",
        "Processes of {{ $labels.cluster }} run different versions",
        "One cluster, more than one version of Trapline: somebody upgraded under a running platform, and "
        "nodes started since then come from the new one.",
        "Take the cluster down and start it again.",
    ),
    Alert(
        RUNNING,
        f"max by (cluster) (trapline_experiment_running{{{JOB}}}) == 1",
        "",
        "info",
        "loud",
        "An experiment runs on {{ $labels.cluster }}",
        "Faults on this cluster may be on purpose. This is no fault itself: while it fires Alertmanager "
        "mutes the cluster's alerts whose label in_experiment is 'expected'.",
        "Nothing. Look at the Experiments dashboard for what is being done.",
    ),
)

CALLING: Final = (
    Alert(
        "TraplineAgentErrorRatioHigh",
        f"{ERRORS} > 0.05 and on (cluster, agent) {CALLS} > 1",
        "30s",
        "warning",
        "expected",
        "More than 5 % of the calls of agent {{ $labels.agent }} in {{ $labels.cluster }} fail",
        "EL3 answers more than one call in twenty with a status other than SUCCESS, at more than one call "
        "per second. Often permissions: the agent asks for what it was not granted.",
        "The Agent dashboard splits errors by status. DENIED: 'trapline why last --agent {{ $labels.agent "
        "}}' names the row of the table that refused. BUSY or HARDWARE_ERROR: look at EL3.",
    ),
    Alert(
        "TraplineCallLatencyHigh",
        f"histogram_quantile(0.99, sum by (cluster, agent, le) ({DURATIONS})) > 0.05",
        "30s",
        "warning",
        "expected",
        "The slowest percent of calls of agent {{ $labels.agent }} in {{ $labels.cluster }} take over 50 ms",
        "The 99th percentile of a guest's calls is above 50 ms, measured from when the call was meant to "
        "begin, so time spent queueing counts.",
        "On the Agent dashboard compare queue wait (own vCPUs compete), service time (EL3 is slow, "
        "perhaps busy with another agent) and the rates of other agents. 'trapline trace --agent {{ "
        "$labels.agent }} --slow 50' shows such calls.",
    ),
    Alert(
        "TraplineCallsStuck",
        f"min by (cluster, agent) (min_over_time(trapline_scmi_inflight_calls{{{JOB}}}[30s])) > 0\n"
        f"  unless on (cluster, agent) {CALLS} > 0",
        "10s",
        "critical",
        "expected",
        "A call of agent {{ $labels.agent }} in {{ $labels.cluster }} never comes back",
        "Something has been in flight to EL3 for 30 s and EL3 answers nothing of this agent: the channel is "
        "wedged. Xen waits for EL3 for ever, as on the board; later calls queue behind it.",
        "'trapline trace --agent {{ $labels.agent }}' shows the last call that went out. Is EL3 stopped "
        "(TraplineTargetDown)? Was the frame lost (faults injected)? Only EL3's answer or a destroyed "
        "domain frees the channel.",
    ),
    Alert(
        "TraplineTrapDenials",
        f'sum by (cluster, domain) ({TRAPS}{{verdict=~"refused|undef|overflow"}}) > 10',
        "15s",
        "warning",
        "expected",
        "Xen refuses more than 10 traps/s of {{ $labels.domain }} in {{ $labels.cluster }}",
        "A domain traps with calls that are not its own, unknown, or more than Xen queues: foreign "
        "doorbells, a driver with a wrong function id, or a storm.",
        "Traps by function and verdict on the Agent dashboard name the kind. Compare arm,smc-id in the "
        "domain's tree with what 'trapline status' shows for it.",
    ),
    Alert(
        "TraplineMeteringRefusals",
        "sum by (cluster, agent, reason, mode) "
        f'(rate(trapline_meter_refusals_total{{{JOB},mode=~"enforce|wait"}}[30s])) > 1',
        "15s",
        "warning",
        "expected",
        "Metering stops agent {{ $labels.agent }} in {{ $labels.cluster }}: {{ $labels.reason }} "
        "({{ $labels.mode }})",
        "The agent rings more often than its limit allows; its doorbells are refused (enforce) or held back "
        "(wait). Others are protected, this one loses calls or time.",
        "If the load is legitimate raise the limit ('--meter' of 'trapline up'); if not, find the caller "
        "with 'trapline trace --agent {{ $labels.agent }}'.",
    ),
    Alert(
        "TraplineTransportErrors",
        f"sum by (cluster, agent) (rate(trapline_scmi_transport_errors_total{{{JOB}}}[30s])) > 1",
        "15s",
        "warning",
        "expected",
        "Agent {{ $labels.agent }} of {{ $labels.cluster }} rings without a message in its page",
        "EL3 found no valid message and set the channel's ERROR bit: rung while FREE, or with a length that "
        "cannot be. A guest's driver writes its page wrongly, or two of its callers share a channel.",
        "'trapline trace --agent {{ $labels.agent }}' shows the pages; compare with bus/reference and the "
        "guest's driver.",
    ),
)

TROUBLE: Final = (
    Alert(
        "TraplineAgentResetLoop",
        f"sum by (cluster, agent) (increase(trapline_agent_resets_total{{{JOB}}}[2m])) > 3",
        "",
        "warning",
        "expected",
        "Agent {{ $labels.agent }} of {{ $labels.cluster }} was reset more than 3 times in 2 minutes",
        "Its domain is created and lost again and again: on_crash restarts what crashes at once, or a script "
        "loops.",
        "Resets by reason on the Agent dashboard: 'crash' is the guest's own, 'destroy' the toolstack's. Set "
        "on_crash to preserve and look at the guest's log.",
    ),
    Alert(
        "TraplineAgentResetLeak",
        happened("trapline_agent_reset_leaks_total", "cluster, agent"),
        "",
        "critical",
        "loud",
        "Agent {{ $labels.agent }} of {{ $labels.cluster }} still held something after its reset",
        "EL3 dropped the agent's configuration and its ledger was not empty: a vote, a permission or a hold "
        "outlived the reset, and the next domain with this agent inherits it.",
        "'trapline ledger {{ $labels.agent }}' lists what was left. It is a defect of the firmware (or "
        "its misbehaviour is switched on): keep the recording.",
    ),
    Alert(
        "TraplineXenHazard",
        happened("trapline_xen_hazards_total", "cluster, hazard"),
        "",
        "warning",
        "expected",
        "Xen's driver did what nobody wants in {{ $labels.cluster }}: {{ $labels.hazard }}",
        "One of the known weaknesses of Xen's SCMI driver took effect; users of a board would meet it "
        "without any message.",
        "nodes/xen/CHECKS.md tells what the hazard is and which tree or firmware avoids it; '--strict' "
        "refuses it at the start.",
    ),
    Alert(
        "TraplineDomainStuckDying",
        f'max by (cluster, domain) (trapline_domain_state{{{JOB},state="dying"}}) == 1',
        "30s",
        "warning",
        "expected",
        "Domain {{ $labels.domain }} of {{ $labels.cluster }} has been dying for 30 s",
        "Its agent was not given back: EL3 refused the reset or never answered it. The agent cannot be "
        "used by another domain until then.",
        "Repeat 'trapline xl destroy': the reset is sent again. If EL3 refuses it again, its log says why "
        "(wedged-channel among the hazards: only a restart helps).",
    ),
    Alert(
        "TraplineStrangersKnock",
        happened(
            "trapline_bus_dropped_total",
            "cluster, process, cause",
            ',cause=~"handshake|second_link|crowd|kept_out|malformed|not_allowed|unknown_link"',
        ),
        "",
        "warning",
        "expected",
        "{{ $labels.process }} of {{ $labels.cluster }} dropped frames of a stranger: {{ $labels.cause }}",
        "Somebody connected without a valid token, sent what does not parse, or asked for what his link "
        "may not do. Nothing of it had an effect.",
        "Your own tool with an old token or an old protocol version? If nobody knows of one, look at who may "
        "read the run directory and at the port's address.",
    ),
    Alert(
        "TraplineFramesLost",
        "sum by (cluster, process, cause) "
        f'(rate(trapline_bus_dropped_total{{{JOB},cause=~"overflow|undelivered|late"}}[30s])) > 1',
        "15s",
        "warning",
        "expected",
        "{{ $labels.process }} of {{ $labels.cluster }} drops frames: {{ $labels.cause }}",
        "A queue is full (overflow), a receiver is gone (undelivered), or answers come after Xen gave "
        "them up (late). Calls concerned end with an explicit error.",
        "Look for a node that is stopped or slow (heartbeat age on the Overview) and for a trap storm.",
    ),
)

ALERTS: Final = (*PROCESSES, *CALLING, *TROUBLE)

# Alertmanager: while the first fires, the second kind of the same cluster is not notified.
INHIBIT: Final = {
    "source_matchers": [f'alertname="{RUNNING}"'],
    "target_matchers": ['in_experiment="expected"'],
    "equal": ["cluster"],
}
