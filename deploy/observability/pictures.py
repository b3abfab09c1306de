"""``python -m deploy.observability.pictures``: the pictures of dashboards in ``grafana/pictures/``.

Two experiments run on real processes, under a real Prometheus; a headless Chromium opens the page on each
dashboard in real time and takes what it sees. A developer's tool: it needs playwright, chromium, prometheus.
It does not compare anything: pictures are looked at.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.errors import UserError
from deploy.observability import assets
from deploy.observability.small_png import small

FOLDER: Final = "pictures"
WIDTH: Final = 1600
BYTES_MAX: Final = 250_000
SECONDS: Final = 60
SEEN: Final = 20  # scrapes of the experiment before a picture is taken; a busy machine misses some
END_S: Final = 20.0
START_S: Final = 60.0
PAGE: Final = re.compile(r"^dashboards\s+(http://\S+)", re.MULTILINE)
CLIENTS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--disable-lcd-text",
)


class Shot(msgspec.Struct, frozen=True):
    """A picture: ``name``.png of a dashboard with these variables, so many pixels high."""

    name: str
    query: str
    height: int


SHOTS: Final = {
    "noisy-neighbour": (
        Shot("overview", "", 1560),
        Shot("agent", "var-agent=0", 1060),
        Shot("fleet", "", 860),
    ),
    "el3-crash-under-load": (Shot("experiments", "", 1500),),
}


def main() -> int:
    """Exit code 2, and one line, for what is missing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.observability.pictures")
    parser.add_argument("--out", type=Path, metavar="DIR", help="Default: grafana/pictures")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--only", choices=tuple(SHOTS), help="one experiment")
    given = parser.parse_args()
    try:
        out = given.out or assets.folder() / FOLDER
        out.mkdir(exist_ok=True)
        for scenario in (given.only,) if given.only else SHOTS:
            with observed(scenario) as page, browser() as opened:
                for shot in SHOTS[scenario]:
                    take(opened, page, shot, out, given.scheme)
    except UserError as error:
        sys.stderr.write(f"trapline: {error}\n")
        return 2
    return 0


@contextmanager
def observed(scenario: str) -> Iterator[str]:
    """The page's URL while an experiment runs, most of its time over. Raises UserError if it ends early."""
    words = ["run", scenario, "--engine", "local", "--seconds", str(SECONDS), "--no-report"]
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "deploy.entry",
            *words,
            "--observe",
            "--observe-port",
            "0",
            "--observe-hold",
            "60",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # where to look is told there
        text=True,
    )
    try:
        yield _filled(_url(running))
    finally:
        running.send_signal(signal.SIGINT)
        try:
            running.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            running.kill()  # its janitor sweeps
            running.communicate()


def _url(running: "subprocess.Popen[str]") -> str:
    assert running.stdout
    for line in running.stdout:
        found = PAGE.match(line)
        if found:
            return found[1]
    raise UserError("the experiment ended before it could be seen")


def _filled(page: str) -> str:
    """Wait until Prometheus has seen most of the experiment."""
    wanted = f"max(count_over_time(trapline_experiment_running[5m])) > {SEEN}"
    asked = f"{page}/api/v1/query?{urllib.parse.urlencode({'query': wanted})}"
    deadline = time.monotonic() + START_S + SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(asked, timeout=START_S) as answer:
            if msgspec.json.decode(answer.read())["data"]["result"]:
                return page
        time.sleep(0.5)
    raise UserError("Prometheus saw nothing of the experiment")


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium. Raises UserError where there is none."""
    program = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only developers have it
    except ImportError:
        program = None
    if program is None:
        raise UserError("no pictures without chromium and playwright: apt-get install chromium, make setup")
    with sync_playwright() as started:
        launched = started.chromium.launch(executable_path=program, args=CLIENTS)
        yield launched
        launched.close()


def take(opened: Any, page: str, shot: Shot, out: Path, scheme: str) -> None:
    """Write one picture. Raises UserError for a panel that failed, and a picture that is too large."""
    size = {"width": WIDTH, "height": shot.height}
    tab = opened.new_page(viewport=size, color_scheme=scheme)
    tab.goto(f"{page}/d/trapline-{shot.name}?from=now-1m&{shot.query}")
    tab.wait_for_selector("html[data-drawn]", state="attached")
    failed = tab.locator('[data-state="error"], [data-state="unsupported"]').all_inner_texts()
    if failed:
        raise UserError(f"{shot.name}: {failed[0]}")
    file = out / f"{shot.name}.png"
    file.write_bytes(small(tab.screenshot()))
    tab.close()
    written = file.stat().st_size
    if written > BYTES_MAX:
        raise UserError(f"{file}: {written} bytes, more than {BYTES_MAX}; make it lower")
    sys.stdout.write(f"{file}: {written} bytes\n")


if __name__ == "__main__":
    sys.exit(main())
