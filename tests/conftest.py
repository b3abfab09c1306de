"""For every test: Hypothesis judges what code does, not how long a busy machine took for it.

And where CI is set, who is skipped has failed: .ci/run installs whatever a test needs, so a skip there would
hide a part that is missing.
"""

import os
import signal
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import settings

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# Not what Hypothesis makes of CI, the same examples each time.
settings.register_profile("trapline", settings.get_profile("default"), deadline=None)
settings.load_profile("trapline")

# What a shell starts with & ignores SIGINT, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test, or its set-up. What is expected to fail is no skip, though pytest reports it as one."""
    report = yield
    return report if hasattr(report, "wasxfail") else _run_or_failed(report)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A whole module, which importorskip may skip."""
    return _run_or_failed((yield))


def _run_or_failed(report: Report) -> Report:
    if report.skipped and os.environ.get("CI"):
        told = report.longrepr
        reason = told[2] if isinstance(told, tuple) else str(told)
        report.outcome = "failed"
        report.longrepr = f"{reason}\nIn CI nothing is skipped: add what is missing to .ci/run"
    return report
