"""Every command on a platform that works: what it prints, for people and as JSON, and its exit code."""

import json
import os
import re
import subprocess
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest

import deploy
from deploy.cli.app import COMMANDS
from tests.system.cluster import IVI, TCU, Cluster
from tests.system.processes import marked

ROOT = Path(deploy.__file__).parent.parent
UP, DOWN = (str(ROOT / "deploy" / "up.sh"),), (str(ROOT / "deploy" / "down.sh"),)
DOMAINS = ["dom0", "cluster", "ivi", "tcu"]
RATE = ("call", "ivi", "clock.CLOCK_RATE_GET", "clock_id=5")


def plain(text: str) -> bool:
    """Whether a text has no escape codes."""
    return "\x1b" not in text


def test_up_in_the_background_and_down(cluster: Cluster) -> None:
    up = cluster.here("up", "--detach", "--idle")
    assert (up.returncode, up.stderr) == (0, "")
    assert str(cluster.run) in up.stdout
    assert (cluster.run / "ready").exists()
    assert cluster.here(*RATE).returncode == 0
    down = cluster.here("down")
    assert (down.returncode, down.stderr) == (0, "")
    assert cluster.left_behind() == []


def test_up_in_the_background_as_json(cluster: Cluster) -> None:
    assert cluster.here("up", "--detach", "--json", "--mapped").json["pages"] == "mapped"
    assert cluster.here("down").returncode == 0
    assert cluster.left_behind() == []


def test_the_scripts(cluster: Cluster) -> None:
    up = cluster.trapline("--run-dir", cluster.run, "--idle", program=UP)
    assert (up.returncode, up.stderr) == (0, "")
    assert cluster.here(*RATE).returncode == 0
    assert cluster.trapline("--host-dt", "nobody.dts", program=UP).returncode == 2
    assert cluster.trapline("--run-dir", cluster.run, program=DOWN).returncode == 0
    assert cluster.left_behind() == []
    assert cluster.trapline("--run-dir", cluster.run, program=DOWN).returncode == 2


def test_up_in_the_foreground_shows_who_is_who(cluster: Cluster) -> None:
    cluster.up("--idle")
    assert cluster.here("xl", "destroy", "ivi").returncode == 0
    assert cluster.here("down").returncode == 0
    done = cluster.ended()
    assert (done.returncode, done.stderr) == (0, "")
    assert plain(done.stdout)
    for word in (*DOMAINS, "0x82000005", "gpu@fd000000", "reset"):
        assert word in done.stdout


def test_up_in_the_foreground_as_json(cluster: Cluster) -> None:
    cluster.up("--idle", "--json")
    assert cluster.here("down").returncode == 0
    done = cluster.ended()
    assert [row["name"] for row in json.loads(done.stdout)["domains"]] == DOMAINS


def test_what_xen_complains_about_is_shown(cluster: Cluster, folder: Path) -> None:
    text = (IVI.parent / "platform.toml").read_text(encoding="utf-8")
    other = folder / "platform.toml"
    other.write_text(text.replace("smc_id = 0x82000003", "smc_id = 0x82000009"), encoding="utf-8")
    cluster.up("--idle", "--platform", other)
    assert [row["agent_id"] for row in cluster.status()["domains"]] == [None, None]
    assert cluster.here("down").returncode == 0
    assert "not initialised" in cluster.ended().said


def test_domains(cluster: Cluster) -> None:
    cluster.up("--idle", "--xl", IVI)
    rows = cluster.here("xl", "list", "--json").json
    assert [(row["name"], row["domid"], row["agent_id"]) for row in rows] == [
        ("dom0", 0, 0),
        ("cluster", 1, 2),
        ("ivi", 2, 3),
    ]
    listed = cluster.here("xl", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "i2c@e6508000" in listed.stdout
    made = cluster.here("xl", "create", TCU)
    assert (made.returncode, made.stderr) == (0, "")
    assert "0x82000006" in made.stdout
    again = cluster.here("xl", "reboot", "tcu")
    assert (again.returncode, "incarnation 2" in again.stdout) == (0, True)
    assert cluster.here("xl", "destroy", "tcu").returncode == 0
    remade = cluster.here("xl", "create", TCU, "--json").json
    assert (remade["name"], remade["agent_id"], remade["incarnation"]) == ("tcu", 4, 3)
    assert "link" not in remade, "a token stays between Xen and the domain"
    assert cluster.works("tcu", 7)


def test_calls(cluster: Cluster) -> None:
    cluster.up("--idle")
    shown = cluster.here(*RATE)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert re.search(r"rate\s+33333333", shown.stdout)
    assert str(cluster.call(*RATE[1:])["fields"]["rate"]) == "33333333"
    set_rate = ("clock.rate_set", "flags=round_up=0+round_auto=0", "clock_id=5", "rate=66_666_666")
    assert cluster.call("ivi", *set_rate)["status"] == "SUCCESS"
    raw = cluster.here("call", "ivi", "0x14.0x6", "--payload", "05000000", "--raw")
    assert raw.stdout.splitlines() == ["request  05000000", "answer   SUCCESS aa40f90300000000"]
    unknown = cluster.here("call", "ivi", "0x14.0xee", "--payload", "", "--json")
    assert unknown.returncode == 1
    assert json.loads(unknown.stdout)["status"] == "NOT_FOUND" or "SUPPORTED" in unknown.stdout
    version = cluster.call("dom0", "base.PROTOCOL_VERSION")
    assert version["payload"], version


def test_traps(cluster: Cluster) -> None:
    cluster.up("--idle")
    version = cluster.here("trap", "ivi", "0x80000000")
    assert (version.returncode, version.stderr) == (0, "")
    assert re.match(r"x0 = 0x0000000000010[0-9]{3} ", version.stdout)
    assert cluster.here("trap", "ivi", "0x82000003", "--json").json["x"][0] == 0xFFFF_FFFF_FFFF_FFFF
    assert "undef" in cluster.here("trap", "ivi", "0x82000005", "--immediate", "1").stdout
    assert cluster.here("trap", "ivi", "0x80000000", "1", "-1", "--hvc", "--json").json["code"] == ""
    off = cluster.here("trap", "ivi", "0x84000008")
    assert "shutdown" in off.stdout
    assert "ivi" not in [row["name"] for row in cluster.here("xl", "list", "--json").json]
    assert cluster.here("trap", "dom0", "0x84000008").returncode == 0
    assert cluster.ended().returncode == 0


def test_status(cluster: Cluster) -> None:
    cluster.up("--idle", "--tcp")
    found = cluster.here("status", "--json").json
    assert found["nodes"] == cluster.status()["nodes"]
    assert set(found["nodes"]) == {"xen", "firmware", "supervisor", *DOMAINS}
    assert {facts["pid"] for facts in found["nodes"].values()} <= set(marked(cluster.mark))
    assert found["xen"].startswith("tcp://127.0.0.1:")
    shown = cluster.here("status")
    assert (shown.returncode, shown.stderr) == (0, "")
    for facts in found["nodes"].values():
        assert f"127.0.0.1:{facts['port']}" in shown.stdout


def test_no_escape_codes_without_a_terminal(cluster: Cluster) -> None:
    cluster.up("--idle")
    for words in (["status"], ["xl", "list"], [*RATE]):
        done = cluster.here(*words, COLUMNS="60", TERM="xterm-256color")
        assert done.returncode == 0
        assert plain(done.stdout + done.stderr)


def test_colours_on_a_terminal_unless_unwanted(cluster: Cluster) -> None:
    cluster.up("--idle")
    for variables, colourless in (({"TERM": "xterm"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, True)):
        shown = on_a_terminal(cluster, "status", "--run-dir", str(cluster.run), **variables)
        assert "ivi" in shown
        assert (re.search(r"\x1b\[[0-9;]*3[0-7]m", shown) is None) == colourless


def on_a_terminal(cluster: Cluster, *words: str, **variables: str) -> str:
    """What a command prints on a terminal of its own."""
    ours, theirs = os.openpty()
    with open(ours, "rb", buffering=0) as reader:
        child = subprocess.Popen(
            [cluster.program(), *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=cluster.environment(**variables),
        )
        os.close(theirs)
        text = b""
        with suppress(OSError):  # the end of a terminal
            while chunk := reader.read(65_536):
                text += chunk
        assert child.wait(20) == 0
    return text.decode()


def test_a_reader_that_goes_away(cluster: Cluster) -> None:
    """``trapline status | head -1``: no traceback."""
    cluster.up("--idle")
    command = f"trapline status --run-dir {cluster.run} | true"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=cluster.environment(PATH=f"{Path(cluster.program()).parent}:/usr/bin:/bin"),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_version(cluster: Cluster) -> None:
    shown = cluster.trapline("--version")
    assert shown.returncode == 0
    assert deploy.__version__ in shown.stdout
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"]["trapline"] == "deploy.entry:main"


@pytest.mark.parametrize("command", [*COMMANDS, "xl list", "xl create", "xl destroy", "xl reboot"])
def test_help(cluster: Cluster, command: str) -> None:
    shown = cluster.trapline(*command.split(), "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"Usage: trapline {command}" in shown.stdout
    assert all(len(line) <= 110 for line in shown.stdout.splitlines())


def test_help_names_every_command(cluster: Cluster) -> None:
    shown = cluster.trapline("-h").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", shown, re.MULTILINE), command


def test_the_demonstration(cluster: Cluster) -> None:
    found = cluster.trapline("demo", "--seconds", "2", "--json", TRAPLINE_RUN_DIR=str(cluster.run)).json
    assert found["account"]["resets"] >= 1
    assert found["verdicts"]
    assert all(one["refused"] for one in found["verdicts"])
    assert (found["problems"], found["left_behind"]) == ([], [])
    assert cluster.left_behind() == []


def test_the_demonstration_for_people(cluster: Cluster) -> None:
    words = ("demo", "--seconds", "1", "--tcp", "--mapped")
    done = cluster.trapline(*words, TRAPLINE_RUN_DIR=str(cluster.run))
    assert (done.returncode, done.stderr) == (0, "")
    assert plain(done.stdout)
    assert "Nothing left behind" in done.stdout
    assert cluster.left_behind() == []


def test_the_simulation_repeats_itself(cluster: Cluster) -> None:
    def play(seed: int, hash_seed: int) -> dict[str, object]:
        done = cluster.trapline(
            "sim", "--seed", seed, "--seconds", 1, "--json", PYTHONHASHSEED=str(hash_seed)
        )
        found: dict[str, object] = done.json
        return {key: value for key, value in found.items() if "wall" not in key}

    first = play(3, 1)
    assert first == play(3, 2)
    assert first["fingerprint"] != play(4, 1)["fingerprint"]
    assert first["resets"] == 1


def test_up_tells_what_the_probe_costs(cluster: Cluster) -> None:
    done = cluster.here("up", "--idle", "--detach", "--timing", "--firmware-latency", "mailbox", "--json")
    assert done.json["timing"]["total"] == {
        "3": {"calls": 2, "ns": 300_000},
        "2": {"calls": 6, "ns": 900_000},
    }
    assert cluster.here("down").returncode == 0
    shown = cluster.here("up", "--idle", "--detach", "--timing")
    assert "What the probe costs at boot" in shown.stdout
    assert cluster.here("down").returncode == 0
