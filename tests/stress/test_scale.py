"""Platforms at their full size: all domains come up, each is answered, nothing is left. Times are printed.

On virtual time a tenth of it, unless TRAPLINE_FULL_SIZES is set; ``python -m deploy.scale`` has all of it.
"""

import os

import pytest

from deploy.scale import measuring
from deploy.scale.__main__ import COLUMNS, cells
from deploy.scale.measuring import Measured
from nodes.limits import DOMAINS

pytestmark = [pytest.mark.stress, pytest.mark.timeout(400)]
UP_S = 90.0


def told(one: Measured, beside: Measured) -> None:
    """For whoever reads along with -s; a plain child of the fork server beside it."""
    for name, value, other in zip(COLUMNS, cells(one), cells(beside), strict=True):
        print(f"{name or 'how'}: {value} ({other})")  # noqa: T201 - times are to be seen
    print(f"ratio of times: {one.up_s / one.domains * beside.domains / beside.up_s:.2f}")  # noqa: T201


def test_as_many_domains_as_a_platform_has_with_a_process_each() -> None:
    found = measuring.real(1, DOMAINS - 1)
    told(found, measuring.plain(32))
    assert found.answered == found.domains == DOMAINS
    assert found.foot.processes == DOMAINS + 3
    assert found.up_s < UP_S


def test_a_thousand_domains_that_share_processes() -> None:
    found = measuring.real(4, 249, 64)
    told(found, measuring.plain(32))
    assert found.answered == found.domains == 1_000
    assert found.foot.processes == 4 * (3 + 4) + 1
    assert found.up_s < UP_S


def test_many_platforms_on_virtual_time() -> None:
    domains = 10_000 if os.environ.get("TRAPLINE_FULL_SIZES") else 1_000
    found = measuring.simulated(domains)
    assert found.answered == found.domains == domains
