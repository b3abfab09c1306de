"""The page's server: what it serves, what it refuses, and that it ends with its parent."""

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.errors import UserError
from deploy.observability.page import files
from deploy.observability.page.clusters import Clusters
from deploy.observability.page.proxy import QUERY_BYTES_MAX, Prometheus
from deploy.observability.page.server import CONNECTIONS_MAX, POLICY, Server, Site

DASHBOARD = {"uid": "one", "title": "<b>One</b>", "description": "it's", "panels": []}
START_S = 20


class Upstream(ThreadingHTTPServer):
    """Stands where Prometheus would; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Echo)


class _Echo(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status":"success"}')

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base's name
        return


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class Rig:
    """A page in front of an upstream, both in this process."""

    def __init__(self, folder: Path) -> None:
        (folder / "one.json").write_text(json.dumps(DASHBOARD))
        self.upstream = Upstream()
        prometheus = Prometheus(f"http://127.0.0.1:{self.upstream.server_port}/")
        self.server = Server(Site(prometheus, Clusters(parent=folder), files.dashboards(folder), "1s"))
        for one in (self.upstream, self.server):
            threading.Thread(target=one.serve_forever, args=(0.01,), daemon=True).start()

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=START_S)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=sent)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return Answer(response.status, dict(response.getheaders()), text)

    def close(self) -> None:
        for one in (self.server, self.upstream):
            one.shutdown()
            one.server_close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def test_it_serves_a_list_a_dashboard_its_json_scripts_and_its_health(rig: Rig) -> None:
    assert "&lt;b&gt;One&lt;/b&gt;" in rig.ask("/").text
    page = rig.ask("/d/one?var-agent=2&from=now-5m")
    assert (page.status, page.headers["Content-Security-Policy"]) == (200, POLICY)
    assert "preview, not Grafana" in page.text
    assert "<b>" not in page.text
    assert json.loads(rig.ask("/dashboards/one").text) == DASHBOARD
    assert rig.ask("/static/main.js").headers["Content-Type"].startswith("text/javascript")
    assert rig.ask("/healthz").text == "ok\n"
    assert not any(name.lower().startswith("access-control") for name in page.headers)


@pytest.mark.parametrize(
    "path",
    [
        "/d/two", "/d/", "/dashboards/two", "/static/../server.py", "/static/%2e%2e/server.py",
        "/static/none.js", "/server.py", "/x", "//x", "/traces/x",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(rig: Rig, path: str) -> None:
    assert rig.ask(path).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "query?query=up",
        "query_range?query=up&start=1&end=2&step=1",
        "series?match[]=up",
        "labels",
        "label/job/values",
    ],
)
def test_queries_are_passed_on_as_they_are(rig: Rig, path: str) -> None:
    assert rig.ask(f"/api/v1/{path}").status == 200
    assert rig.upstream.asked == [f"/api/v1/{path}" + ("" if "?" in path else "?")]


@pytest.mark.parametrize(
    "path",
    [
        "status/config", "admin/tsdb/delete_series?match[]=up", "targets", "query/", "query%2f..",
        "../v1/query", "label/job/values/x", "label/../values", "write", "",
    ],
)  # fmt: skip
def test_no_other_path_is_passed_on(rig: Rig, path: str) -> None:
    assert rig.ask(f"/api/v1/{path}").status == 404
    assert rig.upstream.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_only_get_is_answered(rig: Rig, method: str) -> None:
    assert rig.ask("/api/v1/query?query=up", method).status == 501
    assert rig.upstream.asked == []


def test_a_query_has_a_greatest_length(rig: Rig) -> None:
    head = "query="
    fits = "x" * (QUERY_BYTES_MAX - len(head))
    assert rig.ask(f"/api/v1/query?{head}{fits}").status == 200
    refused = rig.ask(f"/api/v1/query?{head}{fits}x")
    assert (refused.status, json.loads(refused.text)["status"]) == (414, "error")
    assert len(rig.upstream.asked) == 1


def test_a_foreign_name_is_refused_on_every_path(rig: Rig) -> None:
    port = rig.server.server_port
    for path in ("/", "/d/one", "/api/v1/query?query=up", "/healthz"):
        for host in (f"evil.example:{port}", "127.0.0.1:1", "127.0.0.1", f"127.0.0.1.nip.io:{port}", ""):
            assert rig.ask(path, Host=host).status == 421
        assert rig.ask(path, Host=f"localhost:{port}").status == 200
    assert len(rig.upstream.asked) == 1


def test_another_site_may_link_to_it_and_not_query(rig: Rig) -> None:
    assert rig.ask("/d/one", Sec_Fetch_Site="cross-site").status == 200
    for site in ("cross-site", "same-site"):
        assert rig.ask("/api/v1/query?query=up", Sec_Fetch_Site=site).status == 403
    assert rig.ask("/api/v1/query?query=up", Sec_Fetch_Site="same-origin").status == 200
    assert len(rig.upstream.asked) == 1


def test_connections_are_bounded_and_those_that_end_make_room(rig: Rig) -> None:
    where = ("127.0.0.1", rig.server.server_port)
    held = [socket.create_connection(where) for _ in range(CONNECTIONS_MAX)]
    for one in held:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % rig.server.server_port)
        assert one.recv(9) == b"HTTP/1.1 "
    with socket.create_connection(where, START_S) as more:
        assert more.recv(1) == b""
    for one in held:
        one.close()
    while True:  # until the threads have seen it
        try:
            assert rig.ask("/healthz").status == 200
            break
        except (OSError, http.client.HTTPException):
            continue


def test_a_prometheus_that_is_gone_is_told_as_an_error(rig: Rig) -> None:
    rig.upstream.shutdown()
    rig.upstream.server_close()
    answer = rig.ask("/api/v1/query?query=up")
    assert (answer.status, json.loads(answer.text)["status"]) == (502, "error")


@pytest.mark.parametrize(
    "url", ["", "9090", "https://127.0.0.1:9090", "http://", "http://a:99999", "file:///etc"]
)
def test_a_prometheus_that_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="http://HOST:PORT"):
        Prometheus(url)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"uid": 1}'])
def test_a_file_that_is_no_dashboard_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(UserError, match=r"bad\.json"):
        files.dashboards(tmp_path)


def test_the_process_says_where_it_is_and_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(DASHBOARD))
    words = ["--prometheus", "http://127.0.0.1:1", "--parent", str(tmp_path), "--dashboards", str(tmp_path)]
    page = subprocess.Popen(
        [sys.executable, "-m", "deploy.observability.page", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert page.stdin
    assert page.stdout
    url = json.loads(page.stdout.readline())["url"]
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    held = socket.create_connection(("127.0.0.1", port), START_S)
    page.stdin.close()
    assert page.wait(START_S) == 0
    page.stdout.close()
    held.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), START_S)
