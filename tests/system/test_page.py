"""The page before a real platform and a real Prometheus: dashboards are drawn, and what they show is true."""

import json
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, expect

from deploy.observability import assets
from deploy.observability.page import files
from deploy.observability.page.clusters import Clusters
from deploy.observability.page.proxy import Prometheus
from deploy.observability.page.server import Server, Site
from tests.browsing import Opened, chromium
from tests.system.cluster import Cluster
from tests.system.processes import eventually
from tests.system.prometheus import Asked

DASHBOARDS = files.dashboards(assets.folder() / assets.MARK)
TALL = {"width": 1600, "height": 4000}  # everything is in sight, so everything is drawn
SPAN_S = 60
DRAWN_MS = 30_000
ENOUGH = 4  # panels that have something to show on every dashboard of a platform that works


class Rig(NamedTuple):
    """A platform, its page and its Prometheus, and a browser."""

    cluster: Cluster
    url: str
    prometheus: Asked
    browser: Browser

    def open(self, path: str, url: str = "", **context: Any) -> Opened:
        origin = url or self.url
        opened = Opened(self.browser, f"{origin}{path}", origin, **context)
        opened.page.wait_for_selector("html[data-drawn]", timeout=DRAWN_MS, state="attached")
        return opened


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    folder = Path(tempfile.mkdtemp(prefix="tl-", dir="/tmp"))
    cluster = Cluster(folder)
    try:
        cluster.up("--observe", "--observe-port", "0", "--pause-ms", "30")
        urls = cluster.status()["observe"]
        prometheus = Asked(urls["prometheus"])
        cluster.here("xl", "destroy", "ivi")
        busy = "sum(rate(trapline_scmi_calls_total[4s])) * sum(rate(trapline_guest_calls_total[4s]))"
        eventually(lambda: prometheus.value(busy) > 0, "rates of calls", pause_s=0.1)
        prometheus.seen("xen", "firmware", "supervisor")
        with chromium() as browser:
            yield Rig(cluster, urls["page"], prometheus, browser)
    finally:
        cluster.stop()
        shutil.rmtree(folder)


def panels(uid: str) -> dict[str, Any]:
    """Every panel of a dashboard that draws something, by id."""
    every: list[Any] = []
    for one in json.loads(DASHBOARDS[uid].content)["panels"]:
        every += one.get("panels") or [] if one["type"] == "row" else [one]
    return {str(one["id"]): one for one in every}


def window() -> tuple[int, str]:
    """The last whole second, and an address' time range that ends there."""
    end = int(time.time()) - 1
    return end, f"from={(end - SPAN_S) * 1000}&to={end * 1000}"


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_every_panel_of_every_dashboard_is_drawn(rig: Rig, uid: str) -> None:
    _, span = window()
    opened = rig.open(f"/d/{uid}?{span}", viewport=TALL)
    states = []
    for number, model in panels(uid).items():
        panel = opened.page.locator(f'[data-panel="{number}"]')
        told = panel.inner_text()
        assert panel.get_attribute("data-unsupported") == "", model["title"]
        state = panel.get_attribute("data-state")
        assert state in ("drawn", "empty"), f"{model['title']}: {told}"
        if state == "empty":
            assert model["fieldConfig"]["defaults"]["noValue"] in told
        states.append(state)
    assert states.count("drawn") >= ENOUGH
    assert opened.page.locator("#trouble").is_hidden()
    assert "preview, not Grafana" in opened.page.inner_text("footer")
    assert opened.complaints == []
    opened.close()


def test_a_stat_shows_what_prometheus_says(rig: Rig) -> None:
    end, span = window()
    opened = rig.open(f"/d/trapline-overview?{span}", viewport=TALL)
    checked = 0
    for number, model in panels("trapline-overview").items():
        cell = opened.page.locator(f'[data-panel="{number}"] .stat')
        if model["type"] != "stat" or not cell.count():
            continue
        expression = re.sub(r"\$(cluster|agent|protocol|experiment)", ".*", model["targets"][0]["expr"])
        expression = expression.replace("$__rate_interval", "4s").replace("$__range", f"{SPAN_S}s")
        found = rig.prometheus.get("query", query=expression, time=end)["result"]
        assert float(cell.get_attribute("data-value") or "nan") == pytest.approx(float(found[0]["value"][1]))
        checked += 1
    assert checked >= ENOUGH
    opened.close()


def test_what_is_wrong_in_a_dashboard_shows_in_its_panel(rig: Rig, tmp_path: Path) -> None:
    target = {"expr": "sum(up)", "refId": "A"}
    base = {"type": "stat", "targets": [target], "fieldConfig": {"defaults": {}, "overrides": []}}
    spoiled = [
        {"targets": [{**target, "expr": "sum(up"}]},
        {"type": "piechart"},
        {"options": {"graphMode": "wave"}},
        {"transformations": [{"id": "histogram"}]},
        {"targets": [{**target, "expr": "no_such_metric"}]},
        {},
    ]
    made = [
        {**base, "title": "p", "id": number, "gridPos": {"x": 0, "y": 4 * number, "w": 6, "h": 4}, **one}
        for number, one in enumerate(spoiled)
    ]
    (tmp_path / "bad.json").write_text(json.dumps({"uid": "bad", "title": "Bad", "panels": made}))
    site = Site(
        Prometheus(rig.prometheus.url), Clusters(only=rig.cluster.run), files.dashboards(tmp_path), "1s"
    )
    server = Server(site)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        opened = rig.open("/d/bad", server.url.rstrip("/"), viewport=TALL)
        found = [
            (panel.get_attribute("data-state"), panel.get_attribute("data-unsupported"), panel.inner_text())
            for panel in opened.page.locator(".panel").all()
        ]
        assert [one[0] for one in found] == ["error", "unsupported", "drawn", "drawn", "empty", "drawn"]
        assert "parse error" in found[0][2]
        assert [one[1] for one in found[1:4]] == [
            "panel type piechart",
            'options.graphMode: "wave"',
            "transformation histogram",
        ]
        assert all("not all of it is drawn" in one[2] for one in found[1:4])
        assert "No data" in found[4][2]
        assert "not all of it is drawn" not in found[5][2]
        opened.close()
    finally:
        server.shutdown()
        server.server_close()


def test_it_goes_on_by_itself_and_stops_when_told(rig: Rig) -> None:
    opened = rig.open("/d/trapline-fleet", viewport=TALL, color_scheme="dark")
    page = opened.page
    page.wait_for_selector('html[data-drawn="2"]', timeout=DRAWN_MS, state="attached")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_contain_text("paused")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#scheme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    for width in (1280, 1920, 800):
        page.set_viewport_size({"width": width, "height": 1200})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert opened.complaints == []
    opened.close()


def test_a_choice_is_kept_in_the_address_and_asked_for(rig: Rig) -> None:
    opened = rig.open("/d/trapline-agent?from=now-1m", viewport=TALL)
    page = opened.page
    chooser = page.locator('[data-variable="agent"]')
    chooser.locator("summary").click()
    with page.expect_request(lambda one: "query_range" in one.url and "agent%3D%7E%223%22" in one.url):
        chooser.get_by_text("3 ivi", exact=True).click()
    assert "var-agent=3" in page.url
    assert "agent=3" in (page.get_by_role("link", name="Traces").get_attribute("href") or "")
    assert opened.complaints == []
    opened.close()


def test_the_latest_calls_are_shown_and_those_of_one_agent(rig: Rig) -> None:
    opened = rig.open("/traces?agent=4")
    expect(opened.page.locator(".call").first).to_contain_text("tcu(4)", timeout=DRAWN_MS)
    assert opened.page.locator(".call", has_text="dom0(0)").count() == 0
    opened.page.locator("[name=agent]").fill("x")
    opened.page.locator("[name=agent]").press("Tab")
    expect(opened.page.locator("#trouble")).to_contain_text("an agent is a number")
    assert opened.complaints == []
    opened.close()
