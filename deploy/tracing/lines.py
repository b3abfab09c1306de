"""One line per story, as a good strace writes them: who, what with its fields, the answer, how long it took.

    12.637505 ivi(4)  clock.CLOCK_RATE_GET(clock_id=6) = SUCCESS(rate=800000000) <709 us>

It knows words and widths, not where stories come from. Parts carry the name of a style, for who has colours.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from deploy.recording.rows import domain_of
from deploy.tracing.calls import NONE, Call, Happening, Story

WHO_COLUMNS: Final = 10
CUT: Final = "…"
FIELDS_MIN: Final = 8  # characters that are left of fields when a line is cut
INDEFINITE: Final = "it may have happened"
DEFINITE: Final = "it surely did not happen"
CODES: Final = {
    # of calls without an answer: what people would ask next
    "undef": "undefined instruction",
    "timeout": "the guest's patience ended",
    "delayed-timeout": "the delayed response did not come in time",
    "el3-lost": "EL3 is gone",
    "stale": "a newer incarnation of this domain has its place, or nobody has; its link is retired",
    "other-cluster": "it is of another cluster",
    "ended-with-domain": "its domain was gone before it returned",
    "undelivered": "its domain was gone when the answer came",
    "channel-busy": "FREE was not set in the page",
    "channel-error": "EL3 set ERROR in the page",
    "no-scmi": "the guest has no SCMI channel",
}
Part = tuple[str, str]  # text, style: "", "time", "who", "message", "good", "bad", "dim", "event"
Times = Literal["run", "wall"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A story as it is shown. ``at_ns`` on the run's clock, ``wall_ns`` Unix time or 0; ``text`` without the
    time; ``legs`` in ns, of calls.
    """

    number: int
    at_ns: int
    wall_ns: int
    kind: str
    domain: str
    incarnation: int
    agent: int
    protocol: str
    message: str
    status: str
    denied: bool
    failed: bool
    took_ns: int | None
    legs: dict[str, int]
    text: str


def line(story: Story, wall_ns: int = 0) -> Line:
    """``wall_ns``: Unix time at the beginning of the run, 0 if nobody knows."""
    call = story if isinstance(story, Call) else None
    return Line(
        number=story.number,
        at_ns=story.at_ns,
        wall_ns=wall_ns + story.at_ns if wall_ns else 0,
        kind="call" if isinstance(story, Call) else story.what,
        domain=story.domain,
        incarnation=story.incarnation,
        agent=story.agent,
        protocol=story.protocol,
        message=story.message,
        status=story.status or (call.code if call else ""),
        denied=story.denied,
        failed=story.failed,
        took_ns=story.took_ns,
        legs=call.legs() if call else {},
        text=plain(parts(story)),
    )


def plain(told: Iterable[Part]) -> str:
    return "".join(text for text, _ in told)


def moment(story: Story, times: Times, wall_ns: int, digits: int = 6) -> str:
    """When it began: seconds of the run, or the time of day, to so many digits of a second."""
    if times == "wall" and wall_ns:
        whole, rest = divmod(wall_ns + story.at_ns, 1_000_000_000)
        return f"{time.strftime('%H:%M:%S', time.localtime(whole))}.{rest:09d}"[: 9 + digits]
    return f"{story.at_ns / 1e9:{digits + 6}.{digits}f}"


def who(story: Story) -> str:
    """``ivi(4)``, ``ivi#2(4)`` in its second life, ``xen``."""
    life = f"#{story.incarnation}" if story.incarnation > 1 else ""
    agent = f"({story.agent})" if story.agent != NONE and story.incarnation else ""
    return f"{story.domain}{life}{agent}"


class Shape(msgspec.Struct, frozen=True):
    """What is left out where there is no room. ``asked``, ``answered``: characters of fields, 0 for all."""

    protocol: bool = True
    asked: int = 0
    answered: int = 0
    took: bool = True
    legs: bool = False


def parts(story: Story, columns: int = 0, *, legs: bool = False) -> list[Part]:
    """The line without its time, not longer than ``columns`` (0: any length). ``legs``: told behind it.

    What is too long loses the protocol's name, fields of the answer, fields of the question, and how long it
    took, in this order.
    """
    make = _call if isinstance(story, Call) else _happening
    shape = Shape(legs=legs)
    told = make(story, shape)  # type: ignore[arg-type]
    for name, text in (
        ("protocol", ""),
        ("answered", story.answered or "" if isinstance(story, Call) else ""),
        ("asked", story.asked or "" if isinstance(story, Call) else story.text),
        ("took", ""),
    ):
        over = len(plain(told)) - columns
        if not columns or over <= 0:
            return told
        if name in ("protocol", "took"):
            shape = msgspec.structs.replace(shape, **{name: False})
        elif len(text) > FIELDS_MIN:
            shape = msgspec.structs.replace(shape, **{name: max(FIELDS_MIN, len(text) - over - len(CUT))})
        told = make(story, shape)  # type: ignore[arg-type]
    return _cut(told, columns)


def _cut(told: Sequence[Part], columns: int) -> list[Part]:
    """Whatever is still too long ends at the edge."""
    left, kept = columns, []
    if len(plain(told)) <= columns:
        return list(told)
    for text, style in told:
        kept.append((text[: max(0, left - 1)], style))
        left -= len(text)
        if left <= 0:
            break
    return [*kept, (CUT, "dim")]


def _short(text: str, characters: int) -> str:
    return text[:characters] + CUT if characters else text


def _call(call: Call, shape: Shape) -> list[Part]:
    told: list[Part] = [(f"{who(call):<{WHO_COLUMNS}} ", "who")]
    if call.doorbell or (not call.function and call.message):
        told += [(_name(call, shape), "message"), (f"({_short(_fields(call), shape.asked)})", "")]
    elif not call.request:
        told += [("no doorbell rung", "message")]
    else:
        told += [(f"smc({call.function:#x}{_whose(call)})", "message")]
    told += [(" = ", ""), *_end(call, shape.answered)]
    if call.metered:
        told.append((f" [limit: {call.metered}]", "bad"))
    if call.took_ns is not None and shape.took:
        told.append((f" <{duration(call.took_ns)}>", "dim"))
    if shape.legs:
        told += [(f" {leg}={duration(took)}", "dim") for leg, took in call.legs().items()]
    return told


def _name(story: Story, shape: Shape) -> str:
    """With the protocol's name, unless there is no room and the message begins with it."""
    if not story.message:
        return "?"
    known = story.message.startswith(story.protocol.upper())
    return story.message if known and not shape.protocol else f"{story.protocol}.{story.message}"


def _fields(call: Call) -> str:
    """Without a page that travelled there are no fields to be seen, which is not the same as none."""
    return "?" if call.asked is None else call.asked


def _whose(call: Call) -> str:
    whose = domain_of(call.whose)
    if not whose:
        return ""
    return ": its own doorbell" if whose == call.domain else f": doorbell of {whose}"


def _end(call: Call, answered: int) -> list[Part]:
    if not call.over:
        return [("? (under way)", "dim")]
    if call.refused:
        return [("-1, refused by Xen", "bad")]
    if call.code and not (call.status and call.code == "smc-refused"):
        words = CODES.get(call.code)
        happened = DEFINITE if call.definite else INDEFINITE
        return [(f"{call.code}: {words}, {happened}" if words else f"{call.code}, {happened}", "bad")]
    if not call.smc and call.x0 is not None and not call.status:
        return [(f"{_signed(call.x0)}, Xen's answer", "")]
    if call.x0 and call.smc:
        return [(f"x0 {_signed(call.x0)}", "bad"), (f" {call.status}".rstrip(), "bad")]
    fields = f"({_short(call.answered, answered)})" if call.answered else ""
    return [(call.status or "?", "bad" if call.failed else "good"), (fields, "")]


def _signed(x0: int) -> int:
    return x0 - (1 << 64) if x0 >> 63 else x0


def _happening(story: Happening, shape: Shape) -> list[Part]:
    told: list[Part] = [(f"{who(story):<{WHO_COLUMNS}} ", "who")]
    text = _short(story.text, shape.asked)
    if story.what in ("notification", "delayed", "interrupt"):
        name = _name(story, shape) if story.message else "interrupt"
        late = f" delayed = {story.status}" if story.what == "delayed" else ""
        told += [("<- ", "event"), (name, "message"), (f"{late}({text})", "")]
    elif story.what == "domctl":
        good = story.status == "SUCCESS"
        told += [(story.message, "message"), (f"({text}) = ", "")]
        told.append(("0" if good else story.status, "good" if good else "bad"))
        if story.took_ns is not None:
            told.append((f" <{duration(story.took_ns)}>", "dim"))
    elif story.what in ("life", "began"):
        told.append((f"--- {text or 'began'} ---", "event"))
    else:
        bad = story.what in ("missed", "malformed", "unexpected", "refused")
        mark, style = ("!!!", "bad") if bad else ("---", "event")
        told.append((f"{mark} {story.what} {text}".rstrip(), style))
    return told


def duration(took_ns: int) -> str:
    """``709 us``, ``12.3 ms``, ``4.05 s``."""
    if abs(took_ns) < 1_000_000:
        return f"{took_ns / 1e3:.0f} us"
    if abs(took_ns) < 1_000_000_000:
        return f"{took_ns / 1e6:.1f} ms"
    return f"{took_ns / 1e9:.2f} s"
