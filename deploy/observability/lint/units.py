"""What an expression measures, as far as it can be told, and which of Grafana's units say that.

``None`` means "cannot be told": nothing is said about it then.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import promql_parser as tree

from deploy.observability.lint.series import known
from deploy.observability.rules import RECORDINGS

GRAFANA: Final[Mapping[str, tuple[str, ...]]] = {
    "seconds": ("s", "dtdurations", "clocks"),
    "seconds/s": ("percentunit", "short"),  # of a processor: cores
    "bytes": ("bytes", "decbytes"),
    "bytes/s": ("Bps", "binBps"),
    "count": ("short", "none", "sishort", "locale", "string", "bool"),
    "count/s": ("cps", "ops", "reqps", "rps", "wps", "mps", "eps"),
    "ratio": ("percentunit",),
    "timestamp": ("dateTimeAsIso", "dateTimeFromNow", "dateTimeAsLocal"),
}
PASSING: Final = (
    "sum", "max", "min", "avg", "topk", "bottomk", "round", "clamp_min", "clamp_max", "sort", "sort_desc",
    "abs", "ceil", "floor", "max_over_time", "min_over_time", "avg_over_time", "last_over_time", "quantile",
    "label_replace", "increase", "delta", "scalar", "vector", "quantile_over_time", "idelta",
)  # fmt: skip
PER_SECOND: Final = ("rate", "irate", "deriv")
COUNTING: Final = ("count", "count_values", "group", "absent", "changes", "resets", "count_over_time")
FIRST_ARGUMENT: Final = {"histogram_quantile": 1, "quantile_over_time": 1}


def unit_of(text: str) -> str | None:
    """The unit of an expression that parses; its variables are substituted."""
    return _of(tree.parse(text))


@cache
def _recorded() -> Mapping[str, str | None]:
    """Rules may use earlier ones: those are known by then."""
    found: dict[str, str | None] = {}
    for rule in RECORDINGS:
        found[rule.name] = _of(tree.parse(rule.expr), found)
    return found


def _of(node: Any, recorded: Mapping[str, str | None] | None = None) -> str | None:
    match node:
        case tree.VectorSelector():
            return _of_series(node.name, recorded)
        case tree.MatrixSelector():
            return _of_series(node.vector_selector.name, recorded)
        case tree.ParenExpr() | tree.UnaryExpr() | tree.SubqueryExpr():
            return _of(node.expr, recorded)
        case tree.AggregateExpr():
            return "count" if str(node.op) in COUNTING else _of(node.expr, recorded)
        case tree.Call():
            return _of_call(node, recorded)
        case tree.BinaryExpr():
            return _of_operation(node, recorded)
        case _:
            return None


def _of_series(name: str | None, recorded: Mapping[str, str | None] | None) -> str | None:
    series = known().get(name or "")
    if series is None or name is None:
        return None
    if series.kind == "recorded":
        return (_recorded() if recorded is None else recorded).get(name)
    return series.unit


def _of_call(node: Any, recorded: Mapping[str, str | None] | None) -> str | None:
    name = node.func.name
    if name == "time":
        return "timestamp"
    if name in COUNTING:
        return "count"
    if name == "histogram_quantile":
        inner = _of(node.args[1], recorded)
        return inner.removesuffix("/s") if inner else None
    if name in PER_SECOND:
        inner = _of(node.args[0], recorded)
        return f"{inner}/s" if inner else None
    return _of(node.args[FIRST_ARGUMENT.get(name, 0)], recorded) if name in PASSING and node.args else None


def _of_operation(node: Any, recorded: Mapping[str, str | None] | None) -> str | None:
    left, right = _of(node.lhs, recorded), _of(node.rhs, recorded)
    operation = str(node.op)
    if operation == "/":
        return _quotient(left, right)
    if operation == "-" and left == right == "timestamp":
        return "seconds"
    if operation == "*":
        return left if right is None else right if left is None else None
    return right if left is None else left


def _quotient(left: str | None, right: str | None) -> str | None:
    if left is None or right is None:
        return None
    if left == right:
        return "ratio"
    return (
        left.removesuffix("/s")
        if (left, right) in (("seconds/s", "count/s"), ("bytes/s", "count/s"))
        else None
    )
