"""Merging overlay fragments into a tree under construction, from source or from a compiled overlay.

Both end up as dtlib nodes whose references are still open, so one rule merges both and phandles are handed
out for the whole tree at the end. Same outcome as libfdt's ``fdt_overlay_apply``, except that the numbers of
new phandles differ. It does not parse; that is ``deploy.devicetree.source`` and ``.blob``.
"""

import itertools
from typing import Any, NoReturn

from devicetree import dtlib

from deploy.devicetree import blob
from deploy.devicetree.graft import graft
from deploy.devicetree.source import Sources
from deploy.errors import UserError
from nodes.devicetree import Node

_PHANDLE = dtlib._MarkerType.PHANDLE
_PATH = dtlib._MarkerType.PATH


def merge_source(sources: Sources, root: Any) -> None:
    """Merge the fragments below the dtlib ``root`` that ``Sources.add`` returned. Raises UserError."""
    for child in root.nodes.values():
        if "__overlay__" in child.nodes:
            _merge_fragment(sources, child)
        elif not child.name.startswith("__"):
            place = sources.origins[child][""]
            raise UserError(
                f"{place}: {child.path}: this node would be lost: an overlay changes its base only by "
                "&label { }, &{/path} { } or fragments; use one of them, or drop /plugin/"
            )


def merge_blob(sources: Sources, overlay: Node, source: str) -> None:
    """Merge the compiled ``overlay``, read from the file ``source``. Raises UserError."""
    if not blob.overlay_fragments(overlay):
        raise UserError(
            f"{source}: holds no overlay fragment; only overlays and sources can be merged over a tree"
        )
    root = graft(overlay, None, sources, sources.origins)
    by_phandle = _free_phandles(root)
    for fixups in (child for child in overlay.children if child.name == "__fixups__"):
        _open_labels(root, fixups, source)
    for fixups in (child for child in overlay.children if child.name == "__local_fixups__"):
        _open_phandles(root, fixups, by_phandle, source)
    _sort_markers(root, source)
    for child in root.nodes.values():
        if "__overlay__" in child.nodes:
            _merge_fragment(sources, child)


def _free_phandles(root: Any) -> dict[int, Any]:
    """Take the overlay's own phandle numbers away, which may be the base's too; tell who had which."""
    found = {}
    for node in root.node_iter():
        node.props.pop("linux,phandle", None)
        prop = node.props.get("phandle")
        if prop:
            found[int.from_bytes(prop.value, "big")] = node
            # A phandle that refers to its own node: dtlib's way to ask for a fresh number.
            prop.value = bytes(4)
            prop._markers = [[0, _PHANDLE, node]]
    return found


def _open_labels(root: Any, fixups: Node, source: str) -> None:
    """``label = "/path:property:offset", ...``: a phandle of the base goes there."""
    for label in fixups.properties:
        for spot in fixups.strings(label):
            path, _, rest = spot.partition(":")
            name, _, offset = rest.rpartition(":")
            if not (offset.isascii() and offset.isdigit() and len(offset) < 10):
                _refuse_fixup(source, label, spot)
            _open(_find(root, path), name, int(offset), label, f"{source}: /__fixups__: {label}")


def _open_phandles(node: Any, fixups: Node, by_phandle: dict[int, Any], source: str) -> None:
    """A mirror of the overlay: each property tells at which offsets the overlay's own phandles stand."""
    for name in fixups.properties:
        for offset in fixups.cells(name) or ():
            prop = node.props.get(name)
            value = int.from_bytes(prop.value[offset : offset + 4], "big") if prop else 0
            if value not in by_phandle:
                _refuse_fixup(source, name, fixups.path)
            _open(node, name, offset, by_phandle[value], f"{source}: {fixups.path}: {name}")
    for child in fixups.children:
        if child.name not in node.nodes:
            _refuse_fixup(source, child.name, fixups.path)
        _open_phandles(node.nodes[child.name], child, by_phandle, source)


def _refuse_fixup(source: str, name: str, where: str) -> NoReturn:
    raise UserError(f"{source}: {name}: the overlay's fixup {where!r} leads nowhere; build it again")


def _open(node: Any, name: str, offset: int, ref: Any, place: str) -> None:
    prop = node.props.get(name) if node else None
    if not prop or offset + 4 > len(prop.value):
        raise UserError(f"{place}: a fixup of the overlay leads nowhere; build it again")
    prop._markers.append([offset, _PHANDLE, ref])


def _sort_markers(root: Any, source: str) -> None:
    """dtlib fills references in from front to back."""
    for node in root.node_iter():
        for prop in node.props.values():
            prop._markers.sort(key=lambda marker: marker[0])
            offsets = [marker[0] for marker in prop._markers]
            if any(after - before < 4 for before, after in itertools.pairwise(offsets)):
                _refuse_fixup(source, prop.name, node.path)


def _find(root: Any, path: str) -> Any:
    node = root
    for name in path.split("/"):
        node = node.nodes.get(name) if node and name else node
    return node


def _merge_fragment(sources: Sources, fragment: Any) -> None:
    place = f"{sources.origins[fragment].get('', '')}: {fragment.path}"
    try:
        target = _target(sources, fragment)
    except dtlib.DTError as error:
        raise UserError(f"{place}: target: {error}") from error
    if target is None:
        raise UserError(
            f"{place}: the fragment has no usable target; give it target = <&label> or target-path"
        )
    overlay = fragment.nodes["__overlay__"]
    _merge(sources, target, overlay)
    sources.index_labels(target)


def _target(sources: Sources, fragment: Any) -> Any:
    """The node a fragment changes; None when it does not say, DTError when there is no such node."""
    target = fragment.props.get("target")
    if target:
        for _, kind, ref in target._markers:
            if kind == _PHANDLE:
                return sources._ref2node(ref)
        return _by_phandle(sources, target.value)
    path = fragment.props.get("target-path")
    if not path:
        return None
    for _, kind, ref in path._markers:
        if kind == _PATH:
            return sources._ref2node(ref)
    return sources._ref2node("{" + path.value.rstrip(b"\0").decode("ascii", "replace") + "}")


def _by_phandle(sources: Sources, value: bytes) -> Any:
    for node in sources.node_iter():
        prop = node.props.get("phandle")
        fixed = prop and not any(kind == _PHANDLE for _, kind, _ in prop._markers)
        if fixed and prop.value == value:
            return node
    return None


def _merge(sources: Sources, target: Any, extra: Any) -> None:
    """Move what ``extra`` holds into ``target``; references to ``extra`` mean ``target`` from now on."""
    sources.moved[extra] = target
    target.labels.extend(label for label in extra.labels if label not in target.labels)
    places, new_places = sources.origins.setdefault(target, {}), sources.origins.get(extra, {})
    for name, prop in extra.props.items():
        # The base already refers to the number it knows.
        if name == "phandle" and "phandle" in target.props:
            continue
        prop.node = target
        target.props[name] = prop
        places[name] = new_places.get(name) or new_places.get("", "")
    for name, child in extra.nodes.items():
        if name in target.nodes:
            _merge(sources, target.nodes[name], child)
        else:
            child.parent = target
            target.nodes[name] = child
