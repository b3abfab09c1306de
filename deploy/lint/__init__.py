"""The linter: what is wrong with a platform's files, before anything boots.

``check`` reads every file together and gives findings; it stops at no mistake. Xen's rules are those that
the mediator itself runs by (``nodes.xen.binding``, ``nodes.xen.hazards``). ``rules.toml`` is the table of all
rules, RULES.md is made from it. How findings are printed is in ``report_*.py``.
"""

from deploy.lint import (
    building,
    devices,
    dom0,
    domains,
    firmware,
    forwarder,
    host,
    names,
    references,
    routing,
    source,
    wayback,
)
from deploy.lint.finding import Finding, Spot
from deploy.lint.locate import Texts, located
from deploy.lint.material import Inputs, Material, read

__all__ = ["Finding", "Inputs", "Material", "check", "judge", "read", "unusable"]

JUDGES = (
    host.judge,
    forwarder.judge,
    firmware.judge,
    dom0.judge,
    domains.judge,
    devices.judge,
    building.judge,
    routing.judge,
    wayback.judge,
    references.judge,
    names.judge,
)
SAID_BETTER = {
    "other-trusted": ("host-channel-privileged",),
    "guest-shmem": ("foreign-page",),
    "foreign-page": ("too-many-frames", "p2a-on-channel-page", "p2a-page"),
    "dom0-agent-unknown": ("agent-is-xens",),
}
FATAL = ("unreadable", "syntax")


def check(inputs: Inputs) -> list[Finding]:
    """Everything found in the files of ``inputs``, in the order of files and lines. Reads files."""
    return judge(read(inputs))


def judge(material: Material, texts: Texts | None = None) -> list[Finding]:
    """Everything found in what was read; ``texts`` are the sources, for columns."""
    texts = texts or Texts()
    found = list(material.found)
    for one in JUDGES:
        found += one(material)
    found += source.judge(material, texts)
    return _ordered([located(one, texts) for one in _plain(_distinct(found))], material.files)


def unusable(found: list[Finding]) -> bool:
    """Whether a file could not be read at all, so that nothing can be said of it."""
    return any(one.rule in FATAL for one in found)


def _distinct(found: list[Finding]) -> list[Finding]:
    """One finding for each mistake, though several things meet it."""
    kept: dict[tuple[str, Spot], Finding] = {}
    for one in found:
        kept.setdefault((one.rule, one.spot), one)
    return list(kept.values())


def _plain(found: list[Finding]) -> list[Finding]:
    """Without what another finding at the same place says better."""
    said = {(one.rule, one.spot) for one in found}
    return [
        one for one in found if not any((rule, one.spot) in said for rule in SAID_BETTER.get(one.rule, ()))
    ]


def _ordered(found: list[Finding], given: list[str]) -> list[Finding]:
    """By file, in the order in which they were given or first occur, then by line."""
    names = [*given, *(one.spot.file for one in found)]
    files = {file: at for at, file in enumerate(dict.fromkeys(names))}
    return sorted(found, key=lambda one: (files[one.spot.file], one.spot.line or 0, one.spot.column or 0))
