"""Where a platform may live: whose folder, which mode, how long a path, who was there before, which port."""

import signal
import socket
from pathlib import Path

import pytest

from tests.system.cluster import Cluster
from tests.system.processes import eventually, kill, marked


def refused(cluster: Cluster, *words: object) -> str:
    done = cluster.here("up", *words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert marked(cluster.mark) == {}
    return done.said


@pytest.fixture
def abandoned(cluster: Cluster) -> Cluster:
    """A run directory whose supervisor and janitor were killed: nobody is left to remove it."""
    cluster.up("--idle", "--mapped")
    janitor = cluster.pid("janito")
    assert cluster.supervisor is not None
    cluster.supervisor.send_signal(signal.SIGSTOP)
    kill(janitor)
    kill(cluster.supervisor.pid)
    eventually(lambda: not marked(cluster.mark), "the end of every process")
    assert (cluster.run / "ready").exists()
    return cluster


def test_somebodys_folder_is_not_touched(cluster: Cluster) -> None:
    cluster.run.mkdir(mode=0o700)
    letter = cluster.run / "letter.txt"
    letter.write_text("dear aunt", encoding="utf-8")
    (cluster.run / "log").mkdir()
    before = sorted(cluster.run.rglob("*"))
    assert "letter.txt" in refused(cluster)
    assert cluster.here("down").returncode == 2
    assert sorted(cluster.run.rglob("*")) == before
    assert letter.read_text(encoding="utf-8") == "dear aunt"
    letter.unlink()
    (cluster.run / "log").rmdir()
    cluster.run.rmdir()


def test_an_open_folder_is_refused(cluster: Cluster) -> None:
    cluster.run.mkdir(mode=0o755)
    assert "0700" in refused(cluster)
    assert list(cluster.run.iterdir()) == []
    cluster.run.chmod(0o700)
    cluster.up("--idle")


def test_a_file_or_a_link_is_no_place(cluster: Cluster, folder: Path) -> None:
    cluster.run.write_text("x", encoding="utf-8")
    assert str(cluster.run) in refused(cluster)
    assert cluster.run.read_text(encoding="utf-8") == "x"
    cluster.run.unlink()
    (folder / "elsewhere").mkdir(mode=0o700)
    cluster.run.symlink_to(folder / "elsewhere")
    assert str(cluster.run) in refused(cluster)
    assert list((folder / "elsewhere").iterdir()) == []
    cluster.run.unlink()


def test_a_missing_parent_is_refused(cluster: Cluster) -> None:
    cluster.run = cluster.folder / "nobody" / "run"
    assert str(cluster.run) in refused(cluster)
    assert not cluster.run.parent.exists()


def test_too_long_a_path_is_refused(cluster: Cluster) -> None:
    for length in (86, 95, 300):
        cluster.run = cluster.folder / ("r" * (length - len(str(cluster.folder)) - 1))
        assert len(str(cluster.run)) == length
        assert "long" in refused(cluster)
        assert list(cluster.folder.iterdir()) == []


def test_a_path_as_long_as_possible_works(cluster: Cluster) -> None:
    cluster.run = cluster.folder / ("r" * (85 - len(str(cluster.folder)) - 1))
    cluster.up("--idle")
    assert cluster.status()["link"] == "ipc"


def test_a_path_that_is_no_text_is_refused(cluster: Cluster) -> None:
    cluster.run = cluster.folder / "r\udcff"
    assert "UTF-8" in refused(cluster)
    assert list(cluster.folder.iterdir()) == []


def test_two_platforms_in_one_place(cluster: Cluster) -> None:
    cluster.up("--idle")
    assert cluster.supervisor is not None
    for words in ((), ("--detach",)):
        done = cluster.here("up", *words)
        assert done.returncode == 2
        assert str(cluster.supervisor.pid) in done.said
    assert cluster.works()


def test_the_next_up_sweeps(abandoned: Cluster) -> None:
    abandoned.up("--idle")
    assert abandoned.status()["pages"] == "carried"
    assert list((abandoned.run / "shmem").iterdir()) == []


def test_the_next_up_in_the_background_sweeps(abandoned: Cluster) -> None:
    assert abandoned.here("up", "--detach", "--idle").returncode == 0
    assert abandoned.works()
    assert abandoned.here("down").returncode == 0
    abandoned.expect_nothing_left()


def test_down_sweeps(abandoned: Cluster) -> None:
    assert "dead" in abandoned.here("down").stdout
    assert abandoned.left_behind() == []
    assert abandoned.here("down").returncode == 2


def test_other_commands_do_not_sweep(abandoned: Cluster) -> None:
    assert abandoned.here("status").returncode == 2
    assert abandoned.here("xl", "list").returncode == 2
    assert (abandoned.run / "ready").exists()
    assert abandoned.here("down").returncode == 0


def test_up_right_after_the_supervisor_was_killed(cluster: Cluster) -> None:
    """The old janitor is still at work: it must leave the new platform's files alone."""
    cluster.up("--pause-ms", "1")
    for _ in range(2):
        assert cluster.supervisor is not None
        old = set(marked(cluster.mark))
        kill(cluster.supervisor.pid)
        cluster.supervisor.wait()
        cluster.up("--pause-ms", "1")
        eventually(lambda old=old: not old & set(marked(cluster.mark)), "the end of the old processes")
        assert cluster.works()
        assert (cluster.run / "lock").exists()


def test_a_taken_port_is_refused(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in refused(cluster, "--tcp-port", port)
        assert cluster.left_behind() == []


def test_several_platforms_side_by_side(cluster: Cluster) -> None:
    cluster.up("--idle")
    first = cluster.run
    cluster.run = cluster.folder / "second"
    assert cluster.here("up", "--detach", "--idle", "--tcp").returncode == 0
    assert cluster.status()["link"] == "tcp"
    assert cluster.here("xl", "destroy", "ivi").returncode == 0
    assert cluster.here("down").returncode == 0
    cluster.run = first
    assert cluster.status()["link"] == "ipc"
    assert cluster.works()
