"""Device tree files in and out: ``load`` reads sources, blobs and overlays into one ``Tree``.

Sources are parsed by Zephyr's dtlib and blobs by libfdt; no ``dtc`` is needed. This package knows
the file formats and how overlays merge. It does not know what any node means: Xen's rules are in
``nodes.xen.binding``.

``reader`` and ``source`` parse text, ``blob`` binary; ``graft`` and ``overlay`` merge; ``emit`` writes.
"""

from collections.abc import Sequence
from pathlib import Path

from deploy.devicetree import blob, overlay
from deploy.devicetree.limits import FILE_BYTES_MAX
from deploy.devicetree.source import Sources
from deploy.errors import UserError
from deploy.files import decode, read_bytes
from nodes.devicetree import Tree


def load(paths: Sequence[Path]) -> Tree:
    """The device tree in ``paths[0]``, with every further file merged over it in order.

    The first file is a ``.dts`` or ``.dtb``; each further one is a source fragment, an overlay source
    (``/plugin/``) or a compiled overlay. What a file is, its content decides, not its name. Sources may refer
    to labels of the files before them: of a ``.dts`` all, of a blob those in its ``__symbols__``.

    Raises UserError, and nothing else, for files that cannot be read, parsed or merged.
    """
    if not paths:
        raise UserError("no device tree given; name a .dts or .dtb file")
    name = " + ".join(map(str, paths))
    base = read_bytes(paths[0], FILE_BYTES_MAX)
    root = blob.parse_base(base, str(paths[0])) if blob.is_blob(base) else None
    if root and len(paths) == 1:
        return Tree(root, name)
    sources = Sources(root)
    if not root:
        sources.add(paths[0], decode(base, str(paths[0])))
    for path in paths[1:]:
        _merge(sources, path)
    return Tree(sources.finish(), name)


def _merge(sources: Sources, path: Path) -> None:
    content = read_bytes(path, FILE_BYTES_MAX)
    if blob.is_blob(content):
        overlay.merge_blob(sources, blob.parse(content, str(path)), str(path))
        return
    fragments = sources.add(path, decode(content, str(path)))
    if fragments:
        overlay.merge_source(sources, fragments)
