"""All outcomes together: every firmware, every Xen, every scenario; the same grid each time it is played."""

from collections.abc import Sequence
from typing import Any

import msgspec

from deploy.interop.scenarios import SCENARIOS, VERDICTS, Outcome, play
from nodes.firmware.profile import PROFILES as FIRMWARES
from nodes.firmware.profile import FirmwareProfile
from nodes.xen.profile import PROFILES as XENS
from nodes.xen.profile import Profile


class Note(msgspec.Struct, frozen=True):
    """Why some cells are not "works": the same step, with the same words, in these of them."""

    step: str
    expected: str
    got: str
    reason: str
    firmwares: tuple[str, ...]
    xens: tuple[str, ...]


class Grid(msgspec.Struct, frozen=True):
    """``outcomes`` in order of firmware, scenario, Xen."""

    firmwares: tuple[str, ...]
    xens: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    def cell(self, firmware: str, xen: str, scenario: str) -> Outcome:
        wanted = (firmware, xen, scenario)
        return next(one for one in self.outcomes if (one.firmware, one.xen, one.scenario) == wanted)

    def notes(self) -> list[Note]:
        """The first step that differs of every cell, and the one that breaks it; equal ones together."""
        found: dict[tuple[str, str, str, str], list[Outcome]] = {}
        for one in self.outcomes:
            for told in one.told:
                found.setdefault((told.step, told.expected, told.got, told.reason), []).append(one)
        return [
            Note(
                *key,
                tuple(dict.fromkeys(one.firmware for one in where)),
                tuple(dict.fromkeys(one.xen for one in where)),
            )
            for key, where in found.items()
        ]


def played(firmwares: Sequence[FirmwareProfile], xens: Sequence[Profile]) -> Grid:
    """Play everything."""
    outcomes = tuple(
        play(scenario, firmware, xen) for firmware in firmwares for scenario in SCENARIOS for xen in xens
    )
    return Grid(tuple(one.name for one in firmwares), tuple(one.name for one in xens), outcomes)


def as_data(grid: Grid) -> dict[str, Any]:
    """The grid for scripts."""
    return {
        "verdicts": dict(VERDICTS),
        "scenarios": {name: (play.__doc__ or "").strip() for name, play in SCENARIOS.items()},
        "cells": [
            {
                "firmware": one.firmware,
                "xen": one.xen,
                "scenario": one.scenario,
                "verdict": one.verdict,
                "first": one.first.step if one.first else None,
                "findings": [msgspec.to_builtins(finding) for finding in one.findings],
            }
            for one in grid.outcomes
        ],
    }


def markdown() -> str:
    """Every firmware under every Xen, for the page beside this module."""
    grid = played(tuple(FIRMWARES.values()), tuple(XENS.values()))
    lines = ["| | |", "| --- | --- |"]
    lines += [f"| **{verdict}** | {meaning} |" for verdict, meaning in VERDICTS.items()]
    lines += ["", "| scenario | |", "| --- | --- |"]
    lines += [f"| **{name}** | {(story.__doc__ or '').strip()} |" for name, story in SCENARIOS.items()]
    lines += [
        "",
        f"| firmware | scenario | {' | '.join(grid.xens)} |",
        "| --- | --- |" + " --- |" * len(grid.xens),
    ]
    for firmware in grid.firmwares:
        for at, scenario in enumerate(SCENARIOS):
            cells = " | ".join(_cell(grid.cell(firmware, xen, scenario)) for xen in grid.xens)
            lines.append(f"| {f'**{firmware}**' if at == 0 else ''} | {scenario} | {cells} |")
    lines += ["", "| step | where | got | because |", "| --- | --- | --- | --- |"]
    for note in grid.notes():
        where = f"{', '.join(note.firmwares)} under {', '.join(note.xens)}"
        lines.append(f"| {note.step} | {where} | {note.got} | {note.reason} |")
    return "\n".join([*lines, ""])


def _cell(one: Outcome) -> str:
    return f"{one.verdict}: {one.first.step}" if one.first else one.verdict
