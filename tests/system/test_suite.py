"""The conformance suite's rows, said by a program that is not ours, on a live platform through ``attach``.

``suite/`` has the program, a platform with what its rows ask for, and what the program is told of it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.generate import ROOT
from deploy.topology import shipped
from tests.system.cluster import IVI, Cluster
from tests.system.test_attach import Attached

SUITE = Path(__file__).parent / "suite"
CLIENT = SUITE / "outside_client.py"
# What no profile does: PROTOCOL_VERSION names no resource, so a device's permission says nothing about it.
# The suite ties the device to a protocol by a table of its own. Taking the protocol itself is DENIED.
BY_CHOICE = {
    ("Base", "device denied: PROTOCOL_VERSION", "DENIED", "SUCCESS"),
    ("Base", "device denied again: PROTOCOL_VERSION", "DENIED", "SUCCESS"),
}
# TF-A and OP-TEE are no platforms of this suite: no agent commands, NOT_SUPPORTED for unknown ids.
FIRMWARES = ("spec-strict", "scp-firmware")


def suite(cluster: Cluster, firmware: str) -> None:
    """The suite's platform, up."""
    files = ("--host-dt", shipped() / "host.dts", "--platform", SUITE / "platform.toml", "--xl", IVI)
    cluster.up("--idle", "--firmware", firmware, *files)


def ran(cluster: Cluster, *options: str) -> subprocess.CompletedProcess[str]:
    """The client's whole run, isolated from this interpreter's path and environment."""
    attached = Attached(cluster, "--once")
    command = [sys.executable, "-I", CLIENT, attached.path, SUITE / "facts.json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={})
    code, out, err = attached.end(None)
    assert (code, err) == (0, ""), out
    return done


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_every_row_is_as_the_suite_has_it(cluster: Cluster, firmware: str) -> None:
    suite(cluster, firmware)
    done = ran(cluster, "--json")
    assert done.stderr == ""
    rows = [tuple(row) for row in json.loads(done.stdout)]
    assert len(rows) > 140
    assert {row[0] for row in rows} == {"Base", "Power", "System", "Perf", "Clock", "Sensor", "Reset"}
    assert {row for row in rows if row[2] != row[3]} == BY_CHOICE
    assert done.returncode == 1, "and it says so"


def test_the_suite_is_of_an_older_specification(cluster: Cluster) -> None:
    """Without negotiating, what came later is in its way: attributes' bits and commands it does not know."""
    suite(cluster, "spec-strict")
    rows = [tuple(row) for row in json.loads(ran(cluster, "--json", "--newest").stdout)]
    wrong = {row[:2] for row in rows if row[2] != row[3]}
    assert wrong > {row[:2] for row in BY_CHOICE}
    assert {("Power", "attributes, bits 28:0"), ("Clock", "command 0x8"), ("Sensor", "command 0x7")} < wrong


def test_a_platform_that_is_not_so_is_told_from_one_that_is(cluster: Cluster) -> None:
    """TF-A's answers differ, and the client says in which rows; its text is for people."""
    suite(cluster, "tfa-multiagent")
    done = ran(cluster)
    assert done.returncode == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("DIFF")]
    assert any("command 0xc" in line and line.endswith("NOT_SUPPORTED") for line in wrong)
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_client_is_not_ours() -> None:
    """It imports nothing but the standard library."""
    imports = [line for line in CLIENT.read_text().splitlines() if line.startswith(("import ", "from "))]
    named = {line.split()[1].split(".")[0] for line in imports}
    assert named <= set(sys.stdlib_module_names)
    assert not any((ROOT / name).exists() for name in named)
