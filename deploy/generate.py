"""Writes the generated files beside the code: ``python -m deploy.generate [--check]``.

The text comes from the modules that read it off the tables: sections of pages (``PAGES``), and whole files
(``FILES``, ``FOLDERS``). This one knows which file holds what, and how a generated section is marked in a
page that people write.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import bus
from bus import reference
from bus.scmi import PROTOCOLS
from deploy import limits_table
from deploy.experiments.checkers import page as checkers
from deploy.experiments.describing import reference as experiments
from deploy.experiments.history import reference as history
from deploy.interop import grid as interop
from deploy.kubernetes import reference as kubernetes
from deploy.launching import reference as launching
from deploy.lint import rules
from deploy.observability import dashboards, rules_file
from deploy.observability.dashboards import page as dashboard_page
from deploy.tracing import dissector
from deploy.tracing import reference as tracing
from nodes import reference as nodes_reference
from nodes.firmware import ladder_table, platform_keys, profile_table

ROOT = Path(bus.__file__).parent.parent
Sections = Mapping[str, Callable[[], str]]
PAGES: Mapping[str, Sections] = {
    "bus/PROTOCOL.md": {"frames": reference.frames_table, "shmem": reference.shmem_table},
    "ARCHITECTURE.md": {"lifecycle": nodes_reference.lifecycle},
    "grafana/README.md": {"panels": dashboard_page.markdown},
    "grafana/METRICS.md": {"metrics": nodes_reference.metrics, "labels": nodes_reference.label_values},
    "deploy/experiments/checkers/CHECKERS.md": {"checkers": checkers.checkers, "excuses": checkers.excuses},
    "deploy/launching/LAUNCHING.md": {"messages": launching.sent, "refusals": launching.refusals},
    "deploy/kubernetes/README.md": {"values": kubernetes.values},
    "deploy/lint/RULES.md": {"rules": rules.markdown},
    "deploy/interop/GRID.md": {"grid": interop.markdown},
    "nodes/firmware/EL3.md": {"rungs": ladder_table.markdown, "limits": limits_table.markdown},
    "nodes/firmware/PROFILES.md": {"firmwares": profile_table.markdown},
    "nodes/xen/CHECKS.md": {"profiles": nodes_reference.profiles, "hazards": nodes_reference.hazards},
    "deploy/platforms/README.md": {"platform": platform_keys.markdown},
    "deploy/scenarios/README.md": {
        "ready": experiments.ready_table,
        "keys": experiments.keys,
        "faults": experiments.fault_table,
        "measures": experiments.measure_table,
        "mixes": experiments.mix_table,
        "checkers": experiments.checker_table,
    },
    "deploy/tracing/CAPTURE.md": {"head": tracing.head, "description": tracing.description},
    "deploy/experiments/HISTORY.md": {
        "frames": history.frames,
        "columns": history.columns,
        "kinds": history.kinds,
        "notes": history.notes,
    },
}
# Files that are generated as a whole.
FILES: Mapping[str, Callable[[], str]] = {
    "deploy/tracing/trapline.lua": dissector.generate,
    "grafana/prometheus/rules.yml": rules_file.markup,
}
END = "<!-- end -->"
FOLDERS: Mapping[str, Callable[[], Mapping[str, str]]] = {"grafana/dashboards": dashboards.texts}
"""Folders whose files are made as a whole: name to text. Making dashboards needs the dev extra's SDK."""


def marker(name: str) -> str:
    return f"<!-- generated:{name} -->"


def with_sections(page: str, text: str, sections: Sections) -> str:
    """``text`` with each generated section made anew; raises ValueError when a marker is missing."""
    for name, make in sections.items():
        before, start, rest = text.partition(marker(name))
        _, end, after = rest.partition(END)
        if not start or not end:
            raise ValueError(f"{page}: no section between {marker(name)} and {END}; put the markers back")
        text = f"{before}{start}\n{make()}{end}{after}"
    return text


def pages(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file below ``root`` and what it should say."""
    scmi = root / "bus" / "scmi"
    found = {scmi / f"{one.key}.md": reference.protocol_page(one) for one in PROTOCOLS}
    for page, sections in PAGES.items():
        found[root / page] = with_sections(page, (root / page).read_text(encoding="utf-8"), sections)
    found |= {root / name: make() for name, make in FILES.items()}
    for folder, make in FOLDERS.items():
        found |= {root / folder / name: text for name, text in make().items()}
    return found


def stale(root: Path = ROOT) -> list[Path]:
    """The files that do not say what they should."""
    return [path for path, text in pages(root).items() if _read(path) != text]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write what is stale, or with --check only name it and return 1."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.generate", description="Make the reference pages."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    check = parser.parse_args(arguments).check
    wanted = pages(root)
    old = stale(root)
    for path in old:
        if check:
            sys.stderr.write(f"{path}: stale; run 'make docs'\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
            sys.stdout.write(f"{path}\n")
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
