"""Counters are true: over kills and restarts what was exported is what the history says, to the unit."""

from collections import Counter
from pathlib import Path

import pytest

from deploy.experiments.describing.plan import Planned
from deploy.experiments.stages.local import LocalStage
from deploy.recording.decode import Decoder
from deploy.recording.events import Event
from deploy.recording.rows import Row
from deploy.toolstack import Work
from deploy.topology import load_shipped
from nodes.guest import console
from tests.system import truth
from tests.system.cluster import Cluster
from tests.system.processes import PATIENCE_S, VARIABLE

MS_NS = 1_000_000
DOMAINS = ("dom0", "cluster", "ivi", "tcu")
CALLS = "trapline_scmi_calls_total"
OUTCOMES = "trapline_guest_calls_total"


def play(folder: Path) -> tuple[list[Event], truth.Scrapes, dict[int, int]]:
    """A guest is killed, another rebooted, EL3 is killed and started again; then everybody falls silent."""
    rows: list[Row] = []
    topology = load_shipped()
    stage = LocalStage(topology, work=Work(run=True, think_ns=MS_NS, record=True), run=folder, sink=rows)
    scrapes = truth.Scrapes(folder / "sd", stage.now_ns)
    stage.start()
    try:
        for kind, where in (("process.kill", ("ivi",)), ("toolstack.reboot", ("tcu",)), ("el3.restart", ())):
            stage.advance(stage.now_ns() + 100 * MS_NS)
            scrapes.take()
            stage.advance(stage.now_ns() + 30 * MS_NS)
            stage.begin(Planned(1, kind, where, 0, 0))  # type: ignore[call-arg]
            stage.advance(stage.now_ns() + 200 * MS_NS)
        _silence(stage)
        scrapes.take()
    finally:
        stage.stop()
    return list(Decoder().events(rows)), scrapes, {one.smc_id: one.id for one in topology.platform.agent}


def _silence(stage: LocalStage) -> None:
    """No call is under way, and none will be."""
    for name in DOMAINS:
        stage.toolstack.ask(name, console.Work(run=False))
    deadline_ns = stage.now_ns() + int(PATIENCE_S * 1000) * MS_NS
    while stage.outstanding():
        assert stage.now_ns() < deadline_ns, "somebody still calls"
        stage.advance(stage.now_ns() + 10 * MS_NS)


def test_what_was_exported_is_what_happened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(folder)
    monkeypatch.setenv(VARIABLE, cluster.mark)
    try:
        events, scrapes, agents = play(cluster.run)
    finally:
        cluster.stop()
    lives = truth.calls_of(events, agents)
    assert len(lives) == 2
    found = [
        truth.lost(life, scrape, truth.counted(scrape, CALLS, "agent", "status"))
        for life, scrape in zip(lives, scrapes.of("firmware"), strict=True)
    ]
    assert found[0].told.total() > 0, "it was killed at work"
    assert found[1].told == Counter(), "whoever lives to the end has told everything"
    for one in found:
        assert one.explained(), one
    total = scrapes.total(CALLS, "agent", "status")
    assert total + found[0].told == Counter(labels for life in lives for _, _, labels in life)
    for domain in DOMAINS:
        for life, scrape in zip(truth.outcomes_of(events, domain), scrapes.of(domain), strict=True):
            mine = truth.lost(life, scrape, truth.counted(scrape, OUTCOMES, "domain", "outcome"))
            assert mine.explained(), (domain, mine)
    injected = scrapes.total("trapline_faults_injected_total", "kind", "target")
    kinds = [("process.kill", "guest"), ("toolstack.reboot", "toolstack"), ("el3.restart", "firmware")]
    assert injected == Counter(kinds)


def test_a_count_too_many_and_one_too_few_are_seen() -> None:
    life = [(9, 10, ("2", "SUCCESS")), (19, 20, ("2", "DENIED")), (29, 30, ("2", "SUCCESS"))]
    scrape = truth.Scrape(15, 25, {})
    for denied, right in ((0, True), (1, True), (2, False)):
        exported = Counter({("2", "SUCCESS"): 1, ("2", "DENIED"): denied})
        assert truth.lost(life, scrape, exported).explained() is right
    assert not truth.lost(life, scrape, Counter({("2", "SUCCESS"): 2})).explained(), "that came later"
    assert not truth.lost(life, scrape, Counter({("2", "DENIED"): 1})).explained(), "that came before"
