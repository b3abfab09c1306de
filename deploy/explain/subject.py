"""What a person asks about: the whole platform, or one channel, agent or domain of it."""

from typing import Literal

import msgspec

from deploy.errors import UserError
from deploy.explain.facts import Channel, Domain, Facts

Kind = Literal["platform", "channel", "agent", "domain"]


class Subject(msgspec.Struct, frozen=True):
    """``channel`` is set for a channel or an agent, ``domain`` for a domain, neither for all of it."""

    kind: Kind
    channel: Channel | None = None
    domain: Domain | None = None


def find(facts: Facts, kind: Kind, word: str) -> Subject:
    """The one that ``word`` means; raises UserError listing those there are."""
    if kind == "channel":
        return Subject(kind, channel=_channel(facts, word))
    if kind == "agent":
        return Subject(kind, channel=_agent(facts, word))
    found = facts.domain(word)
    if found is None:
        raise UserError(f"domain {word}: there is none; there are {', '.join(d.name for d in facts.domains)}")
    return Subject(kind, domain=found)


def _number(word: str) -> int | None:
    try:
        return int(word, 0)
    except ValueError:
        return None


def _channel(facts: Facts, word: str) -> Channel:
    wanted = _number(word)
    for one in facts.channels:
        if wanted is not None and wanted in (one.func_id, one.page):
            return one
    there = ", ".join(f"{one.func_id:#x} (page {one.page:#x})" for one in facts.channels) or "none"
    raise UserError(f"channel {word}: no channel has this doorbell or page; there are {there}")


def _agent(facts: Facts, word: str) -> Channel:
    wanted = _number(word)
    for one in facts.channels:
        if word == one.name or (wanted is not None and wanted == one.agent_id):
            return one
    there = ", ".join(agent_title(one) for one in facts.channels) or "none"
    raise UserError(f"agent {word}: there is none; there are {there}")


def agent_title(channel: Channel) -> str:
    """``2 (cluster)``: the agent's number, and its name if EL3 gives it one."""
    number = "?" if channel.agent_id is None else str(channel.agent_id)
    return f"{number} ({channel.name})" if channel.name else number
