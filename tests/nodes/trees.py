"""Device trees made by hand: nodes, properties, nothing parsed."""

from collections.abc import Mapping

from nodes.devicetree import Node, Tree

Value = bytes | str | list[int] | bool
Children = Mapping[str, "Described"]


class Described:
    """A node without its path: ``props(...)`` and children."""

    def __init__(self, properties: Mapping[str, Value], children: Children) -> None:
        self.properties = dict(properties)
        self.children = dict(children)


def node(properties: Mapping[str, Value] | None = None, children: Children | None = None) -> Described:
    return Described(properties or {}, children or {})


def tree(root: Described) -> Tree:
    return Tree(_build("/", root), "by hand")


def _build(path: str, described: Described) -> Node:
    prefix = path.rstrip("/")
    return Node(
        path,
        {name: _bytes(value) for name, value in described.properties.items()},
        [_build(f"{prefix}/{name}", child) for name, child in described.children.items()],
    )


def _bytes(value: Value) -> bytes:
    if isinstance(value, bool):
        return b""
    if isinstance(value, str):
        return value.encode() + b"\0"
    if isinstance(value, list):
        return b"".join(cell.to_bytes(4, "big") for cell in value)
    return value


BUS: dict[str, Value] = {"#address-cells": [2], "#size-cells": [2], "ranges": True}
FID = {0: 0x8200_0002, 1: 0x8200_0003, 2: 0x8200_0004, 3: 0x8200_0005}
PHANDLE = {0: 10, 1: 11, 2: 12, 3: 13}
HOST_PHANDLE, XEN_PHANDLE, SCMI_PHANDLE = 20, 30, 31


def shmem(agent: int) -> int:
    return 0x47FF_0000 + agent * 0x1000


def page_node(phandle: int, address: int, size: int = 0x1000) -> Described:
    return node({"compatible": "arm,scmi-shmem", "reg": [0, address, 0, size], "phandle": [phandle]})


def entries(*agents: int) -> list[int]:
    return [cell for agent in agents for cell in (FID[agent], PHANDLE[agent], agent)]


def described(dom0_agent: int | None = 0, agents: tuple[int, ...] = (0, 2, 3)) -> Described:
    """The canonical platform, still open to changes; ``/chosen/xen/sci`` is the container."""
    container = node(
        {**BUS, "compatible": "xen,sci", "scmi-secondary-agents": entries(*agents)},
        {
            **{f"sram@{shmem(one):x}": page_node(PHANDLE[one], shmem(one)) for one in FID},
            "scmi": node(
                {
                    "compatible": "arm,scmi-smc",
                    "arm,smc-id": [FID[1]],
                    "shmem": [PHANDLE[1]],
                    "phandle": [XEN_PHANDLE],
                    "#access-controller-cells": [1],
                }
            ),
        },
    )
    if dom0_agent is not None:
        container.properties["xen,dom0-sci-agent-id"] = [dom0_agent]
    scmi = {"compatible": "arm,scmi-smc", "arm,smc-id": [FID[0]], "shmem": [HOST_PHANDLE]}
    scmi |= {"phandle": [SCMI_PHANDLE], "#access-controller-cells": [1]}
    devices = {
        "i2c@1000": node({"access-controllers": [XEN_PHANDLE, 5], "xen,passthrough": True}),
        "uart@2000": node({"xen,passthrough": True}),
    }
    return node(
        {"#address-cells": [2], "#size-cells": [2]},
        {
            "sram@47ff0000": page_node(HOST_PHANDLE, shmem(0)),
            "firmware": node(None, {"scmi": node(scmi)}),
            "soc": node(BUS, devices),
            "chosen": node(BUS, {"xen": node(BUS, {"sci": container})}),
        },
    )


def container_of(root: Described) -> Described:
    return root.children["chosen"].children["xen"].children["sci"]


def host(dom0_agent: int | None = 0, agents: tuple[int, ...] = (0, 2, 3)) -> Tree:
    return tree(described(dom0_agent, agents))
