"""A headless Chromium for tests of pages, and everything that should not have happened in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that Debian has; fails when it is not installed."""
    program = shutil.which("chromium")
    assert program, "these tests draw in chromium: apt-get install chromium"
    with sync_playwright() as started:
        launched = started.chromium.launch(executable_path=program, args=QUIET)
        yield launched
        launched.close()


class Opened:
    """A page at ``url``; ``complaints`` is what was wrong.

    It may ask for what begins with ``origin``; without one, for itself only.
    """

    def __init__(self, browser: Browser, url: str, origin: str = "", **context: Any) -> None:
        self.page: Page = browser.new_context(**context).new_page()
        self.complaints: list[str] = []
        complain = self.complaints.append

        def may(asked: str) -> bool:
            return asked.startswith(origin) if origin else asked == url

        self.page.on("console", lambda one: complain(f"{one.type}: {one.text}"))
        self.page.on("pageerror", lambda error: complain(str(error)))
        self.page.on("request", lambda one: may(one.url) or complain(f"asked for {one.url[:99]}"))
        self.page.on("dialog", lambda one: (complain(f"dialog {one.message}"), one.dismiss()))
        self.page.goto(url)

    def close(self) -> None:
        self.page.context.close()
