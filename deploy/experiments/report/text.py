"""Numbers and times as people read them, for the report. Knows no result."""

import datetime
from collections.abc import Mapping
from typing import Any, Final

import msgspec

SPACE: Final = "\N{NO-BREAK SPACE}"
NONE: Final = "\N{EN DASH}"
NS_S, NS_MS, NS_US = 1_000_000_000, 1_000_000, 1_000


def count(value: float) -> str:
    """A whole number in groups of three."""
    return f"{value:,.0f}".replace(",", SPACE)


def number(value: float | None) -> str:
    """Any number with as many digits as mean something."""
    if value is None:
        return NONE
    if value == int(value) or abs(value) >= 1000:
        return count(value)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def micros(value: float) -> str:
    """Microseconds, without the unit; nothing for a time that nobody measured."""
    return count(value) if value >= 10 else f"{value:.1f}" if value else NONE


def moment(at_ns: int) -> str:
    """When, from the beginning of the run."""
    return f"{at_ns / NS_S:.3f}{SPACE}s"


def span(ns: int) -> str:
    """How long."""
    for unit, size in (("s", NS_S), ("ms", NS_MS), ("µs", NS_US)):
        if ns >= size:
            return f"{ns / size:.4g}{SPACE}{unit}"
    return f"{ns}{SPACE}ns"


def day(at: float) -> str:
    """Seconds since 1970 as a date, in UTC."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def value(anything: Any) -> str:
    """Whatever a knob or a fact is."""
    if isinstance(anything, bool):
        return "yes" if anything else "no"
    if isinstance(anything, int | float):
        return number(anything)
    if isinstance(anything, str):
        return anything
    if isinstance(anything, list | tuple) and all(isinstance(one, str | int | float) for one in anything):
        return ", ".join(value(one) for one in anything) or NONE
    return msgspec.json.encode(anything).decode()


def listed(facts: Mapping[str, Any]) -> str:
    """Names and values in one line."""
    return ", ".join(f"{name.replace('_', ' ')} {value(one)}" for name, one in facts.items())
