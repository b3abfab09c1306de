"""What Prometheus says is what happened: known work, known losses, every panel of every dashboard."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.experiments.describing.plan import Planned
from deploy.experiments.stages.local import LocalStage
from deploy.observability.assets import folder as assets
from deploy.observability.lint.variables import UNKNOWN, substituted
from deploy.observability.session import Session, Wanted, tools
from deploy.recording.decode import Decoder
from deploy.recording.rows import Row
from deploy.toolstack import Work
from deploy.topology import load_shipped
from nodes.guest import console
from tests.system import truth
from tests.system.cluster import Cluster
from tests.system.processes import PATIENCE_S, VARIABLE
from tests.system.prometheus import TOLERANCE_S, Asked

CALLS = "trapline_scmi_calls_total"
NODES = ["cluster", "dom0", "firmware", "ivi", "supervisor", "tcu", "xen"]
IVI, TCU = "3", "4"
# What the panels of whole numbers must show after known work.
KNOWN = {
    "overview: Nodes up A": 6,
    "overview: Denied A": 50,
    "overview: Resets A": 3,
    "overview: Agents that were reset A": 3,
    "overview: Nodes that ended A": 0,
    "agent: Denied A": 50,
    "agent: Resets A": 3,
    "fleet: Clusters A": 1,
    "fleet: Nodes up A": 6,
    "fleet: Nodes that ended A": 0,
}
# What no work of these tests brings about, and what comes from chance: so these may stay without data.
EMPTY = {
    # nobody is metered
    "agent: Doorbells beyond a limit A",
    "overview: Doorbells beyond a limit A",
    # no guest sends nonsense, has an open loop, or is hostile
    "agent: Pages without a message A",
    "experiments: Calls that never began A",
    "experiments: Hostile guests A",
    # nobody has asked to be told anything
    "agent: Messages to it, unasked A",
    "overview: Messages to agents, unasked A",
    "overview: Interrupts, by what Xen did A",
    # every domain has one core
    "agent: Where the time goes (p95) C",
    "overview: Where the time goes (p95) C",
    "overview: Wait in the queue, by agent (p95) A",
    # no fleet runs
    "fleet: Platforms left A",
    "fleet: Workers that died A",
    *(f"fleet: Platforms, by what became of them {letter}" for letter in "ABCDEF"),
    "fleet: Cells with failures A",
    # no line is too many, no domain's name is folded
    "overview: Lost lines and folded numbers A",
    "overview: Lost lines and folded numbers B",
    # resets leave nothing, Xen's driver does nothing wrong
    "agent: Reset by EL3, and left over B",
    "experiments: Left after a reset A",
    "overview: Left after a reset A",
    "overview: Hazards of Xen's driver A",
    # with EL3 a frame or a line may be lost, and need not
    "experiments: Dropped frames, by cause A",
    "overview: Dropped frames and bad log lines A",
    "overview: Dropped frames and bad log lines B",
}


class Watched:
    """A stage whose every process a Prometheus scrapes."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster(folder)
        self.rows: list[Row] = []
        wanted = Wanted(0)
        page = ["--run-dir", str(self.cluster.run)]
        self.session = Session(wanted, tools(wanted), folder / "watch", "../run/sd/*.json", page)
        self.stage: LocalStage | None = None

    def start(self, work: Work) -> tuple[LocalStage, Asked]:
        """Both, when every process was seen."""
        self.stage = stage = LocalStage(load_shipped(), work=work, run=self.cluster.run, sink=self.rows)
        stage.start()
        self.session.start(lambda pid: None)
        self.session.wait()
        asked = Asked(self.session.urls()["prometheus"])
        until(stage, lambda: asked.targets() == dict.fromkeys(NODES, "up"), "all nodes up")
        return stage, asked

    def stop(self) -> None:
        try:
            if self.stage is not None:
                self.stage.stop()
            self.session.stop()
        finally:
            self.cluster.stop()


@pytest.fixture
def watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    made = Watched(folder)
    monkeypatch.setenv(VARIABLE, made.cluster.mark)
    try:
        yield made
    finally:
        made.stop()


def until(stage: LocalStage, condition: Callable[[], Any], what: object) -> None:
    """Keep the stage going until the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert stage.failure is None, stage.failure
        assert time.monotonic() < deadline, f"not in time: {what}"
        stage.advance(stage.now_ns() + 50_000_000)


def scraped(stage: LocalStage, asked: Asked, *processes: str) -> None:
    """Go on until each of these processes that run has been scraped after now."""
    begin = time.time() + TOLERANCE_S
    for process in processes:
        newest = f'max(timestamp(up{{process="{process}"}}))'  # of an expression it would be now
        until(stage, lambda newest=newest: asked.value(newest) > begin, f"a scrape of {process}")


def rate(clock: int) -> console.Call:
    return console.Call(0x14, 0x6, clock.to_bytes(4, "little"))


def test_known_work_is_what_prometheus_says(watched: Watched) -> None:
    stage, asked = watched.start(Work(run=False))
    by_status = f"sum by (agent, status) ({CALLS}) > 0"
    before = Counter(asked.by(by_status, "agent", "status"))
    for name, clock, times in (("ivi", 5, 650), ("tcu", 7, 300), ("ivi", 8, 30), ("tcu", 5, 20)):
        for _ in range(times):
            stage.toolstack.ask(name, rate(clock))
    scraped(stage, asked, *NODES)
    now = Counter(asked.by(by_status, "agent", "status"))
    work = {(IVI, "SUCCESS"): 650, (TCU, "SUCCESS"): 300, (IVI, "DENIED"): 30, (TCU, "DENIED"): 20}
    assert now - before == work
    assert sum(work.values()) == 1000
    assert asked.value('sum(trapline_guest_calls_total{outcome="answered"})') == 1000
    assert asked.value("sum(trapline_scmi_call_duration_seconds_count)") == 1000
    assert asked.value('sum(trapline_smc_traps_total{verdict="forwarded"})') == 1000
    assert asked.value("sum(trapline_scmi_inflight_calls)") == 0
    for name in ("ivi", "ivi", "tcu"):
        stage.toolstack.reboot(name)
    scraped(stage, asked, "xen", "firmware", "supervisor")
    resets = {(IVI, "reboot"): 2, (TCU, "reboot"): 1}
    assert asked.by("sum by (agent, reason) (trapline_agent_resets_total) > 0", "agent", "reason") == resets
    applied = {(IVI,): 2, (TCU,): 1}
    assert asked.by("sum by (agent) (trapline_agent_resets_applied_total) > 0", "agent") == applied
    up = asked.by("max by (node) (trapline_node_up)", "node")
    assert up == {(name,): 1 for name in NODES if name != "supervisor"}
    assert asked.value('sum(trapline_domain_state{state="running"})') == 4
    assert asked.value("sum(trapline_node_exits_total)") == 0
    shown = {panel: asked.value(query) for panel, query in panels().items() if panel in KNOWN}
    assert shown == KNOWN


def test_with_kills_the_sum_is_the_history(
    watched: Watched, record_property: Callable[[str, object], None]
) -> None:
    """But for what a killed EL3 had not exported, which is no more than happened after its last scrape."""
    began_s = time.time()
    stage, asked = watched.start(Work(run=True, think_ns=1_000_000, record=True))
    stage.mark("phase", 0, (0, 0), "faults")
    kill, restart = Planned(1, "process.kill", ("ivi",), 0, 0), Planned(2, "el3.restart", (), 0, 0)
    stage.announcing.expect([kill, restart])
    scraped(stage, asked, "supervisor", "firmware")
    stage.begin(kill)
    wall_ns = time.time_ns() - stage.now_ns()
    stage.begin(restart)
    last = asked.get("query", query='up{process="firmware"}[1m]')["result"]
    (series,) = last
    scraped_ns = (
        int((max(at for at, value in series["values"] if value == "1") - TOLERANCE_S) * 1e9) - wall_ns
    )
    for name in ("ivi", "tcu"):
        stage.toolstack.reboot(name)  # a call that nobody ends leaves its channel unusable
    instances = f"count(count by (instance) (max_over_time({CALLS}[5m])))"
    until(stage, lambda: asked.value(instances) == 2, "EL3 before and after")

    def denials() -> float:
        """Their rate; one more of them."""
        stage.toolstack.ask("ivi", rate(8))
        return asked.value(f'sum(rate({CALLS}{{status="DENIED"}}[4s]))')

    until(stage, lambda: denials() > 0, "a rate")
    queries = {panel: query for panel, query in panels().items() if panel not in EMPTY}

    def empty() -> set[str]:
        """The panels that show nothing yet: rates are recorded some time after what they are of."""
        for panel in [one for one, query in queries.items() if asked.drawn(query, began_s, time.time())]:
            del queries[panel]
        return set(queries)

    until(stage, lambda: not empty(), queries.keys())
    for child in [name for name in stage.engine.children if name not in ("xen", "firmware")]:
        stage.toolstack.ask(child, console.Work(run=False))
    until(stage, lambda: not stage.outstanding(), "the end of all calls")
    scraped(stage, asked, "firmware")
    expression = f"sum by (agent, status) (max_over_time({CALLS}[5m]))"
    found = Counter(
        {key: int(value) for key, value in asked.by(expression, "agent", "status").items() if value}
    )
    assert asked.value(instances) == 2
    stage.stop()
    agents = {agent.smc_id: agent.id for agent in stage.topology.platform.agent}
    lives = truth.calls_of(Decoder(stage.origin_ns).events(watched.rows), agents)
    assert len(lives) == 2
    recorded = Counter(labels for life in lives for _, _, labels in life)
    late = Counter(labels for _, last_ns, labels in lives[0] if last_ns > scraped_ns)
    assert found - recorded == Counter(), "Prometheus counted what did not happen"
    lost = recorded - found
    assert lost - late == Counter(), f"lost {lost}, but after the last scrape there were {late}"
    assert recorded.total() > 1000
    assert recorded.total() > lost.total()
    record_property("calls recorded", sum(recorded.values()))
    record_property("of which Prometheus never saw", sum(lost.values()))


def panels() -> dict[str, str]:
    """Every query by dashboard, panel and letter; of all clusters, agents and protocols."""
    found: dict[str, str] = {}

    def walk(name: str, some: list[dict[str, Any]]) -> None:
        for panel in some:
            for target in panel.get("targets", []):
                where = f"{name}: {panel['title']} {target['refId']}"
                assert where not in found, f"two queries are called {where}"
                found[where] = substituted(target["expr"])[0].replace(UNKNOWN, ".*")
            walk(name, panel.get("panels", []))

    for file in sorted((assets() / "dashboards").glob("*.json")):
        walk(file.stem, json.loads(file.read_bytes())["panels"])
    return found


def test_what_may_be_empty_is_there() -> None:
    assert set(panels()) >= EMPTY
