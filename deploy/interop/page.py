"""The grid as one HTML file that needs nothing else: colours, every finding of every cell, the meanings.

No script, no font, no address outside: it opens anywhere and prints. A cell's details open in place.
"""

from html import escape

from deploy.interop.grid import Grid
from deploy.interop.scenarios import SCENARIOS, VERDICTS, Finding, Outcome

STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #57606a; --back: #fff; --ink: #1f2328;
  --works: #dafbe1; --degraded: #fff8c5; --broken: #ffd8d3; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #9198a1; --back: #0d1117;
  --ink: #e6edf3; --works: #12361f; --degraded: #3d3206; --broken: #4c1613; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; background: var(--back); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p, dd { color: var(--soft); margin: 0 0 .6rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { border: 1px solid var(--line); padding: .35rem .55rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
thead th { position: sticky; top: 0; background: var(--back); }
th.firmware { width: 10.5rem; } th.scenario { width: 7rem; font-weight: 500; }
tbody.group { border-top: 2px solid var(--soft); }
.works { background: var(--works); } .degraded { background: var(--degraded); }
.broken { background: var(--broken); }
details summary { cursor: pointer; } details ol { margin: .4rem 0 0; padding-left: 1.1rem; }
details li { margin-bottom: .5rem; } .because { color: var(--soft); display: block; }
.key span { display: inline-block; min-width: 6rem; padding: .1rem .5rem; margin-right: .5rem; }
dl { display: grid; grid-template-columns: 7rem 1fr; gap: .2rem .6rem; } dt { font-weight: 600; }
dd { margin: 0; }
"""


def drawn(grid: Grid) -> str:
    """The page."""
    head = "".join(f"<th>Xen {escape(xen)}</th>" for xen in grid.xens)
    body = "".join(_group(grid, firmware) for firmware in grid.firmwares)
    keys = "".join(
        f'<div class="key"><span class="{verdict}">{verdict}</span>{escape(meaning)}</div>'
        for verdict, meaning in VERDICTS.items()
    )
    stories = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape((play.__doc__ or '').strip())}</dd>"
        for name, play in SCENARIOS.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Firmware x Xen interop</title><style>{STYLE}</style></head><body>\n"
        "<h1>Which firmware works under which Xen</h1>\n"
        "<p>Every cell was played on a platform of its own, on virtual time, by the cores that Trapline "
        "ships. A cell names the first step that differs; open it for all of them.</p>\n"
        f"{keys}\n<h2>Grid</h2>\n"
        f'<table><thead><tr><th class="firmware">firmware</th><th class="scenario">scenario</th>{head}'
        f"</tr></thead>\n{body}</table>\n"
        f"<h2>Scenarios</h2>\n<dl>{stories}</dl>\n</body></html>\n"
    )


def _group(grid: Grid, firmware: str) -> str:
    rows = []
    for at, scenario in enumerate(SCENARIOS):
        span = f'<th class="firmware" rowspan="{len(SCENARIOS)}">{escape(firmware)}</th>' if at == 0 else ""
        cells = "".join(_cell(grid.cell(firmware, xen, scenario)) for xen in grid.xens)
        rows.append(f'<tr>{span}<th class="scenario">{escape(scenario)}</th>{cells}</tr>')
    return f'<tbody class="group">{"".join(rows)}</tbody>\n'


def _cell(one: Outcome) -> str:
    if one.first is None:
        return f'<td class="{one.verdict}">works</td>'
    items = "".join(_finding(finding) for finding in one.findings)
    return (
        f'<td class="{one.verdict}"><details><summary>{one.verdict}: <b>{escape(one.first.step)}</b>'
        f"</summary><ol>{items}</ol></details></td>"
    )


def _finding(finding: Finding) -> str:
    because = f'<span class="because">{escape(finding.reason)}</span>' if finding.reason else ""
    return (
        f"<li><b>{escape(finding.step)}</b>: expected that {escape(finding.expected)}; "
        f"got <code>{escape(finding.got)}</code>{because}</li>"
    )
