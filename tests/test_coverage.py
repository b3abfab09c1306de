"""The coverage table is what the tables, the golden files, the sweep and EL3 say, and has no hole."""

from bus.scmi import PROTOCOLS
from tests import coverage


def test_the_committed_page_is_what_they_say() -> None:
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(), "run 'make docs'"


def test_every_command_has_its_line_and_no_cell_is_empty() -> None:
    lines = [line for line in coverage.page().splitlines() if line.startswith("| 0x")]
    assert len(lines) == sum(len(protocol.commands) for protocol in PROTOCOLS)
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == len(coverage.HEAD)
        assert all(cells), line
        assert cells[1].startswith("SUCCESS"), line
        assert int(cells[3]) > 0, line
        assert int(cells[4]) > 0, line
