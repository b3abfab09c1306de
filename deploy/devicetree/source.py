"""Sources parsed one over another into a single tree, each node and property knowing where it was written.

All files share one dtlib parser, so labels of an earlier file can be used in a later one, and a phandle is
only handed out when no file claimed it. Overlay fragments are parsed here and merged by
``deploy.devicetree.overlay``; reading files is ``deploy.devicetree.reader``'s part.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devicetree import dtlib

from deploy.devicetree.graft import Origins, graft, lift
from deploy.devicetree.limits import DEPTH_MAX, VALUES_MAX
from deploy.devicetree.reader import Reader
from deploy.errors import UserError
from nodes.devicetree import Node

_REFERENCES = (dtlib._MarkerType.PATH, dtlib._MarkerType.PHANDLE)
_NO_NUMBER = re.compile(r"invalid literal for int\(\) with base \d+: (.*)")
_PATH = re.compile(r"(?:^| )(/[^\s:]*)")


class Sources(Reader):
    """A tree under construction: ``Sources(base)``, ``add`` each file, ``finish``. No use after an error."""

    def __init__(self, base: Node | None) -> None:
        super().__init__()
        self.origins: Origins = {}
        self.moved: dict[Any, Any] = {}  # an overlay's node -> the node it was merged into
        self._labelled: dict[str, Any] = {}
        self._open_nodes: list[Any] = []
        self._fragments: Any = None
        self._name_place = ""
        self._unlabelled_blob = False
        if base:
            self._root = graft(base, None, self, self.origins)
            self._unlabelled_blob = not any(node.labels for node in self.node_iter())
            self.index_labels(self._root)

    def add(self, path: Path, text: str) -> Any:
        """Parse one more source. Returns the dtlib root of its fragments when it is an overlay, else None."""
        self._fragments = None
        with self._complaining():
            self._begin(path, text)
            self._parse_dt()
        return self._fragments

    def finish(self) -> Node:
        """Hand out phandles, fill in references, and return the root of the whole tree."""
        with self._complaining():
            self._check_references()
            self._register_phandles()
            self._fixup_props()
            self._remove_unreferenced()
            self._register_labels()
            return lift(self.root, self.origins)

    @contextlib.contextmanager
    def _complaining(self) -> Iterator[None]:
        """Everything dtlib raises as a UserError, with the place it lacks."""
        try:
            yield
        except dtlib.DTError as error:
            raise UserError(self._located(str(error))) from error
        except RecursionError as error:
            raise UserError(f"{self.here()}: nested too deeply; flatten it") from error
        except UserError:
            raise
        except (ValueError, OverflowError) as error:
            # Numbers such as 09, a bad escape in a file name, a negative offset of an /incbin/.
            number = _NO_NUMBER.search(str(error))
            complaint = (
                f"{number[1]} is not a number; 0 in front means octal, 0x hexadecimal" if number else error
            )
            raise UserError(f"{self.here()}: {complaint}") from error

    def _located(self, complaint: str) -> str:
        """``complaint`` of dtlib with the place of the first node it names in front."""
        path = _PATH.search(complaint)
        if not path:
            return f"{self.filename}: {complaint}"
        node = self.root
        for name in path[1].split("/"):
            node = node.nodes.get(name, node) if name else node
        return f"{self.origins.get(node, {}).get('', self.filename)}: {complaint}"

    # What follows are the hooks into dtlib's parser.

    def _parse_header(self) -> None:
        tagged = False
        while self._peek_token().id == dtlib._T.DTS_V1:
            tagged = True
            self._next_token()
            self._expect_token(";")
            if self._peek_token().id == dtlib._T.PLUGIN:
                if self._root is None:
                    self._parse_error("an overlay cannot be the first file; name the base tree before it")
                self._next_token()
                self._expect_token(";")
                self._fragments = dtlib.Node("/", None, self)
        if not tagged and self._root is None:
            self._parse_error(
                "expected '/dts-v1/;' at the start of a device tree source; add it, or name another file"
            )

    def _next_token(self) -> Any:
        token = super()._next_token()
        if token.id == dtlib._T.PROPNODENAME:
            self._name_place = self.here()
        return token

    def _parse_node(self, node: Any) -> Any:
        if self._fragments and node is self._root and not self._open_nodes:
            # The root of an overlay is not the root of the tree: it only holds the fragments.
            node = self._fragments
        if len(self._open_nodes) > DEPTH_MAX:
            self._parse_error(f"nodes nest deeper than {DEPTH_MAX}; flatten the tree")
        place = self._name_place if self._open_nodes else self.here()
        self.origins.setdefault(node, {}).setdefault("", place)
        for label in node.labels:
            self._labelled.setdefault(label, node)
        self._open_nodes.append(node)
        super()._parse_node(node)
        return self._open_nodes.pop()

    def _parse_assignment(self, prop: Any) -> None:
        self.origins[prop.node][prop.name] = self._name_place
        super()._parse_assignment(prop)
        prop.value = bytes(prop.value)
        if len(prop._markers) > VALUES_MAX:
            self._parse_error(f"{prop.name} has more than {VALUES_MAX} values; use /incbin/ for large data")

    def _parse_value_labels(self, prop: Any) -> None:
        # dtlib appends cell by cell; to immutable bytes that takes quadratic time.
        if not isinstance(prop.value, bytearray):
            prop.value = bytearray(prop.value)
        super()._parse_value_labels(prop)

    def _check_token(self, val: str) -> bool:
        found: bool = super()._check_token(val)
        if found and val == ";":
            # dtlib asks this in one place only: after the name of a property without a value. It would keep
            # the value of an earlier file; dtc does not.
            node = self._open_nodes[-1]
            self.origins[node][self._last_name] = self._name_place
            prop = node.props[self._last_name]
            prop.value, prop._markers = b"", []
        return found

    def _next_ref2node(self) -> Any:
        node = super()._next_ref2node()
        if node is self._root:
            self._parse_error("the root node cannot be deleted; name another node")
        return node

    def _register_aliases(self) -> None:
        """Nothing: aliases of real boards break dtlib's rules, and nothing here looks nodes up by alias."""

    def index_labels(self, node: Any) -> None:
        """Make the labels of ``node`` and all below it known to references."""
        for inner in node.node_iter():
            for label in inner.labels:
                self._labelled[label] = inner

    def _ref2node(self, ref: Any) -> Any:
        """The node meant by a label, a ``{/path}``, or a node of an overlay merged meanwhile."""
        if isinstance(ref, dtlib.Node):
            while ref in self.moved:
                ref = self.moved[ref]
            return ref
        if self._root is None:
            raise dtlib.DTError("nothing can be referred to before the root node, / { }")
        # dtlib searches the whole tree for every reference, which a board's source makes by the thousand.
        node = self._labelled.get(ref)
        if node and ref in node.labels and self._is_in_tree(node):
            return node
        try:
            return super()._ref2node(ref)
        except dtlib.DTError as error:
            raise dtlib.DTError(f"{error}{self._remedy(ref)}") from error

    def _remedy(self, ref: str) -> str:
        if ref.startswith("{"):
            return "; check the path"
        if self._unlabelled_blob:
            return "; the base blob has no __symbols__: build it with dtc -@, or name the node by its path"
        return "; define the label, or name the node by its path"

    def _is_in_tree(self, node: Any) -> bool:
        while node.parent:
            if node.parent.nodes.get(node.name) is not node:
                return False
            node = node.parent
        return node is self._root

    def _check_references(self) -> None:
        """dtlib would name the node of a reference that leads nowhere; this names the line."""
        for node in self.node_iter():
            for prop in node.props.values():
                for _, kind, ref in prop._markers:
                    if kind in _REFERENCES:
                        self._check_reference(node, prop.name, ref)

    def _check_reference(self, node: Any, name: str, ref: Any) -> None:
        try:
            self._ref2node(ref)
        except dtlib.DTError as error:
            places = self.origins.get(node, {})
            place = places.get(name) or places.get("", self.filename)
            raise UserError(f"{place}: {node.path}: {name}: {error}") from error
