"""platform.toml for the linter: its agents and devices, and the line on which each key stands."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from deploy import platform_toml
from deploy.errors import UserError
from deploy.files import read_text
from deploy.lint.finding import Finding, Spot, finding, told
from deploy.topology import PLATFORM_BYTES_MAX, check_plug_ins
from nodes.firmware.platform import Agent, Platform, PlatformError, problems

_KEY = re.compile(r"\$?\.?(?P<table>\w+)(?:\[(?P<index>\d+|\.\.\.)\])?(?:\.(?P<key>\w+))?")
_AT_LINE = re.compile(r" \(at line (?P<line>\d+), column (?P<column>\d+)\)")


class PlatformFile(msgspec.Struct, frozen=True):
    """A platform and where it is written."""

    platform: Platform
    file: str
    text: str

    def agent_of(self, func_id: int) -> int | None:
        """The id of the agent with the doorbell ``func_id``."""
        found = self.agent(func_id)
        return None if found is None else found.id

    def agent(self, func_id: int) -> Agent | None:
        return next((one for one in self.platform.agent if one.smc_id == func_id), None)

    def spot(self, agent: Agent, key: str) -> Spot:
        """Where ``key`` of ``agent`` is written."""
        index = self.platform.agent.index(agent)
        return _spot(self.file, self.text, f"agent[{index}].{key}")


def read_platform(path: Path, found: list[Finding]) -> PlatformFile | None:
    """The file at ``path``; what is wrong with it is added to ``found``, None when it cannot be used."""
    file = str(path)
    try:
        text = read_text(path, PLATFORM_BYTES_MAX)
    except UserError as error:
        found.append(told("unreadable", str(error), file))
        return None
    try:
        platform = platform_toml.decode(text)
    except msgspec.DecodeError as error:
        found.append(_undecodable(file, text, str(error)))
        return None
    except PlatformError as error:
        found.append(_invalid(file, text, str(error)))
        return None
    wrong = list(problems(platform)) or list(_plug_in_problems(platform))
    found.extend(_invalid(file, text, problem) for problem in wrong)
    return PlatformFile(platform, file, text)


def _plug_in_problems(platform: Platform) -> Iterator[str]:
    try:
        check_plug_ins(platform)
    except (PlatformError, UserError) as error:
        yield str(error)


def _invalid(file: str, text: str, problem: str) -> Finding:
    key, _, rest = problem.partition(": ")
    message, _, fix = rest.partition("; ")
    return finding("platform-invalid", _spot(file, text, key), f"{key}: {message}", fix)


def _undecodable(file: str, text: str, error: str) -> Finding:
    at_line = _AT_LINE.search(error)
    if not at_line:
        return finding("syntax", Spot(file), error)
    spot = Spot(file, int(at_line["line"]), int(at_line["column"]), 1)
    return finding("syntax", spot, error.replace(at_line[0], ""))


def _spot(file: str, text: str, path: str) -> Spot:
    """The line of ``table[index].key``: found textually, since TOML readers keep no places."""
    match = _KEY.match(path)
    if not match:
        return Spot(file)
    table, index, key = match["table"], match["index"], match["key"]
    seen, inside = -1, not index
    header = None
    for number, line in enumerate(text.splitlines(), 1):
        name = re.match(r"\s*\[\[?\s*([\w.]+)\s*\]\]?", line)
        if name:
            seen += name[1] == table
            inside = name[1] == table and index is not None and str(seen) == index
            header = number if inside else header
        wanted = key or (table if index is None else None)
        if inside and wanted and re.match(rf"\s*{wanted}\s*=", line):
            return Spot(file, number, prop=wanted)
    return Spot(file, header)
