"""``trapline explain``: words, JSON, a picture; and one error for what is not there."""

import json
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from deploy.errors import UserError
from deploy.topology import shipped
from tests.deploy import commands

HOST = ("--host-dt", str(shipped() / "host.dts"))
run = partial(commands.run, "explain", columns=100)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("words", [(), ("channel", "0x82000004"), ("agent", "1"), ("domain", "ivi")])
def test_it_fits_the_terminal(words: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shipped())
    files = ("--host-dt", "host.dts", "--platform", "platform.toml", "--xl", "ivi.cfg", "--xl", "tcu.cfg")
    lines = run(*words, *files, columns=columns).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.startswith(("What EL3 sees", "What it rings")) for line in lines)


def test_options_stand_before_or_after_the_subject(tmp_path: Path) -> None:
    before = run("--json", *HOST, "domain", "cluster")
    after = run("domain", "cluster", "--json", *HOST)
    assert before.stdout == after.stdout
    assert json.loads(after.stdout)["domain"]["agent_id"] == 2


def test_json_has_all_facts_and_the_reasons() -> None:
    found = json.loads(run("--json").stdout)
    assert found["subject"] == "platform"
    assert len(found["channels"]) == 5
    assert len(found["rings"]) == 20
    assert found["host"] == [0x8200_0002, 0x47FF_0000]
    assert found["why"]["Who is privileged, and why"][0].startswith("Xen.")
    one = json.loads(run("channel", "0x82000004", "--json").stdout)
    assert (one["channel"]["owner"], len(one["rings"])) == ("cluster", 4)


def test_a_picture_is_written_beside_the_words(tmp_path: Path) -> None:
    file = tmp_path / "p.svg"
    result = run("agent", "ivi", "--svg", str(file))
    assert Xml.fromstring(file.read_text()).tag.endswith("svg")
    assert "Agent 3 (ivi)" in result.stdout
    assert str(file) in result.stderr
    assert json.loads(run("--json", "--svg", str(file)).stdout)["subject"] == "platform"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("channel", "0x99"), "channel 0x99: no channel has this doorbell or page; there are 0x82000003"),
        (("agent", "x"), "agent x: there is none"),
        (("domain", ""), "domain : there is none; there are dom0"),
        (("--svg", "/nowhere/p.svg"), "/nowhere/p.svg: cannot be written"),
        (("--profile", "forwarder"), "--profile forwarder: it forwards one doorbell"),
        (("domain", "dom0", "--profile", "forwarder"), "knows no agents"),
        (("--host-dt", "none.dts"), "none.dts: no such file"),
    ],
)
def test_a_mistake_is_one_error(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(UserError, match=why):
        run(*words)


def test_an_unknown_subject_is_a_usage_error() -> None:
    assert run("nonsense").exit_code == 2


def test_another_driver_is_another_platform() -> None:
    words = ("domain", "dom0", "--profile", "v7")
    assert "No SCMI: it asks for no agent" in run(*words).stdout
    told = run("--profile", "v7", "domain", "dom0", "--xen-cmdline", "dom0=sci-agent-id=0").stdout
    assert "as Xen's command line asks" in told
