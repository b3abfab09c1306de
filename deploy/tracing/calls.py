"""Whole calls, from a guest's trap to Xen, to EL3 and back, made of the events of a recording.

Each time in a call was taken by the process that received the message: the time between two of them is that
of a link and of the process before it. Nothing here reads a clock. What one sees of a call depends on what
was recorded: a time that is not known is None.
"""

from typing import Any, Final

import msgspec

from deploy.recording.rows import incarnate

NONE: Final = -1  # no agent, no token
XEN: Final = "xen"
CALL: Final = "call"


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=CALL, tag_field="kind"):
    """A domain's trap, or an SMC of Xen's own (``domain`` "xen"), and what became of it.

    ``number``: of the event that began it. ``request``: its sender's number; ``cause``: the domain's
    request that Xen names in its SMC, 0 for Xen's own; ``smc``: Xen's number for that SMC, 0 if it was
    never forwarded. ``function``: x0 going in; ``x0``: coming out, None without a return; ``whose``: the
    domain whose doorbell ``function`` is, "" for nobody's. ``asked``, ``answered``: fields in words; None:
    no page was recorded. ``status``: by name, "" without one. ``code``: how it ended without an answer,
    ``definite``: it surely did not happen. ``metered``: the limit that it passed.

    ``resource``: what the message is about, "clock 3"; ``changes``: it alters state. ``grounds``: why EL3
    refused it (``nodes.firmware.grounds``), ``judged``: what Xen took the trap for, and its verdict;
    ``queued_ns``: how long the trap waited for its channel.

    Times are on the run's clock, in ns: ``intended_ns`` and ``started_ns`` by the guest's own account, the
    others when a process received the message: Xen the trap, EL3 the SMC, Xen its return, the guest the end.
    """

    number: int
    domain: str
    incarnation: int = 0
    agent: int = NONE
    request: int
    cause: int = 0
    smc: int = 0
    function: int = 0
    whose: str = ""
    protocol: str = ""
    message: str = ""
    token: int = NONE
    asked: str | None = None
    answered: str | None = None
    status: str = ""
    x0: int | None = None
    code: str = ""
    definite: bool = False
    metered: str = ""
    resource: str = ""
    changes: bool = False
    grounds: str = ""
    judged: str = ""
    queued_ns: int = 0
    over: bool = True
    intended_ns: int | None = None
    started_ns: int | None = None
    xen_in_ns: int | None = None
    el3_in_ns: int | None = None
    el3_out_ns: int | None = None
    returned_ns: int | None = None

    @property
    def at_ns(self) -> int:
        """When it began, as early as is known."""
        times = (self.started_ns, self.xen_in_ns, self.el3_in_ns, self.el3_out_ns, self.returned_ns)
        return next((at for at in times if at is not None), 0)

    @property
    def ended_ns(self) -> int:
        """The last that is known of it."""
        times = (self.returned_ns, self.el3_out_ns, self.el3_in_ns, self.xen_in_ns, self.started_ns)
        return next((at for at in times if at is not None), 0)

    @property
    def took_ns(self) -> int | None:
        """From when it was meant to begin, else from the first that is known; None before it is over."""
        ended = self.el3_out_ns if self.domain == XEN else self.returned_ns
        if ended is None:
            return None
        return ended - (self.at_ns if self.intended_ns is None else self.intended_ns)

    @property
    def refused(self) -> bool:
        """Xen answered -1 itself, and EL3 never saw it."""
        return not self.smc and self.x0 is not None and bool(self.x0 >> 63)

    @property
    def denied(self) -> bool:
        """By EL3, or by Xen."""
        return self.status == "DENIED" or self.refused

    @property
    def failed(self) -> bool:
        """It ended, and not with SUCCESS."""
        if not self.over:
            return False
        return self.refused or bool(self.code) or self.status not in ("", "SUCCESS")

    @property
    def unanswered(self) -> bool:
        """It was given up, or lost, without an answer of Xen's or EL3's; it may have happened."""
        return bool(self.code) and not self.definite and self.el3_out_ns is None

    @property
    def doorbell(self) -> bool:
        """Whether it was a message of the domain's at all, and no other SMC."""
        own = self.whose == incarnate(self.domain, self.incarnation)
        return self.domain == XEN or bool(self.smc) or own

    def legs(self) -> dict[str, int]:
        """Where the time went, in ns: between two processes that received something; what is not known is
        left out. ``el3`` is EL3's work and the link back to Xen; ``unanswered``: from whoever is known to
        have received the call last until it was given up.
        """
        times = {name: getattr(self, name) for name in LEG_ENDS}
        legs = LEGS if self.smc else UNSENT_LEGS
        if self.unanswered:
            last = next((name for name in HAD if times[name] is not None), HAD[-1])
            legs = {**LEGS, "unanswered": (last, "returned_ns")}
        return {
            leg: times[end] - times[begin]
            for leg, (begin, end) in legs.items()
            if times[begin] is not None and times[end] is not None
        }


LEGS: Final = {
    # leg: from, to
    "waited": ("intended_ns", "started_ns"),
    "to_xen": ("started_ns", "xen_in_ns"),
    "to_el3": ("xen_in_ns", "el3_in_ns"),
    "el3": ("el3_in_ns", "el3_out_ns"),
    "back": ("el3_out_ns", "returned_ns"),
}
UNSENT_LEGS: Final = {
    # of what Xen answered itself
    "waited": ("intended_ns", "started_ns"),
    "to_xen": ("started_ns", "xen_in_ns"),
    "back": ("xen_in_ns", "returned_ns"),
}
HAD: Final = ("el3_in_ns", "xen_in_ns", "started_ns")  # who may have received an unanswered call last
LEG_ENDS: Final = ("intended_ns", "started_ns", "xen_in_ns", "el3_in_ns", "el3_out_ns", "returned_ns")


class Happening(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="happening", tag_field="kind"):
    """Anything else that a trace tells. ``what``: notification, delayed, interrupt, domctl, life, missed,
    began, or the name of a note (``deploy.recording.notes``).

    ``domain``: whose it is, else the node; ``text``: the message's fields, or the rest in words.
    ``took_ns``: of a domctl, None if it is not over.
    """

    number: int
    at_ns: int
    what: str
    domain: str = ""
    incarnation: int = 0
    agent: int = NONE
    protocol: str = ""
    message: str = ""
    status: str = ""
    text: str = ""
    took_ns: int | None = None

    @property
    def denied(self) -> bool:
        return self.status == "DENIED"

    @property
    def failed(self) -> bool:
        return self.status not in ("", "SUCCESS")


Story = Call | Happening


def as_data(story: Story) -> dict[str, Any]:
    """For JSON: the fields, and for a call its legs and how long it took."""
    found: dict[str, Any] = msgspec.to_builtins(story)
    if isinstance(story, Call):
        found |= {"took_ns": story.took_ns, "legs": story.legs()}
    return found
