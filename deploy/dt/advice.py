"""The configuration that goes with a guest's partial tree: xl.cfg settings, or ``xen,domain`` properties."""

from pathlib import Path

from bus.shmem import PAGE_BYTES
from deploy.dt.guest import Plan

SCI_TYPE = "scmi_smc_multiagent"


def advice(plan: Plan, tree: Path | None, *, offered: bool = False) -> list[str]:
    """Lines for people: a heading, then what to write, then remarks, all of them fit to be pasted.

    ``tree``: where the tree went; ``offered``: EL3 has a way back to the agent.
    """
    lines, remark = (_dom0less(plan), "/* {} */") if plan.kind == "dom0less" else (_xl(plan, tree), "# {}")
    if offered and plan.way_back is None:
        lines.append(
            remark.format(f"EL3 has a way back to agent {plan.channel.agent_id}: --way-back writes it")
        )
    return lines


def xl_settings(plan: Plan, tree: Path | None = None) -> list[str]:
    """The settings of an xl.cfg that give the guest its agent, pages, interrupts, registers and devices."""
    frames = [f"{plan.channel.shmem // PAGE_BYTES:x},1@{plan.address // PAGE_BYTES:x}"]
    back = plan.way_back
    if back is not None:
        frames.append(f"{back.shmem // PAGE_BYTES:x},1@{back.address // PAGE_BYTES:x}")
    for device in plan.devices:
        frames += [f"{at // PAGE_BYTES:x},{size // PAGE_BYTES:x}" for at, size in device.pages()]
    lines = [
        f'arm_sci = "type={SCI_TYPE},agent_id={plan.channel.agent_id}"',
        f"iomem = {_list(frames)}",
    ]
    if back is not None:
        lines.append(f"irqs = [ {', '.join(map(str, sorted(back.interrupts().values())))} ]")
    if plan.devices:
        lines.append(f"dtdev = {_list([device.path for device in plan.devices])}")
    if tree is not None:
        lines.append(f'device_tree = "{tree}"')
    return lines


def _list(items: list[str]) -> str:
    return "[ " + ", ".join(f'"{item}"' for item in dict.fromkeys(items)) + " ]"


def _xl(plan: Plan, tree: Path | None) -> list[str]:
    lines = [f"# {plan.name}: for its xl.cfg", *xl_settings(plan, tree)]
    if tree is not None and tree.suffix != ".dtb":
        lines.append(f"# xl itself wants the tree compiled: dtc -O dtb -o {tree.with_suffix('.dtb')} {tree}")
    return lines


def _dom0less(plan: Plan) -> list[str]:
    return [
        f"/* {plan.name}: for its xen,domain node under /chosen of the host tree */",
        f'xen,sci_type = "{SCI_TYPE}";',
        f"xen,sci-agent-id = <{plan.channel.agent_id}>;",
    ]
