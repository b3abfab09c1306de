"""EL3's pins, groups and functions: who holds them and how they are set.

Sharing: the first agent that requests a pin or a group has it, members of a group included, until it releases
it or is reset; others are told IN_USE, and DENIED when they configure it. What nobody holds, whoever may use
it may configure. A setting stays until somebody else's replaces it; a reset of the agent that made it brings
back that of boot. To give a pin or a group a function takes the right to read that function.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from bus.fields import Bits, Message, reserved_bits_set
from bus.scmi import pinctrl
from bus.scmi.protocol import fits
from bus.scmi.status import Status
from nodes.firmware.hardware import Board
from nodes.firmware.ledger import Entry
from nodes.firmware.machine import Machine
from nodes.firmware.protocols.holders import Holders
from nodes.firmware.service import Answer, Handler, Served

PIN, GROUP, FUNCTION = "pin", "pin_group", "pin_function"
KINDS = {0: PIN, 1: GROUP, 2: FUNCTION}
NONE = pinctrl.FUNCTION_SELECTED["NONE"]
ONE, ALL, FUNCTION_ONLY = (pinctrl.CONFIG_FLAG[name] for name in ("ONE", "ALL", "FUNCTION_ONLY"))
# Not certain: the selector where all other commands have it, the permission beside it.
PERMISSION_FLAGS = Bits(allow=2, selector=(1, 0))
Named = Callable[[int, str, Any], Answer]


class PinctrlService(Served):
    """Every command names a pin, a group or a function by its selector, so the rungs are climbed here."""

    table = pinctrl.PROTOCOL

    def __init__(self, machine: Machine, board: Board) -> None:
        self.machine = machine
        self.board = board.pins
        self.resources: Mapping[str, Mapping[int, Any]] = {
            PIN: self.board.pins,
            GROUP: self.board.groups,
            FUNCTION: self.board.functions,
        }
        self.holders = Holders(self.board.groups)
        self._associations_fit = fits(pinctrl.ListAssociationsReply, machine.payload_bytes)
        self._configs_fit = fits(pinctrl.SettingsGetReply, machine.payload_bytes)
        flags, get, configure = pinctrl.SELECTOR_FLAGS, pinctrl.SETTINGS_GET, pinctrl.SETTINGS_CONFIGURE
        self.handlers: dict[str, Handler] = {
            "PROTOCOL_ATTRIBUTES": self.protocol_attributes,
            "PINCTRL_ATTRIBUTES": self._naming("flags", flags, self.attributes),
            "PINCTRL_LIST_ASSOCIATIONS": self._naming("flags", flags, self.associations, (GROUP, FUNCTION)),
            "PINCTRL_SETTINGS_GET": self._naming("attributes", get, self.settings, (PIN, GROUP)),
            "PINCTRL_SETTINGS_CONFIGURE": self._naming("attributes", configure, self.configure, (PIN, GROUP)),
            "PINCTRL_REQUEST": self._naming("flags", flags, self.request, (PIN, GROUP)),
            "PINCTRL_RELEASE": self._naming("flags", flags, self.release, (PIN, GROUP)),
            "PINCTRL_NAME_GET": self._naming("flags", flags, self.name_get),
        }
        if machine.platform.pin_control.set_permissions:
            self.handlers["PINCTRL_SET_PERMISSIONS"] = self.set_permissions
        self.own_ladder = frozenset(self.handlers) - {"PROTOCOL_ATTRIBUTES"}

    def _naming(
        self, word: str, bits: Bits, handler: Named, kinds: Collection[str] = tuple(KINDS.values())
    ) -> Handler:
        """A handler behind the rungs that the ladder cannot climb here: resource, reserved bits, permission.

        The selector comes first: it says what the identifier is.
        """

        def climb(agent: int, request: Any) -> Answer:
            kind = KINDS.get(bits.get(getattr(request, word), "selector"))
            if kind is None or kind not in kinds:
                return Status.INVALID_PARAMETERS
            found = self._found(agent, kind, request.identifier)
            if found is None:
                return self._unknown()
            if reserved_bits_set(request, self.machine.version):
                return Status.INVALID_PARAMETERS
            if not self._may(agent, kind, found):
                self.machine.refused = (kind, found)
                return Status.DENIED
            return handler(agent, kind, _with_identifier(request, found))

        return climb

    def _found(self, agent: int, kind: str, identifier: int) -> int | None:
        found = self.machine.views.inward(agent, kind, identifier)
        return found if found in self.resources[kind] else None

    def _may(self, agent: int, kind: str, identifier: int) -> bool:
        command = self.machine.command
        changes = command[1] in CHANGING
        return self.machine.permissions.may(agent, (kind, identifier), changes, command)

    def _unknown(self) -> Status:
        return self.machine.profile.unknown_resource.get(pinctrl.PROTOCOL.id, Status.NOT_FOUND)

    # ---- discovery ----------------------------------------------------------------------------

    def protocol_attributes(self, _agent: int, _request: object) -> Answer:
        low = pinctrl.ATTRIBUTES_LOW.pack(num_pins=len(self.board.pins), num_groups=len(self.board.groups))
        high = pinctrl.ATTRIBUTES_HIGH.pack(num_functions=len(self.board.functions))
        return pinctrl.ProtocolAttributesReply(low, high)

    def attributes(self, agent: int, kind: str, request: pinctrl.Attributes) -> Answer:
        one = self.resources[kind][request.identifier]
        member_kind, members = self._members(kind, request.identifier)
        bits = pinctrl.DESCRIPTION.pack(
            extended_name=len(one.name) > 15,
            gpio_function=kind == FUNCTION and one.gpio,
            pin_only_function=kind == FUNCTION and one.pin_only,
            num_elements=len(self.machine.views.listed(agent, member_kind, members)),
        )
        return pinctrl.AttributesReply(bits, one.name)

    def _members(self, kind: str, identifier: int) -> tuple[str, Sequence[int]]:
        """What a group or a function consists of, ascending; a pin has no members."""
        if kind == GROUP:
            return PIN, sorted(self.board.groups[identifier].pins)
        if kind == PIN:
            return PIN, ()
        function = self.board.functions[identifier]
        return (PIN, sorted(function.pins)) if function.pin_only else (GROUP, sorted(function.groups))

    def associations(self, agent: int, kind: str, request: pinctrl.ListAssociations) -> Answer:
        member_kind, members = self._members(kind, request.identifier)
        views = self.machine.views
        listed = views.listed(agent, member_kind, members)
        if request.index and request.index >= len(listed):
            return Status.OUT_OF_RANGE
        page = listed[request.index : request.index + self._associations_fit]
        remaining = len(listed) - request.index - len(page)
        bits = pinctrl.NUM_ASSOCIATIONS.pack(remaining=remaining, returned=len(page))
        return pinctrl.ListAssociationsReply(
            bits, tuple(views.number(agent, member_kind, one) for one in page)
        )

    def name_get(self, _agent: int, kind: str, request: pinctrl.NameGet) -> Answer:
        return pinctrl.NameGetReply(0, self.resources[kind][request.identifier].name)

    # ---- settings -----------------------------------------------------------------------------

    def _pins(self, kind: str, identifier: int) -> Sequence[int]:
        return (identifier,) if kind == PIN else sorted(self.board.groups[identifier].pins)

    def settings(self, agent: int, kind: str, request: pinctrl.SettingsGet) -> Answer:
        """A group has the settings, and the function, that all of its pins agree on."""
        asked = pinctrl.SETTINGS_GET.unpack(request.attributes)
        states = [self.board.states[pin] for pin in self._pins(kind, request.identifier)]
        functions = {state.function for state in states}
        function = functions.pop() if len(functions) == 1 else None
        told = NONE if function is None else self.machine.views.number(agent, FUNCTION, function)
        configs = _agreed([state.values for state in states])
        if asked["config_flag"] == FUNCTION_ONLY:
            return _settings_reply(told, (), 0)
        if asked["config_flag"] == ONE:
            wanted = asked["config_type"]
            if not all(wanted in state.legal for state in states):
                return Status.NOT_SUPPORTED
            return _settings_reply(told, [one for one in configs if one.config_type == wanted], 0)
        if asked["config_flag"] != ALL:
            return Status.INVALID_PARAMETERS
        skip = asked["skip_configs"]
        if skip and skip >= len(configs):
            return Status.OUT_OF_RANGE
        page = configs[skip : skip + self._configs_fit]
        return _settings_reply(told, page, len(configs) - skip - len(page))

    def configure(self, agent: int, kind: str, request: pinctrl.SettingsConfigure) -> Answer:
        """All of it or nothing: every pin and every pair is looked at before the first is set."""
        pins = self._pins(kind, request.identifier)
        if any(self.holders.other(agent, pin) for pin in pins):
            return Status.DENIED
        function: int | None = None
        if pinctrl.SETTINGS_CONFIGURE.get(request.attributes, "function_id_valid"):
            function = self._found(agent, FUNCTION, request.function_id)
            refused = self._function_refused(agent, kind, request.identifier, function)
            if refused is not None:
                return refused
        for one in request.configs:
            for pin in pins:
                legal = self.board.states[pin].legal
                if one.config_type not in legal:
                    return Status.NOT_SUPPORTED
                if legal[one.config_type] and one.config_value not in legal[one.config_type]:
                    return Status.INVALID_PARAMETERS
        for pin in pins:
            self.board.apply(pin, function, {one.config_type: one.config_value for one in request.configs})
            self.holders.configured(agent, pin)
        return Status.SUCCESS

    def _function_refused(
        self, agent: int, kind: str, identifier: int, function: int | None
    ) -> Status | None:
        if function is None:
            return self._unknown()
        if not self.machine.permissions.may(agent, (FUNCTION, function), changes=False):
            self.machine.refused = (FUNCTION, function)
            return Status.DENIED
        member_kind, members = self._members(FUNCTION, function)
        return None if member_kind == kind and identifier in members else Status.INVALID_PARAMETERS

    # ---- ownership ----------------------------------------------------------------------------

    def request(self, agent: int, kind: str, request: pinctrl.Request) -> Answer:
        return Status.SUCCESS if self.holders.take(agent, kind, request.identifier) else Status.IN_USE

    def release(self, agent: int, kind: str, request: pinctrl.Release) -> Answer:
        return Status.SUCCESS if self.holders.give(agent, kind, request.identifier) else Status.DENIED

    def set_permissions(self, caller: int, request: pinctrl.SetPermissions) -> Answer:
        """Give an agent a pin, a group or a function, or take it; for the trusted agent only."""
        permissions = self.machine.permissions
        if caller not in permissions.trusted and not self.machine.profile.anyone_grants:
            return Status.DENIED
        if request.agent_id not in permissions.allowed:
            return Status.NOT_FOUND
        kind = KINDS.get(PERMISSION_FLAGS.get(request.flags, "selector"))
        if kind is None or request.flags & PERMISSION_FLAGS.reserved:
            return Status.INVALID_PARAMETERS
        found = self._found(caller, kind, request.identifier)
        if found is None:
            return self._unknown()
        allow = bool(PERMISSION_FLAGS.get(request.flags, "allow"))
        permissions.set_resource(request.agent_id, (kind, found), allow)
        return Status.SUCCESS

    # ---- the life of an agent -----------------------------------------------------------------

    def reset(self, agent_id: int) -> None:
        for pin in self.holders.withdraw(agent_id):
            self.board.restore(pin)

    def ledger(self, agent_id: int) -> list[Entry]:
        return self.holders.ledger(agent_id)


CHANGING = frozenset(command.name for command in pinctrl.PROTOCOL.commands if command.changes)


def _with_identifier(request: Message, identifier: int) -> Message:
    return msgspec.structs.replace(request, identifier=identifier)


def _agreed(values: Sequence[Mapping[int, int]]) -> list[pinctrl.PinConfig]:
    """The settings that are the same everywhere, by type."""
    first = values[0] if values else {}
    return [
        pinctrl.PinConfig(number, value)
        for number, value in first.items()
        if all(other.get(number) == value for other in values)
    ]


def _settings_reply(function: int, configs: Sequence[pinctrl.PinConfig], remaining: int) -> Answer:
    bits = pinctrl.NUM_CONFIGS.pack(remaining=remaining, returned=len(configs))
    return pinctrl.SettingsGetReply(function, bits, tuple(configs))
