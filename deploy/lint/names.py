"""Judges names that older versions of the binding used, and newer ones silently pass over."""

import re
from collections.abc import Iterator

from deploy.lint.finding import Finding, at, finding
from deploy.lint.material import Material
from nodes.devicetree import Node
from nodes.xen import cmdline

NEW_NAMES = {
    "xen,sci_agent_id": "xen,sci-agent-id",
    "xen,sci-type": "xen,sci_type",
    "xen,sci_agent-id": "xen,sci-agent-id",
    "epam,secondary-agents": "scmi-secondary-agents",
    "secondary-agents": "scmi-secondary-agents",
    "xen,scmi-secondary-agents": "scmi-secondary-agents",
    "xen,dom0_sci_agent_id": "xen,dom0-sci-agent-id",
    "xen,dom0-sci_agent_id": "xen,dom0-sci-agent-id",
}
OLDEST_OPTION = re.compile(r"\bdom0_scmi_agent_id=(\d+)")


def judge(material: Material) -> Iterator[Finding]:
    """Old property names, the old container, and Dom0's agent on Xen's command line."""
    if material.host is None or material.profile.driver != "multiagent":
        return
    for node in material.host:
        for prop in node.properties:
            if prop in NEW_NAMES and _ours(node, prop):
                new = NEW_NAMES[prop]
                order = (
                    "; its entries are <smc-id page agent> now"
                    if "epam" in prop or "xen,scmi" in prop
                    else ""
                )
                message = f"{node.path}: {prop} is not read any more: it is {new} now{order}"
                yield finding("old-name", at(node, prop), message, f"Rename it to {new}.")
        if node.compatible("xen,config"):
            message = f"{node.path} is compatible 'xen,config', an older version's container"
            yield finding("old-name", at(node, "compatible"), message, 'Use compatible = "xen,sci";')
    chosen = material.host.get("/chosen")
    if chosen is not None and material.profile.dom0_agent == "property":
        yield from _command_line(chosen)


def _ours(node: Node, prop: str) -> bool:
    return prop.startswith(("xen,", "epam,")) or node.compatible("xen,sci")


def _command_line(chosen: Node) -> Iterator[Finding]:
    text = chosen.string(cmdline.BOOTARGS) or ""
    oldest = OLDEST_OPTION.search(text)
    agent = oldest[1] if oldest else cmdline.parse(text).dom0_agent
    if agent is not None:
        option = oldest[0] if oldest else f"{cmdline.DOM0}={cmdline.DOM0_AGENT}={agent}"
        message = f"{cmdline.BOOTARGS}: {option} is not read any more"
        fix = f"Remove it, and write xen,dom0-sci-agent-id = <{agent}>; in the container."
        yield finding("old-command-line", at(chosen, cmdline.BOOTARGS), message, fix)
