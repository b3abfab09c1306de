"""The help of every command: it fits a terminal of 80 columns."""

import click
import pytest

from deploy.cli.app import trapline
from tests.deploy.commands import run

COMMANDS = trapline.list_commands(click.Context(trapline))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_wider_than_the_terminal(name: str) -> None:
    shown = run(name, "--help", columns=80).output
    assert "Options:" in shown or "Commands:" in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []
