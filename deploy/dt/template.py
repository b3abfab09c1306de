"""A plan as device tree source, for people to read and edit: labels, references, remarks.

Addresses are CPU addresses as the guest sees them, in two cells. It knows what a guest's tree looks like,
not where the facts come from.
"""

import textwrap
from collections.abc import Iterable, Iterator

from bus.shmem import PAGE_BYTES
from deploy.devicetree.emit import spelled
from deploy.dt.device import LABELS, DeviceCopy, regulator, two_cells
from deploy.dt.guest import Kind, Plan
from nodes.guest.binding import VOLTAGE
from nodes.interrupts import FIRST_SPI, GUEST_GIC

_BUS = ("#address-cells = <2>;", "#size-cells = <2>;", "ranges;")
_COPIED = {
    "xl": "libxl copies /passthrough and /aliases into the guest's tree, and nothing else.",
    "dom0less": "Xen copies /passthrough into the guest's tree, without xen,reg, xen,path and xen,force-*.",
}
COMMENT_COLUMNS = 92


def guest_source(plan: Plan) -> str:
    """The whole partial tree as source text."""
    passthrough = [
        'compatible = "simple-bus";',
        *_BUS,
        *(["interrupt-parent = <&gic>;"] if plan.way_back else []),
        "",
        *_pages(plan),
        *_firmware(plan),
    ]
    for device in plan.devices:
        passthrough += ["", *_device(plan.kind, device)]
    root = [
        "#address-cells = <2>;",
        "#size-cells = <2>;",
        "",
        *_gic(plan),
        *_node("passthrough", passthrough),
    ]
    return "\n".join(["/dts-v1/;", "", *_header(plan), *_node("/", root)]) + "\n"


def _node(head: str, body: Iterable[str]) -> Iterator[str]:
    yield f"{head} {{"
    for line in body:
        yield f"\t{line}" if line else ""
    yield "};"


def _comment(text: str) -> list[str]:
    lines = textwrap.wrap(harmless(text), COMMENT_COLUMNS, break_on_hyphens=False, break_long_words=False)
    if len(lines) == 1:
        return [f"/* {lines[0]} */"]
    return ["/*", *(f" * {line}" for line in lines), " */"]


def harmless(text: str) -> str:
    """``text`` without what would end a comment or the line."""
    return "".join(one if one.isprintable() else "?" for one in text).replace("*/", "* /")


def _header(plan: Plan) -> Iterator[str]:
    channel = plan.channel
    yield "/*"
    yield f" * {harmless(plan.name)}: partial device tree with the SCMI channel of its agent; yours to edit."
    yield " *"
    yield f" *   agent     {channel.agent_id} ({harmless(channel.name)})"
    yield f" *   doorbell  {channel.func_id:#x}: Xen forwards this one from it, and no other"
    yield f" *   page      {channel.shmem:#x} on the machine, {plan.address:#x} here"
    if plan.way_back is not None:
        back = plan.way_back
        where = f"{back.shmem:#x} on the machine, {back.address:#x} here"
        yield f" *   way back  {where}, interrupt {back.interrupt}"
    yield " *"
    yield f" * {_COPIED[plan.kind]}"
    yield " */"


def _gic(plan: Plan) -> Iterator[str]:
    """What interrupts refer to: the controller that the builder makes, by the number that it gives it."""
    if plan.way_back is not None:
        yield from _comment("The guest's interrupt controller: it is known by this phandle.")
        body = ["#interrupt-cells = <3>;", "#address-cells = <0>;", "interrupt-controller;"]
        yield from _node("gic: gic", [*body, f"phandle = <{GUEST_GIC:#x}>;"])
        yield ""


def _pages(plan: Plan) -> Iterator[str]:
    yield from _page(plan.kind, "scmi_shm", plan.channel.shmem, plan.address)
    yield ""
    if plan.way_back is not None:
        yield from _comment("The way back: notifications and delayed responses.")
        yield from _page(plan.kind, "scmi_p2a", plan.way_back.shmem, plan.way_back.address)
        yield ""


def _page(kind: Kind, label: str, machine: int, guest: int) -> Iterator[str]:
    address, size = two_cells(guest), two_cells(PAGE_BYTES)
    body = ['compatible = "arm,scmi-shmem";', f"reg = <{address} {size}>;"]
    if kind == "dom0less":
        body.append("/* machine address, size, guest address */")
        body.append(f"xen,reg = <{two_cells(machine)} {size} {address}>;")
        body.append("xen,force-assign-without-iommu;")
    return _node(f"{label}: sram@{guest:x}", body)


def _interrupts(plan: Plan) -> list[str]:
    """The lines of the channel's node that name its interrupts: shared, level high."""
    if plan.way_back is None:
        return []
    lines = plan.way_back.interrupts()
    entries = ", ".join(f"<0 {intid - FIRST_SPI} 4>" for intid in lines.values())
    names = ", ".join(f'"{name}"' for name in lines)
    return [f"interrupts = {entries};", f"interrupt-names = {names};"]


def _firmware(plan: Plan) -> Iterator[str]:
    scmi = [
        'compatible = "arm,scmi-smc";',
        f"arm,smc-id = <{plan.channel.func_id:#x}>;",
        f"shmem = <&scmi_shm{' &scmi_p2a' if plan.way_back else ''}>;",
        *_interrupts(plan),
        "#address-cells = <1>;",
        "#size-cells = <0>;",
    ]
    for protocol, cells in plan.protocols:
        body = [f"reg = <{protocol:#x}>;", *(f"{one} = <1>;" for one in cells)]
        if protocol == VOLTAGE:
            body += ["", *_regulators(plan)]
        scmi += ["", *_node(f"{LABELS[protocol]}: protocol@{protocol:x}", body)]
    yield from _comment(
        "A simple-bus, so that an operating system looks inside. dtc may remark (simple_bus_reg) that scmi "
        "has no reg: it never has."
    )
    yield from _node("firmware", ['compatible = "simple-bus";', *_BUS, "", *_node("scmi", scmi)])


def _regulators(plan: Plan) -> Iterator[str]:
    body = ["#address-cells = <1>;", "#size-cells = <0>;"]
    for domain, lines in plan.regulators:
        body += ["", *_node(f"{regulator(domain)}: regulator@{domain:x}", [f"reg = <{domain:#x}>;", *lines])]
    yield from _node("regulators", body)


def _device(kind: Kind, device: DeviceCopy) -> Iterator[str]:
    yield from _comment(f"{device.path} of the host")
    for remark in device.todo:
        yield from _comment(f"TODO {remark}")
    body = list(device.lines)
    if kind == "dom0less":
        if device.areas:
            rows = (f"<{two_cells(at)} {two_cells(size)} {two_cells(at)}>" for at, size in device.pages())
            body.append(f"xen,reg = {', '.join(rows)};")
        body.append(f"xen,path = {spelled(device.path.encode() + bytes(1))};")
        if not device.protected:
            body.append("xen,force-assign-without-iommu;")
    yield from _node(device.name, body)
