"""Pins, groups and functions with everything they can do; agent 2 works on group 1."""

from bus.scmi import pinctrl
from nodes.firmware.platform import Pin, PinControl, PinFunction, PinGroup

CONFIGS = {"bias_pull_up": (0, 1), "drive_strength": (2, 4, 8), "oem_192": ()}
GROUP = 1
TABLES = {
    "pin": (
        *(Pin(one, f"specimen-{one}", CONFIGS) for one in range(4)),
        Pin(4, "specimen-of-others", CONFIGS),
    ),
    "pin_group": (
        PinGroup(1, "specimen-with-a-very-long-name", (0, 1)),
        PinGroup(2, "specimen-of-others", (4,)),
    ),
    "pin_function": (
        PinFunction(0, "specimen-uart", groups=(1,)),
        PinFunction(1, "specimen-gpio", pins=(0, 1, 2, 3), pin_only=True, gpio=True),
        PinFunction(2, "specimen-of-others", groups=(2,)),
    ),
    "pin_control": PinControl(set_permissions=True),
}
DEVICE = {"pins": (0, 1, 2, 3), "pin_groups": (1,), "pin_functions": (0, 1)}
PAIRS = (pinctrl.PinConfig(0x4, 1), pinctrl.PinConfig(0xA, 8))
REQUESTS = {
    "PROTOCOL_ATTRIBUTES": None,
    "PINCTRL_ATTRIBUTES": pinctrl.Attributes(1, GROUP),
    "PINCTRL_LIST_ASSOCIATIONS": pinctrl.ListAssociations(1, GROUP, 0),
    "PINCTRL_SETTINGS_GET": pinctrl.SettingsGet(1, pinctrl.SETTINGS_GET.pack(config_flag=1, selector=GROUP)),
    "PINCTRL_SETTINGS_CONFIGURE": pinctrl.SettingsConfigure(
        1, 0, pinctrl.SETTINGS_CONFIGURE.pack(function_id_valid=1, num_configs=2, selector=GROUP), PAIRS
    ),
    "PINCTRL_REQUEST": pinctrl.Request(1, GROUP),
    "PINCTRL_RELEASE": pinctrl.Release(1, GROUP),
    "PINCTRL_NAME_GET": pinctrl.NameGet(1, GROUP),
    "PINCTRL_SET_PERMISSIONS": pinctrl.SetPermissions(2, 0, 1 << 2),
}
