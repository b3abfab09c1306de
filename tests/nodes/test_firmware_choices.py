"""What something can be set to: lists and ranges against the same numbers written out."""

from fractions import Fraction

import pytest

from nodes.firmware.platform.choices import Choices, Range, choices_problems, neighbours, offers

CHOICES: tuple[tuple[Choices, tuple[int, ...]], ...] = (
    ((3, 5, 11), (3, 5, 11)),
    ((7,), (7,)),
    ((), ()),
    (Range(-5, 5, 5), (-5, 0, 5)),
    (Range(2, 12, 4), (2, 6, 10)),
    (Range(6, 6, 3), (6,)),
)


@pytest.mark.parametrize(("choices", "written_out"), CHOICES)
def test_lists_and_ranges_offer_what_is_written_out(choices: Choices, written_out: tuple[int, ...]) -> None:
    for wanted in range(-10, 20):
        assert offers(choices, wanted) is (wanted in written_out), wanted
        for exact in (Fraction(wanted), wanted + Fraction(1, 3)):
            below = max((one for one in written_out if one <= exact), default=None)
            above = min((one for one in written_out if one >= exact), default=None)
            assert neighbours(choices, exact) == (below, above), exact


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Range(1, 1, 1), None),
        (Range(2, 1, 1), "here: min 2 is above max 1; swap them"),
        ((1, 2, 3), None),
        ((1, 2, 3, 4), "here: 4 of them, the limit is 3; give a range"),
        ((1, 1), "here: they are not in ascending order, each once; sort them"),
        ((2, 1), "here: they are not in ascending order, each once; sort them"),
    ],
)
def test_choices_that_cannot_be(choices: Choices, told: str | None) -> None:
    assert list(choices_problems("here", choices, 3)) == ([] if told is None else [told])
