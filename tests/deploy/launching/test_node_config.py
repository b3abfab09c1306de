"""A node's config and key: written for nobody else, and read only if that is still so."""

from pathlib import Path

import msgspec
import pytest
from zmq.utils import z85

from deploy.errors import UserError
from deploy.launching.config import (
    NodeConfig,
    lets_others_in,
    load,
    own_address,
    registry_key,
    secret_key,
    write,
)
from deploy.launching.wires import new_keys

PUBLIC, SECRET = new_keys()
CONFIG = NodeConfig("ab" * 16, "guest", "ivi/0", "tcp://127.0.0.1:9", z85.encode(PUBLIC).decode(), "")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIG, SECRET)
    found = load(path, "guest")
    assert msgspec.structs.replace(found, key_file="") == CONFIG
    assert registry_key(found) == PUBLIC
    assert secret_key(found, path) == SECRET
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_a_file_may_outlive_a_platform(tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, cluster="")
    assert load(write(tmp_path, config, SECRET), "guest").cluster == ""
    with pytest.raises(UserError, match="cluster"):
        load(write(tmp_path, msgspec.structs.replace(config, incarnation=1), SECRET), "guest")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cluster", "AB" * 16),
        ("role", "host"),
        ("role", "xen"),
        ("name", ""),
        ("incarnation", -1),
        ("registry", "ipc:///tmp/x"),
        ("registry_key", "short"),
        ("registry_key", '"' * 40),
        ("patience_s", 0.0),
        ("metrics_port", 65536),
    ],
)
def test_each_wrong_key_is_named(tmp_path: Path, key: str, value: object) -> None:
    path = write(tmp_path, msgspec.structs.replace(CONFIG, **{key: value}), SECRET)
    with pytest.raises(UserError, match=f"{path.name}: {key}"):
        load(path, "guest")


@pytest.mark.parametrize("content", [b'{"cluster": 1}', b"[]", b"{", b'{"more": 1}', b"\xff"])
def test_what_is_no_config_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UserError, match=r"node\.json") as raised:
        load(path, "guest")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_others_must_not_read_it(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, CONFIG, SECRET)
    found = load(path, "guest")
    Path(found.key_file).chmod(mode)
    with pytest.raises(UserError, match=r"key_file: .*chmod 600"):
        secret_key(found, path)
    path.chmod(mode)
    with pytest.raises(UserError, match="chmod 600"):
        load(path, "guest")


def test_who_comes_by_itself_needs_no_cluster_and_no_address(tmp_path: Path) -> None:
    config = msgspec.structs.replace(CONFIG, cluster="", address="auto", metrics_port=9470)
    assert own_address(load(write(tmp_path, config, SECRET), "guest")) == "127.0.0.1"
    first = write(tmp_path, msgspec.structs.replace(config, incarnation=1), SECRET)
    with pytest.raises(UserError, match="cluster"):
        load(first, "guest")


@pytest.mark.parametrize(
    ("mode", "owner", "me", "lets"),
    [
        (0o600, 7, 7, False),
        (0o640, 7, 7, True),
        (0o440, 0, 7, False),
        (0o640, 0, 7, False),
        (0o460, 0, 7, True),
        (0o444, 0, 7, True),
        (0o440, 0, 0, True),
    ],
)
def test_root_may_hand_a_file_to_a_process_through_its_group(
    mode: int, owner: int, me: int, lets: bool
) -> None:
    assert lets_others_in(mode, owner, 7, me, (7,)) is lets
    assert lets_others_in(mode, owner, 8, me, (7,)) is bool(mode & 0o077), "another group"


def test_a_file_without_a_key(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIG, b"short"[:4])
    with pytest.raises(UserError, match="holds no key"):
        secret_key(load(path, "guest"), path)
