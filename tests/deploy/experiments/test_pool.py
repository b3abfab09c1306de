"""Jobs side by side: every result once, explicit failures, and no worker left."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.errors import UserError
from deploy.experiments.pool import JobFailed, each


def square(number: int) -> int:
    return number * number


def process(number: int) -> int:
    return os.getpid()


def fail_at_three(number: int) -> int:
    if number == 3:
        raise LookupError("three")
    return number


def no_room(number: int) -> int:
    raise UserError("no room; make some")


def end_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_has_its_result(workers: int) -> None:
    assert dict(each(square, range(50), workers)) == {one: one * one for one in range(50)}


def test_no_jobs_no_results() -> None:
    assert list(each(square, (), 2)) == []


def test_workers_are_other_processes_and_end() -> None:
    pids = {pid for _, pid in each(process, range(20), 2)}
    assert os.getpid() not in pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_raises_is_named(workers: int) -> None:
    with pytest.raises(JobFailed, match=r"3: LookupError: three \(test_pool.py:\d+\)"):
        list(each(fail_at_three, range(9), workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_user_did_wrong_stays_that(workers: int) -> None:
    with pytest.raises(UserError, match=r"^no room; make some$"):
        list(each(no_room, range(9), workers))


def test_a_worker_that_dies_is_told() -> None:
    with pytest.raises(JobFailed, match="the worker of 3 ended"):
        list(each(end_at_three, range(9), 2))


def test_giving_up_early_ends_the_workers() -> None:
    running = each(process, iter(range(10**9)), 2)
    _, pid = next(running)
    running.close()
    assert not Path(f"/proc/{pid}").exists()


def test_workers_die_with_a_killed_parent() -> None:
    program = (
        "import os\n"
        "from tests.deploy.experiments.test_pool import process\n"
        "from deploy.experiments.pool import each\n"
        "running = each(process, iter(range(10**9)), 2)\n"
        "print(*{next(running)[1] for _ in range(40)}, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    pids = [int(word) for word in done.stdout.split()]
    assert pids
    for pid in pids:
        wait_gone(pid)


def wait_gone(pid: int) -> None:
    """Until the kernel has delivered the parent-death signal; pidfd becomes readable at the end."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return

    try:
        assert select.select([fd], [], [], 10)[0], f"{pid} is still there"
    finally:
        os.close(fd)
