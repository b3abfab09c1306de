"""``python -m deploy.observability.pictures``: the pictures of dashboards in ``grafana/pictures/``.

What they show runs on real processes, under a real Prometheus: two experiments, then several clusters. A
headless Chromium opens the page on each dashboard in real time and takes what it sees. A developer's tool: it
needs playwright, chromium, prometheus. It does not compare anything: pictures are looked at.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
SEEN: Final = 20  # scrapes of what runs before a picture is taken; a busy machine misses some
SEEN_OF_CLUSTERS: Final = 2 * SEEN  # they have no end that comes first
END_S: Final = 20.0
START_S: Final = 60.0
TRAPLINE: Final = (sys.executable, "-m", "deploy.entry")
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


EXPERIMENTS: Final = {
    "noisy-neighbour": (Shot("overview", "", 1560), Shot("agent", "var-agent=0", 1060)),
    "el3-crash-under-load": (Shot("experiments", "", 1500),),
}
CLUSTERS: Final = "clusters"
FLEET: Final = Shot("fleet", "", 1126)
SMALL: Final = ("--domains", "5", "--pause-ms", "20")
UP: Final = {
    "quiet": (*SMALL, "--guests-per-process", "5"),
    "metered": (*SMALL, "--guests-per-process", "5", "--meter", "guests=10"),
    "crashed": SMALL,
}
"""Clusters that the Fleet tells apart, by name, and what ``trapline up`` is told of each."""
KILLED: Final = ("crashed", "guest2")


def main() -> int:
    """Exit code 2, and one line, for what is missing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.observability.pictures")
    parser.add_argument("--out", type=Path, metavar="DIR", help="Default: grafana/pictures")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--only", choices=(*EXPERIMENTS, CLUSTERS), help="what runs")
    given = parser.parse_args()
    try:
        out = given.out or assets.folder() / FOLDER
        out.mkdir(exist_ok=True)
        for name in (given.only,) if given.only else (*EXPERIMENTS, CLUSTERS):
            running, shots = (clusters(), (FLEET,)) if name == CLUSTERS else (run(name), EXPERIMENTS[name])
            with running as page, browser() as opened:
                for shot in shots:
                    take(opened, page, shot, out, given.scheme)
    except UserError as error:
        sys.stderr.write(f"trapline: {error}\n")
        return 2
    return 0


@contextmanager
def run(scenario: str) -> Iterator[str]:
    """The page's URL while an experiment runs, most of its time over. Raises UserError if it ends early."""
    words = ["run", scenario, "--engine", "local", "--seconds", str(SECONDS), "--no-report", "--observe"]
    with observed([*words, "--observe-port", "0", "--observe-hold", "60"], os.environ) as page:
        yield _filled(page, f"max(count_over_time(trapline_experiment_running[5m])) > {SEEN}")


@contextmanager
def clusters() -> Iterator[str]:
    """The page's URL while all of UP run and work; in one a guest has crashed. Raises UserError."""
    with tempfile.TemporaryDirectory() as runtime, ExitStack() as up:
        environment = {**os.environ, "XDG_RUNTIME_DIR": runtime}  # those of others are not seen
        page = up.enter_context(observed(["observe", "--port", "0"], environment))
        for name, words in UP.items():
            _told(["up", "--detach", "--name", name, *words], environment)
            up.callback(_told, ["down", "--name", name], environment)
        calls = f"count_over_time(trapline_scmi_calls_total[5m]) > {SEEN_OF_CLUSTERS}"
        seen = f"count(count by (cluster) ({calls})) == {len(UP)}"
        _filled(page, seen)
        _told(["kill", "--name", *KILLED], environment)
        yield _filled(page, f'({seen}) and on () ALERTS{{alertname="TraplineGuestExited"}}')


def _told(words: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run([*TRAPLINE, *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(done.stderr.strip())


@contextmanager
def observed(words: list[str], environment: Mapping[str, str]) -> Iterator[str]:
    """The page's URL while ``trapline words`` runs; it is ended afterwards."""
    running = subprocess.Popen(
        [*TRAPLINE, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # where to look is told there
        env=environment,
        text=True,
    )
    try:
        yield _url(running)
    finally:
        running.send_signal(signal.SIGINT)
        try:
            running.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            running.kill()  # its janitor sweeps
            running.communicate()


def _url(running: "subprocess.Popen[str]") -> str:
    assert running.stdout
    line = ""
    for line in running.stdout:
        found = PAGE.match(line)
        if found:
            return found[1]
    raise UserError(f"it ended before it could be seen: {line.strip()}")


def _filled(page: str, wanted: str) -> str:
    """Wait until Prometheus has an answer to ``wanted``."""
    asked = f"{page}/api/v1/query?{urllib.parse.urlencode({'query': wanted})}"
    deadline = time.monotonic() + START_S + SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(asked, timeout=START_S) as answer:
            if msgspec.json.decode(answer.read())["data"]["result"]:
                return page
        time.sleep(0.5)
    raise UserError(f"Prometheus did not see it: {wanted}")


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
