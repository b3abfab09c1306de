"""An operator's looks: who fails without an answer is rebooted, also if it failed between two looks."""

from types import SimpleNamespace
from typing import Any, cast

from deploy.experiments.describing.plan import Phase, Plan, Planned
from deploy.experiments.describing.scenario import Load
from deploy.experiments.healing import Healer
from deploy.experiments.stages.stage import Numbers, Stage

MS = 1_000_000
NAMES = ("guest0", "guest1")


class PlayedStage:
    """What a healer sees and does: numbers that the test sets, reboots that take time."""

    def __init__(self) -> None:
        self.at_ns = 100 * MS
        self.rows = {name: Numbers(name, number, 1, 5, 0, 0, 0, ()) for number, name in enumerate(NAMES)}
        self.rebooted: list[str] = []
        self.meanwhile: dict[str, dict[str, int]] = {}
        self.guests = {name: name for name in NAMES}

    def now_ns(self) -> int:
        return self.at_ns

    def outstanding(self) -> int:
        return 0

    def numbers(self) -> list[Numbers]:
        return list(self.rows.values())

    def toolstacks(self) -> list[Any]:
        return [self]

    def operate(self, name: str, action: Any) -> None:
        action(self)

    def mark(self, *what: object) -> None:
        """Nobody reads this history."""

    def more(self, name: str, **numbers: int) -> None:
        """``name`` ended as many more calls this way and that."""
        row = self.rows[name]
        values = {key: getattr(row, key) + value for key, value in numbers.items()}
        self.rows[name] = Numbers(
            name, row.agent, row.incarnation, *(values.get(key, getattr(row, key)) for key in COUNTS), ()
        )

    # what a toolstack does

    def list(self) -> list[Any]:
        return [SimpleNamespace(name=name, state="running") for name in NAMES]

    def destroy(self, name: str) -> None:
        self.rebooted.append(name)

    def create(self, name: str) -> None:
        row = self.rows[name]
        self.rows[name] = Numbers(name, row.agent, row.incarnation + 1, 0, 0, 0, 0, ())
        for other, numbers in self.meanwhile.items():
            self.more(other, **numbers)


COUNTS = ("answered", "denied", "definite", "indefinite")


def healing(kind: str = "link.partition", where: str = "firmware") -> tuple[PlayedStage, Healer]:
    names = ("warm_up", "faults", "heal", "drain")
    phases = tuple(Phase(name, at * 100 * MS, (at + 1) * 100 * MS) for at, name in enumerate(names))
    loads = {name: Load(name, kind="open", rate=1.0) for name in NAMES}
    fault = Planned(1, kind, (where,), 10 * MS, 20 * MS)
    stage = PlayedStage()
    healer = Healer(cast(Stage, stage), Plan(phases, loads, dict.fromkeys(NAMES, 1), (fault,)))
    healer.repair()
    return stage, healer


def look(stage: PlayedStage, healer: Healer) -> list[str]:
    """Who was rebooted at one more look."""
    stage.at_ns += 30 * MS
    already = len(stage.rebooted)
    healer.look()
    return stage.rebooted[already:]


def test_who_only_fails_is_rebooted_and_who_is_answered_is_not() -> None:
    stage, healer = healing()
    stage.more("guest0", definite=1)
    stage.more("guest1", definite=3, answered=1)
    assert look(stage, healer) == ["guest0"]
    assert healer.done == ["reboot guest0: it made no progress"]


def test_what_failed_while_another_was_rebooted_is_not_forgotten_at_the_next_look() -> None:
    stage, healer = healing()
    stage.more("guest0", definite=1)
    stage.meanwhile["guest1"] = {"definite": 1}
    assert look(stage, healer) == ["guest0"]
    stage.meanwhile.clear()
    stage.more("guest0", answered=1)
    assert look(stage, healer) == ["guest1"]


def test_who_got_on_is_measured_anew_from_there() -> None:
    stage, healer = healing()
    stage.more("guest1", definite=3, answered=1)
    assert look(stage, healer) == []
    assert look(stage, healer) == []
    stage.more("guest1", indefinite=1)
    assert look(stage, healer) == ["guest1"]
    stage.more("guest1", answered=2)
    assert look(stage, healer) == []


def test_failures_of_whom_no_fault_can_have_silenced_are_left_for_the_checkers() -> None:
    stage, healer = healing("process.kill", "guest0")
    done = len(stage.rebooted)
    stage.more("guest1", definite=5)
    assert look(stage, healer) == []
    assert "guest1" not in stage.rebooted[done:]
