"""What something can be set to: a list of numbers or evenly spaced ones, and the rules for both.

Arithmetic only: of what the numbers are (rates, levels, intervals, caps) the topics' own modules know.
"""

from bisect import bisect_left
from collections.abc import Iterator
from fractions import Fraction

from nodes.firmware.platform.described import Described


class Range(Described, frozen=True):
    """Evenly spaced numbers from ``min`` on; those that have no whole number of steps are none of it."""

    min: int
    max: int
    step: int

    @property
    def last(self) -> int:
        """The highest that is one of them."""
        return self.min + (self.max - self.min) // self.step * self.step

    @property
    def triplet(self) -> tuple[int, int, int]:
        """As agents are told it: the lowest, the highest that is one of them, the step."""
        return self.min, self.last, self.step

    def has(self, value: int) -> bool:
        return self.min <= value <= self.max and not (value - self.min) % self.step


Choices = tuple[int, ...] | Range


def offers(choices: Choices, value: int) -> bool:
    """Whether ``value`` is one of them."""
    return choices.has(value) if isinstance(choices, Range) else value in choices


def neighbours(choices: Choices, wanted: int | Fraction) -> tuple[int | None, int | None]:
    """The nearest ones not above and not below ``wanted``; None where there is none."""
    if not isinstance(choices, Range):
        at = bisect_left(choices, wanted)
        if at < len(choices) and choices[at] == wanted:
            return choices[at], choices[at]
        return (choices[at - 1] if at else None), (choices[at] if at < len(choices) else None)
    if wanted < choices.min:
        return None, choices.min
    if wanted > choices.last:
        return choices.last, None
    below = choices.min + int((wanted - choices.min) // choices.step) * choices.step
    return below, below if below == wanted else below + choices.step


def range_problems(place: str, given: Range) -> Iterator[str]:
    """A range upside down."""
    if given.min > given.max:
        yield f"{place}: min {given.min} is above max {given.max}; swap them"


def choices_problems(place: str, choices: Choices, limit: int) -> Iterator[str]:
    """A range upside down; a list that is too long or not in order."""
    if isinstance(choices, Range):
        yield from range_problems(place, choices)
        return
    if len(choices) > limit:
        yield f"{place}: {len(choices)} of them, the limit is {limit}; give a range"
    if list(choices) != sorted(set(choices)):
        yield f"{place}: they are not in ascending order, each once; sort them"
