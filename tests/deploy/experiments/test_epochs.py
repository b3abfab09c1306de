"""Real cores that were cut off, replaced, and come back: refused, counted, noted, and at their end.

``strand`` is what a lost host looks like: nobody can end the process there, and what it says comes late.
Each story is judged by the checkers, and told again with a planted bug that they must find.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import pytest

from bus import frames
from bus.faults import Rule
from deploy.experiments.checkers import Context
from deploy.experiments.checkers.registry import judge, make
from deploy.experiments.result import CheckerResult
from deploy.recording.decode import Decoder
from deploy.recording.events import Noted
from deploy.toolstack import Toolstack
from deploy.topology import load_shipped
from nodes.contract import REPLACED
from tests.deploy.experiments.recorded_run import WORK, RecordingEngine
from tests.plants import el3, xen

MS: Final = 1_000_000
LATE_NS: Final = 40 * MS
NAME: Final = "stale_incarnation"
Plants = Mapping[str, Callable[[Any], None]]


class Engine(RecordingEngine):
    """``plants`` spoil the cores of a role; ``told`` is the log."""

    def __init__(self, plants: Plants) -> None:
        topology = load_shipped()
        tuning = msgspec.structs.replace(topology.tuning, record=True)
        self.plants = plants
        self.told: list[tuple[str, str]] = []
        super().__init__(msgspec.structs.replace(topology, tuning=tuning), 1)
        self.log = lambda node, level, text: self.told.append((node, text))
        self.toolstack = Toolstack(self, self.topology, WORK)
        self.toolstack.start()
        for info in self.toolstack.list():
            self.domain(info)

    def build_xen(self, *start: Any) -> Any:
        return self._spoiled("xen", super().build_xen(*start))

    def build_firmware(self) -> Any:
        return self._spoiled("firmware", super().build_firmware())

    def _spoiled(self, role: str, core: Any) -> Any:
        self.plants.get(role, lambda core: None)(core)
        return core

    def domain(self, info: frames.DomainInfo) -> None:
        """As a run notes it."""
        if info.smc_id is not None:
            numbers = (info.domid, info.incarnation, info.agent_id or 0, info.smc_id)
            self.note("domain", 0, numbers, info.name)

    def late(self, sender: str, *kinds: str) -> None:
        """What it says comes LATE_NS later, in order."""
        self.network.obey([Rule(1, "delay", sender, kinds=frozenset(kinds), delay_ns=LATE_NS)])

    def dropped(self, core: Any, cause: str = "stale") -> int:
        return int(core.meters.counter("trapline_bus_dropped_total")[(cause,)])


def judged(engine: Engine) -> tuple[dict[str, CheckerResult], list[Noted]]:
    """What the checkers say, and the notes of what was stale."""
    events = list(Decoder().events(engine.rows))
    context = Context(engine.topology, frozenset())
    results = {one.name: one for one in judge(events, make(["all"], context))}
    return results, [one for one in events if isinstance(one, Noted) and one.what == "stale"]


def clean(results: Mapping[str, CheckerResult], but: Iterable[str] = ()) -> None:
    assert {name: one.violations for name, one in results.items() if one.violations and name not in but} == {}


def domain_replaced(plants: Plants) -> Engine:
    """ivi is cut off, destroyed, created again; then what the old one said arrives."""
    engine = Engine(plants)
    engine.run(5 * MS)
    old = engine.strand("ivi")
    engine.late(old.link.name)
    engine.run(MS)
    engine.toolstack.destroy("ivi")
    engine.domain(engine.toolstack.create(engine.toolstack.guests["ivi"]))
    engine.run(LATE_NS)
    engine.network.obey(())
    engine.run(5 * MS)
    return engine


def test_a_domain_that_was_cut_off_and_replaced() -> None:
    engine = domain_replaced({})
    results, notes = judged(engine)
    clean(results)
    assert results[NAME].facts["refused"] == len(notes) == engine.dropped(engine.xen) > 0
    assert {note.text.partition(",")[0] for note in notes} == {"ivi#1"}
    assert all(note.text.endswith("tried to ring its doorbell") for note in notes)
    assert engine.stranded == {}, "it heard that it is stale, and ended itself"
    told = [text for node, text in engine.told if node == "ivi#1"]
    assert told == ["this node ends itself: ivi#1 was destroyed; its link is retired"]
    new = engine.nodes["ivi"].core.meters.counter("trapline_guest_calls_total")
    assert new[("ivi", "answered")] > 50
    assert not new[("ivi", "definite_error")]
    assert not new[("ivi", "indefinite_error")]


def test_a_xen_that_forgets_to_retire_is_found() -> None:
    engine = domain_replaced({"xen": lambda core: xen.plant(core, "never-retires", 1)})
    (violation, *_) = judged(engine)[0][NAME].violations
    assert violation.text.endswith("reached EL3, though ivi#2 was welcomed before it rang")


def el3_replaced(plants: Plants) -> Engine:
    """EL3 is cut off with SMCs in hand, another one starts; then what the old one says arrives."""
    engine = Engine(plants)
    engine.run(5 * MS)
    old = engine.strand("firmware")
    engine.late(old.link.name)
    engine.run(MS)
    engine.start_firmware()
    engine.run(LATE_NS)
    engine.network.obey(())
    engine.run(5 * MS)
    return engine


def test_an_el3_that_was_cut_off_and_replaced() -> None:
    engine = el3_replaced({})
    results, notes = judged(engine)
    clean(results)
    assert len(notes) == engine.dropped(engine.xen) > 0
    assert all(note.text.startswith("EL3#1, replaced ") for note in notes)
    assert notes[0].text.endswith("tried to answer an SMC")
    assert engine.stranded == {}
    assert ("firmware~1", "this node ends itself: EL3#1 was replaced; its link is retired") in engine.told
    assert REPLACED == 75
    answered = engine.firmware.meters.counter("trapline_scmi_calls_total")
    assert sum(count for key, count in answered.items() if key[0] == "3") > 50


def test_answers_of_an_old_el3_are_found() -> None:
    engine = el3_replaced({"xen": lambda core: xen.plant(core, "never-retires", 1)})
    (violation, *_) = judged(engine)[0][NAME].violations
    assert violation.text.startswith("the answer of an EL3 that was replaced reached ")


def xen_replaced(plants: Plants) -> Engine:
    """Xen ends while SMCs of it are far behind on their way; EL3 goes on with another one."""
    engine = Engine(plants)
    engine.run(5 * MS)
    engine.late("xen", "smc")
    engine.run(MS)
    engine.network.obey(())
    engine.restart_xen(frames.first_request(2))
    engine._wait(lambda: engine.xen.booted)
    engine.run(2 * LATE_NS)
    return engine


def test_what_an_old_xen_still_asks_is_not_done() -> None:
    engine = xen_replaced({})
    results, notes = judged(engine)
    clean(results)
    assert len(notes) == engine.dropped(engine.firmware) > 0
    assert {note.node for note in notes} == {"firmware"}
    assert all(note.text.endswith("of xen#1, after xen#2 welcomed this node") for note in notes)


def test_an_el3_that_does_not_compare_is_found() -> None:
    engine = xen_replaced({"firmware": lambda core: el3.plant(core, "serves-any-xen", 1)})
    (violation, *_) = judged(engine)[0][NAME].violations
    assert violation.text.endswith("of xen#1, though xen#2 had welcomed it before")


@pytest.mark.parametrize("story", [domain_replaced, el3_replaced, xen_replaced])
def test_equal_stories_are_equal(story: Callable[[Plants], Engine]) -> None:
    assert story({}).rows == story({}).rows
