"""Between our nodes and dtlib's: grafting a blob into a parser, and lifting the finished tree out of it.

It does not know what is merged or why.
"""

from typing import Any

from devicetree import dtlib

from deploy.devicetree.limits import DEPTH_MAX, PATH_CHARS_MAX
from deploy.errors import UserError
from nodes.devicetree import Node

Origins = dict[Any, dict[str, str]]
"""Where each dtlib node ("") and its properties were written."""


def graft(node: Node, parent: Any, dt: Any, origins: Origins) -> Any:
    """``node`` and all below it as dtlib nodes of ``dt``, hung below ``parent`` (None: a root)."""
    # dtlib checks names when it parses, more strictly than blobs are; so names are set after the fact.
    copy = dtlib.Node("grafted" if parent else "/", parent, dt)
    copy.name = node.name if parent else "/"
    copy.labels = list(node.labels)
    origins[copy] = dict(node.origins)
    for name, value in node.properties.items():
        add_property(copy, name, value)
    if "linux,phandle" in copy.props and "phandle" not in copy.props:
        # dtlib only knows the modern name, and would give the number away again.
        add_property(copy, "phandle", node.properties["linux,phandle"])
    for child in node.children:
        copy.nodes[child.name] = graft(child, copy, dt, origins)
    return copy


def add_property(node: Any, name: str, value: bytes) -> None:
    prop = dtlib.Property(node, "grafted")
    prop.name = name
    prop.value = value
    node.props[name] = prop


def lift(node: Any, origins: Origins, path: str = "/", depth: int = 0) -> Node:
    """The dtlib ``node``, found at ``path``, and all below it as our nodes; UserError when too deep."""
    places = origins.get(node, {})
    if depth > DEPTH_MAX or len(path) > PATH_CHARS_MAX:
        raise UserError(
            f"{places.get('', '')}: {path[:80]}: nests deeper than {DEPTH_MAX} levels or its path exceeds "
            f"{PATH_CHARS_MAX} characters; flatten the tree"
        )
    prefix = path.rstrip("/")
    return Node(
        path,
        {name: bytes(prop.value) for name, prop in node.props.items()},
        [lift(child, origins, f"{prefix}/{child.name}", depth + 1) for child in node.nodes.values()],
        tuple(node.labels),
        {name: place for name, place in places.items() if not name or name in node.props},
    )
