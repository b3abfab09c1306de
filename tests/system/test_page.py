"""The page before a real platform and a real Prometheus: dashboards are drawn, and what they show is true."""

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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


LIVE = "trapline-fleet"  # the one that is opened without an end, and goes on


class Rig(NamedTuple):
    """A platform, its Prometheus, its pages, each in a tab of one browser; ``end_s`` is the newest shown."""

    cluster: Cluster
    prometheus: Asked
    browser: Browser
    tabs: dict[str, Opened]
    end_s: int


@pytest.fixture
def rig(cluster: Cluster) -> Iterator[Rig]:
    with ThreadPoolExecutor(1) as beside, chromium_after(beside, cluster) as browser:
        urls = cluster.status()["observe"]
        prometheus = Asked(urls["prometheus"])
        cluster.here("xl", "destroy", "ivi")
        end_s = eventually(lambda: busy(prometheus), "rates of calls", pause_s=0.2)
        span = f"from={(end_s - SPAN_S) * 1000}&to={end_s * 1000}"
        paths = {uid: f"/d/{uid}?{'from=now-1m' if uid == LIVE else span}" for uid in DASHBOARDS}
        tabs = {}
        for name, path in {**paths, "traces": "/traces?agent=4"}.items():
            tabs[name] = Opened(browser, f"{urls['page']}{path}", urls["page"], viewport=TALL)
            drawn(tabs[name])
        yield Rig(cluster, prometheus, browser, tabs, end_s)


def busy(prometheus: Asked) -> int:
    """The last whole second, if there was work; else 0."""
    end_s = int(time.time()) - 1
    both = "sum(rate(trapline_scmi_calls_total[4s])) * sum(rate(trapline_guest_calls_total[4s]))"
    found = prometheus.get("query", query=f"{both} > 0 and on () sum(trapline_domain_state) > 0", time=end_s)
    return end_s if found["result"] else 0


@contextmanager
def chromium_after(beside: ThreadPoolExecutor, cluster: Cluster) -> Iterator[Browser]:
    """A browser, begun while the platform boots."""
    booting = beside.submit(cluster.up, "--observe", "--observe-port", "0", "--pause-ms", "30")
    with chromium() as browser:
        booting.result()
        yield browser


def drawn(opened: Opened, again: bool = False) -> None:
    """Wait until it is drawn, or was drawn once more."""
    wanted = 'html[data-drawn]:not([data-drawn="1"])' if again else "html[data-drawn]"
    opened.page.wait_for_selector(wanted, timeout=DRAWN_MS, state="attached")


def panels(uid: str) -> dict[str, Any]:
    """Every panel of a dashboard that draws something, by id."""
    every: list[Any] = []
    for one in json.loads(DASHBOARDS[uid].content)["panels"]:
        every += one.get("panels") or [] if one["type"] == "row" else [one]
    return {str(one["id"]): one for one in every}


def every_panel_of_a_dashboard_is_drawn(rig: Rig, uid: str) -> None:
    opened = rig.tabs[uid]
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


def a_stat_shows_what_prometheus_says(rig: Rig) -> None:
    opened = rig.tabs["trapline-overview"]
    checked = 0
    for number, model in panels("trapline-overview").items():
        cell = opened.page.locator(f'[data-panel="{number}"] .stat')
        if model["type"] != "stat" or not cell.count():
            continue
        expression = re.sub(r"\$(cluster|agent|protocol|experiment)", ".*", model["targets"][0]["expr"])
        expression = expression.replace("$__rate_interval", "4s").replace("$__range", f"{SPAN_S}s")
        found = rig.prometheus.get("query", query=expression, time=rig.end_s)["result"]
        assert float(cell.get_attribute("data-value") or "nan") == pytest.approx(float(found[0]["value"][1]))
        checked += 1
    assert checked >= ENOUGH


def what_is_wrong_in_a_dashboard_shows_in_its_panel(rig: Rig, tmp_path: Path) -> None:
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
        url = server.url.rstrip("/")
        opened = Opened(rig.browser, f"{url}/d/bad", url, viewport=TALL)
        drawn(opened)
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


def it_goes_on_by_itself_and_stops_when_told(rig: Rig) -> None:
    page = rig.tabs[LIVE].page
    drawn(rig.tabs[LIVE], again=True)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_contain_text("paused")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#scheme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    for width in (1280, 1920, 800):
        page.set_viewport_size({"width": width, "height": 1200})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert rig.tabs[LIVE].complaints == []


def a_choice_is_kept_in_the_address_and_asked_for(rig: Rig) -> None:
    opened = rig.tabs["trapline-agent"]
    page = opened.page
    chooser = page.locator('[data-variable="agent"]')
    chooser.locator("summary").click()
    with page.expect_request(lambda one: "query_range" in one.url and "agent%3D%7E%223%22" in one.url):
        chooser.get_by_text("3 ivi", exact=True).click()
    assert "var-agent=3" in page.url
    assert "agent=3" in (page.get_by_role("link", name="Traces").get_attribute("href") or "")
    expect(page.get_by_text("Now: agent 3 ivi")).to_be_visible()
    assert opened.complaints == []


def an_agent_leads_to_its_traces_on_this_page_wherever_it_listens(rig: Rig) -> None:
    page = rig.tabs["trapline-overview"].page
    page.locator(".bar-line .link", has_text="tcu(4)").first.click()
    link = page.locator("#links").get_by_text("Traces of this agent").get_attribute("href") or ""
    assert link.startswith(rig.tabs["traces"].page.url.partition("?")[0] + "?cluster=")
    assert link.endswith("&agent=4")


def the_latest_calls_are_shown_and_those_of_one_agent(rig: Rig) -> None:
    opened = rig.tabs["traces"]
    expect(opened.page.locator(".call").first).to_contain_text("tcu(4)", timeout=DRAWN_MS)
    assert opened.page.locator(".call", has_text="dom0(0)").count() == 0
    opened.page.locator("[name=agent]").fill("x")
    opened.page.locator("[name=agent]").press("Tab")
    expect(opened.page.locator("#trouble")).to_contain_text("an agent is a number")
    assert opened.complaints == []


def test_the_page_shows_a_platform_that_works(rig: Rig, tmp_path: Path) -> None:
    """One test, for xdist would begin a platform and a browser for each worker that has a part of it."""
    for uid in DASHBOARDS:
        every_panel_of_a_dashboard_is_drawn(rig, uid)
    a_stat_shows_what_prometheus_says(rig)
    what_is_wrong_in_a_dashboard_shows_in_its_panel(rig, tmp_path)
    it_goes_on_by_itself_and_stops_when_told(rig)
    a_choice_is_kept_in_the_address_and_asked_for(rig)
    an_agent_leads_to_its_traces_on_this_page_wherever_it_listens(rig)
    the_latest_calls_are_shown_and_those_of_one_agent(rig)
