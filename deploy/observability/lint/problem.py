"""What the lint says about one place of a file."""

from collections.abc import Callable

import msgspec

Say = Callable[[str, str, str], None]
"""Tells of a problem at a known place: rule, what is wrong, what to do."""


class Problem(msgspec.Struct, frozen=True, order=True):
    """``where``: the panel, variable, annotation or rule. ``rule`` is the name of what was broken."""

    file: str
    where: str
    rule: str
    said: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.rule}: {self.said}; {self.fix}"


def teller(file: str, where: str, found: list[Problem]) -> Say:
    """Adds each problem of that place to ``found``, once."""

    def say(rule: str, said: str, fix: str) -> None:
        problem = Problem(file, where, rule, said, fix)
        if problem not in found:
            found.append(problem)

    return say
