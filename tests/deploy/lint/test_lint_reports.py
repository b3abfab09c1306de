"""What people and scripts get: text as compilers print it, JSON, SARIF, explanations, exit codes."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from deploy import __version__
from deploy.cli.check import check as command
from deploy.devicetree import emit, load
from deploy.lint import judge, read, report_json, report_sarif, report_text
from deploy.lint.locate import Texts
from deploy.lint.rules import RULES, markdown
from tests.deploy.lint.platform import Platform
from tests.deploy.lint.sarif import assert_valid

DUPLICATE = """\
host.dts:177:6: error[duplicate-smc-id]: agent 3 has the doorbell 0x82000004 of
  agent 2
  177 | 0x82000004 &scmi_shm_3 3
      | ^^^^^^^^^^
  node: /chosen/xen/xen_scmi_config scmi-secondary-agents[2]
   see: the other one, host.dts:176:6
  176 | 0x82000004 &scmi_shm_2 2
      | ----------
   why: The firmware tells agents apart by the doorbell: whoever rings it is the
        same agent to EL3. The driver does not check it, so two domains would
        share one agent's rights, votes and resets.
   fix: Give every channel the function id that the firmware serves it on.

1 error in host.dts, 4 agents, 1 boot domain
More about a rule: trapline check --explain duplicate-smc-id
"""


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform(tmp_path)
    monkeypatch.chdir(made.folder)
    monkeypatch.setenv("COLUMNS", "80")
    made.folder = Path()
    return made


@pytest.fixture
def spoilt(platform: Platform) -> Platform:
    platform.edit("host.dts", "0x82000005 &scmi_shm_3", "0x82000004 &scmi_shm_3")
    return platform


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(command, arguments, prog_name="trapline check")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return call


def text(platform: Platform, width: int) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    material, texts = read(platform.inputs()), Texts()
    report_text.findings(out, judge(material, texts), texts)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_text_as_a_compiler_prints_it(spoilt: Platform, run: Callable[..., Result]) -> None:
    result = run("host.dts")
    assert (result.exit_code, result.output) == (1, DUPLICATE)


def test_clean_files_say_what_was_checked(platform: Platform, run: Callable[..., Result]) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.output == (
        "Checked host.dts, 4 agents, 1 boot domain, 2 guests, platform.toml: nothing\nwrong\n"
    )


def test_a_note_is_no_failure(platform: Platform, run: Callable[..., Result]) -> None:
    Path("plain.dts").write_text("/dts-v1/;\n/ { };\n")
    result = run("plain.dts")
    assert result.exit_code == 0
    assert "note[no-xen-sci]" in result.output
    assert "nothing wrong (1 note)" in result.output


@pytest.mark.parametrize(
    "arguments", [("nowhere.dts",), ("platform.toml",), ("host.dts", "--xl", "host.dts")]
)
def test_an_unusable_file_is_exit_code_2(
    platform: Platform, run: Callable[..., Result], arguments: tuple[str, ...]
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "error[" in result.output
    assert "Traceback" not in result.output


def test_an_unusable_file_does_not_hide_the_others(spoilt: Platform, run: Callable[..., Result]) -> None:
    result = run("host.dts", "--xl", "nowhere.cfg")
    assert result.exit_code == 2
    assert "error[unreadable]" in result.output
    assert "error[duplicate-smc-id]" in result.output


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_fits(spoilt: Platform, width: int) -> None:
    spoilt.edit("host.dts", "ranges;\n\n\t\t\txen_scmi_config", "xen_scmi_config")
    spoilt.edit("ivi.cfg", ",agent_id=3", f", agent_id=3,{'x' * 200}")
    lines = text(spoilt, width).splitlines()
    assert len(lines) > 40
    assert [line for line in lines if len(line) > width and " " in line.strip(" -^|")] == []
    assert [line for line in lines if line.endswith(" ")] == []


def test_a_long_line_is_cut_around_its_mark(platform: Platform) -> None:
    short = "0x82000005 &scmi_shm_3 3"
    platform.edit("host.dts", short, f"{'/* long */ ' * 20}0x82000004 &scmi_shm_3 3{' /* long */' * 20}")
    shown = [line for line in text(platform, 80).splitlines() if "long" in line]
    assert len(shown) == 1
    assert "| ..." in shown[0]
    assert "0x82000004 " in shown[0]
    assert shown[0].endswith("...")
    assert len(shown[0]) == 80


def test_why_is_told_once_for_a_rule(platform: Platform) -> None:
    platform.edit("host.dts", "0x82000005 &scmi_shm_3", "0x82000004 &scmi_shm_3")
    platform.edit("host.dts", "0x82000006 &scmi_shm_4", "0x82000002 &scmi_shm_4")
    told = text(platform, 80)
    assert told.count("error[duplicate-smc-id]") == 2
    assert told.count("why: The firmware tells agents apart") == 1


def test_no_colour_in_a_pipe_nor_control_characters_from_a_file(
    platform: Platform, run: Callable[..., Result]
) -> None:
    platform.edit("ivi.cfg", ",agent_id", ",\x1b[31m=1,agent_id")
    told = run("host.dts", "--xl", "ivi.cfg").output
    assert "arm-sci-ignored" in told
    assert "\x1b" not in told


def test_a_blob_gives_node_and_property(spoilt: Platform, run: Callable[..., Result]) -> None:
    Path("host.dtb").write_bytes(emit.to_dtb(load([Path("host.dts")])))
    told = run("host.dtb").output
    assert told.startswith("host.dtb: error[duplicate-smc-id]: ")
    assert "node: /chosen/xen/xen_scmi_config scmi-secondary-agents[2]" in told
    assert "^" not in told


def test_json(spoilt: Platform, run: Callable[..., Result]) -> None:
    result = run("host.dts", "--xl", "ivi.cfg", "--format", "json")
    made = json.loads(result.stdout)
    assert result.exit_code == 1
    assert made["version"] == report_json.VERSION
    assert made["files"] == ["host.dts", "ivi.cfg", "cluster.dts", "ivi.dts"]
    assert made["counts"]["error"] == len([one for one in made["findings"] if one["severity"] == "error"])
    first = made["findings"][0]
    assert (first["rule"], first["file"], first["line"], first["column"], first["end_column"]) == (
        "duplicate-smc-id",
        "host.dts",
        177,
        6,
        16,
    )
    assert (first["node"], first["property"], first["entry"]) == (
        "/chosen/xen/xen_scmi_config",
        "scmi-secondary-agents",
        2,
    )
    assert first["related"][0]["line"] == 176


def test_sarif(spoilt: Platform, run: Callable[..., Result]) -> None:
    spoilt.edit("ivi.cfg", "47ff3", "47ff1")
    result = run("host.dts", "--xl", "ivi.cfg", "--platform", "platform.toml", "--format", "sarif")
    made = json.loads(result.stdout)
    assert_valid(made)
    run_of = made["runs"][0]
    assert [rule["id"] for rule in run_of["tool"]["driver"]["rules"]] == list(RULES)
    assert run_of["invocations"] == [{"executionSuccessful": True}]
    found = {one["ruleId"]: one for one in run_of["results"]}
    region = found["duplicate-smc-id"]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 177, "startColumn": 6, "endColumn": 16}
    assert "foreign-page" in found


def test_sarif_of_odd_file_names(platform: Platform) -> None:
    odd = platform.folder / "a file ä%.cfg"
    odd.write_text("vcpus = 1\n")
    inputs = platform.inputs()
    material = read(type(inputs)(inputs.host, (odd, Path("rel ative.cfg"))))
    made = report_sarif.report(judge(material), material.files, __version__, False)
    assert_valid(made)
    assert made["runs"][0]["invocations"] == [{"executionSuccessful": False}]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_explained(run: Callable[..., Result], name: str) -> None:
    result = run("--explain", name)
    assert result.exit_code == 0
    assert result.output.startswith(f"{name}  {RULES[name].severity}\n")
    assert "why: " in result.output
    assert "fix: " in result.output
    assert f"### {name}\n" in markdown()


def test_an_unknown_rule_is_told_with_what_may_be_meant() -> None:
    result = CliRunner().invoke(command, ["--explain", "duplicate-smcid"])
    assert "do you mean duplicate-smc-id" in str(result.exception)
