"""Why a call ended as it did, and where its time went: the rung, the row that decided, who changed it last.

Made of the stories of one recording, live or not; what the recording does not hold is said to be missing.
Words for the screen are made here, colours and widths are the command's.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from deploy.errors import UserError
from deploy.recording.rows import domain_of, incarnate
from deploy.tracing.calls import NONE, XEN, Call, Happening, Story
from deploy.tracing.lines import CODES, DEFINITE, INDEFINITE, duration, parts, plain
from nodes.firmware import grounds as el3
from nodes.firmware.grounds import Change, DeviceRow, Grounds
from nodes.firmware.ladder_table import RUNGS

SLOW_NS: Final = 10_000_000  # a call that took longer counts as slow, unless somebody says otherwise
CANDIDATES_TOLD: Final = 5
NUMBER_DIGITS: Final = 20  # of 64 bits
LEG_WORDS: Final = {
    "waited": "in the guest, before it could begin",
    "to_xen": "guest to Xen",
    "to_el3": "in Xen, and on to EL3",
    "el3": "EL3's work, and back to Xen",
    "back": "Xen to guest",
}
UNANSWERED: Final = {
    # of a call without an answer: the last time that is known, and who had it then
    "el3_in_ns": "EL3 had received it, and no answer came",
    "xen_in_ns": "Xen had received it, EL3 had not; no answer came",
    "started_ns": "Xen had not received it; no answer came",
}
LAYERS: Final = {
    "protocol": "`protocols` of the agent in platform.toml does not list the protocol",
    "right": "a row of [[right]] in platform.toml says so for this agent",
    "single": "PINCTRL_SET_PERMISSIONS decides for this resource, whatever devices say",
    "no device": "no device lists the resource: everybody may read it, only a trusted agent may change it",
    "trusted": "only a trusted agent may send this command, and this one is not",
}
HANDLER: Final = 9
BUSY: Final = "channel-busy"
VERDICTS: Final = {
    "foreign_doorbell": "the function id is another domain's doorbell",
    "management_doorbell": "the function id is Xen's own channel",
    "doorbell": "its own doorbell, beyond a limit of metering, or without an EL3",
    "sip": "a SiP function id that belongs to no channel",
    "hypervisor": "a function of the hypervisor's range that Xen does not have",
    "standard": "a function of the standard service range that Xen does not have",
    "psci": "a PSCI function that Xen does not have",
    "arch": "an Arm architecture function that Xen does not have",
    "other": "no function that Xen knows",
}
GRANT: Final = "grant a device that has the resource: `dtdev` in xl.cfg, `xen,path` in a boot domain's tree"
LAYER_HINTS: Final = {
    "device": GRANT,
    "no device": f"let a device list the resource in platform.toml, then {GRANT}",
    "right": "change the row of [[right]] in platform.toml",
    "trusted": "send it on Xen's channel, or mark the agent as trusted in platform.toml",
}
HINTS: Final = {
    # rung: what people mostly have to change
    2: "give the agent the protocol: `protocols` in platform.toml, or BASE_SET_PROTOCOL_PERMISSIONS",
    3: "ask PROTOCOL_VERSION and PROTOCOL_MESSAGE_ATTRIBUTES first: another version has other messages",
    5: "compare the payload with the message's table in bus/scmi",
    6: "ids are global: count them with PROTOCOL_ATTRIBUTES, or look at 'trapline ledger'",
    7: "set every reserved bit to 0",
}


class Leg(msgspec.Struct, frozen=True):
    """``part`` of the whole, 0 to 1."""

    name: str
    words: str
    took_ns: int
    part: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """``line``: the call as ``trace`` shows it. ``verdict``: who ended it, and how. ``row``: what decided.
    ``changed``: who changed that last. ``legs``: where the time went. ``meanwhile``: what else EL3 did.
    ``hints``: what may help. ``missing``: what the recording does not hold.
    """

    call: Call
    line: str
    verdict: str
    rung: int | None = None
    question: str = ""
    row: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    legs: tuple[Leg, ...] = ()
    meanwhile: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


# ---- which call -------------------------------------------------------------------------------


def notable(call: Call, slow_ns: int) -> bool:
    """Whether anybody would ask: it failed, or it was slow."""
    took_ns = call.took_ns
    return call.failed or (took_ns is not None and took_ns > slow_ns)


def find(stories: Sequence[Story], which: str, slow_ns: int = SLOW_NS) -> Call:
    """``which``: "last" (that failed or was slow), REQUEST, or DOMAIN:REQUEST. Raises UserError for none."""
    calls = [story for story in stories if isinstance(story, Call)]
    if which == "last":
        return _last(calls, slow_ns)
    domain, _, number = which.rpartition(":")
    if not number.isdecimal() or len(number) > NUMBER_DIGITS:
        raise UserError(f"{which}: give 'last', a request number, or DOMAIN:REQUEST such as ivi:1234")
    found = [call for call in calls if call.request == int(number) and _is_of(call, domain)]
    if not found:
        raise UserError(
            f"no call {which} is in the recording, which has {len(calls)}; 'trapline trace --json' shows "
            "each with its request"
        )
    whose = {call.domain for call in found}
    if len(whose) > 1:
        there = ", ".join(f"{name}:{number}" for name in sorted(whose)[:CANDIDATES_TOLD])
        raise UserError(f"{len(whose)} domains have a request {number}; give one of {there}")
    return found[-1]


def _last(calls: Sequence[Call], slow_ns: int) -> Call:
    found = max(
        (call for call in calls if notable(call, slow_ns)), key=lambda call: call.ended_ns, default=None
    )
    if found is None:
        raise UserError(
            f"of {len(calls)} calls in the recording none failed, and none took longer than "
            f"{duration(slow_ns)}; give a request, or a lower --slow"
        )
    return found


def _is_of(call: Call, domain: str) -> bool:
    return domain in ("", call.domain, incarnate(call.domain, call.incarnation))


# ---- why --------------------------------------------------------------------------------------


def explain(call: Call, stories: Iterable[Story]) -> Explanation:
    """Everything that the recording tells about one of its calls."""
    told = list(stories)
    judged, grounds = _judged(call), _grounds(call)
    verdict, rung, question = _verdict(call, grounds, judged)
    missing = []
    if call.status == "DENIED" and grounds is None:
        missing.append("EL3's grounds: they were not recorded")
    if call.asked is None and call.smc:
        missing.append("the message's fields: pages are mapped, none travelled")
    legs = _legs(call)
    if not legs:
        missing.append("where the time went: too few of the call's times were recorded")
    return Explanation(
        call=call,
        line=plain(parts(call)),
        verdict=verdict,
        rung=rung,
        question=question,
        row=(*(_row(grounds) if grounds else _xens_row(call, judged)), *_taken(call, told)),
        changed=tuple(_changes(call, grounds, told)),
        legs=legs,
        meanwhile=tuple(_meanwhile(call, told)),
        hints=tuple(_hints(call, rung, grounds)),
        missing=tuple(missing),
    )


def _grounds(call: Call) -> Grounds | None:
    try:
        return el3.decode(call.grounds) if call.grounds else None
    except msgspec.DecodeError:
        return None


def _judged(call: Call) -> tuple[str, str]:
    """What Xen took the function id for, and its verdict."""
    function, _, verdict = call.judged.partition(" ")
    return function, verdict


def _verdict(call: Call, grounds: Grounds | None, judged: tuple[str, str]) -> tuple[str, int | None, str]:
    """Who ended it and how; the rung and what it asks."""
    if not call.over:
        return "it is still under way", None, ""
    if call.metered and call.refused:
        return (
            f"Xen refused it: it passed the limit {call.metered} (x0 = -1, it surely did not happen)",
            None,
            "",
        )
    if call.refused:
        what = VERDICTS.get(judged[0], "nothing that Xen forwards or answers")
        return f"Xen refused it (x0 = -1, EL3 never saw it): {what}", None, ""
    if call.code:
        words = CODES.get(call.code, "no answer came")
        return f"{call.code}: {words}; {DEFINITE if call.definite else INDEFINITE}", None, ""
    if call.failed and grounds is not None:
        return (
            f"EL3 answered {call.status}: {_rung_words(grounds.rung)}",
            grounds.rung,
            _question(grounds, call.status),
        )
    if call.failed:
        return f"EL3 answered {call.status}", None, ""
    return f"it ended well ({call.status or 'x0 = ' + str(call.x0)})", None, ""


def _rung_words(rung: int) -> str:
    return f"rung {rung} of the ladder" if rung < HANDLER else "the message's own rules (rung 9)"


def _question(grounds: Grounds, status: str) -> str:
    if grounds.rung == HANDLER and status == "DENIED":
        return "Do the message's own rules let this agent do it?"
    asked = [row.asked for row in RUNGS if row.number == grounds.rung]
    if not asked:
        return "Is it in range, and can the resource do it now?"
    return asked[-1] if grounds.layer == "protocol" else asked[0]


def _row(grounds: Grounds) -> Iterable[str]:
    """The rows that decided."""
    if grounds.layer in LAYERS:
        yield f"{grounds.resource}: {LAYERS[grounds.layer]}" if grounds.resource else LAYERS[grounds.layer]
    what = grounds.resource or "the protocol"
    for device in grounds.devices:
        yield f"{what} is in device {device.device} ({device.name}): {_has(device)}"
    if grounds.layer is None and grounds.resource:
        yield f"it is about {grounds.resource}"


def _has(row: DeviceRow) -> str:
    if not row.granted:
        return "not granted to the agent"
    if row.protocol_denied:
        return "granted, but the protocol was taken away on it"
    return "granted"


def _xens_row(call: Call, judged: tuple[str, str]) -> Iterable[str]:
    if call.refused and call.function:
        whose = domain_of(call.whose)
        if whose and whose != call.domain:
            yield f"{call.function:#x} is the doorbell of {whose}"
        elif not whose:
            yield f"{call.function:#x} in x0"


def _taken(call: Call, stories: Iterable[Story]) -> Iterable[str]:
    """Of a call that found its page taken: by which one, that nobody has answered yet."""
    if call.code == BUSY:
        own = (one for one in stories if isinstance(one, Call) and one.request and _same_life(one, call))
        last = max((one for one in own if one.at_ns <= call.at_ns), key=lambda one: one.at_ns, default=None)
        if last is not None and (last.unanswered or not last.over):
            before = duration(call.at_ns - last.at_ns)
            yield (
                f"its page is still taken by {last.message or 'a call'}, {before} before: EL3 has "
                f"not set FREE; 'trapline why {last.domain}:{last.request}' tells of it"
            )


def _same_life(one: Call, other: Call) -> bool:
    return (one.domain, one.incarnation) == (other.domain, other.incarnation)


def _changes(call: Call, grounds: Grounds | None, stories: Sequence[Story]) -> Iterable[str]:
    """Who changed last what decided, and when."""
    if grounds is None:
        return
    for device in grounds.devices:
        if device.changed is not None:
            yield f"device {device.device} ({device.name}): {_change(device.changed, call, stories)}"
        else:
            yield f"device {device.device} ({device.name}): as it was when EL3 booted"
    if grounds.changed is not None:
        yield f"{grounds.resource}: {_change(grounds.changed, call, stories)}"
    elif grounds.layer in ("protocol", "right", "no device", "trusted"):
        yield "never: it is as the platform describes it"
    if grounds.rung == HANDLER and grounds.resource:
        yield from _last_use(call, grounds.resource, stories)


def _change(change: Change, call: Call, stories: Sequence[Story]) -> str:
    """``change`` is on EL3's clock, as the rows of EL3 are; its SMC is looked for in the recording."""
    by = next((one for one in stories if isinstance(one, Call) and one.smc == change.request), None)
    what = change.what if change.what.islower() or " " in change.what else f"{change.what} ({_allow(change)})"
    who = f"agent {change.by}"
    if by is None:
        return f"{what} by {who}, in Xen's SMC {change.request}, which the recording does not hold any more"
    since_ns = (call.el3_in_ns or call.at_ns) - (by.el3_in_ns or by.at_ns)
    whose = "Xen" if by.domain == XEN else by.domain
    return f"{what} by {who} ({whose}), {duration(since_ns)} before, in Xen's SMC {change.request}"


def _allow(change: Change) -> str:
    return "allow" if change.allow else "deny"


def _last_use(call: Call, resource: str, stories: Sequence[Story]) -> Iterable[str]:
    """What was said last about the resource before, by whoever."""
    before = [
        one
        for one in stories
        if isinstance(one, Call)
        and one.status == "SUCCESS"
        and one.changes
        and one.resource == resource
        and (one.el3_in_ns or 0) < (call.el3_in_ns or 0)
    ]
    if before:
        last = max(before, key=lambda one: one.el3_in_ns or 0)
        since_ns = (call.el3_in_ns or 0) - (last.el3_in_ns or 0)
        yield f"{resource}: {plain(parts(last)).strip()}, {duration(since_ns)} before"


# ---- time -------------------------------------------------------------------------------------


def _legs(call: Call) -> tuple[Leg, ...]:
    legs = call.legs()
    whole = sum(legs.values())
    made = []
    for name in legs:
        words = LEG_WORDS.get(name) or _had(call)
        if name == "back" and not call.smc:
            words = "Xen's answer, and back to the guest"
        if name == "to_el3" and call.queued_ns:
            words += f"; {duration(call.queued_ns)} of it waiting for its channel"
        made.append(Leg(name, words, legs[name], legs[name] / whole if whole > 0 else 0.0))
    return tuple(made)


def _had(call: Call) -> str:
    """Who had an unanswered call last."""
    return next((words for name, words in UNANSWERED.items() if getattr(call, name) is not None), "no answer")


def _meanwhile(call: Call, stories: Sequence[Story]) -> Iterable[str]:
    """What EL3 had in hand between the trap and EL3's answer, by agent; what was broken on purpose."""
    begin, end = call.xen_in_ns or call.at_ns, call.el3_out_ns or call.ended_ns
    served: Counter[tuple[str, int]] = Counter()
    for one in stories:
        if isinstance(one, Call) and one is not call and one.smc and begin <= (one.el3_in_ns or 0) <= end:
            served[one.domain, one.agent] += 1
    if served:
        names = ", ".join(_served(who, agent, count) for (who, agent), count in served.most_common(4))
        rest = sum(served.values()) - sum(count for _, count in served.most_common(4))
        many = "SMC" if served.total() == 1 else "SMCs"
        yield f"EL3 took {served.total()} other {many}: {names}" + (f", others {rest}" if rest else "")
    elif call.unanswered:
        yield f"EL3 took no other SMC in these {duration(end - begin)}: it stood still, or nothing reached it"
    yield from _broken(call, stories)


def _served(who: str, agent: int, count: int) -> str:
    whose = "Xen's own" if who == XEN else who if agent == NONE else f"{who} (agent {agent})"
    return f"{whose} {count}"


def _broken(call: Call, stories: Sequence[Story]) -> Iterable[str]:
    """Faults on purpose that were on when the call ended."""
    on: dict[str, str] = {}
    for one in stories:
        if isinstance(one, Happening) and one.at_ns <= call.ended_ns:
            number = one.text.partition(" ")[0]
            if one.what == "fault_begins":
                on[number] = one.text.partition(" ")[2]
            elif one.what == "fault_ends":
                on.pop(number, None)
    yield from (f"broken on purpose: {what}" for what in on.values())


def _hints(call: Call, rung: int | None, grounds: Grounds | None) -> Iterable[str]:
    if grounds is not None and grounds.layer in LAYER_HINTS:
        yield LAYER_HINTS[grounds.layer]
    elif rung in HINTS and call.failed:
        yield HINTS[rung]
    if rung == HANDLER:
        yield f"bus/scmi/{call.protocol}.md says when {call.message} answers {call.status}"
    if call.code == "stale":
        yield "it was cut off while another one took its place; 'trapline logs xen' says when"
    if call.unanswered:
        yield "see whether its process runs: 'trapline status', 'trapline logs firmware xen'"
    if call.refused and call.metered:
        yield "see 'trapline up --meter' and nodes/xen/METERING.md"
