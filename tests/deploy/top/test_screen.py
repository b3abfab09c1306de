"""The screens, driven by keys, on a platform that says what the test wants."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from deploy import control
from deploy.holdings import Holdings, LastReset
from deploy.resets import AgentReset
from deploy.summary import CallCount
from deploy.top.agent import AgentScreen
from deploy.top.app import TopApp
from deploy.top.board import BoardScreen
from deploy.top.dialogs import Confirm, Help, Menu, Problem, Prompt
from deploy.top.model import Event, Look, Model
from deploy.top.source import Gone
from deploy.top.table import AgentsTable
from deploy.top.view import View
from nodes.firmware.ledger import Entry
from tests.deploy.top.scripted import Scripted, look, row

Play = Callable[[TopApp, Pilot[None], Scripted], Awaitable[None]]
SMALL, LARGE = (80, 24), (200, 60)
VOTES = {0: 5, 3: 6, 4: 2}


def platform(at_s: float, calls: int = 0) -> Look:
    """Three domains: ivi fast, tcu slower, dom0 quiet."""
    return look(
        at_s,
        row("dom0", 0, 50, domid=0),
        row("ivi", 3, 1000 + calls * 2, resets=1, denied=15),
        row("tcu", 4, 1000 + calls),
        votes=VOTES,
        resets={"ivi": AgentReset(5.0, "ivi", "crash")},
        events=(
            Event(1.0, "ivi", "created", "agent 3"),
            Event(5.0, "ivi", "reset", "agent 3 reset and free"),
        ),
    )


def play(script: Play, size: tuple[int, int] = SMALL, view: View | None = None) -> TopApp:
    """Run the application on two looks, then what the test does; gives the application that has ended."""
    source = Scripted()
    app = TopApp(source, Model(), view or View())

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            source.tell(platform(10.0))
            source.tell(platform(11.0, 100))
            await settle(pilot)
            await script(app, pilot, source)

    asyncio.run(run())
    assert source.ended
    return app


async def settle(pilot: Pilot[None]) -> None:
    """Until all that was said has been heard and drawn."""
    await pilot.pause()
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


def names(app: TopApp) -> list[str]:
    table = app.query_one(AgentsTable)
    return [str(table.get_row_at(at)[0]).strip() for at in range(table.row_count)]


def text(app: TopApp, where: str) -> str:
    return str(app.screen.query_one(where, Static).content)


@pytest.mark.parametrize("size", [(60, 20), SMALL, LARGE])
def test_the_table_is_there_sorted_by_rate_and_nothing_is_cut(size: tuple[int, int]) -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        assert names(app) == ["ivi", "tcu", "dom0"]
        assert "300 calls/s" in text(app, "#head")
        assert "5 nodes up" in text(app, "#head")
        table = app.query_one(AgentsTable)
        assert sum(column.width for column in table.ordered_columns) <= size[0]
        for column in table.ordered_columns:
            assert column.width >= column.content_width
        assert source.shown == (3, 4, 0)
        assert "reset and free" in text(app, "#events")
        assert ("spark" in {str(key.value) for key in table.columns}) is (size == LARGE)

    play(script, size)


def test_sorting_by_keys_and_turning_round() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        await press(pilot, "less_than_sign", "less_than_sign", "less_than_sign")
        assert app.view.sort == "domain"
        assert names(app) == ["dom0", "ivi", "tcu"]
        await press(pilot, "S")
        assert names(app) == ["tcu", "ivi", "dom0"]
        assert "turned round" in text(app, "#head")
        await press(pilot, "S", "s")
        assert app.view.sort == "agent"
        assert names(app) == ["tcu", "ivi", "dom0"]

    play(script)


def test_the_cursor_stays_with_its_domain() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        board = app.screen
        assert isinstance(board, BoardScreen)
        await press(pilot, "down")
        assert board.chosen is not None
        assert board.chosen.domain == "tcu"
        quiet = look(12.0, row("dom0", 0, 5000, domid=0), row("ivi", 3, 1200), row("tcu", 4, 1100), votes={})
        source.tell(quiet)
        await settle(pilot)
        assert names(app)[0] == "dom0"
        assert board.chosen.domain == "tcu"
        source.tell(look(13.0, row("dom0", 0, 5000, domid=0)))
        await settle(pilot)
        assert names(app) == ["dom0"]
        assert board.chosen.domain == "dom0"

    play(script)


def test_filtering_and_showing_all_again() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        await press(pilot, "slash", "t", "c")
        assert names(app) == ["tcu"]
        await press(pilot, "enter", "s")
        assert app.view.sort != "rate", "keys are keys again"
        assert "filter tc" in text(app, "#head")
        assert source.shown == (4,), "votes are counted for who is shown"
        await press(pilot, "escape")
        assert len(names(app)) == 3
        await press(pilot, "slash", "x", "escape")
        assert (len(names(app)), app.view.words) == (3, "")
        assert not app.screen.query_one("#filter", Input).display

    play(script)


def test_pause_stands_still_and_goes_on() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        await press(pilot, "space")
        source.tell(platform(12.0, 1000))
        await settle(pilot)
        assert "300 calls/s" in text(app, "#head")
        assert "PAUSED" in text(app, "#head")
        await press(pilot, "p")
        assert "2700 calls/s" in text(app, "#head")
        assert "PAUSED" not in text(app, "#head")

    play(script)


HELD = Holdings(
    3, "ivi", "ivi", "spec-strict", (Entry("vote", "clock", "clock 5", "rate", 800),),
    LastReset(6.0, (Entry("grant", "base", "device 5", ""),), (), ()),
)  # fmt: skip
CALLS = {
    "calls": [{"protocol": "clock", "message": "CLOCK_RATE_SET", "status": "DENIED", "calls": 7}],
    "latency": {"clock": [0, 10] + [0] * 14},
}


def builtins(value: Any) -> Any:
    import msgspec  # noqa: PLC0415 - as the control socket brings it

    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_drilling_into_one_agent_and_back(size: tuple[int, int]) -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        source.answers = {control.Calls: CALLS, control.Ledger: builtins(HELD)}
        await press(pilot, "enter")
        screen = app.screen
        assert isinstance(screen, AgentScreen)
        assert source.asked == [control.Calls("ivi"), control.Ledger("3")]
        assert screen.detail.calls == [CallCount("clock", "CLOCK_RATE_SET", "DENIED", 7)]
        shown = app.export_screenshot(simplify=True).replace("&#160;", " ")
        for expected in ("CLOCK_RATE_SET", "DENIED", "clock 5 rate", "nothing left", "gpu@fd000000"):
            assert expected in shown or size == SMALL
        assert screen.detail.traces == ["ivi(3) clock.CLOCK_RATE_GET() = SUCCESS"]
        await press(pilot, "t")
        assert source.traced == [3, 3]
        source.tell(look(12.0, row("dom0", 0, 5, domid=0)))
        await settle(pilot)
        assert "ivi has ended" in text(app, "#notice")
        await press(pilot, "escape")
        assert isinstance(app.screen, BoardScreen)

    play(script, size)


def test_a_silent_el3_is_not_asked_for_a_ledger() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        silent = look(20.0, row("ivi", 3, 1000), told={"firmware": 11.0})
        source.tell(silent)
        await settle(pilot)
        assert "no answer from EL3 (9 s)" in text(app, "#notice")
        source.answers = {control.Calls: "no such domain"}
        await press(pilot, "enter")
        assert source.asked == [control.Calls("ivi")]

    play(script)


def test_a_poke_happens_only_when_confirmed() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        for answer in ("n", "escape"):
            await press(pilot, "k")
            assert isinstance(app.screen, Menu)
            await press(pilot, "d")
            assert isinstance(app.screen, Confirm)
            await press(pilot, "enter")
            assert isinstance(app.screen, Confirm), "Enter confirms nothing"
            await press(pilot, answer)
            assert isinstance(app.screen, BoardScreen)
        assert source.asked == []
        await press(pilot, "k", "d", "y")
        assert source.asked == [control.Destroy("ivi")]
        assert isinstance(app.screen, BoardScreen)

    play(script)


def test_a_poke_under_way_is_told_and_freezes_nothing() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        source.hold = True
        await press(pilot, "k", "r", "y")
        assert "reboot ivi" in text(app, "#notice")
        await press(pilot, "s")
        assert app.view.sort != "rate"
        (_, answered) = source.held[0]
        answered(None, None)
        await settle(pilot)
        assert not app.screen.query_one("#notice").display

    play(script)


def test_what_a_poke_needs_is_asked_for_and_errors_are_shown_in_their_words() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        await press(pilot, "k", "b")
        assert isinstance(app.screen, Prompt)
        await press(pilot, "x", "enter")
        assert isinstance(app.screen, Problem), "a mistake is told before anything is asked of the platform"
        await press(pilot, "enter")
        source.answers = {control.Inject: "EL3: there is no [sensor] 9; there are 0, 1"}
        await press(pilot, "k", "b", *"sensor", "space", "9", "enter", "y")
        assert source.asked == [control.Inject("sensor", 9, True)]
        assert isinstance(app.screen, Problem)
        shown = app.export_screenshot(simplify=True).replace("&#160;", " ")
        assert "there is no [sensor] 9" in shown
        await press(pilot, "escape")
        assert isinstance(app.screen, BoardScreen)

    play(script)


def test_help_and_an_empty_platform() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        await press(pilot, "question_mark")
        assert isinstance(app.screen, Help)
        await press(pilot, "escape")
        source.tell(look(12.0))
        await settle(pilot)
        assert names(app) == []
        await press(pilot, "enter", "k")
        assert isinstance(app.screen, BoardScreen)

    play(script)


def test_the_end_of_the_platform_and_its_return() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        source.tell(Gone("it ended"))
        await settle(pilot)
        assert "the platform has ended" in text(app, "#notice")
        assert names(app) == ["ivi", "tcu", "dom0"], "what was last is still to be seen"
        source.tell(platform(1.0))
        await settle(pilot)
        assert not app.screen.query_one("#notice").display
        source.waited_s = 5.0
        source.tell(platform(2.0))
        await settle(pilot)
        assert "has not answered for 5 s" in text(app, "#notice")
        await pilot.press("q")

    assert play(script).return_code == 0


def test_interrupted() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        await pilot.press("k", "ctrl+c")

    assert play(script).return_code == 130


def test_a_resize_keeps_everything() -> None:
    async def script(app: TopApp, pilot: Pilot[None], source: Scripted) -> None:
        table = app.query_one(AgentsTable)
        before = set(table.shown)
        await pilot.resize_terminal(200, 60)
        await settle(pilot)
        assert set(table.shown) > before
        assert names(app) == ["ivi", "tcu", "dom0"]
        await pilot.resize_terminal(60, 15)
        await settle(pilot)
        assert set(table.shown) < before
        assert names(app) == ["ivi", "tcu", "dom0"]

    play(script)
