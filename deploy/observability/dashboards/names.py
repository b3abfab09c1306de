"""What dashboards are called, where they refer to one another. Knows nothing of panels."""

UIDS = {
    "overview": "trapline-overview",
    "agent": "trapline-agent",
    "experiments": "trapline-experiments",
    "fleet": "trapline-fleet",
}
OBSERVER = "http://127.0.0.1:9464"
"""Where the page of ``trapline up --observe`` is unless somebody says otherwise."""

_TIME = "${__url_time_range}"
_KEPT = "${datasource:queryparam}&${observer:queryparam}"


def to_agent(cluster: str = "${__field.labels.cluster}", agent: str = "${__field.labels.agent}") -> str:
    """The URL of the Agent dashboard for the agent of the series or row that was clicked."""
    return f"/d/{UIDS['agent']}?var-cluster={cluster}&var-agent={agent}&{_KEPT}&{_TIME}"


def to_overview(cluster: str = "${__field.labels.cluster}") -> str:
    """The URL of the Overview for the cluster of the series or row that was clicked."""
    return f"/d/{UIDS['overview']}?var-cluster={cluster}&{_KEPT}&{_TIME}"


def to_traces(cluster: str = "${__field.labels.cluster}", agent: str = "${__field.labels.agent}") -> str:
    """The URL of an agent's latest calls, line by line, on our own page."""
    return f"${{observer}}/traces?cluster={cluster}&agent={agent}"


AGENT_LINKS = (("Agent dashboard", to_agent()), ("Traces of this agent", to_traces()))
"""For series that have the labels cluster and agent."""
TRACE_LINKS = (("Traces of this agent", to_traces("${cluster}", "${agent}")),)
"""For numbers of the chosen agents."""
CLUSTER_LINKS = (("Overview of this cluster", to_overview()),)
_ROW = ("${__data.fields.cluster}", "${__data.fields.agent}")
AGENT_ROW_LINKS = (("Agent dashboard", to_agent(*_ROW)), ("Traces of this agent", to_traces(*_ROW)))
"""For rows of tables that have columns of these names."""
CLUSTER_ROW_LINKS = (("Overview of this cluster", to_overview(_ROW[0])),)
