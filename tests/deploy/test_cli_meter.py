"""--meter: what it means, and what is no limit."""

import pytest

from deploy.cli.options import metering
from deploy.errors import UserError
from nodes.xen.metering import Limit, MeterConfig


@pytest.mark.parametrize(
    ("rows", "limits"),
    [
        ((), {}),
        (("ivi=2000",), {"ivi": Limit(2000.0, 16)}),
        (("ivi=0.5/1", "guests=10/2"), {"ivi": Limit(0.5, 1), "guests": Limit(10.0, 2)}),
        (("a=b=3",), {"a=b": Limit(3.0, 16)}),
    ],
)
def test_limits(rows: tuple[str, ...], limits: dict[str, Limit]) -> None:
    for mode, expected in (
        ("observe", MeterConfig("observe", limits)),
        ("enforce", MeterConfig("enforce", limits)),
        ("wait", MeterConfig("enforce", limits, "wait")),
    ):
        assert metering(rows, mode) == (expected if rows else MeterConfig())


@pytest.mark.parametrize(
    "row",
    [
        "ivi",
        "=5",
        "ivi=",
        "ivi=0",
        "ivi=-1",
        "ivi=nan",
        "ivi=inf",
        "ivi=5/",
        "ivi=5/0",
        "ivi=5/x",
        "ivi=1e10",
    ],
)
def test_no_limit(row: str) -> None:
    with pytest.raises(UserError, match="give DOMAIN=RATE"):
        metering((row,), "enforce")
