"""Reports in a real browser: drawn without an error, in light and dark, wide and narrow, on paper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from deploy.experiments import report
from deploy.experiments.result import RunResult
from tests.browsing import Opened, chromium
from tests.deploy.experiments.results import agent, failing, huge, passing, slices

DRAWN_MS = 60_000
HOSTILE = """<img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}}"""
WIDE, NARROW = 1280, 400


class Report(Opened):
    """A report in a page of its own."""

    def __init__(self, browser: Browser, file: Path, scheme: str = "light") -> None:
        size = {"width": WIDE, "height": 900}
        super().__init__(browser, file.as_uri(), color_scheme=scheme, viewport=size)
        self.page.wait_for_selector("html[data-drawn]", timeout=DRAWN_MS)

    def lines(self, plot: str) -> int:
        """How many agents are drawn in a plot."""
        return self.page.locator(f"#plot-{plot} .scatterlayer .trace").count()

    def line(self, plot: str) -> Locator:
        """The first one."""
        return self.page.locator(f"#plot-{plot} .scatterlayer .js-line").first

    def colour(self, plot: str) -> str:
        """Of the first line."""
        return str(self.line(plot).evaluate("one => getComputedStyle(one).stroke"))

    def tick(self, plot: str) -> Locator:
        """The first word of the time axis."""
        return self.page.locator(f"#plot-{plot} .xtick text").first

    def drag(self, plot: str) -> None:
        """Over the middle of it."""
        area = self.page.locator(f"#plot-{plot} .nsewdrag")
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 55)
        self.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
        self.page.mouse.up()

    def paper(self) -> str:
        return str(self.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=DRAWN_MS)  # a busy machine takes its time
    with chromium() as launched:
        yield launched


def written(folder: Path, result: RunResult) -> Path:
    report.write(result, folder / "report.html")
    return folder / "report.html"


@pytest.mark.parametrize(
    ("result", "lines"), [(passing(), 4), (failing(), 4), (huge(), 8)], ids=["passing", "failing", "huge"]
)
def test_a_report_is_drawn_in_light_and_dark_wide_and_narrow(
    browser: Browser, tmp_path: Path, result: RunResult, lines: int
) -> None:
    opened = Report(browser, written(tmp_path, result))
    text = opened.page.inner_text("header")
    for one in (report.WORDS[result.verdict], result.reason, str(result.seed), result.command):
        assert one in text
    assert [opened.lines(name) for name in ("p99", "p50", "rate", "errors")] == [lines] * 4
    assert opened.page.locator("#plot-timeline .bars .point").count() > 0
    assert opened.page.locator("svg.spacetime").count() == bool(result.diagram)
    assert opened.overflow() == 0
    light = opened.paper(), opened.colour("errors")
    wide = opened.page.locator("#plot-errors .main-svg").first.get_attribute("width")
    opened.page.emulate_media(color_scheme="dark")
    opened.page.set_viewport_size({"width": NARROW, "height": 900})
    expect(opened.page.locator("#plot-errors .main-svg").first).not_to_have_attribute("width", wide or "")
    expect(opened.line("errors")).not_to_have_css("stroke", light[1])
    assert opened.paper() != light[0]
    assert [opened.lines(name) for name in ("p99", "p50", "rate", "errors")] == [lines] * 4
    assert (opened.overflow(), opened.complaints) == (0, [])


def test_the_plots_follow_the_legend_the_scheme_and_one_another(browser: Browser, tmp_path: Path) -> None:
    opened = Report(browser, written(tmp_path, failing()))
    page = opened.page
    page.get_by_role("checkbox", name="adas").uncheck()
    assert (opened.lines("p99"), opened.lines("rate")) == (3, 3)
    light = opened.colour("p99")
    page.emulate_media(color_scheme="dark")
    expect(opened.line("p99")).not_to_have_css("stroke", light)
    opened.drag("p99")
    expect(opened.tick("rate")).not_to_have_text("0 s")
    page.get_by_role("button", name="Show the whole time").click()
    expect(opened.tick("p99")).to_have_text("0 s")
    assert opened.complaints == []


def test_the_command_is_copied_also_where_there_is_nothing_to_plot(browser: Browser, tmp_path: Path) -> None:
    opened = Report(browser, written(tmp_path, passing(slices=(), faults=())))
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.page.get_by_role("button", name="Copy").click()
    opened.page.wait_for_selector("button:text('Copied')")
    assert opened.page.evaluate("navigator.clipboard.readText()") == passing().command


def test_on_paper_it_is_light_and_everything_is_open(browser: Browser, tmp_path: Path) -> None:
    opened = Report(browser, written(tmp_path, failing()), "dark")
    dark = opened.colour("p99")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert opened.paper() == "rgb(255, 255, 255)"
    assert opened.colour("p99") != dark
    assert opened.page.locator("details:not([open])").count() == 0
    opened.page.emulate_media(media="screen")
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.colour("p99") == dark
    assert opened.page.locator("details[open]").count() == 0


def test_names_and_texts_are_never_markup(browser: Browser, tmp_path: Path) -> None:
    one = agent(HOSTILE, 1, codes={HOSTILE: 1}, metered={HOSTILE: 2})
    result = failing(
        title=HOSTILE,
        reason=HOSTILE,
        command=HOSTILE,
        notes=(HOSTILE,),
        agents=(one,),
        slices=slices([HOSTILE]),
    )
    opened = Report(browser, written(tmp_path, result))
    opened.page.hover("#plot-p99 .nsewdrag")
    opened.page.wait_for_selector("#plot-p99 .hoverlayer text")
    hovered = opened.page.locator("#plot-p99 .hoverlayer").text_content()
    assert HOSTILE[:12] in (hovered or "")
    assert HOSTILE in opened.page.inner_text("header")
    assert opened.page.locator("img").count() == 0
    assert opened.complaints == []
