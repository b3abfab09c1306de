"""Flattened device trees (``.dtb``, ``.dtbo``) into nodes, by libfdt.

It does not merge anything. A blob carries no lines, so the origin of all its nodes is the file.
"""

import re

import libfdt
import msgspec

from deploy.devicetree.limits import DEPTH_MAX, PATH_CHARS_MAX
from deploy.errors import UserError
from nodes.devicetree import Node

MAGIC = b"\xd0\x0d\xfe\xed"

_NAME = re.compile(r"[!-.0-~]*")  # printable ASCII without the slash
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class _Entry(msgspec.Struct):
    """A node as it comes out of the structure block; ``depth`` 0 is the root."""

    path: str
    depth: int
    properties: dict[str, bytes]


def is_blob(content: bytes) -> bool:
    """Whether ``content`` starts like a flattened device tree."""
    return content.startswith(MAGIC)


def parse_base(content: bytes, source: str) -> Node:
    """Like ``parse``, for a tree that stands alone: refuses overlays and phandles that are not unique."""
    root = parse(content, source)
    if overlay_fragments(root):
        raise UserError(f"{source}: an overlay cannot be the first file; name the base tree before it")
    _check_phandles(root)
    return root


def parse(content: bytes, source: str) -> Node:
    """The root node of a blob; labels come from its ``__symbols__``.

    Raises UserError naming ``source`` when the blob is truncated, corrupt or nested too deeply.
    """
    image = bytearray(content)
    status = libfdt.fdt_check_full(image, len(image))
    if status < 0:
        reason = libfdt.fdt_strerror(status)
        raise UserError(f"{source}: is a truncated or corrupt device tree blob ({reason}); build it again")
    entries = _entries(image, source)
    return _build(entries, _labels(entries), source)


def overlay_fragments(root: Node) -> list[Node]:
    """The children of ``root`` that an overlay is made of."""
    return [child for child in root.children if any(inner.name == "__overlay__" for inner in child.children)]


def _entries(image: bytearray, source: str) -> dict[str, _Entry]:
    """Every node by path, parents before children, in document order."""
    found: dict[str, _Entry] = {}
    trail: list[str] = []
    offset, depth = 0, 0
    while offset >= 0 and depth >= 0:
        if depth > DEPTH_MAX:
            raise UserError(f"{source}: nodes nest deeper than {DEPTH_MAX}; is the file corrupt?")
        name = libfdt.fdt_get_name(image, offset)[0]
        trail[depth:] = [_checked(name, trail, source) if depth else ""]
        path = "/".join(trail) or "/"
        if len(path) > PATH_CHARS_MAX:
            raise UserError(
                f"{source}: a node's path exceeds {PATH_CHARS_MAX} characters; is the file corrupt?"
            )
        if path in found:
            raise UserError(f"{source}: {path}: the node appears twice; give each node its own name")
        found[path] = _Entry(path, depth, _properties(image, offset, path, source))
        offset, depth = libfdt.fdt_next_node(image, offset, depth)
    return found


def _properties(image: bytearray, node: int, path: str, source: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    offset = libfdt.fdt_first_property_offset(image, node)
    while offset >= 0:
        try:
            name, value, *_ = libfdt.fdt_get_property_by_offset(image, offset)
        except SystemError as error:
            # How the binding reports a name that is not UTF-8.
            raise UserError(
                f"{source}: {path}: a property's name is not text; is the file corrupt?"
            ) from error
        if _checked(name, [path], source) in found:
            raise UserError(f"{source}: {path}: {name}: the property appears twice; keep one")
        found[name] = bytes(value)
        offset = libfdt.fdt_next_property_offset(image, offset)
    return found


def _checked(name: str, trail: list[str], source: str) -> str:
    if not name or not _NAME.fullmatch(name):
        raise UserError(f"{source}: {'/'.join(trail) or '/'}: bad name {name!r}; is the file corrupt?")
    return name


def _labels(entries: dict[str, _Entry]) -> dict[str, list[str]]:
    """Labels by path, as ``__symbols__`` tells. A symbol that points nowhere is harmless and left out."""
    symbols = entries.get("/__symbols__")
    found: dict[str, list[str]] = {}
    for label, value in symbols.properties.items() if symbols else ():
        path = value.rstrip(b"\0").decode("ascii", "replace")
        if path in entries and _LABEL.fullmatch(label):
            found.setdefault(path, []).append(label)
    return found


def _build(entries: dict[str, _Entry], labels: dict[str, list[str]], source: str) -> Node:
    trail: list[Node] = []
    for entry in entries.values():
        node = Node(entry.path, entry.properties, [], tuple(labels.get(entry.path, ())), origins={"": source})
        if entry.depth:
            trail[entry.depth - 1].children.append(node)
        trail[entry.depth :] = [node]
    return trail[0]


def _shown(value: bytes) -> str:
    return f"<{value.hex(' ', 4)}>" if len(value) <= 8 else f"a value of {len(value)} bytes"


def _check_phandles(root: Node) -> None:
    """dtlib checks sources and merged trees; this is the same rule for a blob on its own."""
    seen: dict[int, Node] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.children)
        value = node.properties.get("phandle")
        if value is None:
            continue
        phandle = int.from_bytes(value, "big")
        if len(value) != 4 or phandle in (0, 0xFFFFFFFF):
            raise UserError(
                f"{node.place('phandle')}: {_shown(value)} is no phandle; it takes one cell, not 0 or -1"
            )
        other = seen.setdefault(phandle, node)
        if other is not node:
            raise UserError(
                f"{node.place('phandle')}: {phandle:#x} is the phandle of {other.path} too; change one"
            )
