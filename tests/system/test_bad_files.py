"""What a user's files can have wrong: one line that names the place, exit code 2, and nothing started."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.topology import shipped
from tests.system.cluster import Cluster

Change = Callable[[str], str]


def replaced(old: str, new: str) -> Change:
    """The text with the first ``old`` replaced."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def added(more: str) -> Change:
    return lambda text: text + more


def without(word: str) -> Change:
    """The text without the lines that contain ``word``."""
    return lambda text: "\n".join(line for line in text.split("\n") if word not in line)


def instead(text: str) -> Change:
    return lambda _: text


# file, what is wrong with it, words of the message
WRONG: dict[str, tuple[str, Change, tuple[str, ...]]] = {
    "dts: syntax": ("host.dts", replaced("#size-cells = <2>;", "#size-cells = <2"), ("host.dts:19",)),
    "dts: empty": ("host.dts", instead(""), ("host.dts", "empty")),
    "dts: no smc-id": ("host.dts", without("arm,smc-id = <0x82000003>"), ("smc-id",)),
    "dts: dangling reference": ("host.dts", replaced("&scmi_shm_2", "&nobody"), ("host.dts", "nobody")),
    "dts: odd list": ("host.dts", replaced("0x82000004 &scmi_shm_2 2", "0x82000004 2"), ("agents",)),
    "boot domain: no smc-id": ("cluster.dts", without("arm,smc-id"), ("cluster.dts", "smc-id")),
    "boot domain: agent": ("host.dts", replaced("agent-id = <2>", "agent-id = <255>"), ("255",)),
    "toml: syntax": ("platform.toml", replaced("id = 0", "id = "), ("platform.toml:", "Invalid value")),
    "toml: key": ("platform.toml", added('\n[[clocks]]\nid = 9\nname = "x"\n'), ("platform.toml", "clocks")),
    "toml: type": (
        "platform.toml",
        replaced("rate = 50_000_000", 'rate = "fast"'),
        ("platform.toml", "clock"),
    ),
    "toml: rate": ("platform.toml", replaced("rate = 50_000_000", "rate = 51_000_000"), ("51000000",)),
    "cfg: name": ("ivi.cfg", without("name ="), ("ivi.cfg", "name")),
    "cfg: syntax": ("ivi.cfg", replaced("vcpus = 2", "vcpus = ["), ("ivi.cfg:",)),
    "cfg: type": ("ivi.cfg", replaced('name = "ivi"', 'name = [ "ivi" ]'), ("ivi.cfg:", "name")),
    "cfg: sci type": ("ivi.cfg", replaced("scmi_smc_multiagent", "scmi_smoke"), ("ivi.cfg:6", "scmi_smoke")),
    "cfg: agent": ("ivi.cfg", replaced("agent_id=3", "agent_id=255"), ("ivi.cfg:6", "255")),
    "cfg: iomem": ("ivi.cfg", replaced("47ff3,1@22001", "47ff3,z"), ("ivi.cfg", "47ff3,z")),
    "cfg: crash": ("ivi.cfg", replaced('on_crash = "destroy"', 'on_crash = "panic"'), ("ivi.cfg", "panic")),
    "cfg: no tree": ("ivi.cfg", replaced("ivi.dts", "nobody.dts"), ("nobody.dts",)),
    "cfg: taken name": ("ivi.cfg", replaced('"ivi"', '"cluster"'), ("ivi.cfg", "cluster")),
    "cfg: a path as name": ("ivi.cfg", replaced('"ivi"', '"../../../ivi"'), ("ivi.cfg", "'/'")),
    "cfg: a node's name": ("ivi.cfg", replaced('"ivi"', '"xen"'), ("ivi.cfg", "Xen's")),
    "boot domain: a node's name": ("host.dts", replaced("cluster {", "firmware {"), ("host.dts", "EL3's")),
    "cfg: long name": ("ivi.cfg", replaced('"ivi"', '"' + "x" * 65 + '"'), ("ivi.cfg", "65")),
    "guest: no smc-id": ("ivi.dts", without("arm,smc-id"), ("ivi.dts", "smc-id")),
}


@pytest.fixture
def files(folder: Path) -> Path:
    """A copy of the shipped platform."""
    return Path(shutil.copytree(shipped(), folder / "files"))


def words(files: Path) -> list[object]:
    return ["--host-dt", files / "host.dts", "--platform", files / "platform.toml", "--xl", files / "ivi.cfg"]


def refused(cluster: Cluster, *arguments: object) -> str:
    """The message of a platform that does not start, for the user's mistake."""
    done = cluster.here("up", *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert cluster.left_behind() == []
    return done.said


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused(cluster: Cluster, files: Path, case: str) -> None:
    name, change, expected = WRONG[case]
    file = files / name
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    said = refused(cluster, *words(files))
    for word in expected:
        assert word in said, said


def test_the_files_are_right_as_they_are(cluster: Cluster, files: Path) -> None:
    cluster.up(*words(files))
    assert cluster.works()


# What only Xen and EL3 together find out: right files that do not fit each other, or a rule of xl.
MISFITS: dict[str, tuple[str, Change, str]] = {
    "nobody may grant devices": ("platform.toml", without("trusted"), "DENIED"),
    "xl ignores an unknown key: agent 0": ("ivi.cfg", replaced("agent_id=3", "agent=3"), "agent 0"),
    "an agent that there is not": ("ivi.cfg", replaced("agent_id=3", "agent_id=200"), "200"),
    "an agent that is taken": ("ivi.cfg", replaced("agent_id=3", "agent_id=2"), "agent 2"),
    "a device that there is not": ("ivi.cfg", replaced("/soc/gpu@fd000000", "/soc/gpu@0"), "/soc/gpu@0"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_files_that_do_not_fit(cluster: Cluster, files: Path, case: str) -> None:
    name, change, word = MISFITS[case]
    file = files / name
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    done = cluster.here("up", *words(files))
    assert (done.returncode, done.stdout) == (1, "")
    assert word in done.said
    assert cluster.left_behind() == []


@pytest.mark.parametrize("option", ["--host-dt", "--platform", "--xl"])
def test_a_missing_file_or_a_folder_is_refused(cluster: Cluster, files: Path, option: str) -> None:
    for name, word in (("nobody.file", "no such file"), ("", "directory")):
        said = refused(cluster, *words(files), option, files / name)
        assert str(files / name) in said
        assert word in said


def test_a_file_that_is_not_utf8_is_refused(cluster: Cluster, files: Path) -> None:
    for name in ("host.dts", "platform.toml", "ivi.cfg"):
        text = (files / name).read_bytes()
        (files / name).write_bytes(text + b"\n# caf\xe9\n")
        assert name in refused(cluster, *words(files))
        (files / name).write_bytes(text)


def test_a_damaged_blob_is_refused(cluster: Cluster, folder: Path) -> None:
    blob = folder / "host.dtb"
    blob.write_bytes(b"\xd0\x0d\xfe\xed" + b"\xff" * 60)
    assert "host.dtb" in refused(cluster, "--host-dt", blob)


@pytest.mark.parametrize(
    "pair", ["cluster", "=x.dts", "cluster=", "nobody=cluster.dts", "cluster=nobody.dts"]
)
def test_a_wrong_partial_tree_option_is_refused(cluster: Cluster, files: Path, pair: str) -> None:
    said = refused(cluster, *words(files), "--dom0less", pair)
    assert pair.partition("=")[2] in said or "NAME=FILE" in said
