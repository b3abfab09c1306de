"""``trapline dt``: what goes to the file, what to standard output and error, and how it ends."""

from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy import devicetree
from deploy.cli.app import trapline
from deploy.errors import UserError
from deploy.topology import shipped
from tests.deploy import commands

run = partial(commands.run, "dt")


def test_without_options_it_is_the_shipped_platform_on_standard_output() -> None:
    result = run("dom0")
    assert result.stdout.startswith("/dts-v1/;")
    assert "Dom0 is agent 0" in result.stderr
    assert "Dom0 is agent 0" not in result.stdout
    assert "hazard: 8 access-controllers" in result.stderr


@pytest.mark.parametrize("words", [("dom0",), ("guest", "ivi"), ("guest", "tuner", "--agent", "4")])
def test_a_files_name_says_its_format(words: tuple[str, ...], tmp_path: Path) -> None:
    source, blob, forced = tmp_path / "t.dts", tmp_path / "t.dtb", tmp_path / "t.bin"
    run(*words, "-o", str(source))
    run(*words, "-o", str(blob))
    run(*words, "-o", str(forced), "--format", "dtb")
    assert blob.read_bytes().startswith(b"\xd0\x0d\xfe\xed")
    assert blob.read_bytes() == forced.read_bytes()
    first, second = devicetree.load([source]), devicetree.load([blob])
    assert [(n.path, n.properties) for n in first] == [(n.path, n.properties) for n in second]


def test_a_guests_configuration_is_told(tmp_path: Path) -> None:
    output = tmp_path / "ivi.dtb"
    result = run("guest", "ivi", "-o", str(output), "--address", "0x30000000")
    assert 'iomem = [ "47ff3,1@30000", "e6508,1", "fd000,40" ]' in result.stderr
    assert f'device_tree = "{output}"' in result.stderr
    assert result.stdout == ""


def test_an_address_in_ram_is_told() -> None:
    assert "is in a guest's RAM bank" in run("guest", "ivi", "--address", "0x50000000").stderr
    assert "RAM" not in run("guest", "ivi").stderr


def test_what_is_not_copied_is_told(tmp_path: Path) -> None:
    text = (shipped() / "host.dts").read_text()
    host = tmp_path / "host.dts"
    host.write_text(text.replace("clocks = <&scmi_clk 8>;", "clocks = <&scmi_clk 8>; interrupts = <0 1 4>;"))
    words = ("guest", "t", "--agent", "4", "--device", "/soc/modem@fe000000", "--host-dt", str(host))
    assert "todo: /soc/modem@fe000000: interrupts: add" in run(*words).stderr
    assert "TODO interrupts: add" in run(*words).stdout


def test_a_boot_domain_can_be_had_as_an_xl_guest() -> None:
    assert "xen,reg" in run("guest", "cluster").stdout
    result = run("guest", "cluster", "--for", "xl")
    assert "xen,reg" not in result.stdout
    assert "arm_sci" in result.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("guest", "ivi", "--address", "abc"), "--address abc: not a number"),
        (("guest", "nobody"), "nobody: neither a guest nor a boot domain"),
        (("dom0", "-o", "/nowhere/t.dts"), "/nowhere/t.dts: cannot be written"),
        (("dom0", "--dom0less", "x"), "--dom0less x: give NAME=FILE"),
        (("dom0", "--host-dt", "none.dts"), "none.dts: no such file"),
    ],
)
def test_a_mistake_is_one_error(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(UserError, match=why):
        run(*words)


def test_a_negative_agent_is_refused() -> None:
    result = run("guest", "t", "--agent", "-1")
    assert result.exit_code == click.UsageError.exit_code


def test_the_linter_finds_nothing_wrong_with_what_is_written(tmp_path: Path) -> None:
    for name in ("ivi", "cluster"):
        told = run("guest", name, "-o", str(tmp_path / f"{name}.dts"), "--address", "0x30000000").stderr
        (tmp_path / f"{name}.cfg").write_text(f'name = "{name}"\n{told}')
    host, toml = str(shipped() / "host.dts"), str(shipped() / "platform.toml")
    files = ["--xl", str(tmp_path / "ivi.cfg"), "--dom0less", f"cluster={tmp_path / 'cluster.dts'}"]
    words = ["check", host, "--platform", toml, "--xl", str(shipped() / "tcu.cfg"), *files]
    assert CliRunner().invoke(trapline, words).exit_code == 0
    tree = tmp_path / "ivi.dts"
    tree.write_text(tree.read_text().replace("<0x82000005>", "<0x82000006>"))
    assert CliRunner().invoke(trapline, words).exit_code == 1


def test_the_way_back_is_written_when_asked_for_and_else_mentioned() -> None:
    plain, whole = run("guest", "ivi"), run("guest", "ivi", "--way-back")
    assert "# EL3 has a way back to agent 3: --way-back writes it" in plain.stderr
    assert "p2a" not in plain.stdout
    assert 'interrupt-names = "p2a";' in whole.stdout
    assert "irqs = [ 112 ]" in whole.stderr
    assert "way back" not in whole.stderr
    assert "way back" not in run("guest", "tcu").stderr


def test_a_way_back_that_el3_has_not_is_refused() -> None:
    with pytest.raises(UserError, match=r"--way-back: EL3 has none to agent 4 \(tcu\)"):
        run("guest", "tcu", "--way-back")
