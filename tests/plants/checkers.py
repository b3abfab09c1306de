"""Bugs of checkers: some see wrong where nothing is, some are blind; tests must notice either."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from deploy.experiments.checkers import bounds, grants, registers
from deploy.experiments.checkers.answers import Answers
from deploy.experiments.checkers.once import AtMostOnce
from deploy.experiments.checkers.progress import Progress
from deploy.experiments.checkers.reset import Reset
from deploy.experiments.checkers.tokens import Tokens

Put = Callable[[pytest.MonkeyPatch], None]


def _grants_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    apply = grants.Grants._apply
    patch.setattr(
        grants.Grants,
        "_apply",
        lambda self, held, change: apply(self, held, change) if change.resets else None,
    )


def _lowest_wins(patch: pytest.MonkeyPatch) -> None:
    make = registers.VoteModel.__init__

    def other(self: Any, at_boot: int, combine: Any, own: bool, newest: bool) -> None:
        make(self, at_boot, min if combine is max else combine, own, newest)

    patch.setattr(registers.VoteModel, "__init__", other)


def _resets_take_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(registers.VoteModel, "drop", lambda self, state, agent: state)


def _nobody_may_wait(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bounds, "CHANNEL_WAITERS", 0)


def _no_loss_is_excused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Answers, "_excused", lambda self, call: False)


FALSE_ALARMS: Final[Mapping[str, Put]] = {
    "grants-are-forgotten": _grants_are_forgotten,
    "lowest-wins": _lowest_wins,
    "resets-take-nothing": _resets_take_nothing,
    "nobody-may-wait": _nobody_may_wait,
    "no-loss-is-excused": _no_loss_is_excused,
}
# A node's bug that only this checker tells: blind, it would let the bug through.
ONLY_EYES: Final[Mapping[str, tuple[type[Any], str, str]]] = {
    "reset": (Reset, "xen", "forgets-reset"),
    "tokens": (Tokens, "firmware", "previous-reply"),
    "at_most_once": (AtMostOnce, "firmware", "answers-twice"),
    "progress": (Progress, "xen", "keeps-lock"),
    "bounds": (bounds.Bounds, "xen", "no-bound"),
}
