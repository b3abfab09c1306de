"""The page: template, style, script and plotly's library put into one file that asks no network for anything.

The library is most of it: 4.8 MB as it comes with plotly, 2 MB in the page, compressed; the browser unpacks
it. What a page may do is also said to the browser: nothing is loaded, nothing is sent.
"""

import base64
import functools
import gzip
import os
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from deploy.experiments.report import spacetime, text, view
from deploy.experiments.report.palette import look
from deploy.experiments.report.plots import order, plots, shown
from deploy.experiments.result import RunResult

TEMPLATES: Final = Path(__file__).parent / "templates"


def write(result: RunResult, path: Path) -> None:
    """Write the report to ``path``, whole or not at all. Raises OSError."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half.write_text(render(result), encoding="utf-8")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def render(result: RunResult) -> str:
    """The report; equal results, equal pages."""
    drawn = plots(result)
    visible = shown(result)
    looks = [look(name, number) for number, name in enumerate(order(result))]
    return (
        environment()
        .get_template("page.html")
        .render(
            result=result,
            view=view,
            text=text,
            plots=drawn,
            looks=looks,
            visible=visible,
            data=_data(drawn, looks) if drawn else "",
            library=_library() if drawn else "",
            diagram=spacetime.draw(result.diagram) if result.diagram else None,
            source=asset,
        )
    )


def _data(drawn: list[Any], looks: list[Any]) -> Markup:
    """Figures and looks as JSON that no text in it can end."""
    packed = {"looks": looks, "plots": {one.name: one.figure for one in drawn}}
    plain = msgspec.json.encode(packed).decode()
    for sign in "<>&":
        plain = plain.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(plain)


@functools.cache
def _library() -> str:
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


@functools.cache
def asset(name: str) -> Markup:
    """One of the templates' files as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


@functools.cache
def environment(*more: Path) -> Environment:
    """Templates of this folder and of ``more``, for pages that are made of the same parts."""
    return Environment(
        loader=FileSystemLoader([TEMPLATES, *more]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
