"""Which firmware is played: the platform's file says so, the command line has the last word."""

from pathlib import Path

import msgspec
import pytest

from deploy import control
from deploy.engines.simulated import SimulatedEngine
from deploy.errors import UserError
from deploy.topology import load_shipped, read_platform, shipped, with_firmware
from nodes.firmware.profile import DEFAULT, PROFILES
from nodes.firmware.profile_table import TITLES, fields_of
from tests.deploy.commands import run


def test_the_strict_one_unless_told_otherwise() -> None:
    assert load_shipped().firmware == DEFAULT
    assert with_firmware(load_shipped(), None).firmware == DEFAULT


def test_the_platforms_file_and_the_option(tmp_path: Path) -> None:
    text = (shipped() / "platform.toml").read_text()
    file = tmp_path / "platform.toml"
    file.write_text('profile = "imx-sm+tokens"\n' + text)
    assert read_platform(file).profile == "imx-sm+tokens"
    file.write_text('profile = "sgi"\n' + text)
    with pytest.raises(UserError, match="profile: there is no firmware profile 'sgi'; there are spec-strict"):
        read_platform(file)
    topology = msgspec.structs.replace(load_shipped(), firmware=PROFILES["imx-sm"])
    assert with_firmware(topology, "scp-firmware").firmware == PROFILES["scp-firmware"]
    assert with_firmware(topology, None).firmware == PROFILES["imx-sm"]


def test_the_engine_plays_it() -> None:
    engine = SimulatedEngine(with_firmware(load_shipped(), "scp-firmware"), 1, lambda *_: None)
    assert engine.firmware.profile == PROFILES["scp-firmware"]


def test_sim_with_another_firmware_is_another_run() -> None:
    words = ("sim", "--seconds", "0.01", "--json")
    assert run(*words).stdout != run(*words, "--firmware", "scp-firmware").stdout
    with pytest.raises(UserError, match="no firmware profile 'x'"):
        run(*words, "--firmware", "x")


# ---- trapline profiles ------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", [None, *PROFILES, "imx-sm+checksum"])
def test_it_fits_the_terminal(name: str | None, columns: int) -> None:
    lines = run("profiles", *([name] if name else []), columns=columns).stdout.splitlines()
    assert max(map(len, lines)) <= columns


def test_each_difference_is_shown_with_its_fact() -> None:
    for name, profile in PROFILES.items():
        words = " ".join(run("profiles", name).stdout.split())
        for field in fields_of(profile):
            assert TITLES[field] in words
            assert " ".join(profile.facts[field].split()) in words


def test_for_scripts() -> None:
    every = msgspec.json.decode(run("profiles", "--json").stdout)
    assert [one["name"] for one in every] == list(PROFILES)
    one = msgspec.json.decode(run("profiles", "imx-sm+tokens", "--json").stdout)
    assert one["values"]["token_gaps"] == "refused"
    assert set(one["facts"]) == {*PROFILES["imx-sm"].facts, "token_gaps"}
    assert set(one["values"]) == set(TITLES)


def test_every_fact_of_a_profile_has_a_title() -> None:
    about = {"name", "title", "facts", "options"}
    assert set(TITLES) == set(DEFAULT.__struct_fields__) - about


def test_an_unknown_profile() -> None:
    with pytest.raises(UserError, match="there is no firmware profile 'optee'"):
        run("profiles", "optee")


def test_a_request_for_a_ledger_travels() -> None:
    request = control.Ledger("ivi")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=control.Request) == request


def test_sim_says_why_nobody_has_scmi() -> None:
    found = run("sim", "--seconds", "0.01", "--firmware", "tfa")
    assert found.exit_code == 0
    assert "SCI SCMI SMC multi-agent not initialised: the firmware answered NOT_SUPPORTED" in found.stderr
    assert run("sim", "--seconds", "0.01").stderr == ""
