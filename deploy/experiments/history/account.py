"""Are all calls accounted for? What Xen received as traps, to the unit, from two independent sources.

The record (``account``): each trap is answered, explicitly failed, or ended with its domain. Xen's
counters (``counters``): it sent one answer for each trap. It knows neither engines nor what a call meant.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from deploy.recording.events import Began, Event, Missed, Noted, Returned, Trapped
from deploy.recording.rows import domain_of

MESSAGES: Final = "trapline_bus_messages_total"
LEDGER: Final = "trapline_trap_ledger_total"
INFLIGHT: Final = "trapline_scmi_inflight_calls"
WAITING: Final = "trapline_scmi_waiting_calls"
TWICE: Final = "trapline_smc_duplicates_total"
STALE: Final = "trapline_smc_stale_total"
UNDER_WAY_MAX: Final = 1 << 16  # traps of one domain that may be unanswered at a time
XEN: Final = "xen"


class Account(msgspec.Struct):
    """Traps that Xen received, of one domain over all of its incarnations, and what became of them.

    ``issued`` = ``answered`` + ``failed`` + ``ended`` (with their domain: nobody was left to be told) +
    ``under_way`` (their domain is still there). ``strays``: answers to what nobody asked, or a second time.
    Beside that, what links did: ``duplicates`` that Xen told apart, ``lost`` traps (which Xen never received)
    and answers (whose traps stay ``under_way`` until they have ``ended``).
    """

    issued: int = 0
    answered: int = 0
    failed: int = 0
    ended: int = 0
    under_way: int = 0
    strays: int = 0
    duplicates: int = 0
    lost: int = 0

    @property
    def balanced(self) -> bool:
        """Whether it adds up."""
        total = self.answered + self.failed + self.ended + self.under_way
        return self.issued == total and not self.strays


def account(events: Iterable[Event]) -> dict[str, Account]:
    """By domain; read from the record in one pass, in bounded memory."""
    ledger = _Ledger()
    for event in events:
        ledger.see(event)
    return ledger.finish()


class _Ledger:
    """``_open``: requests without an answer, by incarnation; a domain's last incarnation is the one there."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._open: dict[str, set[int]] = {}
        self._last = ("", 0, False)  # what Xen received last: of whom, its number, whether it was new
        self._see = {
            Trapped: self._trapped,
            Returned: self._returned,
            Missed: self._missed,
            Began: self._began,
            Noted: self._noted,
        }

    def _of(self, incarnation: str) -> Account:
        return self._accounts.setdefault(domain_of(incarnation), Account())

    def see(self, event: Event) -> None:
        handler: Any = self._see.get(type(event))
        if handler is not None:
            handler(event)

    def _trapped(self, event: Trapped) -> None:
        mine = self._of(event.domain)
        waiting = self._open.setdefault(event.domain, set())
        fresh = event.request not in waiting and len(waiting) < UNDER_WAY_MAX
        mine.issued += 1
        if fresh:
            waiting.add(event.request)
        self._last = (event.domain, event.request, fresh)

    def _returned(self, event: Returned) -> None:
        mine = self._of(event.domain)
        waiting = self._open.get(event.domain, set())
        if event.request not in waiting:
            mine.strays += 1
            return
        waiting.discard(event.request)
        if event.kind == "return":
            mine.answered += 1
        else:
            mine.failed += 1

    def _missed(self, event: Missed) -> None:
        if event.how == "lost" and event.kind == "trap":
            self._of(event.node).lost += 1
        elif event.how == "lost" and event.kind in ("return", "error", "undef"):
            self._of(event.peer).lost += 1

    def _began(self, event: Began) -> None:
        """A new incarnation: whatever the earlier ones still waited for ended with them."""
        if event.node == XEN:  # it knows nothing of its predecessor's domains: they ended too
            for incarnation in list(self._open):
                self._end(incarnation)
        name = domain_of(event.node)
        for incarnation in [one for one in self._open if domain_of(one) == name]:
            self._end(incarnation)

    def _noted(self, event: Noted) -> None:
        """Xen tells of a duplicate right after it received it."""
        if (event.node, event.what, event.text) != (XEN, "duplicate", "trap"):
            return
        incarnation, request, fresh = self._last
        mine = self._of(incarnation)
        mine.issued -= 1
        mine.duplicates += 1
        if fresh:
            self._open[incarnation].discard(request)

    def _end(self, incarnation: str) -> None:
        self._of(incarnation).ended += len(self._open.pop(incarnation))

    def finish(self) -> dict[str, Account]:
        """Nothing more comes."""
        for incarnation, waiting in self._open.items():
            self._of(incarnation).under_way += len(waiting)
        self._open.clear()
        return self._accounts


class Counters(msgspec.Struct, frozen=True):
    """The same by what Xens counted of frames: traps that came, answers that went out by kind, those that
    could not be handed over, and traps ``under_way``. Exact for a Xen that has nothing to do when it tells.
    """

    issued: int = 0
    answered: int = 0
    failed: int = 0
    undelivered: int = 0
    under_way: int = 0

    @property
    def balanced(self) -> bool:
        """Whether it adds up."""
        return self.issued == self.answered + self.failed + self.undelivered + self.under_way


def counters(xen: Mapping[str, Any]) -> Counters:
    """From Xen's numbers (``Stage.stats``)."""
    found = xen.get("counters", {})
    messages, ledger = found.get(MESSAGES, {}), found.get(LEDGER, {})
    entry = {key[0]: number for key, number in ledger.items()}
    other = entry.get("error", 0)  # a refused trap is not a domain's, and its error is no answer
    return Counters(
        messages.get(("trap", "in"), 0) - entry.get("duplicate", 0) - entry.get("refused", 0),
        messages.get(("return", "out"), 0),
        messages.get(("error", "out"), 0) + messages.get(("undef", "out"), 0) - other,
        entry.get("undelivered", 0),
        sum(found.get(INFLIGHT, {}).values()) + sum(found.get(WAITING, {}).values()),
    )


class Service(msgspec.Struct, frozen=True):
    """By what EL3 counted: SMCs that came, and that returned. Those it answers late are under way."""

    received: int = 0
    returned: int = 0


def service(firmware: Mapping[str, Any]) -> Service:
    """From EL3's numbers."""
    found = firmware.get("counters", {})
    messages = found.get(MESSAGES, {})
    undone = sum(sum(found.get(name, {}).values()) for name in (TWICE, STALE))
    return Service(messages.get(("smc", "in"), 0) - undone, messages.get(("smcreturn", "out"), 0))
