"""A copy of the shipped platform, spoilt in one way, and checked."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.lint import Finding, Inputs, check
from deploy.topology import shipped
from nodes.xen.profile import DEFAULT, Profile

Edits = Mapping[str, tuple[tuple[str, str], ...]]
GUESTS = ("ivi.cfg", "tcu.cfg")


class Platform:
    """The files in ``folder``, open to changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "platform"
        shutil.copytree(shipped(), self.folder)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the first ``old`` of a file, which must be there; an empty ``old`` replaces it all."""
        path = self.folder / name
        text = path.read_text() if path.exists() else ""
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1) if old else new)

    def inputs(
        self,
        *more: str,
        profile: Profile = DEFAULT,
        platform: bool = True,
        dom0less: Mapping[str, str] | None = None,
    ) -> Inputs:
        return Inputs(
            tuple(self.folder / name for name in ("host.dts", *more)),
            tuple(self.folder / name for name in GUESTS),
            {name: self.folder / file for name, file in (dom0less or {}).items()},
            self.folder / "platform.toml" if platform else None,
            profile,
        )

    def check(
        self,
        *more: str,
        profile: Profile = DEFAULT,
        platform: bool = True,
        dom0less: Mapping[str, str] | None = None,
    ) -> list[Finding]:
        return check(self.inputs(*more, profile=profile, platform=platform, dom0less=dom0less))

    def text_at(self, finding: Finding) -> str:
        """What the finding underlines, '' when it has no line."""
        spot = finding.spot
        if spot.line is None or spot.column is None:
            return ""
        line = Path(spot.file).read_text().split("\n")[spot.line - 1]
        return line[spot.column - 1 : spot.column - 1 + (spot.width or 0)]
