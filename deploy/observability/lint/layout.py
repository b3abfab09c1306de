"""Where panels are and what every panel must have. Grafana itself complains about none of this."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from deploy.observability.lint.problem import Say

WIDTH: Final = 24  # of Grafana's grid
WITHOUT_DATA: Final = ("row", "text")
SOURCE: Final = "${datasource}"
Panel = Mapping[str, Any]


def every(panels: Sequence[Panel]) -> Iterator[Panel]:
    """All panels, those of collapsed rows too."""
    for panel in panels:
        yield panel
        yield from every(panel.get("panels") or ())


def judge(panels: Sequence[Panel], say: Say) -> None:
    """Places of panels that share a grid, and their numbers."""
    rectangles = [(str(panel.get("title")), *_place(panel)) for panel in panels]
    for name, x, y, wide, high in rectangles:
        if wide < 1 or high < 1 or x < 0 or y < 0:
            say("grid", f"{name!r} has no place or no size", "give it a gridPos")
        if x + wide > WIDTH:
            say("grid", f"{name!r} ends at column {x + wide}", f"the grid has {WIDTH}")
    for number, one in enumerate(rectangles):
        for other in rectangles[number + 1 :]:
            if _overlap(one, other):
                say("grid", f"{one[0]!r} and {other[0]!r} overlap", "move one")
    numbers = [panel.get("id") for panel in every(panels)]
    for repeated in {one for one in numbers if numbers.count(one) > 1}:
        say("id", f"two panels have the id {repeated}", "number them")
    for panel in panels:
        if panel.get("panels"):
            judge(panel["panels"], say)


def _place(panel: Panel) -> tuple[int, int, int, int]:
    place = panel.get("gridPos") or {}
    return place.get("x", 0), place.get("y", 0), place.get("w", 0), place.get("h", 0)


def _overlap(one: tuple[str, int, int, int, int], other: tuple[str, int, int, int, int]) -> bool:
    _, x, y, wide, high = one
    _, u, v, broad, tall = other
    return x < u + broad and u < x + wide and y < v + tall and v < y + high


def judge_panel(panel: Panel, say: Say) -> None:
    """What a panel says: title, description, unit, thresholds, what no data means; its data source."""
    if panel.get("type") in WITHOUT_DATA:
        return
    defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
    for key, value, fix in (
        ("title", panel.get("title"), "name what it shows"),
        ("description", panel.get("description"), "say what it tells and what a bad value means"),
        ("unit", defaults.get("unit"), "set fieldConfig.defaults.unit"),
        (
            "no-data",
            defaults.get("noValue"),
            "set fieldConfig.defaults.noValue: what does nothing mean here?",
        ),
        ("thresholds", (defaults.get("thresholds") or {}).get("steps"), "set them, if only one colour"),
        ("targets", panel.get("targets"), "ask something"),
    ):
        if not value:
            say(key, f"{key} is missing", fix)
    for source in (panel, *(panel.get("targets") or ())):
        if (source.get("datasource") or {}).get("uid") != SOURCE:
            say(
                "datasource",
                f"data source is {source.get('datasource')}",
                f"use {SOURCE}, which people choose",
            )
    letters = [target.get("refId") for target in panel.get("targets") or ()]
    if len(set(letters)) < len(letters):
        say("refid", f"targets are called {letters}", "call each target differently")
