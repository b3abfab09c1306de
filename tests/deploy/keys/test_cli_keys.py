"""``trapline keys`` as a person and a script use it; no output has a secret."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deploy.cli.keys import keys
from deploy.errors import UserError
from deploy.topology import shipped


def run(*words: object) -> Result:
    return CliRunner().invoke(keys, [str(one) for one in words], catch_exceptions=False)


def listed(folder: Path) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = json.loads(run("list", folder, "--json").output)["nodes"]
    return nodes


def test_from_new_to_revoked_without_a_secret_in_any_output(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    told = [run("new", folder, "--node", "guest:ivi", "--node", "guest:tcu")]
    secrets = [path.read_text() for path in folder.rglob("*.key")]
    assert len(secrets) == 5, "the registry's, Xen's, EL3's and two guests'"
    told += [run("rotate", folder, "ivi", "--grace", "60"), run("add", folder, "guest:new", "--json")]
    told += [
        run("revoke", folder, "tcu"),
        run("list", folder),
        run("check", folder),
        run("check", folder, "--json"),
    ]
    told += [run("rotate", folder, "--authority", "--json")]
    secrets += [path.read_text() for path in folder.rglob("*.key")]
    assert all(one.exit_code == 0 for one in told)
    text = "".join(one.output for one in told)
    assert not [secret for secret in secrets if secret in text]
    states = [(one["name"], one["state"]) for one in listed(folder)]
    assert states == [
        ("xen", "valid"), ("firmware", "valid"), ("ivi", "valid"), ("tcu", "revoked"),
        ("ivi", "valid"), ("new", "valid"),
    ]  # fmt: skip


def test_without_nodes_every_domain_of_the_platform_has_a_key(tmp_path: Path) -> None:
    assert run("new", tmp_path / "keys").exit_code == 0
    names = {one["name"] for one in listed(tmp_path / "keys")}
    assert {"xen", "firmware", "dom0"} < names


def test_files_describe_a_platform_as_for_up(tmp_path: Path) -> None:
    guest = shipped() / "ivi.cfg"
    assert run("new", tmp_path / "keys", "--xl", guest).exit_code == 0
    names = {one["name"] for one in listed(tmp_path / "keys")}
    assert names == {"xen", "firmware", "dom0", "cluster", "ivi"}, "the shipped host, and this guest only"
    with pytest.raises(UserError, match="leave out the platform's files"):
        run("new", tmp_path / "more", "--node", "guest:ivi", "--xl", guest)


def test_a_key_file_of_another_node_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    run("new", folder, "--node", "guest:ivi", "--node", "guest:tcu")
    (folder / "nodes" / "guest-ivi.key").write_bytes((folder / "nodes" / "guest-tcu.key").read_bytes())
    with pytest.raises(Exception, match="not the key on the list"):
        run("check", folder)


@pytest.mark.parametrize("words", [[], ["ivi", "--authority"]])
def test_rotate_wants_one_of_two(tmp_path: Path, words: list[str]) -> None:
    folder = tmp_path / "keys"
    run("new", folder, "--node", "guest:ivi")
    with pytest.raises(UserError, match="--authority"):
        run("rotate", folder, *words)


@pytest.mark.parametrize(
    ("grace", "good"), [("0", True), ("2592000", True), ("2592001", False), ("nan", False)]
)
def test_a_grace_is_a_number_of_seconds_and_what_is_none_changes_nothing(
    tmp_path: Path, grace: str, good: bool
) -> None:
    folder = tmp_path / "keys"
    run("new", folder, "--node", "guest:ivi")
    before = listed(folder)
    assert (run("rotate", folder, "ivi", "--grace", grace).exit_code == 0) is good
    assert (listed(folder) == before) is not good


def test_the_registrys_key_has_no_grace(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    run("new", folder, "--node", "guest:ivi")
    with pytest.raises(UserError, match="--grace: is for a node's key"):
        run("rotate", folder, "--authority", "--grace", "60")
