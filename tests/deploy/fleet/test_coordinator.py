"""A whole fleet of simulated platforms: workers killed, coordinators killed, answers late and twice.

What is killed when is planned by job and attempt, or by what has been written; nothing waits for a clock.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import multiprocess
import pytest

from deploy.errors import UserError
from deploy.fleet import ledger_file
from deploy.fleet.book import TRIES_MAX
from deploy.fleet.coordinator import Coordinator, Fleet, opened, read
from deploy.fleet.crew import Answered, Crew, Gone
from deploy.fleet.ledger import Died, Done, Given, Record
from deploy.fleet.ledger_file import LedgerFile
from deploy.fleet.local_crew import LocalCrew
from deploy.fleet.messages import Answer, Order
from deploy.fleet.plan import Plan, jobs, make
from deploy.fleet.working import encode, order_of, outcome, work
from deploy.rundir import usual_parent
from tests.deploy.fleet.fleets import FAILING, plan, scenario
from tests.deploy.fleet.fleets import outcome as some_outcome

PLATFORMS = 40
PATIENCE_S = 100.0


def lead(
    out: Path,
    asked: Plan | None,
    crew: Callable[[LedgerFile], Crew],
    told: Callable[[Sequence[Record]], None] = lambda records: None,
    turned: Callable[[], None] = lambda: None,
) -> Fleet:
    """A fleet from where it is to its end."""
    with opened(out, asked, resume=ledger_file.exists(out)) as (fleet, ledger):
        Coordinator(fleet, ledger, crew(ledger), out, patience_s=PATIENCE_S, told=told, turned=turned).run(2)
    return fleet


def local(function: Callable[[bytes], bytes] = work) -> Callable[[LedgerFile], LocalCrew]:
    return lambda ledger: LocalCrew(2, function, ledger.left)


def result(fleet: Fleet) -> bytes:
    """To the byte, but for how it went."""
    return msgspec.json.encode(fleet.result().merged)


def results_of(out: Path) -> Counter[int]:
    """How many results the ledger has of each job."""
    final = (one for one in ledger_file.read(out) if isinstance(one, Done) or getattr(one, "final", False))
    return Counter(one.job for one in final)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan(tmp_path_factory.mktemp("fleet"), "profile=v11,seed=1..40")


@pytest.fixture(scope="module")
def undisturbed(asked: Plan, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    fleet = lead(tmp_path_factory.mktemp("calm"), asked, local())
    assert fleet.book.states()["pass"] == PLATFORMS
    return result(fleet)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


PERILS = {(3, 1): "before", (4, 1): "during", (9, 1): "after", (9, 2): "during", (20, 1): "during",
          (21, 1): "after", (38, 1): "before", (39, 1): "after", (39, 2): "after"}  # fmt: skip


def perilous(order: bytes) -> bytes:
    """Work whose worker is killed where PERILS says."""
    asked = order_of(order)
    peril = PERILS.get((asked.job, asked.attempt))
    if peril == "before":
        die()
    made = outcome(asked, (lambda doing, part: die()) if peril == "during" else None)
    if peril == "after":
        die()
    return encode(Answer(asked.job, asked.attempt, made))


def test_killed_workers_cost_attempts_and_no_result(asked: Plan, undisturbed: bytes, tmp_path: Path) -> None:
    fleet = lead(tmp_path, asked, local(perilous))
    assert results_of(tmp_path) == Counter(range(PLATFORMS))
    assert (fleet.book.workers_lost, fleet.book.attempts) == (len(PERILS), PLATFORMS + len(PERILS))
    assert result(fleet) == result(read(tmp_path)) == undisturbed


def test_workers_killed_from_outside_whatever_they_do(
    asked: Plan, undisturbed: bytes, tmp_path: Path
) -> None:
    """After every fifth turn somebody kills one that was just given a job."""
    crews: list[LocalCrew] = []
    turns = iter(range(10**6))

    def crew(ledger: LedgerFile) -> Crew:
        crews.append(local()(ledger))
        return crews[0]

    def told(records: Sequence[Record]) -> None:
        if any(isinstance(one, Given) for one in records) and next(turns) % 5 == 0:
            os.kill(crews[0].pids()[-1], signal.SIGKILL)

    fleet = lead(tmp_path, asked, crew, told)
    assert results_of(tmp_path) == Counter(range(PLATFORMS))
    assert fleet.book.workers_lost >= PLATFORMS // 10
    assert result(fleet) == result(read(tmp_path)) == undisturbed


def poison(order: bytes) -> bytes:
    if order_of(order).job == 1:
        die()
    return work(order)


def test_a_job_that_kills_every_worker_is_lost_and_the_others_go_on(asked: Plan, tmp_path: Path) -> None:
    fleet = lead(tmp_path, asked, local(poison))
    assert fleet.book.states()["lost"] == 1
    assert fleet.book.states()["pass"] == PLATFORMS - 1
    (failure,) = fleet.result().merged.failures
    assert (failure.job, failure.verdict) == (1, "lost")
    assert failure.reason == "its worker was ended by SIGKILL"
    assert fleet.book.workers_lost == TRIES_MAX
    assert results_of(tmp_path) == Counter(range(PLATFORMS))


class DoomedLedger(LedgerFile):
    """Its coordinator is killed with kill -9 when so many bytes are written, even in the middle of a line."""

    def __init__(self, folder: Path, bytes_left: int) -> None:
        super().__init__(folder)
        whole, self.bytes_left = self._file, bytes_left

        class Doomed:
            def write(_, lines: bytes) -> int:  # noqa: N805
                if len(lines) >= self.bytes_left:
                    whole.write(lines[: self.bytes_left])
                    die()
                self.bytes_left -= len(lines)
                return whole.write(lines)

            def fileno(_) -> int:  # noqa: N805
                return whole.fileno()

            def close(_) -> None:  # noqa: N805
                whole.close()

        self._file = Doomed()  # type: ignore[assignment]


def sitting(out: Path, bytes_left: int) -> None:
    """One coordinator, until it is killed."""
    ledger_file.LedgerFile = lambda folder: DoomedLedger(folder, bytes_left)  # type: ignore[assignment, misc]
    import deploy.fleet.coordinator as module  # noqa: PLC0415 - in the forked child only

    module.LedgerFile = ledger_file.LedgerFile  # type: ignore[misc]
    lead(out, None, local())


def test_a_fleet_whose_coordinators_are_killed_has_the_result_of_an_undisturbed_one(
    asked: Plan, undisturbed: bytes, tmp_path: Path
) -> None:
    with opened(tmp_path, asked, resume=False):
        pass
    context = multiprocess.get_context("fork")
    for bytes_left in (1, 200, 2_000, 5_003, 9_999, 4_321):
        child = context.Process(target=sitting, args=(tmp_path, bytes_left))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL
    before = results_of(tmp_path)
    assert 0 < len(before) < PLATFORMS, "killed in the middle"
    fleet = lead(tmp_path, None, local())
    assert results_of(tmp_path) == Counter(range(PLATFORMS))
    assert fleet.book.coordinators >= 5
    assert result(fleet) == result(read(tmp_path)) == undisturbed


class Unreliable:
    """Like a cluster that was cut off: it tells of deaths that were none, answers late and twice."""

    room = 1

    def __init__(self) -> None:
        self.news: list[Answered | Gone] = []
        self.late: list[Answered] = []

    def give(self, job: int, attempt: int, order: bytes) -> None:
        asked = msgspec.msgpack.decode(order, type=Order)
        if asked.folder:
            Path(asked.folder).mkdir(parents=True)
        answer = Answer(job, attempt, msgspec.structs.replace(some_outcome(), kept=True))
        mine = Answered(encode(answer))
        if attempt == 1:
            self.late.append(mine)
            self.news.append(Gone(job, attempt, "cut off"))
        else:
            self.news += [self.late.pop(), mine, mine]

    def wait(self, timeout_s: float) -> Sequence[Answered | Gone]:
        news, self.news = self.news, []
        return news

    def end(self, job: int, attempt: int) -> None:
        raise AssertionError("nobody takes too long")

    def run_directories(self) -> Sequence[Path]:
        return ()

    def close(self) -> None:
        """There is nobody."""


def test_late_and_double_answers_are_refused_and_counted(tmp_path: Path) -> None:
    asked = plan(tmp_path, platforms=3)
    out = tmp_path / "out"
    fleet = lead(out, asked, lambda ledger: Unreliable())
    assert results_of(out) == Counter(range(3))
    assert fleet.book.refused == 6
    assert fleet.book.attempts == 6
    assert fleet.result().merged.sums.counts["issued"] == 3
    assert sorted(one.name for one in (out / "runs").iterdir()) == ["0", "1", "2"], (
        "of the good attempts only"
    )


def hangs_once(order: bytes) -> bytes:
    if order_of(order).attempt == 1:
        signal.pause()
    return work(order)


def test_who_takes_too_long_is_ended_and_the_job_given_again(tmp_path: Path) -> None:
    """Nobody is patient with the first; the second has all the time that it takes."""
    asked, out = plan(tmp_path, platforms=1), tmp_path / "out"

    def told(records: Sequence[Record]) -> None:
        if any(isinstance(one, Died) for one in records):
            leading._patience_s = PATIENCE_S

    with opened(out, asked, resume=False) as (fleet, ledger):
        crew = local(hangs_once)(ledger)
        leading = Coordinator(fleet, ledger, crew, out, patience_s=0.0, told=told)
        leading.run(2)
    assert (fleet.book.states()["pass"], fleet.book.workers_lost) == (1, 1)


def test_runs_that_fail_are_kept_and_told_with_their_command(tmp_path: Path) -> None:
    asked = plan(tmp_path, "faults=none,all,seed=1", text=FAILING)
    out = tmp_path / "out"
    fleet = lead(out, asked, local())
    made = fleet.result()
    assert made.course.kept == (0, 1)
    assert {one.name for one in (out / "runs" / "1").iterdir()} >= {
        "report.html", "report.json", "frames.parquet",
    }  # fmt: skip
    assert [one.command for one in made.merged.failures] == [
        f"trapline run {asked.scenario} --seed 1 --engine sim --faults none",
        f"trapline run {asked.scenario} --seed 1 --engine sim",
    ]


def test_what_a_run_raises_is_its_result_and_not_tried_again(tmp_path: Path) -> None:
    asked = plan(tmp_path, "seed=1,2")
    Path(asked.scenario).write_text("not TOML at all [", encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    with LedgerFile(out) as ledger:
        crew = local()(ledger)
        fleet = Fleet(asked, jobs(asked))
        Coordinator(fleet, ledger, crew, out, patience_s=PATIENCE_S).run(2)
    assert fleet.book.states()["error"] == 2
    assert fleet.book.attempts == 2
    assert "small.toml" in fleet.result().merged.failures[0].reason


def dies_at_work(order: bytes) -> bytes:
    """In the middle of a run of real processes."""
    asked = order_of(order)

    def progress(doing: str, part: float) -> None:
        if asked.attempt == 1 and doing != "boot":
            die()

    return encode(Answer(asked.job, asked.attempt, outcome(asked, progress)))


def test_a_killed_worker_of_real_processes_leaves_nothing(tmp_path: Path) -> None:
    asked = make(scenario(tmp_path), (), 2, "local")
    crews: list[LocalCrew] = []
    pids: list[int] = []
    seen: list[Path] = []

    def crew(ledger: LedgerFile) -> Crew:
        crews.append(local(dies_at_work)(ledger))
        return crews[0]

    def told(records: Sequence[Record]) -> None:
        pids.extend(crews[0].pids())

    def turned() -> None:
        seen.extend(crews[0].run_directories())

    out = tmp_path / "out"
    fleet = lead(out, asked, crew, told, turned=turned)
    assert (fleet.book.states()["pass"], fleet.book.workers_lost) == (2, 2)
    assert {one.name.split("-")[1] for one in seen} <= {str(pid) for pid in pids}, "these can be watched"
    assert not [path for pid in pids for path in usual_parent().glob(f"run-{pid}-*")]
    assert not (out / "runs").exists() or not list((out / "runs").iterdir()), "those that pass are not kept"


def test_an_end_in_the_middle_ends_the_workers_and_loses_nothing(asked: Plan, tmp_path: Path) -> None:
    crews: list[LocalCrew] = []
    pids: list[int] = []

    def crew(ledger: LedgerFile) -> Crew:
        crews.append(local()(ledger))
        return crews[0]

    def told(records: Sequence[Record]) -> None:
        pids.extend(crews[0].pids())
        if any(isinstance(one, Done) for one in records):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lead(tmp_path, asked, crew, told)
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert 0 < len(results_of(tmp_path)) < PLATFORMS
    assert not [one for one in ledger_file.read(tmp_path) if isinstance(one, Died)], "nobody's fault"


def test_a_ledger_that_cannot_be_written_ends_the_fleet_with_one_error(asked: Plan, tmp_path: Path) -> None:
    class Full(LedgerFile):
        def append(self, records: Sequence[Record]) -> None:  # type: ignore[override]
            if any(isinstance(one, Done) for one in records):
                raise UserError("no room")
            super().append(records)

    with opened(tmp_path, asked, resume=False) as (fleet, _):
        pass
    with Full(tmp_path) as ledger:
        list(ledger.records())
        crew = local()(ledger)
        with pytest.raises(UserError, match="no room"):
            Coordinator(fleet, ledger, crew, tmp_path, patience_s=PATIENCE_S).run(2)
    assert not results_of(tmp_path)
    assert lead(tmp_path, None, local()).book.over
