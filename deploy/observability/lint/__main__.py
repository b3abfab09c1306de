"""``python -m deploy.observability.lint [FILE.json ...]``: dashboards and rules judged by the catalogue.

Without files: grafana/dashboards and the rules. Prints one line per problem; the exit code is 1 if there are
any, 2 if a file cannot be read.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from deploy.errors import UserError
from deploy.observability.assets import folder
from deploy.observability.lint.shape import Dashboard


def main(arguments: Sequence[str] | None = None) -> int:
    """What the command does; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.observability.lint",
        description="Judge Grafana dashboards and Prometheus rules by the catalogue of metrics.",
    )
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE.json", help="default: all, and the rules"
    )
    asked = parser.parse_args(arguments).files
    try:
        problems = _problems(asked)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if problems else 0


def _problems(asked: list[Path]) -> list[Any]:
    try:
        from deploy.observability.lint import dashboards, rulefile  # noqa: PLC0415 - not everybody has it
    except ImportError as error:
        raise UserError(
            f"the lint needs the package promql-parser: pip install promql-parser ({error})"
        ) from error
    files = asked or sorted((folder() / "dashboards").glob("*.json"))
    found = [problem for file in files for problem in dashboards.judge(file.name, read(file))]
    return found if asked else found + rulefile.judge("rules.yml")


def read(file: Path) -> dict[str, Any]:
    """A dashboard's JSON; UserError for what is none."""
    try:
        text = file.read_bytes()
        msgspec.json.decode(text, type=Dashboard)
        return msgspec.json.decode(text, type=dict[str, Any])
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise UserError(f"{file}: is no dashboard: {error}; export it from Grafana as JSON") from error


if __name__ == "__main__":
    sys.exit(main())
