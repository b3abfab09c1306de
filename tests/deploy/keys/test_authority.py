"""The authority of a cluster: whose key is whose and until when, and that nobody else may look."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from zmq.utils import z85

from deploy.errors import UserError
from deploy.keys import authority as keys
from deploy.keys import folder
from deploy.keys.authority import Authority, create
from deploy.launching import granted
from deploy.launching.launcher import LaunchFailed
from deploy.launching.wires import public_of

IVI, TCU = ("guest", "ivi"), ("guest", "tcu")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(tmp_path: Path, clock: Clock) -> Authority:
    return create(tmp_path / "keys", [IVI, TCU], clock)


def key_of(authority: Authority, role: str, name: str) -> bytes:
    return public_of(authority.node(role, name))


def test_a_key_is_that_of_one_role_and_name(made: Authority) -> None:
    assert made.who(key_of(made, *IVI)) == IVI
    assert made.who(key_of(made, *TCU)) == TCU
    assert made.who(made.public) is None
    assert made.who(b"\0" * 32) is None


def test_what_was_made_is_found_again(made: Authority, clock: Clock) -> None:
    again = Authority(made.path, clock)
    assert (again.secret, again.list) == (made.secret, made.list)
    assert again.node(*IVI) == made.node(*IVI)


def test_nobody_else_may_look(made: Authority) -> None:
    for path in [made.path, *made.path.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o700, 0o666])
def test_a_file_that_lets_others_in_is_refused_with_the_command_that_ends_it(
    made: Authority, mode: int
) -> None:
    path = made.path / "nodes" / "guest-ivi.key"
    path.chmod(mode)
    with pytest.raises(UserError) as caught:
        Authority(made.path)
    assert str(caught.value) == f"{made.path}: others may read or change keys; run 'chmod 600 {path}'"
    path.chmod(0o600)
    Authority(made.path)


def test_all_that_is_open_is_told_at_once(made: Authority) -> None:
    made.path.chmod(0o755)
    (made.path / granted.REGISTRY).chmod(0o644)
    with pytest.raises(UserError, match=r"chmod 700 \S+/keys && chmod 600 \S+/registry.key"):
        Authority(made.path)


def test_a_link_to_somewhere_else_is_refused(made: Authority, tmp_path: Path) -> None:
    path = made.path / granted.REGISTRY
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        Authority(made.path)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away, which only root can")
def test_somebody_elses_file_is_refused(made: Authority) -> None:
    os.chown(made.path / granted.REGISTRY, 12345, 0)
    with pytest.raises(UserError, match=r"belongs to user 12345; run 'chown -R 0 "):
        Authority(made.path)


def test_a_folder_in_use_is_not_made_anew(made: Authority) -> None:
    with pytest.raises(UserError, match="choose a new folder"):
        create(made.path, [IVI])


def test_a_node_that_is_not_on_the_list_has_no_key(made: Authority) -> None:
    with pytest.raises(LaunchFailed, match=r"trapline keys add .* guest:nobody"):
        made.node("guest", "nobody")
    made.add([("guest", "nobody")])
    assert made.who(key_of(made, "guest", "nobody")) == ("guest", "nobody")
    with pytest.raises(UserError, match="has a valid key"):
        made.add([IVI])


def test_rotated_both_keys_are_good_until_the_grace_is_over(made: Authority, clock: Clock) -> None:
    before = key_of(made, *IVI)
    made.rotate("ivi", 60.0)
    after = key_of(made, *IVI)
    assert before != after
    clock.now += 59.9
    assert (made.who(before), made.who(after)) == (IVI, IVI)
    clock.now += 0.1
    assert (made.who(before), made.who(after)) == (None, IVI)


def test_rotated_without_grace_the_old_key_is_good_no_more(made: Authority) -> None:
    before = key_of(made, *IVI)
    made.rotate("guest:ivi", 0.0)
    assert made.who(before) is None


def test_revoked_no_key_of_it_is_good_and_its_secret_is_gone(made: Authority, clock: Clock) -> None:
    before = key_of(made, *IVI)
    made.rotate("ivi", 60.0)
    after = key_of(made, *IVI)
    made.revoke("ivi")
    assert made.who(before) is made.who(after) is None
    assert not (made.path / "nodes" / "guest-ivi.key").exists()
    assert [one.revoked for one in made.list.nodes if one.who == IVI] == [True, True]
    with pytest.raises(LaunchFailed):
        made.node(*IVI)
    made.add([IVI])
    assert made.who(key_of(made, *IVI)) == IVI
    assert made.who(before) is made.who(after) is None


def test_who_has_it_open_sees_a_revocation_at_once(made: Authority, clock: Clock) -> None:
    key = key_of(made, *IVI)
    running = Authority(made.path, clock)
    assert running.who(key) == IVI
    made.revoke("ivi")
    assert running.who(key) is None
    assert running.who(key_of(made, *TCU)) == TCU


def test_who_has_it_open_gives_a_node_the_key_that_others_made(made: Authority, clock: Clock) -> None:
    running = Authority(made.path, clock)
    made.rotate("ivi", 60.0)
    assert running.node(*IVI) == made.node(*IVI)
    made.revoke("tcu")
    with pytest.raises(LaunchFailed, match="no valid key for guest tcu"):
        running.node(*TCU)


def test_a_change_keeps_what_others_changed_since(made: Authority, clock: Clock) -> None:
    key = key_of(made, *IVI)
    other = Authority(made.path, clock)
    made.revoke("ivi")
    other.add([("guest", "new")])
    for one in (made, other, Authority(made.path, clock)):
        assert one.who(key) is None
        assert one.who(key_of(one, "guest", "new")) == ("guest", "new")


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.add([("guest", "new")]),
        lambda one: one.rotate("ivi", 60.0),
        lambda one: one.revoke("ivi"),
        lambda one: one.rotate_authority(),
    ],
    ids=["add", "rotate", "revoke", "rotate_authority"],
)
def test_nobody_else_changes_it_meanwhile(made: Authority, change: Callable[[Authority], object]) -> None:
    held: list[bool] = []

    def now() -> float:
        descriptor = os.open(made.path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append(False)
        except BlockingIOError:
            held.append(True)
        finally:
            os.close(descriptor)
        return 1001.0

    change(Authority(made.path, now))
    assert held
    assert all(held)
    with folder.locked(made.path):  # it is free again
        pass


def test_a_list_that_cannot_be_read_lets_nobody_in(made: Authority, clock: Clock) -> None:
    key = key_of(made, *IVI)
    (made.path / keys.LIST).write_bytes(b"{")
    assert made.who(key) is None
    with pytest.raises(LaunchFailed):
        made.node(*IVI)


def test_the_registrys_key_is_replaced_and_nodes_keep_theirs(made: Authority, clock: Clock) -> None:
    key, before = key_of(made, *IVI), made.public
    made.rotate_authority()
    assert made.public != before
    assert Authority(made.path, clock).public == made.public
    assert made.who(key) == IVI


def test_a_rotation_that_was_cut_off_is_told_and_mended(made: Authority, clock: Clock) -> None:
    (made.path / granted.REGISTRY).write_bytes(z85.encode(made.node(*IVI)))
    with pytest.raises(UserError, match=r"keys rotate .* --authority"):
        Authority(made.path, clock)
    Authority(made.path, clock, mend=True).rotate_authority()
    Authority(made.path, clock)


def test_what_is_valid_is_there_for_others(made: Authority) -> None:
    made.revoke("tcu")
    others = granted.load(made.path)
    assert others.who(key_of(made, *IVI)) == IVI
    told = msgspec.json.decode((made.path / granted.NODES).read_bytes())
    assert list(told) == ["guest/ivi"]


def test_a_list_is_bounded_and_those_that_ended_make_room(
    made: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "ENTRIES_MAX", 3)
    for _ in range(5):
        made.rotate("ivi", 0.0)
    assert len(made.list.nodes) == 3
    with pytest.raises(UserError, match="the limit is 3"):
        made.add([("guest", "a"), ("guest", "b")])


@pytest.mark.parametrize("text", ["", "ivi", "guest:", "root:ivi", "guest:a\nb", "guest:" + "x" * 256])
def test_what_is_no_node_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="not ROLE:NAME"):
        keys.node(text)


def test_a_secret_is_never_shown(made: Authority) -> None:
    shown = repr(made) + repr(made.list) + str(vars(made)["list"])
    for secret in (made.secret, made.node(*IVI)):
        assert z85.encode(secret).decode() not in shown
        assert secret.hex() not in shown
