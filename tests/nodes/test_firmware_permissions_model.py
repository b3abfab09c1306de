"""Permissions against a slow second opinion: the rules of the page read anew for every question."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.scmi import BY_KEY
from nodes.firmware.permissions import Permissions
from nodes.firmware.platform import Agent, Clock, Device, Pin, Platform, Right, check
from nodes.firmware.platform.kinds import PROTOCOL_OF

TRUSTED, ONE, TWO = 1, 2, 3
CLOCKS, PINS = range(4), range(3)
RESOURCES = [*(("clock", one) for one in CLOCKS), *(("pin", one) for one in PINS)]
COMMANDS = {
    "clock": ("clock.CLOCK_RATE_GET", "clock.CLOCK_RATE_SET"),
    "pin": ("pinctrl.PINCTRL_NAME_GET", "pinctrl.PINCTRL_REQUEST"),
}
DEVICES = (
    Device(1, "a", clocks=(0, 1), pins=(0,)),
    Device(2, "b", clocks=(1, 2)),
    Device(3, "c", pins=(0, 1)),
)


def changes(command: str) -> bool:
    key, _, name = command.partition(".")
    found = BY_KEY[key].command(name)
    assert found is not None
    return found.changes


class Opinion:
    """What was done is remembered as it was said; every question goes through all of it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.devices: dict[tuple[int, int], bool] = {}
        self.protocols: dict[tuple[int, int, int], bool] = {}
        self.single: dict[tuple[int, tuple[str, int]], bool] = {}

    def restore(self, agent: int) -> None:
        for told in (self.devices, self.protocols, self.single):
            for key in [key for key in told if key[0] == agent]:
                del told[key]  # type: ignore[attr-defined]

    def agent(self, agent: int) -> Agent:
        return next(one for one in self.platform.agent if one.id == agent)

    def through(self, resource: tuple[str, int]) -> list[Device]:
        key = {"clock": "clocks", "pin": "pins"}[resource[0]]
        return [one for one in self.platform.device if resource[1] in getattr(one, key)]

    def granted(self, agent: int, device: int) -> bool:
        opened = self.agent(agent).trusted or self.platform.default_permission == "allow"
        return self.devices.get((agent, device), opened)

    def right(self, agent: int, resource: tuple[str, int], command: str) -> bool | None:
        """The rank of a row: ids before none, the command before none; of the highest, any denial."""
        ranked: dict[int, list[bool]] = {}
        for row in self.platform.right:
            fits_kind = row.kind in ("", resource[0]) and (not row.ids or resource[1] in row.ids)
            fits_command = not row.commands or command in row.commands
            if row.agent == agent and fits_kind and fits_command:
                rank = 2 * bool(row.ids) + bool(row.commands)
                ranked.setdefault(rank, []).append(row.allow)
        return all(ranked[max(ranked)]) if ranked else None

    def may(self, agent: int, resource: tuple[str, int], command: str) -> bool:
        protocols = self.agent(agent).protocols
        key = command.partition(".")[0]
        if protocols is not None and key not in protocols:
            return False
        decided = self.right(agent, resource, command)
        if decided is not None:
            return decided
        if (agent, resource) in self.single:
            return self.single[agent, resource]
        through = self.through(resource)
        if through:
            number = PROTOCOL_OF[resource[0]]
            return any(
                self.granted(agent, one.id) and self.protocols.get((agent, one.id, number), True)
                for one in through
            )
        opened = self.agent(agent).trusted or self.platform.default_permission == "allow"
        return not changes(command) or opened


rights = st.builds(
    lambda agent, allow, kind, commands, ids: Right(
        agent, allow, tuple(commands[kind]), kind, tuple(sorted(ids[kind]))
    ),
    st.sampled_from((ONE, TWO)),
    st.booleans(),
    st.sampled_from(("clock", "pin")),
    st.fixed_dictionaries(
        {kind: st.lists(st.sampled_from(names), unique=True) for kind, names in COMMANDS.items()}
    ),
    st.fixed_dictionaries({"clock": st.sets(st.sampled_from(CLOCKS)), "pin": st.sets(st.sampled_from(PINS))}),
)
agents = st.sampled_from((TRUSTED, ONE, TWO))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("device"), agents, st.sampled_from((1, 2, 3)), st.booleans()),
        st.tuples(
            st.just("protocol"),
            agents,
            st.sampled_from((1, 2, 3)),
            st.sampled_from((0x14, 0x19)),
            st.booleans(),
        ),
        st.tuples(st.just("single"), agents, st.sampled_from(PINS), st.booleans()),
        st.tuples(st.just("restore"), agents),
    ),
    max_size=12,
)


REST = Device(4, "rest", clocks=(3,), pins=(2,))  # what would else be in no device


def described(
    rows: list[Right], protocols: tuple[str, ...] | None, default: Any, devices: tuple[Device, ...] = DEVICES
) -> Platform:
    unique = {(row.agent, row.kind, row.ids, row.commands): row for row in rows}
    made = Platform(
        "model",
        tuple(
            Agent(one, f"a{one}", 0x8200_0000 + one, one * 4096, one == TRUSTED)
            for one in (TRUSTED, ONE, TWO)
        ),
        default_permission=default,
        clock=tuple(Clock(one, f"c{one}", (1,), 1) for one in CLOCKS),
        pin=tuple(Pin(one, f"p{one}") for one in PINS),
        device=devices,
        right=tuple(unique.values()),
    )
    two = msgspec.structs.replace(made.agent[2], protocols=protocols)
    made = msgspec.structs.replace(made, agent=(*made.agent[:2], two))
    check(made)
    return made


def declared(platform: Platform) -> Permissions:
    made = Permissions(platform)
    made.declare(0x14, "clock", {"clock": CLOCKS})
    made.declare(0x19, "pinctrl", {"pin": PINS})
    return made


def act(permissions: Permissions, opinion: Opinion, step: tuple[Any, ...]) -> None:
    what, agent, *rest = step
    if what == "device":
        permissions.set_device(agent, *rest)
        opinion.devices[agent, rest[0]] = rest[1]
    elif what == "protocol":
        permissions.set_protocol(agent, *rest)
        opinion.protocols[agent, rest[0], rest[1]] = rest[2]
    elif what == "single":
        resource = ("pin", rest[0])
        permissions.set_resource(agent, resource, rest[1])
        opinion.single[agent, resource] = rest[1]
    else:
        permissions.restore(agent)
        opinion.restore(agent)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(rights, max_size=5),
    st.sampled_from((None, ("clock",), ("pinctrl",), ())),
    st.sampled_from(("deny", "allow")),
    steps,
)
def test_every_answer_is_the_slow_one(
    rows: list[Right], protocols: tuple[str, ...] | None, default: Any, story: list[tuple[Any, ...]]
) -> None:
    platform = described(rows, protocols, default)
    permissions, opinion = declared(platform), Opinion(platform)
    for step in [("restore", TRUSTED), *story]:
        act(permissions, opinion, step)
        for agent in (TRUSTED, ONE, TWO):
            for resource in RESOURCES:
                found = {
                    name: permissions.may(agent, resource, changes(name), tuple(name.split(".")))  # type: ignore[arg-type]
                    for name in COMMANDS[resource[0]]
                }
                wanted = {name: opinion.may(agent, resource, name) for name in COMMANDS[resource[0]]}
                assert found == wanted, (step, agent, resource)
                # What some command may be sent for is seen.
                assert permissions.sees(agent, resource) or not any(wanted.values())


@settings(max_examples=100, deadline=None)
@given(st.lists(rights, max_size=5), st.sampled_from(("deny", "allow")), steps)
def test_a_protocol_is_denied_when_nothing_of_it_is_left(
    rows: list[Right], default: Any, story: list[tuple[Any, ...]]
) -> None:
    """And something was taken away: who was never granted anything is refused by resource."""
    platform = described(rows, None, default, (*DEVICES, REST))
    permissions, opinion = declared(platform), Opinion(platform)
    for step in story:
        act(permissions, opinion, step)
        for agent in (TRUSTED, ONE, TWO):
            for kind, number in (("clock", 0x14), ("pin", 0x19)):
                asked = [(one, name) for one in RESOURCES if one[0] == kind for name in COMMANDS[kind]]
                left = any(opinion.may(agent, one, name) for one, name in asked)
                taken = any(
                    not allow
                    for (whose, _, which), allow in opinion.protocols.items()
                    if (whose, which) == (agent, number)
                )
                denied = number in permissions.denied[agent]
                assert not (denied and left)
                if not platform.right:
                    assert denied is (taken and not left)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_a_restored_agent_is_as_at_boot(story: list[tuple[Any, ...]]) -> None:
    platform = described([], None, "deny")
    permissions, fresh = declared(platform), declared(platform)
    opinion = Opinion(platform)
    for step in story:
        act(permissions, opinion, step)
    for agent in (TRUSTED, ONE, TWO):
        permissions.restore(agent)
        assert permissions.granted(agent) == fresh.granted(agent)
        assert permissions.granted_singly(agent) == []
        assert permissions.denied[agent] == fresh.denied[agent]
        for resource in RESOURCES:
            assert permissions.may(agent, resource, True) is fresh.may(agent, resource, True)
