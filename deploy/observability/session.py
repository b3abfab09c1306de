"""What is started to see clusters: Prometheus, the page with the dashboards, and Alertmanager when asked for.

It does not know whose clusters they are: it is given a folder of its own, where the scrape targets are
written, and whom to tell of every process (a janitor).
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.errors import UserError
from deploy.files import replace
from deploy.observability import alertmanager, prometheus
from deploy.observability.assets import folder
from deploy.observability.ports import candidates, free
from deploy.observability.programs import ALERTMANAGER, PROMETHEUS, find
from deploy.observability.server import Recipe, Server

PAGE: Final = "deploy.observability.page"
PAGE_PORT: Final = 9464  # as the dashboards' variable says; the others follow it
OFFSET: Final = {"page": 0, "prometheus": 1, "alertmanager": 2}
PORT_MAX: Final = 65_535 - max(OFFSET.values())


class Wanted(msgspec.Struct, frozen=True):
    """What to start. ``port``: of the page, and those after it of the others; 0: any that are free; None: the
    usual ones as far as they are free. ``alerts``: with Alertmanager. ``scrape``: how targets let it in.
    """

    port: int | None = None
    alerts: bool = False
    scrape: dict[str, Any] = {}

    def ports(self, name: str) -> Iterator[int]:
        """Those to try, for one of OFFSET."""
        more = OFFSET[name]
        return candidates(self.port + more if self.port else self.port, PAGE_PORT + more)


class Tools(msgspec.Struct, frozen=True):
    """The programs of others that it takes."""

    prometheus: Path
    alertmanager: Path | None


def tools(wanted: Wanted) -> Tools:
    """Where they are; raises UserError for what is not installed, or a port that is taken. Starts nothing."""
    found = Tools(find(PROMETHEUS).path, find(ALERTMANAGER).path if wanted.alerts else None)
    for name, more in OFFSET.items():
        if wanted.port and (name != "alertmanager" or wanted.alerts) and not free(wanted.port + more):
            raise UserError(
                f"port {wanted.port + more}: {name} cannot have it, somebody else does; choose another port, "
                "or leave it out"
            )
    return found


class Session:
    """``start``, ``wait``, ``stop``. ``targets``: a pattern relative to ``folder``, which it makes.

    ``page``: what the page is told of where clusters are.
    """

    def __init__(self, wanted: Wanted, found: Tools, folder: Path, targets: str, page: list[str]) -> None:
        self.wanted = wanted
        self.found = found
        self.folder = folder
        self._targets = targets
        self._page = page
        self._servers: dict[str, Server] = {}
        self._adopt: Callable[[int], None] = lambda pid: None

    def start(self, adopt: Callable[[int], None]) -> None:
        """Begin; ``adopt`` is told of every process. Raises UserError; then ``stop`` has to be called."""
        self._adopt = adopt
        self.folder.mkdir(mode=0o700)
        port = self._start_alertmanager(self.found.alertmanager) if self.found.alertmanager else None
        rules = folder() / "prometheus" / prometheus.RULES
        replace(self.folder / prometheus.RULES, rules.read_bytes())
        made = prometheus.config(self._targets, alertmanager=port, scrape=self.wanted.scrape)
        replace(self.folder / prometheus.CONFIG, made)  # there may be a password in it
        words = partial(prometheus.words, self.found.prometheus, self.folder)
        self._begin("prometheus", Recipe("Prometheus", "prometheus", words, prometheus.READY, self.folder))

    def _start_alertmanager(self, program: Path) -> int:
        """Its port, which Prometheus has to be told."""
        replace(self.folder / alertmanager.CONFIG, alertmanager.config())
        words = partial(alertmanager.words, program, self.folder)
        server = self._begin(
            "alertmanager", Recipe("Alertmanager", "alertmanager", words, alertmanager.READY, self.folder)
        )
        server.wait()
        return server.port

    def wait(self) -> None:
        """Until everything can be used; raises UserError, then ``stop`` has to be called."""
        server = self._servers["prometheus"]
        server.wait()
        words = partial(self._page_words, server.url)
        self._begin("page", Recipe("The page", "page", words, "/healthz", self.folder)).wait()

    def _page_words(self, url: str, port: int) -> list[str]:
        return [sys.executable, "-m", PAGE, "--prometheus", url, "--port", str(port), *self._page]

    def _begin(self, name: str, recipe: Recipe) -> Server:
        self._servers[name] = server = Server(recipe, self.wanted.ports(name), self._adopt)
        server.begin()
        return server

    def stop(self) -> None:
        """Kill all of it; its files are the folder's owner's to remove. Safe to call twice."""
        while self._servers:
            self._servers.popitem()[1].end()

    def urls(self) -> dict[str, str]:
        """Where to look, by name: "page", "prometheus", "alertmanager"."""
        return {name: self._servers[name].url for name in OFFSET if name in self._servers}

    def losses(self) -> list[tuple[str, str]]:
        """Who ended since the last call without being asked to, and how."""
        lost = [
            (name, how)
            for name, server in self._servers.items()
            if (how := server.how_it_ended()) is not None
        ]
        for name, _ in lost:
            self._servers.pop(name).end()
        return lost
