"""Puts something parseable in the place of Grafana's variables, and remembers which were used.

A dashboard's own variable becomes UNKNOWN, which stands for any value; Grafana's intervals become durations.
"""

import re
from collections.abc import Mapping
from typing import Final

SCRAPE_S: Final = 1
SCRAPES_MIN: Final = 4  # rate() over less is often empty: one scrape that is late is enough
INTERVALS: Final[Mapping[str, str]] = {
    "__rate_interval": f"{SCRAPES_MIN * SCRAPE_S}s",
    "__interval": f"{SCRAPE_S}s",  # one pixel may be one scrape
    "__interval_ms": "1000",
    "__range": "15m",
    "__range_s": "900",
    "__range_ms": "900000",
}
UNKNOWN: Final = "any0value0of0a0variable"
_NAME = re.compile(r"\$\{(\w+)(?:\.\w+)?(?::[^}]*)?\}|\$(\w+)|\[\[(\w+)\]\]")


def substituted(text: str) -> tuple[str, list[str]]:
    """The text without variables, and the names of those that the dashboard has to declare."""
    used: list[str] = []

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3]
        if name in INTERVALS:
            return INTERVALS[name]
        if name not in used:
            used.append(name)
        return UNKNOWN

    return _NAME.sub(value, text), used


def used(text: str) -> list[str]:
    """The variables of a dashboard that a text (a link, a title) names; Grafana's own begin with __."""
    return [name for name in substituted(text)[1] if not name.startswith("__")]
