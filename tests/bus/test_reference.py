"""The committed reference pages say what the tables say, and the generator notices when they do not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bus import fields, frames, reference, shmem
from bus.fields import Bits
from bus.scmi import BY_KEY, PROTOCOLS
from bus.scmi.protocol import Protocol
from deploy import generate


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The generated files alone, to be spoilt."""
    for path in generate.pages():
        target = tmp_path / path.relative_to(generate.ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_the_committed_pages_are_what_the_tables_say() -> None:
    assert generate.stale() == []
    assert {str(path.relative_to(generate.ROOT)) for path in generate.pages()} == {
        *generate.PAGES,
        *generate.FILES,
        *(f"{folder}/{name}" for folder, make in generate.FOLDERS.items() for name in make()),
        *(f"bus/scmi/{protocol.key}.md" for protocol in PROTOCOLS),
    }


def test_a_generated_folder_holds_nothing_else() -> None:
    for folder, make in generate.FOLDERS.items():
        assert {path.name for path in (generate.ROOT / folder).iterdir()} == set(make())


def test_there_is_no_page_without_a_protocol() -> None:
    written = {path.name for path in (generate.ROOT / "bus" / "scmi").glob("*.md")}
    assert written == {f"{protocol.key}.md" for protocol in PROTOCOLS} | {"COVERAGE.md"}


def test_two_interpreters_write_the_same() -> None:
    code = (
        "from bus import reference; from bus.scmi import PROTOCOLS;"
        "print(reference.frames_table(), reference.shmem_table(), *map(reference.protocol_page, PROTOCOLS))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": str(generate.ROOT),
                "PYTHONIOENCODING": "utf-8",
            },
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


@pytest.mark.parametrize("name", ["bus/scmi/clock.md", "bus/PROTOCOL.md"])
def test_check_names_what_is_stale_and_changes_nothing(
    copy: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = copy / name
    spoilt = page.read_text(encoding="utf-8").replace("u64", "u46")
    page.write_text(spoilt, encoding="utf-8")
    assert generate.main(["--check"], copy) == 1
    assert capsys.readouterr().err == f"{page}: stale; run 'make docs'\n"
    assert page.read_text(encoding="utf-8") == spoilt


def test_writing_mends_only_what_is_stale(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = copy / "bus" / "scmi" / "reset.md"
    page.unlink()
    before = (copy / "bus" / "PROTOCOL.md").stat().st_mtime_ns
    assert generate.main([], copy) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text(encoding="utf-8") == reference.protocol_page(BY_KEY["reset"])
    assert (copy / "bus" / "PROTOCOL.md").stat().st_mtime_ns == before
    assert generate.main(["--check"], copy) == 0


def test_prose_around_a_generated_section_stays(copy: Path) -> None:
    page = copy / "bus" / "PROTOCOL.md"
    page.write_text("mine\n" + page.read_text(encoding="utf-8") + "mine too\n", encoding="utf-8")
    assert generate.main(["--check"], copy) == 0


@pytest.mark.parametrize("missing", [generate.marker("frames"), generate.END])
def test_a_lost_marker_is_an_error(copy: Path, missing: str) -> None:
    page = copy / "bus" / "PROTOCOL.md"
    page.write_text(page.read_text(encoding="utf-8").replace(missing, ""), encoding="utf-8")
    with pytest.raises(ValueError, match="put the markers back"):
        generate.main([], copy)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.key)
def test_a_page_has_every_command_field_and_name_of_a_bit(protocol: Protocol) -> None:
    text = reference.protocol_page(protocol)
    assert text.startswith(
        f"<!-- generated from bus/scmi/{protocol.key}.py; do not edit, run `make docs` -->"
    )
    for command in protocol.every_command():
        assert f"| {command.id:#x} | {command.name} |" in text
        for status, when in command.errors.items():
            assert f"| {status.name} | {int(status)} | {when} |" in text
    for row in protocol.notifications:
        assert f"| {row.id:#x} | {row.name} |" in text
    for part in (*reference.parts(protocol), *reference.structures_of(protocol)):
        for row in fields.fields_of(part.cls):
            assert f"| {row.name} | {row.kind} |" in text
            assert all(f"| {name} |" in text for name in (row.bits.rows if row.bits else ()))


def test_a_page_tells_versions_apart() -> None:
    text = reference.protocol_page(BY_KEY["clock"])
    assert "`clock_enable_delay` is there since 2.0 (0x20000)" in text
    assert "below 3.0 (0x30000) the bits of `attributes` are 31:1 reserved, 0 enable" in text
    assert "| 0x0 | CLOCK_RATE_CHANGED | 2.0 (0x20000) |" in text


def test_a_page_tells_what_its_structures_look_like() -> None:
    text = reference.protocol_page(BY_KEY["sensor"])
    assert "- `SensorDescriptor`: 28 bytes; from 2.0 (0x20000) on 28, 32 or 52 bytes\n" in text
    assert "- `AxisDescriptor`: 28 or 48 bytes\n" in text
    assert "| 0x1c | power | u32 | attributes_low[8] = 1 |" in text
    assert "| 0x24 | min_range | i64 | attributes_low[8] = 1, attributes_high[8] = 0 |" in text
    assert "## Structures" not in reference.protocol_page(BY_KEY["reset"])
    sizes = "- `PerfLevel`: 12 bytes; from 4.0 (0x40000) on 20 bytes\n"
    assert sizes in reference.protocol_page(BY_KEY["perf"])


def test_a_page_tells_other_tables_of_older_versions() -> None:
    text = reference.protocol_page(BY_KEY["sensor"])
    assert "- SENSOR_READING_GET reply: below 2.0 (0x20000) it is `value: i64`.\n" in text
    voltage = reference.protocol_page(BY_KEY["voltage"])
    assert "- VOLTAGE_LEVEL_SET delayed response: below 2.0 (0x20000) it does not exist.\n" in voltage


def test_a_page_tells_what_is_not_agreed_on() -> None:
    text = reference.protocol_page(BY_KEY["powercap"])
    assert "| what 3.0 (0x30000) changes | one implementation |" in text
    assert "| POWERCAP_CAI_SET, its layout | one implementation |" in text
    assert "| POWERCAP_PAI_GET, that it is mandatory | nothing that was cross-checked |" in text
    assert "## How well this is established" not in reference.protocol_page(BY_KEY["reset"])
    pins = reference.protocol_page(BY_KEY["pinctrl"])
    assert "| the code of IN_USE | one implementation |" in pins
    assert "## What differs between versions" not in pins, "there is one version"


def test_names_of_values_are_told_once_for_all_their_places() -> None:
    text = reference.protocol_page(BY_KEY["sensor"])
    assert "| SENSOR_TRIP_POINT_CONFIG request, trip_point_ev_ctrl.mode | 0 DISABLED, 1 POSITIVE," in text
    assert text.count("92 MILLIMETRE_OF_MERCURY, 93 RADIAN_PER_SECOND_SQUARED, 255 VENDOR |") == 1


def test_a_grouped_table_names_a_run_once() -> None:
    rows = [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")]
    cells = [line.split(" | ")[0] for line in reference.table(("x", "y"), rows, grouped=True).splitlines()]
    assert cells[2:] == ["| a", "| ", "| b", "| a"]


def test_bits_are_told_from_the_top_with_their_gaps() -> None:
    assert list(reference.bit_rows(Bits(top=31, middle=(15, 8)))) == [
        ("31", "top"),
        ("30:16", "reserved"),
        ("15:8", "middle"),
        ("7:0", "reserved"),
    ]
    assert list(reference.bit_rows(Bits(all=(31, 0)))) == [("31:0", "all")]


def test_every_frame_has_a_direction_and_every_class_a_description() -> None:
    assert set(reference.DIRECTIONS) == set(frames.FRAME_TYPES)
    text = reference.frames_table()
    for cls in (*frames.FRAME_TYPES, *frames.Op.__args__, frames.DomainInfo):
        assert reference.summary(cls)
        assert reference.summary(cls).replace("|", "\\|") in text


def test_the_table_of_the_page_has_its_offsets() -> None:
    text = reference.shmem_table()
    for at in (shmem.STATUS_AT, shmem.FLAGS_AT, shmem.LENGTH_AT, shmem.HEADER_AT, shmem.PAYLOAD_AT):
        assert f"| {at:#04x} |" in text


def test_a_pipe_in_a_cell_does_not_break_its_table() -> None:
    assert reference.table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |\n"
