"""The table of panels in grafana/README.md, from the panels' words. It needs no SDK."""

from deploy.observability.assets import folder
from deploy.observability.dashboards.names import UIDS
from deploy.observability.dashboards.words import words

NAMES = {
    "overview": "Overview",
    "agent": "Agent",
    "experiments": "Experiments & faults",
    "fleet": "Fleet",
}


def markdown() -> str:
    """A section per dashboard: its picture, if one was taken, and what each panel answers."""
    return "\n".join(_section(key) for key in UIDS)


def _section(key: str) -> str:
    rows = "".join(f"| {one.title} | {one.why} | {one.empty} |\n" for one in words(key).values())
    return (
        f"\n### {NAMES[key]}\n\n`dashboards/{key}.json`, uid `{UIDS[key]}`\n\n{_picture(key)}"
        f"| panel | question, and what a bad value means | without data |\n| --- | --- | --- |\n{rows}"
    )


def _picture(key: str) -> str:
    if not (folder() / "pictures" / f"{key}.png").exists():
        return ""
    return f"![{NAMES[key]}, a preview of our own page, not Grafana](pictures/{key}.png)\n\n"
