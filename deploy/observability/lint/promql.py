"""Judges one PromQL expression, its variables already substituted, on the tree that promql-parser makes.

``labels_of`` is the heart: it tells which labels the result of an expression can have and judges each part on
the way. It knows the catalogue and nothing of dashboards.
"""

import re
from typing import Any, Final

import promql_parser as tree
from promql_parser import AggModifierType, LabelModifierType, MatchOp

from deploy.observability.lint.problem import Say
from deploy.observability.lint.series import COUNTERS, Series, known, near
from deploy.observability.lint.variables import SCRAPE_S, SCRAPES_MIN, UNKNOWN

Labels = frozenset[str]
NONE: Final[Labels] = frozenset()
OF_COUNTERS: Final = ("rate", "increase", "irate", "resets")
OF_GAUGES: Final = ("delta", "idelta", "deriv", "predict_linear", "holt_winters")
VALUE_UNSEEN: Final = ("count", "group")  # aggregations that do not look at values
SETS: Final = ("and", "or", "unless")
KEEPING: Final = ("topk", "bottomk", "limitk")
_LITERAL = re.compile(r"[\w .:/-]*")


def judge(text: str, say: Say) -> Labels:
    """The labels that the result can have; every problem goes to ``say``."""
    try:
        root = tree.parse(text)
    except ValueError as error:
        say("syntax", f"{error}: {text}", "correct the expression")
        return NONE
    return Judge(say).labels_of(root)


class Judge:
    """One expression. ``say`` is told of what is wrong."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def labels_of(self, node: Any, counted: bool = False) -> Labels:
        """The labels of a node's result. ``counted``: what is around it makes use of a counter's value."""
        match node:
            case tree.VectorSelector():
                return self._selector(node, counted)
            case tree.MatrixSelector():
                return self._matrix(node, counted)
            case tree.Call():
                return self._call(node)
            case tree.AggregateExpr():
                return self._aggregate(node, counted)
            case tree.BinaryExpr():
                return self._binary(node, counted)
            case tree.ParenExpr() | tree.UnaryExpr() | tree.SubqueryExpr():
                return self.labels_of(node.expr, counted)
            case _:
                return NONE

    # ---- series -------------------------------------------------------------------------------

    def _selector(self, node: Any, counted: bool) -> Labels:
        if node.name not in known():
            self._no_such_series(node)
            return NONE
        series = known()[node.name]
        for matcher in node.matchers.matchers:
            self._matcher(series, matcher)
        self._job(series, node)
        if series.kind in COUNTERS and not counted:
            self._say(
                "bare-counter",
                f"the value of the counter {node.name} since its process began means nothing",
                "use rate() or increase() of it",
            )
        return frozenset(series.labels)

    def _no_such_series(self, node: Any) -> None:
        if node.name is None:
            self._say("name", f"{node} names no metric", "name one")
        elif f"{node.name}_bucket" in known():
            self._say("name", f"{node.name} is a histogram", "use its _bucket, _count or _sum")
        else:
            self._say("name", f"there is no series {node.name}", near(node.name, list(known())))

    def _job(self, series: Series, node: Any) -> None:
        if "job" not in series.labels or series.kind == "alerts":
            return
        if not any(one.name == "job" and one.op == MatchOp.Equal for one in node.matchers.matchers):
            self._say(
                "job",
                f"{node.name} without a job: if two jobs scrape a process, it counts twice",
                'add job="trapline"',
            )

    def _matcher(self, series: Series, matcher: Any) -> None:
        if matcher.name not in series.labels:
            self._say(
                "label", f"{series.name} has no label {matcher.name}", near(matcher.name, list(series.labels))
            )
            return
        if matcher.name == "role" and series.owner and not self._fits(matcher, series.owner):
            self._say(
                "owner",
                f"{series.name} is kept by {series.owner} only, {matcher} finds nothing",
                "drop the matcher",
            )
        values = series.labels[matcher.name]
        if values and UNKNOWN not in matcher.value:
            for one in self._alternatives(matcher):
                if not any(re.fullmatch(one, value) for value in values):
                    self._say(
                        "value", f"{matcher.name} of {series.name} is never {one!r}", near(one, list(values))
                    )

    @staticmethod
    def _fits(matcher: Any, value: str) -> bool:
        if UNKNOWN in matcher.value:
            return True
        exact = matcher.op in (MatchOp.Equal, MatchOp.NotEqual)
        hit = matcher.value == value if exact else bool(re.fullmatch(matcher.value, value))
        return hit == (matcher.op in (MatchOp.Equal, MatchOp.Re))

    @staticmethod
    def _alternatives(matcher: Any) -> list[str]:
        """Regular expressions, each of which has to fit at least one value."""
        if matcher.op in (MatchOp.Equal, MatchOp.NotEqual):
            return [re.escape(matcher.value)]
        parts = str(matcher.value).split("|")
        return parts if all(_LITERAL.fullmatch(part) for part in parts) else [str(matcher.value)]

    def _matrix(self, node: Any, counted: bool) -> Labels:
        seconds = node.range.total_seconds()
        if seconds < SCRAPES_MIN * SCRAPE_S:
            self._say(
                "window",
                f"{seconds:g} s hold fewer than {SCRAPES_MIN} scrapes, and rates are often empty",
                f"use $__rate_interval, or at least {SCRAPES_MIN * SCRAPE_S}s",
            )
        return self._selector(node.vector_selector, counted)

    # ---- functions ----------------------------------------------------------------------------

    def _call(self, node: Any) -> Labels:
        name = node.func.name
        if name in OF_COUNTERS or name in OF_GAUGES:
            self._changing(name, node.args[0])
        if name == "histogram_quantile":
            return self._quantile(node)
        if name == "absent":
            self.labels_of(node.args[0], True)
            return self._said_equal(node.args[0])
        if name in ("label_replace", "label_join"):
            return self.labels_of(node.args[0]) | {node.args[1].val}
        counted = name in OF_COUNTERS
        found = [self.labels_of(argument, counted) for argument in node.args]
        return NONE if name in ("scalar", "vector", "time") else frozenset().union(*found)

    def _changing(self, name: str, argument: Any) -> None:
        for series in leaves(argument):
            if name in OF_COUNTERS and series.kind not in COUNTERS:
                self._say(
                    "rate-of-gauge",
                    f"{name}() of {series.name}, which is no counter",
                    "use delta() or the value",
                )
            if name in OF_GAUGES and series.kind in COUNTERS:
                self._say("delta-of-counter", f"{name}() of the counter {series.name}", "use increase()")

    @staticmethod
    def _said_equal(argument: Any) -> Labels:
        if not isinstance(argument, tree.VectorSelector):
            return NONE
        return frozenset(one.name for one in argument.matchers.matchers if one.op == MatchOp.Equal)

    def _quantile(self, node: Any) -> Labels:
        wanted, buckets = node.args
        if isinstance(wanted, tree.NumberLiteral) and not 0 <= wanted.val <= 1:
            self._say("quantile", f"{wanted.val:g} is no quantile", "use a number from 0 to 1")
        labels = self.labels_of(buckets)
        if "le" not in labels:
            self._say("quantile", "histogram_quantile() of something without le", "keep le in the by()")
        for series in leaves(buckets):
            if series.kind != "bucket" and "le" not in series.labels:
                self._say("quantile", f"{series.name} is no histogram's _bucket", "use a _bucket")
        return labels - {"le"}

    # ---- aggregations and operators -----------------------------------------------------------

    def _aggregate(self, node: Any, counted: bool) -> Labels:
        operation = str(node.op)
        labels = self.labels_of(node.expr, counted or operation in VALUE_UNSEEN)
        grouped = list(node.modifier.labels) if node.modifier else []
        self._have(grouped, labels, f"{operation}()")
        if operation in KEEPING:
            return labels
        if node.modifier and node.modifier.type == AggModifierType.Without:
            return labels - set(grouped)
        extra = {node.param.val} if operation == "count_values" else set()
        return frozenset(grouped) & labels | extra

    def _have(self, wanted: list[str], labels: Labels, what: str) -> None:
        for name in wanted:
            if name not in labels and labels:
                self._say(
                    "label", f"{what} over {name}, which its argument has not", near(name, sorted(labels))
                )

    def _binary(self, node: Any, counted: bool) -> Labels:
        operation = str(node.op)
        counted = counted or self._is_birth(node)
        left, right = self.labels_of(node.lhs, counted), self.labels_of(node.rhs, counted)
        if _is_scalar(node.lhs) or _is_scalar(node.rhs):
            return left | right
        if operation == "or":
            self._zero(node, left)
            return left | right
        matching = node.modifier.matching if node.modifier else None
        kept = self._matched(operation, matching, left, right)
        if operation in SETS or not matching:
            return left
        return kept | frozenset(node.modifier.group_labels or ())

    def _matched(self, operation: str, matching: Any, left: Labels, right: Labels) -> Labels:
        """The labels by which two vectors find each other."""
        if matching and matching.type == LabelModifierType.Include:
            self._have(matching.labels, left, f"the left side of {operation} on()")
            self._have(matching.labels, right, f"the right side of {operation} on()")
            return frozenset(matching.labels)
        ignored = frozenset(matching.labels) if matching else NONE
        if left and right and left - ignored != right - ignored:
            differ = ", ".join(sorted((left ^ right) - ignored))
            self._say(
                "matching",
                f"the sides of {operation} differ in {differ} and never meet",
                "name labels with on()",
            )
        return left - ignored

    def _zero(self, node: Any, left: Labels) -> None:
        """``or vector(0)`` beside rows with labels is one more row, always there."""
        is_zero = isinstance(node.rhs, tree.Call) and node.rhs.func.name == "vector"
        if is_zero and left:
            self._say(
                "vector-zero",
                f"'or vector(0)' adds a row without labels to rows by {', '.join(sorted(left))}",
                "aggregate to one row, or say what no data means with a no-data text",
            )

    @staticmethod
    def _is_birth(node: Any) -> bool:
        """``x unless x offset 5m``: what a counter counted since its series was born, no bare value."""
        sides = node.lhs, node.rhs
        if str(node.op) != "unless" or not all(isinstance(one, tree.VectorSelector) for one in sides):
            return False
        same = str(node.lhs.matchers) == str(node.rhs.matchers) and node.lhs.name == node.rhs.name
        return bool(same and node.rhs.offset and not node.lhs.offset)


def _is_scalar(node: Any) -> bool:
    if isinstance(node, tree.ParenExpr | tree.UnaryExpr):
        return _is_scalar(node.expr)
    if isinstance(node, tree.BinaryExpr):
        return _is_scalar(node.lhs) and _is_scalar(node.rhs)
    is_call = isinstance(node, tree.Call) and node.func.name in ("time", "scalar", "pi")
    return isinstance(node, tree.NumberLiteral) or is_call


def leaves(node: Any) -> list[Series]:
    """The known series that an expression reads."""
    found: list[Series] = []

    def visit(one: Any) -> bool:
        selector = one.vector_selector if isinstance(one, tree.MatrixSelector) else one
        if isinstance(selector, tree.VectorSelector) and selector.name in known():
            found.append(known()[selector.name or ""])
        return True

    tree.walk(node, visit)
    return found
