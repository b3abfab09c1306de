"""An agent changes and sees what it was granted when EL3 judged its message, all of that, nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any

from bus.scmi import header
from bus.scmi.status import Status
from deploy.experiments.checkers import Violation
from deploy.experiments.checkers.base import Evidence, Handler, Judge
from deploy.experiments.checkers.excuses import TOLD_LATE
from deploy.experiments.checkers.grants import Change, Judged
from deploy.experiments.checkers.rules import TOLD
from deploy.recording.events import Executed, Interrupted


class Isolation(Judge):
    name = "isolation"
    claim = "No agent changes or sees what it was not granted at that moment, and what was granted works."
    knows = (
        "grants, withdrawals and resets in the order in which EL3 got them; devices, rights and defaults "
        "of platform.toml; which statuses the answers had"
    )
    cannot = (
        "judge agents with numbers of their own (views, profiles that leave out what is denied), pins, "
        "mapped pages, and commands around a change whose answer was lost; an order of a resource that its "
        "sharing may refuse is judged in one direction only"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self.refused = 0
        self.changes = 0
        self.notifications = 0
        self._grants = evidence.grants
        self._lines = {
            one.p2a_interrupt: one.id
            for one in self.context.topology.platform.agent
            if one.p2a_interrupt is not None
        }

    def on(self) -> Mapping[type, Handler]:
        return {Executed: self._executed, Interrupted: self._interrupted}

    def _executed(self, event: Executed) -> Iterable[Violation]:
        judged = self._grants.judged
        if judged is not None:
            return self._command(event, judged)
        changed = self._grants.changed
        return self._change(event, changed) if changed is not None else ()

    def _command(self, event: Executed, judged: Judged) -> Iterable[Violation]:
        if judged.may is None:
            self.abstained += 1
            return ()
        self.judged += 1
        self.refused += not judged.may
        named = judged.named
        what = f"agent {judged.agent} sent {named.command} for {named.kind} {judged.number}"
        if judged.status == Status.SUCCESS and not judged.may:
            text = f"{what}, which it was not granted, and got SUCCESS"
        elif judged.status == Status.DENIED and judged.may:
            if self._grants.rules.may_refuse(named, judged.number):
                return ()
            text = f"{what}, which it was granted, and got DENIED"
        else:
            return ()
        return (self.wrong(event, text, judged.smc.domain, judged.smc),)

    def _change(self, event: Executed, changed: Change) -> Iterable[Violation]:
        """Who may grant, take, and reset others."""
        self.changes += 1
        self.judged += 1
        rules = self._grants.rules
        may = changed.caller in rules.trusted or rules.anyone_grants
        itself = changed.resets and changed.caller == changed.subject
        if may or itself or not changed.outcome:
            return ()
        what = "reset" if changed.resets else "changed the permissions of"
        text = f"agent {changed.caller} {what} agent {changed.subject}, which only a trusted agent may"
        return (self.wrong(event, text, changed.smc.domain, changed.smc),)

    def _interrupted(self, event: Interrupted) -> Iterable[Violation]:
        """A notification about a resource that the agent never had in this life."""
        if event.end or event.node != "xen" or event.head < 0:
            return ()
        named = TOLD.get(event.head & ~header.HEADER.pack(token=header.TOKEN_MAX))
        agent = self._lines.get(event.intid)
        number = named.number(event.payload) if named is not None else None
        if named is None or agent is None or number is None:
            return ()
        could = self._grants.could_hear(agent, named, number)
        if could is None or self.evidence.planned(TOLD_LATE):
            self.abstained += 1
            return ()
        self.judged += 1
        self.notifications += 1
        if could:
            return ()
        text = f"agent {agent} was told of {named.kind} {number}, which it never had in this life"
        return (self.wrong(event, text),)

    def more(self) -> Mapping[str, Any]:
        return {
            "not_granted": self.refused,
            "permission_commands": self.changes,
            "notifications": self.notifications,
        }
