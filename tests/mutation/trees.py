"""Nodes and properties of a good tree dropped, doubled, moved, changed: it parses and means another thing."""

import random

from nodes.devicetree import Node, Tree
from tests.mutation.spoil import NUMBERS

NAMES = (
    *(
        "#address-cells",
        "#size-cells",
        "ranges",
        "reg",
        "phandle",
        "shmem",
        "arm,smc-id",
        "compatible",
        "status",
    ),
    *("access-controllers", "#access-controller-cells", "scmi-secondary-agents", "method", "model"),
    *("#scmi-secondary-agents-cells", "xen,dom0-sci-agent-id", "xen,sci-agent-id", "xen,sci_type", "xen,reg"),
    *("xen,path", "xen,passthrough", "clocks", "#clock-cells", "power-domains"),
    *("interrupts", "interrupts-extended", "interrupt-names", "interrupt-parent", "#interrupt-cells"),
)
TEXTS = (
    *("xen,sci", "arm,scmi-smc", "arm,scmi-shmem", "xen,domain", "okay", "disabled", "hvc", "smc", "nowhere"),
    *("none", "scmi_smc", "scmi_smc_multiagent", "/soc", "/soc/i2c@e6508000", "/"),
    *("p2a", "a2p", "arm,gic-v3"),
)
ODD = (
    b"",
    b"\0",
    b"\xff\xfe\0",
    b"no end",
    "\u2028\n\0".encode(),
    b"a\0b\0",
    bytes(3),
    bytes(5),
    b"x" * 5000 + b"\0",
)
MARKED = ("xen", "scmi", "sram", "chosen", "cluster", "firmware", "access-controllers", "shmem")


class Loose:
    """A node that can be changed: its name, properties, children."""

    def __init__(self, name: str, properties: dict[str, bytes], children: list["Loose"]) -> None:
        self.name = name
        self.properties = properties
        self.children = children

    def all(self) -> list["Loose"]:
        return [self, *(inner for child in self.children for inner in child.all())]


def loosened(node: Node) -> Loose:
    return Loose(node.name, dict(node.properties), [loosened(child) for child in node.children])


def fixed(root: Loose, source: str) -> Tree:
    return Tree(_fixed(root, "/"), source)


def _fixed(loose: Loose, path: str) -> Node:
    prefix = path.rstrip("/")
    children = [_fixed(child, f"{prefix}/{child.name}") for child in loose.children]
    return Node(path, loose.properties, children)


def changed(tree: Tree, chance: random.Random) -> Tree:
    """``tree`` with one to three changes, mostly where SCMI is described."""
    root = loosened(tree.root)
    for _ in range(chance.randint(1, 3)):
        every = root.all()
        marked = [node for node in every if _is_marked(node)]
        node = chance.choice(marked if marked and chance.randrange(3) else every)
        change = chance.choice((_property, _property, _property, _cell, _cell, _cell, _node))
        change(root, node, chance)
    return fixed(root, tree.source)


def _is_marked(node: Loose) -> bool:
    return any(mark in word for mark in MARKED for word in (node.name, *node.properties))


def _cell(root: Loose, node: Loose, chance: random.Random) -> None:
    """One cell of one property gets another number."""
    names = [name for name, value in node.properties.items() if len(value) >= 4]
    if not names:
        return
    name = chance.choice(names)
    value = bytearray(node.properties[name])
    at = 4 * chance.randrange(len(value) // 4)
    old = int.from_bytes(value[at : at + 4], "big")
    phandles = [
        inner.properties[name] for inner in root.all() for name in ("phandle",) if name in inner.properties
    ]
    number = chance.choice((old + 1, old - 1, old ^ 1 << chance.randrange(32), chance.choice(NUMBERS)))
    value[at : at + 4] = chance.choice(phandles or [b""])[:4] if not chance.randrange(4) else _word(number)
    node.properties[name] = bytes(value)


def _word(number: int) -> bytes:
    return (number & 0xFFFF_FFFF).to_bytes(4, "big")


def _property(root: Loose, node: Loose, chance: random.Random) -> None:
    """A property dropped, cut, grown, emptied, copied, or a new one."""
    name = chance.choice((*node.properties, chance.choice(NAMES)))
    value = node.properties.pop(name, b"")
    other = chance.choice(root.all())
    match chance.randrange(8):
        case 0:
            return
        case 1:
            node.properties[name] = value[: -chance.randint(1, 5)]
        case 2:
            node.properties[name] = value + value[: chance.randint(1, 12)]
        case 3:
            node.properties[name] = value * chance.randint(2, 40)
        case 4:
            other.properties[name] = value
        case 5:
            node.properties[name] = chance.choice(TEXTS).encode() + b"\0"
        case 6:
            node.properties[name] = chance.choice(ODD)
        case _:
            node.properties[name] = b"".join(
                _word(chance.choice(NUMBERS)) for _ in range(chance.randint(1, 6))
            )


def _node(root: Loose, node: Loose, chance: random.Random) -> None:
    """A node dropped, doubled, renamed, moved, buried."""
    parent = next((one for one in root.all() if node in one.children), None)
    if parent is None:
        return
    kind = chance.randrange(5)
    if kind != 2:
        parent.children.remove(node)
    if kind == 1:
        inside = {id(one) for one in node.all()}
        _adopt(chance.choice([one for one in root.all() if id(one) not in inside]), node)
    elif kind == 2:
        copy = loosened(_fixed(node, f"/{node.name}"))
        copy.name = f"copy@{chance.randrange(100)}"
        for one in copy.all() if chance.randrange(4) else ():
            one.properties.pop("phandle", None)
        _adopt(parent, copy)
    elif kind == 3:
        node.name = chance.choice(
            ("dom0", "xen", "firmware", "chosen", "scmi", "a@b", "x" * 60, "supervisor")
        )
        _adopt(parent, node)
    elif kind == 4:
        for depth in range(chance.randint(1, 70)):
            node = Loose(f"level{depth}", {}, [node])
        _adopt(parent, node)


def _adopt(parent: Loose, child: Loose) -> None:
    """Names of children are unique in a blob that loads; another test has those that are not."""
    if child.name not in [one.name for one in parent.children]:
        parent.children.append(child)
