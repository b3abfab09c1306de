"""Every firmware under every Xen: the grid as it is, and that it follows the table of firmwares."""

import json
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from deploy.errors import UserError
from deploy.interop import page, reasons
from deploy.interop.grid import Grid, as_data, played
from deploy.interop.scenarios import SCENARIOS, VERDICTS, Outcome, play
from nodes.firmware.profile import PROFILES as FIRMWARES
from nodes.firmware.profile import FirmwareProfile, chosen
from nodes.xen.profile import PROFILES as XENS
from tests.deploy import commands

GOLDEN = """
spec-strict     boot       works       works       works          works
spec-strict     hand-over  works       works       ~ clean        ~ clean
spec-strict     wedge      works       works       works          works
spec-strict     teardown   works       works       ~ permissions  ~ reset
spec-strict     bare       works       works       works          works
tfa             boot       x discover  x discover  x discover     works
tfa             hand-over  x discover  x discover  x discover     ~ clean
tfa             wedge      x discover  x discover  x discover     x spurious
tfa             teardown   x discover  x discover  x discover     ~ reset
tfa             bare       x discover  x discover  x discover     works
tfa-multiagent  boot       works       works       works          works
tfa-multiagent  hand-over  works       works       ~ clean        ~ clean
tfa-multiagent  wedge      x spurious  x spurious  x spurious     x spurious
tfa-multiagent  teardown   works       works       ~ permissions  ~ reset
tfa-multiagent  bare       works       works       works          works
optee-smt       boot       x discover  x discover  x discover     works
optee-smt       hand-over  x discover  x discover  x discover     ~ clean
optee-smt       wedge      x discover  x discover  x discover     x spurious
optee-smt       teardown   x discover  x discover  x discover     ~ reset
optee-smt       bare       x discover  x discover  x discover     works
optee-msg       boot       x discover  x discover  x discover     x call
optee-msg       hand-over  x discover  x discover  x discover     x call
optee-msg       wedge      x discover  x discover  x discover     x call
optee-msg       teardown   x discover  x discover  x discover     x call
optee-msg       bare       x discover  x discover  x discover     x call
scp-firmware    boot       works       works       works          works
scp-firmware    hand-over  ~ clean     ~ clean     ~ clean        ~ clean
scp-firmware    wedge      works       works       works          works
scp-firmware    teardown   ~ votes     ~ votes     ~ votes        ~ reset
scp-firmware    bare       x destroy   x destroy   x destroy      works
imx-sm          boot       works       works       works          works
imx-sm          hand-over  works       works       ~ clean        ~ clean
imx-sm          wedge      works       works       works          works
imx-sm          teardown   works       works       ~ permissions  ~ reset
imx-sm          bare       works       works       works          works
"""
MARKS = {"works": "", "degraded": "~ ", "broken": "x "}


@pytest.fixture(scope="module")
def grid() -> Grid:
    return played(list(FIRMWARES.values()), list(XENS.values()))


def cell(one: Outcome) -> str:
    return MARKS[one.verdict] + (one.first.step if one.first else one.verdict)


def rows(grid: Grid) -> list[list[str]]:
    return [
        [firmware, scenario, *(cell(grid.cell(firmware, xen, scenario)) for xen in grid.xens)]
        for firmware in grid.firmwares
        for scenario in SCENARIOS
    ]


def test_the_grid(grid: Grid) -> None:
    wanted = [[part.strip() for part in line.split("  ") if part] for line in GOLDEN.strip().splitlines()]
    assert grid.xens == ("v11", "v9", "v7", "forwarder")
    assert rows(grid) == wanted


def test_the_grid_is_the_same_every_time(grid: Grid) -> None:
    assert played(list(FIRMWARES.values()), list(XENS.values())) == grid


def test_whatever_differs_has_its_reason(grid: Grid) -> None:
    """Nothing differs that no fact accounts for; otherwise it is a mistake of ours."""
    for one in grid.outcomes:
        for finding in one.findings:
            assert finding.reason or finding.step in ("reset", "again", "neighbour"), (one, finding)
        assert one.first is None or one.first.reason


# ---- a change in a profile changes its cell ---------------------------------------------------


@pytest.mark.parametrize(
    ("base", "changes", "scenario", "before", "after"),
    [
        ("spec-strict", {"wedges": True}, "wedge", "works", "x spurious"),
        ("tfa-multiagent", {"wedges": False}, "wedge", "x spurious", "works"),
        ("spec-strict", {"reset": "permissions"}, "teardown", "works", "~ votes"),
        ("spec-strict", {"reset": "permissions"}, "hand-over", "works", "~ clean"),
        ("spec-strict", {"reset": "none"}, "teardown", "works", "~ reset"),
        ("spec-strict", {"reset_needs_devices": True}, "bare", "works", "x destroy"),
        ("spec-strict", {"missing": frozenset({"base.BASE_DISCOVER_AGENT"})}, "boot", "works", "x discover"),
        (
            *("spec-strict", {"missing": frozenset({"base.BASE_SET_DEVICE_PERMISSIONS"})}, "boot"),
            *("works", "x create"),
        ),
        ("spec-strict", {"protocols": (0x11,)}, "boot", "works", "x use"),
        ("scp-firmware", {"reset": "full"}, "teardown", "~ votes", "works"),
        ("scp-firmware", {"reset_needs_devices": False}, "bare", "x destroy", "works"),
    ],
)
def test_a_planted_change(
    base: str, changes: dict[str, object], scenario: str, before: str, after: str
) -> None:
    firmware = FIRMWARES[base]
    changed = msgspec.structs.replace(firmware, **changes)  # type: ignore[arg-type]
    assert cell(play(scenario, firmware, XENS["v11"])) == before
    assert cell(play(scenario, changed, XENS["v11"])) == after


def test_what_only_the_version_of_the_driver_changes() -> None:
    """Flags 0 keep permissions; flags 0 in a firmware that does nothing then keep everything."""
    strict = play("teardown", FIRMWARES["spec-strict"], XENS["v7"])
    assert [(one.step, one.got) for one in strict.findings] == [("permissions", "grant device 5")]
    nothing = msgspec.structs.replace(FIRMWARES["spec-strict"], reset_flags_0="nothing")
    assert [one.step for one in play("teardown", nothing, XENS["v7"]).findings] == ["votes", "permissions"]
    assert play("teardown", nothing, XENS["v11"]).verdict == "works"


def test_a_dead_channel_is_the_successors_too() -> None:
    found = play("wedge", FIRMWARES["tfa-multiagent"], XENS["v11"])
    assert [one.step for one in found.findings] == ["spurious", "oversize", "successor"]
    assert "neighbour" not in {one.step for one in found.findings}


@pytest.mark.parametrize(
    ("name", "scenario", "xen", "told"),
    [
        ("imx-sm+checksum", "boot", "v11", ["discover"]),
        ("imx-sm+tokens", "boot", "v11", ["discover"]),
        ("imx-sm+tokens", "boot", "forwarder", []),
        ("imx-sm+tokens", "hand-over", "forwarder", ["clean", "successor"]),
    ],
)
def test_options_of_a_firmware(name: str, scenario: str, xen: str, told: list[str]) -> None:
    """What differs first is told, and what breaks the cell where that is another step."""
    assert [one.step for one in play(scenario, chosen(name), XENS[xen]).told] == told


def test_reasons_are_facts_of_the_profile() -> None:
    every = [*FIRMWARES.values(), chosen("imx-sm+checksum+tokens")]
    steps = {step for step in reasons.FIELDS if any(reasons.why(step, one, XENS["v11"]) for one in every)}
    assert steps >= {"discover", "spurious", "successor", "clean", "votes", "destroy"}
    for fields in reasons.FIELDS.values():
        assert set(fields) <= set(FirmwareProfile.__struct_fields__)


# ---- the command ------------------------------------------------------------------------------


run = partial(commands.run, "interop")


@pytest.mark.parametrize("columns", [80, 120])
def test_it_fits_the_terminal(columns: int) -> None:
    lines = run(columns=columns).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split() for line in lines[1:3]] == [
        ["spec-strict", "boot", "works", "works", "works", "works"],
        ["hand-over", "works", "works", "~", "clean", "~", "clean"],
    ]


def test_only_what_was_asked_for_is_played() -> None:
    found = json.loads(run("--firmware", "tfa", "--firmware", "tfa", "--profile", "v9", "--json").stdout)
    assert [(one["firmware"], one["xen"], one["scenario"]) for one in found["cells"]] == [
        ("tfa", "v9", scenario) for scenario in SCENARIOS
    ]
    assert {(one["verdict"], one["first"]) for one in found["cells"]} == {("broken", "discover")}
    assert found["verdicts"] == VERDICTS


def test_a_grid_without_a_flaw_needs_no_notes() -> None:
    assert "why" not in run("--firmware", "spec-strict", "--profile", "v11").stdout


@pytest.mark.parametrize("name", ["tf-a", "tfa+checksum"])
def test_an_unknown_firmware(name: str) -> None:
    with pytest.raises(UserError, match="choose one of them"):
        run("--firmware", name)


class Reader(HTMLParser):
    """Tags in balance, nothing fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe")
        assert not {name for name, _ in attrs} & {"src", "href"}
        if tag == "td":
            self.cells.append(dict(attrs)["class"] or "")
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(grid: Grid, tmp_path: Path) -> None:
    reader = Reader()
    reader.feed(page.drawn(grid))
    assert reader.open == []
    assert reader.cells == [one.verdict for one in grid.outcomes]
    file = tmp_path / "grid.html"
    run("--firmware", "tfa", "--html", str(file))
    assert file.read_text().startswith("<!doctype html>")
    with pytest.raises(UserError, match="cannot be written"):
        run("--firmware", "tfa", "--html", str(tmp_path / "no" / "grid.html"))


def test_data_for_scripts(grid: Grid) -> None:
    data = as_data(grid)
    assert len(data["cells"]) == len(FIRMWARES) * len(XENS) * len(SCENARIOS)
    assert set(data["scenarios"]) == set(SCENARIOS)
    assert all(data["scenarios"].values())
