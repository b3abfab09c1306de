"""Secrets of a release: each node's own, and a registry that knows them all."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from deploy.errors import UserError
from deploy.keys import authority
from deploy.kubernetes import reference, secrets
from deploy.launching import config, granted
from deploy.launching.config import put
from deploy.launching.wires import public_of
from tests.deploy.kubernetes.chart import ROOT

DOMAINS = ("dom0", "ivi")


def unpacked(folder: Path, name: str, data: dict[str, str]) -> Path:
    (folder / name).mkdir()
    for file, text in data.items():
        put(folder / name / file, base64.b64decode(text))
    return folder / name


def test_every_key_opens_its_own_name(tmp_path: Path) -> None:
    made = secrets.manifests("lab", DOMAINS)
    folders = {}
    for one in made["items"]:
        kubernetes_validate.validate(one, "1.37", strict=True)
        folders[one["metadata"]["name"]] = unpacked(tmp_path, one["metadata"]["name"], one["data"])
    keys = granted.load(folders.pop("lab-keys-registry"))
    assert set(folders) == {
        "lab-keys-xen",
        "lab-keys-firmware",
        "lab-keys-domain-dom0",
        "lab-keys-domain-ivi",
    }
    for role, name in secrets.nodes(DOMAINS):
        folder = folders[secrets.secret_name("lab", role, name)]
        path = folder / "node.json"
        found = config.load(path, role)
        assert (found.name, found.incarnation, found.cluster) == (name, 0, "")
        assert found.registry == "tcp://lab-supervisor:5555"
        assert config.registry_key(found) == keys.public
        own = config.raw_key((folder / "node.key").read_text())
        assert keys.who(public_of(own)) == (role, name)
        assert keys.node(role, name) == b""
    assert keys.who(bytes(32)) is None


def test_keys_are_fresh() -> None:
    once, again = (json.dumps(secrets.manifests("lab", DOMAINS)) for _ in range(2))
    assert once != again


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--release", "lab"), "--domain, --keys"),
        (("--release", "lab", "--domain", "ivi", "--keys", "."), "--domain, --keys"),
        (("--release", "lab", "--keys", "none"), "none"),
        (("--domain", "ivi"), "--release"),
        (("--release", "Lab", "--domain", "ivi"), "--release Lab"),
        (("--release", "lab", "--domain", "i_vi"), "--domain i_vi"),
        (("--release", "lab", "--domain", "a" * 21), "1 to 20"),
        (("--release", "lab", "--domain", "ivi", "--domain", "ivi"), "twice"),
    ],
)
def test_wrong_words_are_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert secrets.main(words) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert said in err


def test_keys_that_are_kept_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who = [("xen", "xen"), ("firmware", "firmware"), ("guest", "dom0"), ("guest", "ivi")]
    kept = authority.create(tmp_path / "keys", who)
    words = ("--release", "lab", "--keys", str(tmp_path / "keys"))
    assert secrets.main(words) == 0
    made = {one["metadata"]["name"]: one["data"] for one in json.loads(capsys.readouterr().out)["items"]}
    assert len(made) == 5
    keys = granted.load(unpacked(tmp_path, "registry", made["lab-keys-registry"]))
    assert keys.public == kept.public
    own = config.raw_key(base64.b64decode(made["lab-keys-domain-ivi"]["node.key"]).decode())
    assert kept.who(public_of(own)) == keys.who(public_of(own)) == ("guest", "ivi")
    kept.revoke("ivi")
    assert secrets.main(words) == 0
    assert "lab-keys-domain-ivi" not in capsys.readouterr().out
    kept.revoke("xen")
    assert secrets.main(words) == 2
    assert "no valid key for xen" in capsys.readouterr().err


def test_the_command_prints_what_kubectl_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert secrets.main(("--release", "lab", "--domain", "dom0")) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "List"


def test_a_kubectl_that_ended_needs_no_word_of_ours() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "deploy.kubernetes.secrets", "--release", "lab", "--domain", "dom0"]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60, cwd=ROOT)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ("[]", "PUBLIC KEY"),
        ('{"guest": "x"}', "not ROLE/NAME"),
        ('{"host/ivi": "x"}', "not ROLE/NAME"),
        ('{"guest/ivi": "x"}', "no key of 40"),
        (json.dumps({"guest/ivi": "a" * 40, "guest/tcu": "a" * 40}), "has the key of guest/ivi"),
    ],
)
def test_a_registry_whose_files_are_wrong(tmp_path: Path, nodes: str, said: str) -> None:
    put(tmp_path / granted.REGISTRY, b"0" * 40)
    put(tmp_path / granted.NODES, nodes.encode())
    with pytest.raises(UserError, match=said):
        granted.load(tmp_path)


def test_a_registry_whose_key_others_may_read(tmp_path: Path) -> None:
    put(tmp_path / granted.NODES, b"{}")
    put(tmp_path / granted.REGISTRY, b"0" * 39)
    with pytest.raises(UserError, match="no key of 40"):
        granted.load(tmp_path)
    put(tmp_path / granted.REGISTRY, b"0" * 40)
    assert granted.load(tmp_path).who(bytes(32)) is None
    (tmp_path / granted.REGISTRY).chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        granted.load(tmp_path)


def test_every_value_is_in_the_table() -> None:
    """Each leaf of values.yaml has a comment of its own, or is part of the value of one that has."""
    text = reference.VALUES.read_text()
    told = {key for key, _, _ in reference.rows(text)}
    values = yaml.safe_load(text)

    def leaves(inner: object, path: str) -> list[str]:
        if path in told or not isinstance(inner, dict):
            return [path]
        return [leaf for key, value in inner.items() for leaf in leaves(value, f"{path}.{key}".strip("."))]

    assert set(leaves(values, "")) == told
    assert len(told) == 27
