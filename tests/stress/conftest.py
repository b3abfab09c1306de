"""The stress stage: ``make stress``. Its tests run only when they are asked for, with ``-m stress``."""

import os
import secrets

import pytest

SEEDS = "TRAPLINE_STRESS_SEED"  # the first fresh seed; workers inherit it from whoever started them


def pytest_configure(config: pytest.Config) -> None:
    """Draw the first fresh seed once, before any worker starts."""
    os.environ.setdefault(SEEDS, str(secrets.randbelow(1 << 40)))


def pytest_report_header(config: pytest.Config) -> str:
    """Say it first, so that a run that is cut off can be repeated."""
    return f"fresh seeds from {os.environ[SEEDS]}; the same again: {SEEDS}={os.environ[SEEDS]} make stress"


@pytest.fixture(scope="session")
def first_seed() -> int:
    """The first of the fresh seeds."""
    return int(os.environ[SEEDS])
