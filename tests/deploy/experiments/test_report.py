"""What a report says, and that nothing in a result can break it."""

import html
import re
from pathlib import Path

import msgspec
import pytest
from markupsafe import escape

from deploy.experiments import report
from deploy.experiments.report import palette, plots, spacetime, view
from deploy.experiments.result import Arrow, CheckerResult
from tests.deploy.experiments.results import agent, arrows, failing, huge, passing, slices

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


def test_a_run_of_which_nothing_is_known_has_a_report_too() -> None:
    nothing = {"agents": (), "slices": (), "faults": (), "thresholds": (), "checkers": (), "phases": ()}
    page = report.render(passing(**nothing, verdict="error", fairness=None, knobs={}, notes=("EL3 ended",)))
    text = words(page)
    for one in (
        "Error",
        "EL3 ended",
        "No checker ran.",
        "Nothing was broken.",
        "Nothing was measured over time.",
    ):
        assert one in text
    assert 'id="library"' not in page


def test_what_is_not_shown_is_counted() -> None:
    result = passing(knobs={f"knob{number}": number for number in range(view.ROWS_MAX + 7)})
    made = view.knobs(result)
    assert made is not None
    assert (len(made.rows), made.left_out) == (view.ROWS_MAX, 7)
    assert "7 more did not fit" in words(report.render(result))


def test_an_account_that_does_not_add_up_says_so() -> None:
    assert "off by" not in words(report.render(passing()))
    assert "off by 1" in words(report.render(passing(agents=(agent("ivi", 1, issued=8001),))))


def test_a_checker_that_saw_nothing_proves_nothing() -> None:
    def checked(**facts: int) -> str:
        return words(report.render(passing(checkers=(CheckerResult("one", "a claim", (), facts),))))

    assert "saw nothing" not in checked(judged=1)
    assert "saw nothing" in checked(judged=0, domains=4)
    assert "saw nothing" in checked()


def test_the_mildest_limit_that_refuses_anything_is_told_in_words() -> None:
    found = view.what_if(passing())
    assert found is not None
    said = found[0].replace("\N{NO-BREAK SPACE}", " ")
    assert said.startswith(
        "A limit of 2 000/s on adas would have kept ivi's p99 at 262 µs, 811 calls refused."
    )
    assert view.what_if(passing(what_if=())) is None


def test_overlapping_faults_are_one_band() -> None:
    assert plots.union([(5, 9), (1, 3), (3, 4), (6, 7)]) == [(1, 4), (5, 9)]


def test_a_long_line_is_thinned_without_losing_a_call_or_the_worst() -> None:
    some = slices(["ivi"], count=plots.POINTS_MAX * 3 - 1)
    made = plots.thinned(some)
    assert len(made) == plots.POINTS_MAX
    assert sum(one.answered for one in made) == sum(one.answered for one in some)
    assert max(one.p99_us for one in made) == max(one.p99_us for one in some)
    assert plots.thinned(some[: plots.POINTS_MAX]) == list(some[: plots.POINTS_MAX])


def test_a_plot_without_a_point_is_left_out_and_the_others_say_their_highest() -> None:
    quiet = tuple(msgspec.structs.replace(one, denied=0, errors=0) for one in passing().slices)
    drawn = {one.name: one.says for one in plots.plots(passing(slices=quiet))}
    assert list(drawn) == ["timeline", "p99", "p50", "rate"]
    assert "The highest is" in drawn["p99"]
    assert "1 of them" in drawn["timeline"]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("scheme", "lines"), [(0, palette.LIGHT), (1, palette.DARK)], ids=["light", "dark"])
def test_text_and_lines_stand_out_from_the_paper(scheme: int, lines: tuple[str, ...]) -> None:
    style = (Path(report.__file__).parent / "templates/report.css").read_text()
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", style.split("@media")[scheme]))
    for name in ("ink", "muted", "good", "bad", "error", "link"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
        assert contrast(colours[name], colours["raised"]) >= 4.5, name
    assert min(contrast(one, colours["paper"]) for one in lines) >= 3


def test_48_agents_look_different() -> None:
    looks = {(one.light, one.dash) for one in (palette.look("x", number) for number in range(48))}
    assert len(looks) == 48


def test_the_diagram_has_an_arrow_per_message_and_a_cross_where_one_was_lost() -> None:
    drawn = spacetime.draw(arrows())
    assert drawn.svg.count('<g class="message') == len(arrows())
    assert drawn.svg.count('class="cross"') == 1
    assert drawn.svg.count("message bad") == 2
    assert spacetime.nodes_of(arrows()) == ["toolstack", "ivi#1", "telematics#2", "xen", "firmware"]


def test_of_too_many_messages_those_around_the_violation_stay() -> None:
    many = [Arrow(at, at + 1, "xen", "firmware", f"<{at}>", at == 150) for at in range(200)]
    drawn = spacetime.draw(many)
    assert drawn.left_out == 200 - spacetime.MESSAGES_MAX
    assert "&lt;150&gt;" in drawn.svg
    assert "&lt;10&gt;" not in drawn.svg
    rows = re.findall(r'<circle cx="\d+" cy="(\d+)"', drawn.svg)
    assert len(set(rows)) == spacetime.MESSAGES_MAX  # no text covers another
