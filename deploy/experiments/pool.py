"""Many runs side by side: a process for each job, results as they come, nobody left behind.

A worker dies with its parent, be that killed; Ctrl-C belongs to the parent alone. It is forked, so that a job
brings only itself: Python's locks and those of pyarrow's threads are made anew in the child, and no job draws
on the parent's screen. It knows nothing of runs. Who wants to go on when a worker dies uses ``Worker``
(``deploy.fleet``); for ``each`` that is a failure.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import multiprocess

from deploy.engines.pids import die_with
from deploy.errors import UserError

T = TypeVar("T")
R = TypeVar("R")
AHEAD: Final = 4  # jobs handed out per worker before their results are taken


class JobFailed(RuntimeError):  # noqa: N818 - what happened, not what to catch
    """A worker ended, or a job raised what it must not; the text says which job and how."""


class WorkerLost(JobFailed):
    """A worker ended in the middle of a job."""


def _prepare(parent: int) -> None:
    """In a worker: die with the parent, leave Ctrl-C to it."""
    if not die_with(parent):
        os.kill(os.getpid(), signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever the parent does when it is asked to end
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _how(error: Exception) -> str:
    """What went wrong, and where."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {error}{place}"


def _work(function: Callable[[Any], Any], parent: int, pipe: Any) -> None:
    _prepare(parent)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_done(function, job))


def _done(function: Callable[[Any], Any], job: Any) -> tuple[Any, Exception | None]:
    """The result, or what is to be raised instead: UserError as it is, all else told by place and name."""
    try:
        return function(job), None
    except UserError as error:
        return None, error
    except Exception as error:
        return None, JobFailed(f"{job!r}: {_how(error)}")


def _result(value: Any, error: Exception | None) -> Any:
    if error is not None:
        raise error
    return value


class Worker:
    """One process and the jobs it has not answered yet, oldest first. ``alone``: it starts no processes.

    Who has it ends it: one that is not alone keeps this interpreter from ending.
    """

    def __init__(self, function: Callable[[Any], Any], *, alone: bool = True) -> None:
        context = multiprocess.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(function, os.getpid(), theirs), daemon=alone)
        self.process.start()
        theirs.close()
        self.jobs: list[Any] = []

    def give(self, job: Any) -> None:
        self.jobs.append(job)
        with suppress(OSError):  # a worker that has just ended is told when its results are taken
            self.pipe.send(job)

    def take(self) -> tuple[Any, Any]:
        """The oldest job and its result; raises what the job raised, WorkerLost if there will be none."""
        job = self.jobs.pop(0)
        try:
            return job, _result(*self.pipe.recv())
        except (EOFError, OSError):
            self.process.join(1)
            raise WorkerLost(f"the worker of {job!r} ended with {self.process.exitcode}") from None

    def end(self) -> None:
        """Whatever it does now."""
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def each(function: Callable[[T], R], jobs: Iterable[T], workers: int) -> Generator[tuple[T, R], None, None]:
    """(job, function(job)) for every job, in the order in which they end; raises JobFailed, UserError.

    Closing the iterator ends the workers at once. With one worker everything happens in this process.
    """
    if workers <= 1:
        for job in jobs:
            yield job, _result(*_done(function, job))
        return
    todo = iter(jobs)
    crew: list[Worker] = []
    try:
        for _ in range(workers):
            crew.append(Worker(function))
        for _ in range(AHEAD):
            for worker in crew:
                _give_next(worker, todo)
        while any(worker.jobs for worker in crew):
            waiting = {worker.pipe: worker for worker in crew if worker.jobs}
            for pipe in multiprocess.connection.wait(list(waiting)):
                worker = waiting[pipe]
                done = worker.take()
                _give_next(worker, todo)
                yield done
    finally:
        for worker in crew:
            worker.end()


def _give_next(worker: Worker, todo: Iterator[Any]) -> None:
    for job in todo:
        worker.give(job)
        return
