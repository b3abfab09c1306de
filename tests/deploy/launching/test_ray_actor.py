"""What runs in Ray's worker, without Ray; and the keys that nodes make themselves."""

import stat
from pathlib import Path

import msgspec
import pytest
from zmq.utils import z85

import deploy
from deploy.cli.run import _engine as engine
from deploy.errors import UserError
from deploy.launching import ray_messages as m
from deploy.launching.config import NodeConfig
from deploy.launching.ray import RayKeys
from deploy.launching.ray_actor import NodeActor
from deploy.launching.ray_pipe import line
from deploy.launching.ray_process import reached
from deploy.launching.wires import new_keys

CONFIG = NodeConfig("ab" * 16, "guest", "ivi", "tcp://127.0.0.1:9", z85.encode(b"k" * 32).decode(), "", 1)


def test_a_node_is_a_child_with_a_private_folder_that_goes_with_it(tmp_path: Path) -> None:
    actor = NodeActor(str(tmp_path))
    host, public = actor.prepare(deploy.__version__)
    assert host
    assert len(public) == 32
    actor.begin("guest", msgspec.structs.replace(CONFIG, patience_s=60.0))
    (home,) = tmp_path.iterdir()
    files = [path for path in home.iterdir() if path.is_file() and path.name != "lock"]
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    actor._begun.wait()
    assert actor.signal(9)
    assert actor.wait() == (-9, "")
    assert not list(tmp_path.iterdir())
    assert not actor.signal(9)


def test_what_a_child_said_last_is_told(tmp_path: Path) -> None:
    actor = NodeActor(str(tmp_path))
    actor.prepare(deploy.__version__)
    actor.begin("guest", msgspec.structs.replace(CONFIG, patience_s=-1.0))
    code, why = actor.wait()
    assert code == 2
    assert "patience_s: must be more than 0" in why


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="install the same on both"):
        NodeActor(str(tmp_path)).prepare("0.0")
    assert not list(tmp_path.iterdir())


def test_the_key_of_a_node_that_was_replaced_opens_nothing() -> None:
    keys = RayKeys()
    first, second, other = (new_keys()[0] for _ in range(3))
    keys.learn("guest", "ivi", first)
    keys.learn("guest", "tcu", other)
    assert keys.who(first) == ("guest", "ivi")
    keys.learn("guest", "ivi", second)
    assert keys.who(first) is None
    assert keys.who(second) == ("guest", "ivi")
    assert keys.who(other) == ("guest", "tcu")


def test_messages_are_lines() -> None:
    begin = m.Begin(3, "guest", CONFIG)
    said = line(begin)
    assert said.endswith(b"\n")
    assert m.to_driver(said) == begin
    with pytest.raises(msgspec.DecodeError):
        m.from_driver(said)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((None, None, ()), None),
        (("sim", None, ()), "sim"),
        (("ray", "lab:1", ()), "ray@lab:1"),
        (("ray", "lab:1", ("xen=a,firmware=a", "ivi=b")), "ray@lab:1,xen=a,firmware=a,ivi=b"),
        (("ray@lab:1,xen=a", None, ()), "ray@lab:1,xen=a"),
    ],
)
def test_an_engine_has_one_name(
    given: tuple[str | None, str | None, tuple[str, ...]], found: str | None
) -> None:
    assert engine(*given) == found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("ray", None, ()), "--address: --engine ray needs it"),
        (("sim", "lab:1", ()), "--address: is for --engine ray"),
        ((None, None, ("xen=a",)), "--place: is for --engine ray"),
        (("ray@lab:1", "lab:2", ()), "--address: --engine ray@lab:1 says it already"),
        (("ray@lab:1", None, ("xen=a",)), "--place: --engine ray@lab:1 says it already"),
        (("slurm", None, ()), "there are sim, local, ray"),
    ],
)
def test_wrong_words_are_refused(given: tuple[str | None, str | None, tuple[str, ...]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        engine(*given)


@pytest.mark.parametrize(
    ("address", "said"),
    [("lab", "HOST:PORT"), ("lab:x", "HOST:PORT"), ("127.0.0.1:1", "no Ray cluster there")],
)
def test_where_no_cluster_is_that_is_said(address: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        reached(address)
