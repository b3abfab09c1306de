"""What a report says, and that nothing in a result can break it."""

import html
import re
from pathlib import Path

import pytest
from markupsafe import escape

from deploy.experiments import report
from tests.deploy.experiments.results import failing, huge, passing

HOSTILE = """</script><script>alert("1")</script><b title='x'>&amp;{{ 7 * 7 }}"""


def words(page: str) -> str:
    """The text that a reader sees: no script, no style, no tags."""
    bare = re.sub(r"<(script|style|noscript)\b.*?</\1>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def test_the_verdict_its_reason_the_seed_and_the_command_come_first() -> None:
    text = words(report.render(failing()))
    places = [
        text.index(one) for one in ("Failed", "A reply reached", "Seed 7", "trapline run", "What was asked")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("made", [passing(), failing(), huge()], ids=["passing", "failing", "huge"])
def test_nothing_is_loaded_from_anywhere(made: object) -> None:
    page = report.render(made)  # type: ignore[arg-type]
    assert "default-src 'none'" in page
    assert not re.search(
        r"""<(link|img|iframe|object)\b|\ssrc=|url\(|@import""", page.split('id="library"')[0]
    )
    assert page.count("<script") == 4 - 1


def test_equal_results_give_equal_pages() -> None:
    assert report.render(failing()) == report.render(failing())


def test_text_of_a_result_stays_text() -> None:
    page = report.render(failing(title=HOSTILE, reason=HOSTILE, command=HOSTILE, knobs={HOSTILE: HOSTILE}))
    assert HOSTILE not in page
    assert page.count(str(escape(HOSTILE))) == 5  # title twice, reason, a knob and its value


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    report.write(passing(), tmp_path / "report.html")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(FileNotFoundError):
        report.write(passing(), tmp_path / "none" / "report.html")
