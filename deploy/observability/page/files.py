"""What the page serves from disk: its own scripts and style, its templates, and the dashboards' JSON.

Nothing is looked up by a path that a request gives: names are matched against what is there.
"""

import functools
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.errors import UserError
from deploy.files import read_bytes

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
KINDS: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
DASHBOARD_BYTES_MAX: Final = 1 << 20
FIRST: Final = "overview"


class Dashboard(msgspec.Struct, frozen=True):
    """One dashboard of Grafana's: its uid, title and description, and its JSON as it stands in the file."""

    uid: str
    title: str
    description: str
    content: bytes


def dashboards(folder: Path) -> dict[str, Dashboard]:
    """The dashboards in ``folder`` by uid, FIRST first; UserError for a file that is none."""
    found = [_dashboard(path) for path in folder.glob("*.json")]
    ordered = sorted(found, key=lambda one: (not one.uid.endswith(FIRST), one.title))
    return {one.uid: one for one in ordered}


def _dashboard(path: Path) -> Dashboard:
    content = read_bytes(path, DASHBOARD_BYTES_MAX)
    try:
        plain: Any = msgspec.json.decode(content)
        return Dashboard(plain["uid"], plain["title"], plain.get("description") or "", content)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: not a dashboard of Grafana's: it has no uid and title") from None


@functools.cache
def static() -> dict[str, Path]:
    """The page's own files by the name that requests use: "board.js", "panels/stat.js"."""
    return {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.suffix in KINDS}


def render(template: str, **values: Any) -> bytes:
    """A page of ``templates/``; every value is text in it, never markup."""
    return _environment().get_template(template).render(**values).encode()


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
