"""What every panel of these dashboards must have, as rules over its JSON; ``breaches`` names what is wrong.

What any dashboard must have (title, unit, text without data, place, job, ids) the lint judges; PromQL, too.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from deploy.observability.dashboards.names import UIDS

Panel = Mapping[str, Any]
Board = Mapping[str, Any]
NEEDS_LEGEND = ("timeseries",)
JUDGED = ("Failed", "Slowest", "denied", "Denied", "ended", "Left", "Firing", "Dropped", "Troub", "trouble")
"""Words in the title of a panel whose value can be bad."""
BAD_WORDS = {"red", "dark-red"}
SELECTOR = re.compile(r"(trapline_\w+|up|process_\w+|cluster_\w+:[\w:]+)\{([^}]*)\}")
BUILT_IN = {"__url_time_range", "__rate_interval", "__range", "__field", "__data"}


def panels(board: Board) -> list[Panel]:
    return [one for one in board["panels"] if one["type"] != "row"]


def words(panel: Panel) -> Iterator[str]:
    if "?" not in panel.get("description", ""):
        yield "the description asks no question"


def thresholds(panel: Panel) -> Iterator[str]:
    steps = defaults(panel).get("thresholds", {}).get("steps", [])
    if not steps or steps[0]["value"] is not None:
        yield "no threshold to begin with"
    judged = len(steps) > 1 or any(one["id"] == "thresholds" for one in properties(panel)) or coloured(panel)
    if any(word in panel["title"] for word in JUDGED) and not judged:
        yield "its value can be bad and nothing judges it"


def legend(panel: Panel) -> Iterator[str]:
    if panel["type"] in NEEDS_LEGEND and "max" not in panel["options"].get("legend", {}).get("calcs", []):
        yield "the legend has no maximum"


def selectors(panel: Panel) -> Iterator[str]:
    for target in panel.get("targets", []):
        found = SELECTOR.findall(target["expr"])
        if not found and "ALERTS" not in target["expr"]:
            yield f"nothing is selected: {target['expr']}"
        for name, matchers in found:
            if 'cluster=~"$cluster"' not in matchers:
                yield f"{name} of any cluster"


def red(panel: Panel) -> Iterator[str]:
    """Red is for bad values and bad names only, never what a panel happens to be drawn in."""
    colour = defaults(panel).get("color", {})
    if colour.get("fixedColor") in BAD_WORDS:
        yield "red for everything"
    if colour.get("mode", "") in ("palette-classic", "palette-classic-by-name"):
        yield "a palette with red in it"


RULES: Sequence[Callable[[Panel], Iterator[str]]] = (words, thresholds, legend, selectors, red)


def references(board: Board) -> Iterator[str]:
    """Variables that are not there or not used, links to dashboards that do not exist."""
    names = {one["name"] for one in board["templating"]["list"]}
    for panel in panels(board):
        for name in used(panel) - names - BUILT_IN:
            yield f"{panel['title']}: no variable {name}"
    for name in names - {
        name for one in (*panels(board), *board["templating"]["list"]) for name in used(one)
    }:
        yield f"variable {name} is not used"
    for uid in re.findall(r"/d/([\w-]+)", str(board["panels"])):
        if uid not in UIDS.values():
            yield f"a link to {uid}, which does not exist"


def used(part: Any) -> set[str]:
    """The variables that strings anywhere in ``part`` refer to."""
    return set(re.findall(r"\$\{?(\w+)", str(part))) - {"__all"}


def breaches(board: Board) -> list[str]:
    found = [f"{one['title']}: {what}" for one in panels(board) for rule in RULES for what in rule(one)]
    return [*found, *references(board)]


def defaults(panel: Panel) -> Mapping[str, Any]:
    return panel.get("fieldConfig", {}).get("defaults", {})  # type: ignore[no-any-return]


def properties(panel: Panel) -> list[Mapping[str, Any]]:
    return [one for override in panel["fieldConfig"]["overrides"] for one in override["properties"]]


def coloured(panel: Panel) -> bool:
    """Its names mean something, and have colours for it."""
    return any(one["id"] in ("color", "mappings") for one in properties(panel))
