"""A device tree as plain data: nodes, properties as bytes, phandles, address translation.

It does not know how a tree came to be: ``deploy.devicetree`` reads ``.dts`` and ``.dtb`` files
into it. It does not judge a tree either: Xen's rules are in ``nodes.xen.binding``.
"""

from collections.abc import Iterator

import msgspec


class TreeError(ValueError):
    """A tree, node or property that cannot be used as asked; names the node and the property.

    ``node`` and ``prop`` are where it can be mended, when that is known.
    """

    def __init__(self, text: str, node: "Node | None" = None, prop: str = "") -> None:
        super().__init__(text)
        self.node = node
        self.prop = prop


class Node(msgspec.Struct, frozen=True):
    """One node: its full path, raw property values (big endian, as in a DTB), children in order.

    ``origins`` tells where a property ("" for the node itself) was written, as ``file`` or
    ``file:line``; it never takes part in comparisons of content.
    """

    path: str
    properties: dict[str, bytes]
    children: list["Node"]
    labels: tuple[str, ...] = ()
    origins: dict[str, str] = {}

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[1]

    def origin(self, prop: str = "") -> str:
        """Where ``prop`` (or the node) was written: ``file:line``, ``file``, or '' when unknown."""
        return self.origins.get(prop) or self.origins.get("", "")

    def place(self, prop: str = "") -> str:
        """How an error names this spot: ``file:line: /path: property``."""
        parts = [self.origin(prop), self.path, prop]
        return ": ".join(part for part in parts if part)

    def compatible(self, *names: str) -> bool:
        return "compatible" in self.properties and any(name in names for name in self.strings("compatible"))

    def strings(self, prop: str) -> list[str]:
        """A string list property; an absent one is empty."""
        value = self.properties.get(prop, b"")
        return [part.decode("utf-8", "replace") for part in value.split(b"\0")[:-1]]

    def string(self, prop: str) -> str | None:
        found = self.strings(prop)
        return found[0] if found else None

    def cells(self, prop: str) -> list[int] | None:
        """The value as 32-bit cells; a trailing partial cell is left out; None when absent."""
        value = self.properties.get(prop)
        if value is None:
            return None
        whole = len(value) // 4 * 4
        return [int.from_bytes(value[i : i + 4], "big") for i in range(0, whole, 4)]

    def u32(self, prop: str) -> int | None:
        """The first cell, or None when the property is absent or shorter than 4 bytes."""
        found = self.cells(prop)
        return found[0] if found else None

    def available(self) -> bool:
        """``status`` is absent, "okay" or "ok"."""
        return self.string("status") in (None, "okay", "ok")


class Tree:
    """A device tree with its indexes: nodes by path in document order, and by phandle."""

    def __init__(self, root: Node, source: str = "") -> None:
        self.root = root
        self.source = source
        self._by_path: dict[str, Node] = {}
        self._by_phandle: dict[int, Node] = {}
        self._by_compatible: dict[str, Node] = {}  # the first of each
        self._index(root)

    def _index(self, root: Node) -> None:
        waiting = [root]
        while waiting:
            node = waiting.pop()
            self._by_path[node.path] = node
            if "compatible" in node.properties:
                for name in node.strings("compatible"):
                    self._by_compatible.setdefault(name, node)
            phandle = node.u32("phandle")
            if phandle is None:
                phandle = node.u32("linux,phandle")
            if phandle is not None:
                self._by_phandle.setdefault(phandle, node)
            waiting.extend(reversed(node.children))

    def __iter__(self) -> Iterator[Node]:
        """Every node, depth first, in document order (Xen's dt_for_each_device_node)."""
        return iter(self._by_path.values())

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def __getitem__(self, path: str) -> Node:
        """The node at ``path``; raises KeyError."""
        return self._by_path[path]

    def get(self, path: str) -> Node | None:
        return self._by_path.get(path)

    def by_phandle(self, phandle: int) -> Node | None:
        return self._by_phandle.get(phandle)

    def parent(self, node: Node) -> Node | None:
        if node.path == "/":
            return None
        return self._by_path[node.path.rsplit("/", 1)[0] or "/"]

    def ancestors(self, node: Node) -> Iterator[Node]:
        """The parent, its parent, and so on up to the root."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def find_compatible(self, name: str) -> Node | None:
        return self._by_compatible.get(name)

    def reg(self, node: Node, index: int = 0) -> tuple[int, int]:
        """The ``index``-th ``reg`` entry as (CPU physical address, size in bytes).

        Raises TreeError when ``reg`` is missing or short, or when an ancestor lacks ``ranges``
        or does not cover the address.
        """
        bus = self.parent(node)
        if bus is None:
            raise TreeError(f"{node.place('reg')}: the root node has no address", node, "reg")
        address_cells, size_cells = _cell_counts(bus)
        cells = node.cells("reg")
        if cells is None:
            raise TreeError(f"{node.place('reg')}: the property is missing", node, "reg")
        width = address_cells + size_cells
        entry = cells[index * width : (index + 1) * width]
        if not address_cells or len(entry) < width:
            raise TreeError(
                f"{node.place('reg')}: entry {index} needs {address_cells} address and {size_cells} "
                f"size cells (as {bus.path} says), {len(entry)} are there",
                node,
                "reg",
            )
        address = _number(entry[:address_cells])
        return self._translate(node, bus, address), _number(entry[address_cells:])

    def _translate(self, node: Node, bus: Node, address: int) -> int:
        above = self.parent(bus)
        while above is not None:
            address = _through_ranges(node, bus, above, address)
            bus, above = above, self.parent(above)
        return address


def _cell_counts(bus: Node) -> tuple[int, int]:
    address_cells = bus.u32("#address-cells")
    size_cells = bus.u32("#size-cells")
    return (2 if address_cells is None else address_cells), (1 if size_cells is None else size_cells)


def _number(cells: list[int]) -> int:
    value = 0
    for cell in cells:
        value = value << 32 | cell
    return value


def _through_ranges(node: Node, bus: Node, above: Node, address: int) -> int:
    """``address`` on ``bus``, as seen from the bus above it."""
    cells = bus.cells("ranges")
    if cells is None:
        raise TreeError(
            f"{bus.place()}: 'ranges' is missing, so the address {address:#x} of {node.path} cannot be "
            f"translated to a CPU address; add an empty 'ranges;' to {bus.path} for a 1:1 mapping",
            bus,
            "ranges",
        )
    if not cells:
        return address
    child, size = _cell_counts(bus)
    parent, _ = _cell_counts(above)
    width = child + parent + size
    for at in range(0, len(cells) - width + 1, width):
        row = cells[at : at + width]
        start = _number(row[:child])
        if start <= address < start + _number(row[child + parent :]):
            return _number(row[child : child + parent]) + address - start
    raise TreeError(
        f"{bus.place('ranges')}: no entry covers {address:#x}, the address of {node.path}; "
        "add a range for it",
        bus,
        "ranges",
    )
