"""What is wrong with the description of a run: numbers that no run has, a platform that is none.

It does not know where the description came from, nor judge whether the run could have been told so.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

import msgspec

from nodes.firmware import platform as el3
from nodes.firmware.platform import Platform
from nodes.guest import load
from nodes.guest.binding import Consumer
from nodes.guest.load import WorkPlan

NUMBER_BITS: Final = 64  # registers, addresses
TIME_BITS: Final = 62  # so that the sum of two fits into what a message carries
ID_BITS: Final = 32  # as messages carry ids of resources; function ids
TIMES: Final = ("_ns", "first_request", "first_requests")


def problems(made: msgspec.Struct) -> Iterator[str]:
    """Each as ``field: rule``."""
    return _of("", made)


def _of(path: str, value: Any, bits: int = NUMBER_BITS) -> Iterator[str]:
    if isinstance(value, Enum | str | bytes | bool):
        return
    if isinstance(value, int | float):
        yield from _number(path, value, bits)
    elif isinstance(value, Platform):
        yield from (f"{path}.{one}" for one in el3.problems(value))
    elif isinstance(value, msgspec.Struct):
        if isinstance(value, WorkPlan):
            yield from (f"{path}.{one}" for one in load.problems(value))
        named = ((name, getattr(value, name)) for name in value.__struct_fields__)
        yield from _all(path, named, ID_BITS if isinstance(value, Consumer) else bits)
    elif isinstance(value, Mapping):
        yield from _all(path, value.items(), bits)
    elif isinstance(value, Iterable):
        yield from _all(path, enumerate(value), bits)


def _all(path: str, parts: Iterable[tuple[Any, Any]], bits: int) -> Iterator[str]:
    for name, value in parts:
        is_time = str(name).endswith(TIMES)
        yield from _of(f"{path}.{name}".lstrip("."), value, TIME_BITS if is_time else bits)


def _number(path: str, value: float, bits: int) -> Iterator[str]:
    if not math.isfinite(value) or not 0 <= value < 1 << bits:
        yield f"{path}: {value} is no number that a run has; give one from 0 to {(1 << bits) - 1}"
