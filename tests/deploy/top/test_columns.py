"""Columns: what cells say, which fit, what order rows have."""

import msgspec
import pytest

from deploy.resets import AgentReset
from deploy.top.columns import (
    BARS,
    BY_KEY,
    COLUMNS,
    NAME_MAX,
    NARROW_NAME_MAX,
    PLAIN_BARS,
    SPARK_MAX,
    ago_text,
    layout,
    ordered,
    rate_text,
    sparkline,
    widths_of,
)
from deploy.top.model import Model, Row
from tests.deploy.top.scripted import look, row


def rows(*names: str) -> list[Row]:
    return list(Model().look(look(100.0, *(row(name, at) for at, name in enumerate(names)))).rows)


def change(one: Row, **more: object) -> Row:
    return msgspec.structs.replace(one, **more)


def test_no_column_is_narrower_than_its_cells_at_any_width() -> None:
    (one,) = rows("ivi")
    huge = change(one, calls=10**12, rate=123456.7, p99_us=2500000.0, denied=10**9)
    widths = widths_of([huge])
    for room in range(10, 260):
        found = layout(room, widths, "rate")
        for column, width in zip(found.columns, found.widths, strict=True):
            assert len(column.text(huge)) <= width
            assert len(column.title) <= width
        taken = sum(found.widths) + found.gap * len(found.widths)
        assert len(found.columns) == 1 or taken + (found.spark + found.gap if found.spark else 0) <= room


@pytest.mark.parametrize(
    ("room", "there"),
    [
        (60, {"domain", "rate", "agent", "p99", "state", "p50", "denied"}),
        (80, {"domain", "rate", "agent", "p99", "state", "p50", "denied", "in-flight", "votes", "reset"}),
        (200, set(BY_KEY)),
    ],
)
def test_what_is_there_in_common_widths(room: int, there: set[str]) -> None:
    ages = [
        change(one, last_reset=AgentReset(1.0, "ivi", "reboot"), reset_age_s=99.0) for one in rows("cluster")
    ]
    found = layout(room, widths_of(ages), "rate")
    assert there <= {column.key for column in found.columns}
    assert (found.spark > 0) is (room == 200)
    assert found.spark <= SPARK_MAX


def test_a_long_name_takes_no_more_than_its_share() -> None:
    widths = widths_of(rows("x" * 99))
    assert layout(200, widths, "rate").widths[0] == NAME_MAX
    assert layout(80, widths, "rate").widths[0] == NARROW_NAME_MAX


def test_the_column_sorted_by_is_always_there() -> None:
    for column in COLUMNS:
        found = layout(60, widths_of(rows("ivi")), column.key)
        assert {"domain", column.key} <= {one.key for one in found.columns}


def test_a_width_never_shrinks() -> None:
    (one,) = rows("ivi")
    wide = widths_of([change(one, calls=10**9)])
    assert widths_of([one], wide)["calls"] == 10


def test_numbers_from_the_highest_words_from_a_unknown_last() -> None:
    a, b, c = (
        change(one, rate=rate) for one, rate in zip(rows("b", "a", "c"), (1.0, None, 5.0), strict=True)
    )
    every = [a, b, c]
    assert [one.domain for one in ordered(every, "rate")] == ["c", "b", "a"]
    assert [one.domain for one in ordered(every, "rate", backwards=True)] == ["b", "c", "a"]
    assert [one.domain for one in ordered(every, "domain")] == ["a", "b", "c"]
    assert [one.domain for one in ordered(every, "domain", backwards=True)] == ["c", "b", "a"]
    assert [one.domain for one in ordered(every, "rate", "b")] == ["b"]
    assert ordered([], "rate") == []


def test_what_cells_say() -> None:
    (one,) = rows("x")
    assert [rate_text(value) for value in (None, 0.0, 0.34, 9.94, 9.96, 1234.5)] == [
        "-", "0", "0.3", "9.9", "10", "1234",
    ]  # fmt: skip
    assert [ago_text(value) for value in (None, 0.4, 119.0, 120.0, 7200.0, 172800.0)] == [
        "-", "0 s", "119 s", "2 min", "2 h", "2 d",
    ]  # fmt: skip
    assert BY_KEY["reset"].text(one) == "-"
    told = change(one, last_reset=AgentReset(3.0, "ivi", "crash"), reset_age_s=12.0)
    assert BY_KEY["reset"].text(told) == "12 s crash"


@pytest.mark.parametrize("bars", [BARS, PLAIN_BARS])
def test_a_sparkline_is_as_wide_as_asked(bars: str) -> None:
    assert sparkline([], 4, bars) == "    "
    assert sparkline([0.0, 0.0], 4, bars) == "  " + bars[0] * 2
    assert sparkline([9.0, 0.0, 0.01, 7.0], 3, bars) == bars[0] + bars[1] + bars[7]
