"""The page's HTTP server: loopback, GET only, for its own name only, a bounded number of connections.

A web page of somebody else's cannot read it: no CORS, a foreign Host is refused (DNS rebinding), and so is a
query that another site's page makes. It does not draw: pages are shells that ``static/`` fills.
"""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from deploy.observability.page import files, traces
from deploy.observability.page.clusters import Clusters
from deploy.observability.page.proxy import Prometheus
from deploy.observability.ports import LOOPBACK

NAMES: Final = (LOOPBACK, "localhost")
CONNECTIONS_MAX: Final = 64
IDLE_S: Final = 30.0
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Query = dict[str, list[str]]


class Site(msgspec.Struct, frozen=True):
    """What one page is about. ``scrape`` is how often Prometheus scrapes, as Prometheus writes durations."""

    prometheus: Prometheus
    clusters: Clusters
    dashboards: dict[str, files.Dashboard]
    scrape: str


class Server(ThreadingHTTPServer):
    """Serves ``site`` on loopback; port 0 chooses a free one. Raises OSError for a port that is taken."""

    daemon_threads = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, site: Site, port: int = 0) -> None:
        self.site = site
        self._room = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__((LOOPBACK, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection: looks a route up and answers."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    server_version = "trapline"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        if not self._ours():
            self._say(421, "this server has another name\n")
            return
        parts = urlsplit(self.path)
        if parts.path.startswith("/api/"):
            self._api(parts.path, parts.query)
            return
        route, _, rest = parts.path.removeprefix("/").partition("/")
        act = ROUTES.get(route)
        if act is None:
            self._say(404, "there is nothing here\n")
        else:
            act(self, rest, parse_qs(parts.query, keep_blank_values=True))

    def _ours(self) -> bool:
        host, _, port = self.headers.get("Host", "").rpartition(":")
        return host in NAMES and port == str(self.server.server_port)

    def _api(self, path: str, query: str) -> None:
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            self._say(403, "only this page may ask\n")
            return
        status, content = self.server.site.prometheus.ask(path, query)
        self._answer(status, content, "application/json")

    def list(self, rest: str, _query: Query) -> None:
        """/"""
        if rest:
            self._say(404, "there is nothing here\n")
            return
        site = self.server.site
        page = files.render(
            "list.html",
            dashboards=site.dashboards.values(),
            clusters=site.clusters.alive(),
            prometheus=site.prometheus.url,
        )
        self._page(page)

    def dashboard(self, uid: str, _query: Query) -> None:
        """/d/UID"""
        found = self.server.site.dashboards.get(uid)
        if found is None:
            self._say(404, "there is no such dashboard\n")
            return
        every = self.server.site.dashboards.values()
        self._page(
            files.render("dashboard.html", dashboard=found, dashboards=every, scrape=self.server.site.scrape)
        )

    def model(self, uid: str, _query: Query) -> None:
        """/dashboards/UID: the dashboard's JSON"""
        found = self.server.site.dashboards.get(uid)
        if found is None:
            self._say(404, "there is no such dashboard\n")
        else:
            self._answer(200, found.content, "application/json")

    def file(self, name: str, _query: Query) -> None:
        """/static/NAME"""
        path = files.static().get(name)
        if path is None:
            self._say(404, "there is no such file\n")
        else:
            self._answer(200, path.read_bytes(), files.KINDS[path.suffix])

    def traces(self, rest: str, query: Query) -> None:
        """/traces and /traces/lines: the page, and what it shows as JSON"""
        asked = traces.asked(query)
        if rest == "lines":
            found = traces.lines(self.server.site.clusters, asked)
            self._answer(200, msgspec.json.encode(found), "application/json")
        elif rest:
            self._say(404, "there is nothing here\n")
        else:
            every = self.server.site.dashboards.values()
            names = [one.name for one in self.server.site.clusters.alive()]
            self._page(files.render("traces.html", asked=asked, dashboards=every, clusters=names))

    def health(self, _rest: str, _query: Query) -> None:
        """/healthz"""
        self._say(200, "ok\n")

    def _page(self, content: bytes) -> None:
        self._answer(200, content, "text/html")

    def _say(self, status: int, text: str) -> None:
        self._answer(status, text.encode(), "text/plain")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base's name
        """Requests are no news."""


ROUTES: Final[dict[str, Callable[[Handler, str, Query], None]]] = {
    "": Handler.list,
    "d": Handler.dashboard,
    "dashboards": Handler.model,
    "static": Handler.file,
    "traces": Handler.traces,
    "healthz": Handler.health,
}
