"""A guest's xl.cfg as the facts this project needs: who the domain is, and what it asks of SCMI.

It reads the file and types the values; it does not judge them against a platform, and leaves
``arm_sci`` and the items of ``iomem`` and ``irqs`` raw: their grammar is in ``deploy.xl.sci``.
"""

import re
from pathlib import Path

import msgspec

from deploy.errors import UserError
from deploy.files import read_text
from deploy.xl.syntax import Setting, settings

VCPUS_MAX = 128  # MAX_VIRT_CPUS of Xen on Arm
MEMORY_MAX_MIB = 1 << 24
FILE_BYTES_MAX = 1 << 20

SHUTDOWN_ACTIONS = (
    "destroy",
    "restart",
    "rename-restart",
    "preserve",
    "coredump-destroy",
    "coredump-restart",
    "soft-reset",
)

PASSTHROUGH = ("default", "disabled", "enabled", "sync_pt", "share_pt")

_NUMBER = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*)")
_BASES = {"hex": 16, "octal": 8, "decimal": 10}


class DomainConfig(msgspec.Struct, frozen=True):
    """One guest: ``memory`` in MiB (None when unset), ``ignored`` the keys that mean nothing here."""

    name: str
    source: str
    arm_sci: str | None
    iomem: tuple[str, ...]
    irqs: tuple[str, ...]
    dtdev: tuple[str, ...]
    passthrough: str
    device_tree: Path | None
    vcpus: int
    memory: int | None
    on_poweroff: str
    on_reboot: str
    on_crash: str
    ignored: tuple[str, ...]
    lines: dict[str, int]

    def iommu(self) -> bool:
        """Whether libxl creates the domain with XEN_DOMCTL_CDF_iommu; "default" goes by the devices."""
        return bool(self.dtdev) if self.passthrough == "default" else self.passthrough != "disabled"

    def place(self, key: str) -> str:
        """How an error names ``key``: ``file:line: key``, or ``file: key`` when the file does not set it."""
        line = self.lines.get(key)
        return f"{self.source}: {key}" if line is None else f"{self.source}:{line}: {key}"


def parse(path: Path) -> DomainConfig:
    """Read the xl.cfg at ``path``; ``device_tree`` is resolved against the file's own folder.

    Raises UserError naming ``file:line`` for a file that cannot be read, is not an xl.cfg, lacks
    ``name``, or gives a key a value of the wrong type or outside its range.
    """
    source = str(path)
    found = _Settings(settings(read_text(path, FILE_BYTES_MAX), source), source)
    name = found.text("name")
    if not name:
        raise UserError(f'{source}: name: the domain has no name; add name = "..."')
    device_tree = found.text("device_tree")
    return DomainConfig(
        name=name,
        source=source,
        arm_sci=found.text("arm_sci"),
        iomem=found.texts("iomem"),
        irqs=found.texts("irqs"),
        dtdev=found.texts("dtdev"),
        passthrough=found.choice("passthrough", PASSTHROUGH, "default"),
        device_tree=path.parent / device_tree if device_tree else None,
        vcpus=found.number("vcpus", VCPUS_MAX) or 1,
        memory=found.number("memory", MEMORY_MAX_MIB),
        on_poweroff=found.choice("on_poweroff", SHUTDOWN_ACTIONS, "destroy"),
        on_reboot=found.choice("on_reboot", SHUTDOWN_ACTIONS, "restart"),
        on_crash=found.choice("on_crash", SHUTDOWN_ACTIONS, "destroy"),
        ignored=found.unused(),
        lines=found.lines(),
    )


class _Settings:
    """Typed access to the settings of one file, remembering which keys were asked for."""

    def __init__(self, found: dict[str, Setting], source: str) -> None:
        self._found = found
        self._source = source
        self._used: set[str] = set()

    def _get(self, key: str) -> Setting | None:
        self._used.add(key)
        return self._found.get(key)

    def _error(self, key: str, complaint: str) -> UserError:
        return UserError(f"{self._source}:{self._found[key].line}: {key}: {complaint}")

    def text(self, key: str) -> str | None:
        setting = self._get(key)
        if setting is None:
            return None
        if not isinstance(setting.value, str):
            raise self._error(key, f'is a list; write it as one string: {key} = "..."')
        return setting.value

    def texts(self, key: str) -> tuple[str, ...]:
        setting = self._get(key)
        if setting is None:
            return ()
        # xl would warn, skip a value that is not a list, and start the domain without it.
        if not isinstance(setting.value, list):
            raise self._error(key, f'is not a list; write {key} = [ "..." ]')
        items = tuple(item for item in setting.value if isinstance(item, str))
        if len(items) < len(setting.value):
            raise self._error(key, "holds a list inside the list; give strings only")
        return items

    def number(self, key: str, highest: int) -> int | None:
        """1..highest; decimal, 0x hexadecimal or 0 octal, as C reads them."""
        text = self.text(key)
        if text is None:
            return None
        match = _NUMBER.fullmatch(text)
        if not match or len(text) > 20:
            raise self._error(key, f"{text!r} is not a number; write digits only")
        base = match.lastgroup or ""
        number = int(match[base], _BASES[base])
        if not 1 <= number <= highest:
            raise self._error(key, f"{number} is out of range; give 1..{highest}")
        return number

    def choice(self, key: str, known: tuple[str, ...], default: str) -> str:
        text = self.text(key)
        if text is not None and text not in known:
            raise self._error(key, f"unknown value {text!r}; use one of {', '.join(known)}")
        return text or default

    def unused(self) -> tuple[str, ...]:
        return tuple(key for key in self._found if key not in self._used)

    def lines(self) -> dict[str, int]:
        return {key: setting.line for key, setting in self._found.items()}
