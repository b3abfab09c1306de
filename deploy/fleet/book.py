"""Who has which job, and whose answer counts: the rules of a fleet as a pure state machine.

It is fed the ledger's records, old ones and new ones alike, so a coordinator that resumes knows exactly what
the one before it knew. It says what the next record should be, and is told of each as it is written.

A job's attempts are numbered. Only the newest attempt of a job that has no result yet may answer, once;
whoever else does is refused and counted. A job whose workers die TRIES_MAX times is lost, and says so.
"""

from collections import Counter, deque
from typing import Final

from deploy.fleet.ledger import Began, Died, Done, Ended, Given, Planned, Record, Refused
from deploy.fleet.messages import Answer

TRIES_MAX: Final = 3
LOST: Final = "lost"


class Book:
    """``jobs``: how many the plan has. ``result``: of each job that has one, the verdict or "lost"."""

    def __init__(self, jobs: int, tries_max: int = TRIES_MAX) -> None:
        self.jobs = jobs
        self.result: dict[int, str] = {}
        self.running: dict[int, int] = {}  # job to its newest attempt
        self.attempts = 0
        self.workers_lost = 0
        self.refused = 0
        self.coordinators = 0
        self.wall_s = 0.0  # of coordinators that ended in order
        self._tries_max = tries_max
        self._attempt: dict[int, int] = {}
        self._deaths: Counter[int] = Counter()
        self._results: Counter[str] = Counter()
        self._again: deque[int] = deque()
        self._fresh = 0

    # ---- what is so -------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        return len(self.result) == self.jobs

    def states(self) -> dict[str, int]:
        """How many jobs are what: their sum is ``jobs``."""
        found = dict.fromkeys(("waiting", "running", "pass", "fail", "error", LOST), 0)
        found.update(self._results)
        found["running"] = len(self.running)
        found["waiting"] = self.jobs - len(self.result) - len(self.running)
        return found

    # ---- what should be written next --------------------------------------------------------------

    def next(self) -> Given | None:
        """The next job to hand out: one whose worker died, else a new one."""
        if self._again:
            job = self._again[0]
        elif self._fresh < self.jobs:
            job = self._fresh
        else:
            return None
        return Given(job, self._attempt.get(job, 0) + 1)

    def answered(self, answer: Answer) -> Done | Refused:
        """Whether the answer counts."""
        if self.running.get(answer.job) == answer.attempt:
            return Done(answer.job, answer.attempt, answer.outcome)
        return Refused(answer.job, answer.attempt)

    def died(self, job: int, attempt: int, how: str) -> Died | None:
        """Nobody has that attempt any more; None if it does not matter."""
        if self.running.get(job) != attempt:
            return None
        return Died(job, attempt, how, final=self._deaths[job] + 1 >= self._tries_max)

    # ---- what has been written --------------------------------------------------------------------

    def see(self, record: Record) -> None:
        """The next record; raises ValueError for one that no coordinator writes there."""
        match record:
            case Planned():
                pass
            case Began():
                self._began()
            case Given(job, attempt):
                self._given(job, attempt)
            case Done(job, attempt, outcome):
                self._over(job, attempt, outcome.verdict)
            case Died():
                self._died(record)
            case Refused():
                self.refused += 1
            case Ended():
                self.wall_s += record.wall_s

    def _began(self) -> None:
        """The workers of the coordinator before are gone."""
        self.coordinators += 1
        self._again.extend(sorted(self.running))
        self.running.clear()

    def _given(self, job: int, attempt: int) -> None:
        expected = self.next()
        if expected is None or (expected.job, expected.attempt) != (job, attempt):
            raise ValueError(f"job {job}, attempt {attempt}: given out of turn")
        if self._again:
            self._again.popleft()
        else:
            self._fresh += 1
        self._attempt[job] = self.running[job] = attempt
        self.attempts += 1

    def _died(self, record: Died) -> None:
        self.workers_lost += 1
        self._deaths[record.job] += 1
        if record.final:
            self._over(record.job, record.attempt, LOST)
        elif self.running.get(record.job) == record.attempt:
            del self.running[record.job]
            self._again.append(record.job)

    def _over(self, job: int, attempt: int, result: str) -> None:
        if job in self.result or self.running.get(job) != attempt:
            raise ValueError(f"job {job}, attempt {attempt}: its result is a second one, or nobody's")
        del self.running[job]
        self.result[job] = result
        self._results[result] += 1
