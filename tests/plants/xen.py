"""Bugs of Xen on purpose, for proving that checkers find them (``tests.plants``)."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bus import frames
from bus.scmi import base
from nodes.contract import Effect, Received, Send
from nodes.xen.calls import Waiting
from nodes.xen.channel import Channel, Relinquished
from nodes.xen.domain import Domain
from nodes.xen.errno import XenError
from nodes.xen.tasks import Task
from tests.plants import Draws, Plant, put, table

Core = Any
Effects = Sequence[Effect]


def plant(core: Core, name: str, seed: int) -> None:
    """Put the bug of that name into an XenCore; ValueError for an unknown one."""
    put(PLANTS, core, name, seed)


# ---- traps and their answers ------------------------------------------------------------------


def _forwards_foreign(core: Core, dice: Draws) -> None:
    other, smcs = core._other_trap, core._smcs

    def blind(domain: Domain, event: Received, now_ns: int) -> Effects:
        wanted = event.frame.x[0] & 0xFFFF_FFFF
        for channel in core.hypervisor.sci.channels:
            if channel.func_id == wanted != domain.doorbell and not channel.lock.held and dice.rarely(0.5):
                effects: Effects = smcs.enter(domain, channel, event, None, now_ns)
                return effects
        refused: Effects = other(domain, event, now_ns)
        return refused

    core._other_trap = blind


def _on_answers(core: Core, change: Any) -> None:
    """Have ``change`` say what is sent instead of each Return."""
    smcs = core._smcs
    returned = smcs.returned

    def changed(event: Received, now_ns: int) -> Effects | None:
        effects: Effects | None = returned(event, now_ns)
        if effects and type(effects[0]) is Send:
            return (*change(effects[0]), *effects[1:])
        return effects

    smcs.returned = changed


def _another_domain(core: Core, dice: Draws) -> None:
    def strayed(answer: Send) -> list[Send]:
        others = [
            link for link, one in core.hypervisor.by_link.items() if link != answer.peer and one.link_up
        ]
        if not others or not dice.rarely(0.01):
            return [answer]
        return [msgspec.structs.replace(answer, peer=dice.pick(others))]

    _on_answers(core, strayed)


def _answers_twice(core: Core, dice: Draws) -> None:
    _on_answers(core, lambda answer: [answer, answer] if dice.rarely(0.01) else [answer])


def _drops_return(core: Core, dice: Draws) -> None:
    _on_answers(core, lambda answer: [] if dice.rarely(0.01) else [answer])


def _dead_incarnation(core: Core, dice: Draws) -> None:
    links: dict[str, list[bytes]] = {}

    def late(answer: Send) -> list[Send]:
        domain = core.hypervisor.by_link.get(answer.peer)
        if domain is None:
            return [answer]
        known = links.setdefault(domain.name, [])
        if answer.peer not in known:
            known[:] = [*known[-1:], answer.peer]
        if known[0] == answer.peer or not dice.rarely(0.02):
            return [answer]
        return [msgspec.structs.replace(answer, peer=known[0])]

    _on_answers(core, late)


def _no_bound(core: Core, _dice: Draws) -> None:
    smcs = core._smcs
    enter = smcs.enter

    def patient(domain: Domain, channel: Channel, event: Received, account: Any, now_ns: int) -> Effects:
        if channel.lock.held:
            channel.lock.waiters.append(Waiting(domain, channel.label, event, account, now_ns))
            return ()
        effects: Effects = enter(domain, channel, event, account, now_ns)
        return effects

    smcs.enter = patient


# ---- resets and grants ------------------------------------------------------------------------


def _forgets_reset(core: Core, _dice: Draws) -> None:
    def forgetful(_channel: Channel) -> Task[Relinquished]:
        yield from ()
        return Relinquished.RESET

    core.hypervisor.sci.relinquish = forgetful


def _releases_early(core: Core, _dice: Draws) -> None:
    hypervisor, hypercalls = core.hypervisor, core._hypercalls

    def later(channel: Channel) -> Task[None]:
        try:
            yield from hypervisor.sci.relinquish(channel)
        except XenError:
            return

    def early(domain: Domain, channel: Channel) -> Task[None]:
        yield from ()
        domain.channel = domain.doorbell = None
        hypervisor.sci.release(channel)
        core._tell(domain, "reset", f"agent {channel.agent_id} {Relinquished.RESET}")
        hypercalls._start(later(channel), "late reset")

    hypervisor._reset_agent = early


def _keeps_lock(core: Core, _dice: Draws) -> None:
    sci, smcs = core.hypervisor.sci, core._smcs
    command, hand_over, give_up = sci._command, smcs.hand_over, smcs._give_up

    def wedged(channel: Channel, *rest: Any) -> Task[Any]:
        try:
            return (yield from command(channel, *rest))
        except XenError:
            channel.lock.held = True
            raise

    def ended(*rest: Any) -> None:
        smcs.hand_over = lambda _lock: None
        give_up(*rest)
        smcs.hand_over = hand_over

    sci._command, smcs._give_up = wedged, ended


def _wrong_device(core: Core, dice: Draws) -> None:
    sci = core.hypervisor.sci
    management = sci._management
    seen: list[int] = []

    def mistaken(message_id: int, request: Any) -> Task[None]:
        if isinstance(request, base.SetDevicePermissions):
            others = [one for one in seen if one != request.device_id]
            if request.device_id not in seen:
                seen.append(request.device_id)
            if others and dice.rarely(0.3):
                request = msgspec.structs.replace(request, device_id=dice.pick(others))
        yield from management(message_id, request)

    sci._management = mistaken


def _skips_grant(core: Core, dice: Draws) -> None:
    sci = core.hypervisor.sci
    management = sci._management

    def lazy(message_id: int, request: Any) -> Task[None]:
        if isinstance(request, base.SetDevicePermissions) and dice.rarely(0.3):
            return
        yield from management(message_id, request)

    sci._management = lazy


def _never_retires(core: Core, _dice: Draws) -> None:
    """A retired link is still somebody's: its domain's next incarnation has it, or EL3."""
    step = core.step
    links: dict[bytes, str] = {}

    def add(link: bytes, past: Any) -> None:
        links[link] = past.name

    def lenient(event: Any, now_ns: int) -> Effects:
        name = links.get(event.peer) if type(event) is Received else None
        if name == "EL3":
            event = msgspec.structs.replace(event, peer=core._firmware)
        elif name is not None and type(event.frame) is frames.Trap:
            for domain in core.hypervisor.domains.values():
                if domain.name == name:
                    effects: Effects = core._smcs.enter(domain, domain.channel, event, None, now_ns)
                    return effects
        told: Effects = step(event, now_ns)
        return told

    core.retired.add, core.step, core._smcs.lost = add, lenient, lambda *_, **__: None


PLANTS: Final = table(
    Plant("never-retires", "the links of earlier incarnations are still taken", _never_retires),
    Plant("forwards-foreign", "every other doorbell of somebody else's reaches EL3", _forwards_foreign),
    Plant("return-to-another", "one Return in a hundred goes to another domain", _another_domain),
    Plant("answers-twice", "one Return in a hundred is sent twice", _answers_twice),
    Plant("drops-return", "one Return in a hundred is not sent", _drops_return),
    Plant("dead-incarnation", "one Return in fifty goes to the domain's last incarnation", _dead_incarnation),
    Plant("no-bound", "any number of traps may wait for a channel", _no_bound),
    Plant("forgets-reset", "an agent is given back without its reset", _forgets_reset),
    Plant("releases-early", "an agent is free before its reset is even sent", _releases_early),
    Plant("keeps-lock", "a call that ends with an error never frees its channel", _keeps_lock),
    Plant("wrong-device", "three grants in ten are for a device granted before", _wrong_device),
    Plant("skips-grant", "three grants in ten are not told to EL3", _skips_grant),
)
