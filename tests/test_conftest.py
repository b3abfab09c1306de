"""What tests/conftest.py does to every run: a skip is a failure in CI, and CI is where .ci/run is."""

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]
HERE = Path(__file__).parent
MISSING = """
import pytest

@pytest.mark.skipif(True, reason="there is no gizmo")
def test_marked(): pass

def test_says_so(): pytest.skip("no widget here")

@pytest.fixture
def part(): pytest.skip("nothing is set up")

def test_of_a_part(part): pass

@pytest.mark.xfail(strict=True)
def test_expected(): assert not "a skip"

def test_runs(): pass
"""


@pytest.fixture
def pytester(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest((HERE / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(test_parts=MISSING)
    return pytester


@pytest.mark.parametrize("words", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_in_ci_a_skip_is_a_failure_with_its_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "true")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", *words)
    done.assert_outcomes(passed=1, failed=1, errors=2, xfailed=1)
    for reason in ("there is no gizmo", "no widget here", "nothing is set up"):
        done.stdout.fnmatch_lines([f"*{reason}*"])
    done.stdout.fnmatch_lines(["*add what is missing to .ci/run*"])


def test_in_ci_a_module_that_is_not_imported_is_an_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(test_whole="import pytest\npytest.importorskip('no_such_gizmo')")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "test_whole.py")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*no_such_gizmo*"])


@pytest.mark.parametrize("value", [None, ""])
def test_elsewhere_a_skip_stays_one(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if value is not None:
        monkeypatch.setenv("CI", value)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=1, skipped=3, xfailed=1)


def test_ci_says_that_it_is_ci_before_any_test() -> None:
    lines = (HERE.parent / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines.index('export CI="${CI:-true}"') < lines.index("make test")


def test_hypothesis_draws_anew_each_time_in_ci_too() -> None:
    found = settings.get_profile("trapline")
    assert (found.derandomize, found.deadline) == (False, None)
    assert settings.get_current_profile_name() == "trapline"
