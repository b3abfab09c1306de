"""Reference tables of the nodes, read off the code: life cycle, metrics, Xen's versions.

It gives Markdown; which page holds what is ``deploy.generate``'s business.
"""

from nodes.metrics import CATALOGUE
from nodes.xen.domain import TRANSITIONS
from nodes.xen.hazard_table import KNOWN
from nodes.xen.profile import PROFILES, Profile


def lifecycle() -> str:
    """The life cycle as a state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> created: createdomain"]
    for event, moves in TRANSITIONS.items():
        lines += [f"    {before} --> {after}: {event}" for before, after in moves.items() if before != after]
    return "\n".join([*lines, "    dead --> [*]", "```", ""])


def metrics() -> str:
    """The metric catalogue."""
    lines = [
        "| metric | type | unit | kept by | labels (bound) | lines at most | what it counts |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in CATALOGUE:
        labels = ", ".join(f"{label.name} ({label.bound})" for label in row.labels) or "-"
        cells = (f"`{row.name}`", row.type, row.unit or "-", row.owner, labels, str(row.lines_max), row.help)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def label_values() -> str:
    """What the labels with a list of values may say."""
    listed = {
        (label.name, label.values): [one.name for one in CATALOGUE if label in one.labels]
        for metric in CATALOGUE
        for label in metric.labels
        if label.values
    }
    lines = ["| label | of | values |", "| --- | --- | --- |"]
    for (name, values), metrics_of in listed.items():
        where = ", ".join(f"`{one}`" for one in metrics_of)
        lines.append(f"| {name} | {where} | {', '.join(values)} |")
    return "\n".join([*lines, ""])


PROFILE_ROWS: tuple[tuple[str, str], ...] = (
    ("driver", "driver"),
    ("sci_types", "SCI types that xl and the boot domains' parser know"),
    ("xl_agent_ids", "agent ids that xl accepts"),
    ("dom0less_agent_ids", "agent ids of boot domains"),
    ("reset_flags", "flags of BASE_RESET_AGENT_CONFIGURATION"),
    ("checks_shmem_base", "S7 checks a page's base"),
    ("dom0_agent", "Dom0's agent comes from"),
    ("hides_container", "the `xen,sci` subtree is hidden from Dom0"),
    ("failed_probe_frees", "a second node's failed probe frees the channels (P12)"),
    ("assign", "SCI beside the IOMMU"),
    ("assigns_unprotected", "assigning a device without an IOMMU counts as done"),
    ("metered", "a trap beyond a limit of metering (METERING.md)"),
)

MULTIAGENT_ONLY = ("reset_flags", "checks_shmem_base", "failed_probe_frees")


def profiles() -> str:
    """What each version of Xen's driver does, a column each."""
    titles = [f"* **{one.name}**: {one.title}." for one in PROFILES.values()]
    head = " | ".join(PROFILES)
    lines = [*titles, "", f"| | {head} |", "| --- |" + " --- |" * len(PROFILES)]
    for field, title in PROFILE_ROWS:
        values = " | ".join(_of(one, field) for one in PROFILES.values())
        lines.append(f"| {title} | {values} |")
    return "\n".join([*lines, ""])


def _of(profile: Profile, field: str) -> str:
    if field in MULTIAGENT_ONLY and profile.driver != "multiagent":
        return "-"
    return _cell(getattr(profile, field))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) if isinstance(value[0], str) else f"{value[0]}..{value[1]}"
    return "-" if value is None else str(value)


def hazards() -> str:
    """What the driver does wrong, and what a strict Xen does."""
    lines = ["| hazard | what one sees | with `--strict` | told |", "| --- | --- | --- | --- |"]
    lines += [f"| `{one.name}` | {one.seen} | {one.strict} | {one.told} |" for one in KNOWN]
    return "\n".join([*lines, ""])
