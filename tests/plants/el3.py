"""Bugs of EL3 on purpose, for proving that checkers find them (``tests.plants``)."""

from typing import Any, Final

import msgspec

from bus import frames, shmem
from bus.scmi import BY_KEY, header
from bus.scmi.protocol import Nothing
from bus.scmi.status import Status
from nodes.contract import Send
from nodes.firmware.ladder import COMMAND_MASK
from nodes.window import Window
from tests.plants import Draws, Plant, put, table

STALE_NS: Final = 20_000_000
SETS: Final = frozenset(
    header.pack(protocol.id, command.id)
    for protocol in BY_KEY.values()
    for command in protocol.every_command()
    if command.changes and command.name.endswith("_SET")
)
VOTING: Final = ("clock", "power", "perf", "voltage", "powercap")
Core = Any


def plant(core: Core, name: str, seed: int) -> None:
    """Put the bug of that name into a FirmwareCore; ValueError for an unknown one."""
    put(PLANTS, core, name, seed)


def _changes(head: int) -> bool:
    return head & COMMAND_MASK in SETS


# ---- permissions ------------------------------------------------------------------------------


def _forgets_permission(core: Core, dice: Draws) -> None:
    may = core.permissions.may

    def forgetful(*asked: Any, **how: Any) -> bool:
        return may(*asked, **how) or dice.rarely(0.05)

    core.permissions.may = forgetful


def _serves_any_xen(core: Core, _dice: Draws) -> None:
    class Lax(Window):
        __slots__ = ()

        def admit(self, number: int) -> bool:
            older = frames.incarnation_of(number) < frames.incarnation_of(self._newest)
            return older or super().admit(number)

    core._smcs, core._welcomed = Lax(), lambda _frame: ()


def _applies_denied(core: Core, dice: Draws) -> None:
    judge, permissions = core.judge, core.permissions

    def generous(agent: int, head: int, payload: bytes) -> Any:
        answer = judge(agent, head, payload)
        if answer[2] is Status.DENIED and _changes(head) and dice.rarely(0.3):
            may, permissions.may = permissions.may, lambda *_asked, **_how: True
            try:
                judge(agent, head, payload)
            finally:
                permissions.may = may
        return answer

    core.judge = generous


def _stale_permission(core: Core, _dice: Draws) -> None:
    permissions, machine = core.permissions, core.machine
    may, restore, set_device = permissions.may, permissions.restore, permissions.set_device
    stale: dict[int, tuple[int, frozenset[Any]]] = {}  # by whose it was; whoever asks is let in

    def remember(agent: int) -> None:
        allowed = permissions.allowed[agent]
        had = frozenset(one for one in permissions._through if one in allowed)
        stale[agent] = (machine.now_ns + STALE_NS, had)

    def late_restore(agent: int) -> None:
        remember(agent)
        restore(agent)

    def late_set(agent: int, device: int, allow: bool) -> None:
        if not allow:
            remember(agent)
        set_device(agent, device, allow)

    def old_may(agent: int, resource: Any, *rest: Any, **how: Any) -> bool:
        return may(agent, resource, *rest, **how) or any(
            machine.now_ns < until_ns and resource in had for until_ns, had in stale.values()
        )

    permissions.may, permissions.restore, permissions.set_device = old_may, late_restore, late_set


def _late_grant(core: Core, _dice: Draws) -> None:
    permissions, machine = core.permissions, core.machine
    judge, set_device = core.judge, permissions.set_device
    until: dict[int, int] = {}

    def grant(agent: int, device: int, allow: bool) -> None:
        if allow:
            until[agent] = machine.now_ns + STALE_NS
        set_device(agent, device, allow)

    def slow(agent: int, head: int, payload: bytes) -> Any:
        protocol, name, status, reply = judge(agent, head, payload)
        if status is Status.SUCCESS and _changes(head) and machine.now_ns < until.get(agent, 0):
            return protocol, name, Status.DENIED, Status.DENIED.word
        return protocol, name, status, reply

    permissions.set_device, core.judge = grant, slow


# ---- execution --------------------------------------------------------------------------------


def _executes_twice(core: Core, dice: Draws) -> None:
    judge = core.judge
    last: list[tuple[int, int, bytes]] = []

    def again(agent: int, head: int, payload: bytes) -> Any:
        answer = judge(agent, head, payload)
        if last and dice.rarely(0.1):
            judge(*last.pop())
        if _changes(head) and answer[2] is Status.SUCCESS:
            last[:] = [(agent, head, payload)]
        return answer

    core.judge = again


def _lost_update(core: Core, dice: Draws) -> None:
    judge, views = core.judge, core.machine.views

    def lazy(agent: int, head: int, payload: bytes) -> Any:
        if not _changes(head) or views.special(agent) or not dice.rarely(0.05):
            return judge(agent, head, payload)
        names = core.ladder.names(agent, head)
        command = BY_KEY[names[0]].command(names[1]) if names[0] in BY_KEY else None
        if command is None or command.resource is None or command.reply is not Nothing:
            return judge(agent, head, payload)
        row = core.ladder._own.get(agent, core.ladder._default)[head & COMMAND_MASK]
        handler, row.handler = row.handler, lambda _agent, _request: Status.SUCCESS
        try:
            return judge(agent, head, payload)
        finally:
            row.handler = handler

    core.judge = lazy


def _lowest_wins(core: Core, _dice: Draws) -> None:
    service = next(one for one in core.services if one.table.key == "clock")

    def ask(clock_id: int) -> None:
        service.board.ask_rate(clock_id, min(service.rates.of(clock_id).values(), default=None))

    service._ask_rate = ask


# ---- resets -----------------------------------------------------------------------------------


def _reset_leaves_vote(core: Core, dice: Draws) -> None:
    def leave(service: Any) -> None:
        reset = service.reset

        def forgetful(agent: int) -> None:
            if not dice.rarely(0.5):
                reset(agent)

        service.reset = forgetful

    for service in core.services:
        if service.table.key in VOTING:
            leave(service)


def _reset_leaves_grant(core: Core, dice: Draws) -> None:
    restore = core.permissions.restore

    def forgetful(agent: int) -> None:
        if not dice.rarely(0.5):
            restore(agent)

    core.permissions.restore = forgetful


# ---- answers ----------------------------------------------------------------------------------


def _replaced(core: Core, frame: frames.Smc, answer: Send, page: bytes) -> Send:
    """The answer with another page, be it carried or mapped."""
    if answer.page:
        return msgspec.structs.replace(answer, page=page)
    channel = core.channels[frame.x[0] & 0xFFFF_FFFF]
    shmem.publish(channel.page, page)
    return answer


def _page(core: Core, frame: frames.Smc, answer: Send | None) -> bytes:
    """What an answer left behind; empty if it is no page."""
    channel = core.channels.get(frame.x[0] & 0xFFFF_FFFF)
    if answer is None or channel is None:
        return b""
    return answer.page or bytes(channel.page[: core.platform.area_bytes])


def _previous_reply(core: Core, dice: Draws) -> None:
    take = core.take
    last: dict[int, bytes] = {}

    def stale(frame: frames.Smc, page: bytes, now_ns: int) -> Send | None:
        answer: Send | None = take(frame, page, now_ns)
        before, last[frame.x[0]] = last.get(frame.x[0], b""), _page(core, frame, answer)
        if answer is None or not before or not dice.rarely(0.02):
            return answer
        return _replaced(core, frame, answer, before)

    core.take = stale


def _mixes_agents(core: Core, dice: Draws) -> None:
    take = core.take
    last: dict[int, bytes] = {}

    def mixed(frame: frames.Smc, page: bytes, now_ns: int) -> Send | None:
        answer: Send | None = take(frame, page, now_ns)
        others = [told for doorbell, told in sorted(last.items()) if doorbell != frame.x[0] and told]
        last[frame.x[0]] = _page(core, frame, answer)
        if answer is None or not others or not dice.rarely(0.02):
            return answer
        return _replaced(core, frame, answer, dice.pick(others))

    core.take = mixed


def _drops_smc(core: Core, dice: Draws) -> None:
    take = core.take

    def silent(frame: frames.Smc, page: bytes, now_ns: int) -> Send | None:
        answer: Send | None = take(frame, page, now_ns)
        return None if dice.rarely(0.005) else answer

    core.take = silent


def _answers_twice(core: Core, dice: Draws) -> None:
    take = core.take

    def eager(frame: frames.Smc, page: bytes, now_ns: int) -> Send | None:
        answer: Send | None = take(frame, page, now_ns)
        if answer is not None and dice.rarely(0.02):
            core.outbox.put(answer)
        return answer

    core.take = eager


PLANTS: Final = table(
    Plant("serves-any-xen", "what a Xen asks for that was replaced is done", _serves_any_xen),
    Plant("forgets-permission", "one refusal in twenty is forgotten", _forgets_permission),
    Plant("applies-denied-set", "answers DENIED and does it, three times in ten", _applies_denied),
    Plant("stale-permission", "what was revoked or reset is open to everybody for 20 ms", _stale_permission),
    Plant("late-grant", "who was granted something is denied its changes for 20 ms", _late_grant),
    Plant("executes-twice", "a change is made again after a later message", _executes_twice),
    Plant("lost-update", "one change in twenty is answered SUCCESS and not made", _lost_update),
    Plant("lowest-wins", "of several votes for a clock's rate the lowest wins", _lowest_wins),
    Plant("reset-leaves-vote", "every other reset leaves what the agent wished", _reset_leaves_vote),
    Plant("reset-leaves-grant", "every other reset leaves what the agent was granted", _reset_leaves_grant),
    Plant("previous-reply", "one answer in fifty is the one before on that channel", _previous_reply),
    Plant("mixes-agents", "one answer in fifty is another agent's", _mixes_agents),
    Plant("drops-smc", "one SMC in two hundred is done and not answered", _drops_smc),
    Plant("answers-twice", "one SMC in fifty is answered twice", _answers_twice),
)
