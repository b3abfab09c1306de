"""Colours by meaning: red is only ever bad, orange is on its way there, green is good, the rest says nothing.

Agents and protocols have a colour of their own, the same on every panel of every dashboard.
"""

import re
from collections.abc import Iterable, Mapping

from nodes.metrics import BY_NAME

GOOD, WARN, BAD, PLAIN = "green", "orange", "red", "blue"

Steps = tuple[tuple[float | None, str], ...]
"""Thresholds: the value from which a colour holds; the first has no value."""

NO_JUDGEMENT: Steps = ((None, PLAIN),)
ANY_IS_BAD: Steps = ((None, GOOD), (1, BAD))
ANY_IS_ODD: Steps = ((None, GOOD), (1, WARN))
RARE: Steps = ((None, GOOD), (1, WARN))
"""Per second: a few are news, no more."""
LATENCY: Steps = ((None, GOOD), (0.01, WARN), (0.05, BAD))
"""Seconds. The alert on slow calls has the same 50 ms."""
RATIO: Steps = ((None, GOOD), (0.01, WARN), (0.05, BAD))
"""Of calls that failed. The alert on errors has the same 5 %."""

IDENTITY = (
    "#5794F2", "#B877D9", "#73BF69", "#FADE2A", "#8AB8FF",
    "#8F3BB8", "#37872D", "#1F60C4", "#CA95E5", "#A0A6B1",
    "#6ED0E0", "#DEB6F2", "#96D98D", "#E0B400", "#C0D8FF",
    "#705DA0", "#56A64B", "#3274D9", "#A352CC", "#6D7A8A",
)  # fmt: skip
"""Twenty colours without red or orange. An agent's is that of its number modulo 20."""
PROTOCOLS = (
    "base", "power", "system", "perf", "clock", "sensor", "reset", "voltage", "powercap", "pinctrl",
)  # fmt: skip

VALUES: Mapping[str, str] = {
    "SUCCESS": GOOD, "answered": GOOD, "running": GOOD, "injected": GOOD, "queued": GOOD, "forwarded": GOOD,
    "handled": PLAIN, "created": PLAIN, "link_up": PLAIN, "ended": PLAIN, "merged": "#8AB8FF",
    "withdrawn": "#8AB8FF",
    "DENIED": WARN, "refused": WARN, "BUSY": "#FADE2A", "IN_USE": "#FADE2A", "NOT_SUPPORTED": "#B877D9",
    "NOT_FOUND": "#CA95E5", "INVALID_PARAMETERS": "#8F3BB8", "OUT_OF_RANGE": "#CA95E5",
    "shutdown": "#8AB8FF", "dying": WARN, "dead": "#A0A6B1", "reset": "#B877D9",
    "definite_error": WARN, "unrouted": WARN, "not_running": "#FADE2A", "undelivered": BAD, "dropped": BAD,
    "indefinite_error": BAD, "undef": BAD, "overflow": BAD, "HARDWARE_ERROR": BAD, "GENERIC_ERROR": BAD,
    "PROTOCOL_ERROR": BAD, "COMMS_ERROR": BAD, "crash": BAD,
    "rate": "#FADE2A", "in_flight": "#B877D9", "el3_time": "#5794F2",
    "destroy": "#5794F2", "reboot": "#8AB8FF", "poweroff": "#CA95E5", "other": "#A0A6B1",
    "warning": WARN, "error": BAD, "info": PLAIN, "debug": "#A0A6B1", "in": "#5794F2", "out": "#B877D9",
    "p50": "#8AB8FF", "p95": "#5794F2", "p99": "#8F3BB8",
    "queue wait": WARN, "service": "#B877D9", "whole call": "#5794F2",
}  # fmt: skip


def agents() -> dict[str, str]:
    """Regular expressions (as Grafana's matchers want them) on names of series, and the colour each means."""
    tens = (r"(\d*[02468])?", r"\d*[13579]")
    return {
        rf"/^[^(]*\({tens[number // 10]}{number % 10}\)/": colour for number, colour in enumerate(IDENTITY)
    }


def protocols() -> dict[str, str]:
    """The same for names of protocols."""
    return {rf"/^{one}\b/": colour for one, colour in zip((*PROTOCOLS, "other"), IDENTITY, strict=False)}


def apart(metric: str, label: str) -> dict[str, str]:
    """The same for the values that a label of the catalogue can have, to tell them apart."""
    return {
        rf"/(^|[^\w.]){re.escape(value)}([^\w.]|$)/": IDENTITY[number % len(IDENTITY)]
        for number, value in enumerate(values_of(metric, label))
    }


def meanings(values: Iterable[str]) -> dict[str, str]:
    """The same for label values that mean something; raises KeyError for one without a colour."""
    return {f"/^{re.escape(value)}\\b/": VALUES[value] for value in values}


def meanings_of(metric: str, label: str) -> dict[str, str]:
    """The same for all values that a label of the catalogue can have."""
    return meanings(values_of(metric, label))


def values_of(metric: str, label: str) -> tuple[str, ...]:
    """What a label can say, as the catalogue has it."""
    (values,) = (one.values for one in BY_NAME[metric].labels if one.name == label)
    return values
