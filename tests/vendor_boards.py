"""Real boards with SCMI over SMC, and for each a Xen configuration that suits it.

``boards()`` are the trees that TRAPLINE_VENDOR_DTBS holds (``tests/vendor_dtbs.sh`` fills it).
``xen_config(tree)`` is the source of a fragment to merge over such a tree: Xen's channel and three secondary
agents under /chosen/xen/xen_scmi_config, pages where the board has nothing, and one device that needs access.
``write`` adds xl guests for agents 2 and 3. It knows nothing of the rules it obeys: those are judged by the
code under test.

What costs seconds for each board is tried with one in PARTS of them (``part``), unless TRAPLINE_EVERY_BOARD
is set.
"""

import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from deploy.devicetree import load
from nodes.devicetree import Node, Tree, TreeError
from nodes.guest.binding import bind

VARIABLE = "TRAPLINE_VENDOR_DTBS"
EVERY = "TRAPLINE_EVERY_BOARD"
PARTS = 6
CHANNEL = "arm,scmi-smc"
PAGE = 0x1000
STEP = 0x10_0000  # free pages are looked for at each MiB
UNSIZED = 1 << 30  # memory whose size the boot loader fills in
DOORBELLS = 0x8200_0100  # of Xen and the guests: SiP, fast, and far from what boards use
DEVICE_ID = 5
GUEST_PAGE = 0x2200_1000
GUESTS = {2: "second", 3: "third"}


class Files(NamedTuple):
    """What ``write`` wrote: the fragment for the host tree, and one xl.cfg for each guest."""

    fragment: Path
    guests: tuple[Path, ...]


class Plan(NamedTuple):
    """Who gets what: doorbells and pages by agent (1 is Xen), the device, what to say about Dom0's page."""

    doorbells: dict[int, int]
    pages: dict[int, int]
    device: str
    remark: str


@cache
def boards() -> list[Path]:
    """Every tree in the folder that carries ``arm,scmi-smc``; none when the variable is not set."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return []
    return [path for path in every_board() if CHANNEL.encode() + b"\0" in path.read_bytes()]


@cache
def every_board() -> list[Path]:
    """Every tree in the folder, SCMI or not."""
    folder = os.environ.get(VARIABLE)
    return sorted(Path(folder).rglob("*.dtb")) if folder else []


def part(which: int) -> list[Path]:
    """The boards whose turn it is: PARTS numbers in a row have them all."""
    return boards() if os.environ.get(EVERY) else boards()[which % PARTS :: PARTS]


# ---- what the board has -----------------------------------------------------------------------


def host_channel(tree: Tree) -> Node:
    """The board's own SCMI node, which bare metal uses."""
    return next(node for node in tree if node.compatible(CHANNEL) and not node.path.startswith("/chosen/"))


def shmem(tree: Tree) -> tuple[Node, int, int]:
    """The board's shared memory: its node, address and size."""
    node = tree.by_phandle(host_channel(tree).u32("shmem") or 0)
    assert node is not None, tree.source
    return node, *tree.reg(node)


def used(tree: Tree, but: Node | None = None) -> list[tuple[int, int]]:
    """(first, end) of every address range some node claims, but for ``but`` and what it lies in."""
    spared = {but.path, *(above.path for above in tree.ancestors(but))} if but else set()
    found = []
    for node in tree:
        if node.path not in spared:
            for address, size in _regs(tree, node):
                memory = node.string("device_type") == "memory" and not size
                found.append((address, address + (UNSIZED if memory else size)))
    return found


def _regs(tree: Tree, node: Node) -> Iterator[tuple[int, int]]:
    try:
        for index in range(64):
            yield tree.reg(node, index)
    except TreeError:
        return


def is_free(claims: list[tuple[int, int]], first: int, end: int) -> bool:
    return not any(start < end and first < stop for start, stop in claims)


def free_pages(tree: Tree, count: int) -> int:
    """The lowest address, in MiB steps from 256 MiB, at which ``count`` pages are nobody's."""
    claims = used(tree)
    places = range(256 * STEP, 1 << 32, STEP)
    return next(start for start in places if is_free(claims, start, start + count * PAGE))


def device(tree: Tree) -> Node:
    """A device to protect: best one that uses SCMI resources, else any with registers."""
    binding = bind(tree)
    consumers = [tree[one.path] for one in binding.consumers] if binding else []
    ours = (shmem(tree)[0].path, host_channel(tree).path)
    usable = [node for node in (*consumers, *tree) if node.path not in ours and _is_plain(node)]
    # What others refer to is better left to Dom0.
    return next((node for node in usable if "phandle" not in node.properties), usable[0])


def _is_plain(node: Node) -> bool:
    """An enabled device, not a CPU or memory, without others below it."""
    if not {"compatible", "reg"} <= node.properties.keys() or "access-controllers" in node.properties:
        return False
    if node.children or not node.available():
        return False
    return not node.path.startswith(("/cpus", "/memory", "/reserved-memory", "/chosen", "/firmware"))


# ---- what is put over it ----------------------------------------------------------------------


def plan(tree: Tree) -> Plan:
    """Agent 0 keeps the board's own doorbell, and its page when that can be one of Xen's."""
    area, address, size = shmem(tree)
    start = free_pages(tree, 4)
    end = address + max(PAGE, size)
    keeps = address % PAGE == 0 and not end % PAGE and is_free(used(tree, area), address, end)
    if keeps and size % PAGE == 0:
        remark = "the page that the board gives to SCMI"
    elif keeps:
        remark = f"the whole page of which the board gives {size:#x} bytes to SCMI"
    else:
        remark = f"a page of its own: {address:#x}, {size:#x} bytes, is not made of whole free pages"
    pages = {0: address if keeps else start, **{agent: start + agent * PAGE for agent in (1, 2, 3)}}
    doorbell = host_channel(tree).u32("arm,smc-id") or 0
    doorbells = {0: doorbell, **{agent: DOORBELLS + agent for agent in (1, 2, 3)}}
    return Plan(doorbells, pages, device(tree).path, remark)


def xen_config(tree: Tree, made: Plan | None = None) -> str:
    """Device tree source that makes ``tree`` the host tree of a Xen with SCMI for several agents.

    A board whose shared memory cannot be a page of Xen's (rule S7) gets another one for Dom0, and
    its own SCMI node is pointed there; a comment in the source says so.
    """
    made = made or plan(tree)
    host = host_channel(tree)
    chosen = tree.get("/chosen")
    width, depth = _cells(tree, chosen)
    more = _missing(chosen, width, depth)
    moved = made.pages[0] != shmem(tree)[1]
    shmem_0 = " shmem = <&dom0_shm>;" if moved else ""
    enabled = "" if host.available() else ' status = "okay";'
    patch = f"&{{{host.path}}} {{{shmem_0}{enabled} }};\n" if moved or enabled else ""
    # Xen takes its container out of Dom0's tree, so what Dom0 refers to stands outside.
    page_0 = _page("dom0_shm", made.pages[0], *_cells(tree, None)) if moved else ""
    entries = " ".join(f"<{made.doorbells[agent]:#x} &xen_shm_{agent} {agent}>," for agent in (0, 2, 3))
    return f"""\
/dts-v1/;
/* Agent 0, Dom0, has {made.remark}. */
/ {{
{page_0}
    chosen {{
{more}
        xen {{
            #address-cells = <{width}>;
            #size-cells = <{depth}>;
            ranges;
            xen_scmi_config {{
                compatible = "xen,sci";
                #address-cells = <{width}>;
                #size-cells = <{depth}>;
                ranges;
                #scmi-secondary-agents-cells = <3>;
                scmi-secondary-agents = {entries[:-1]};
                xen,dom0-sci-agent-id = <0>;
{"".join(_page(f"xen_shm_{agent}", page, width, depth) for agent, page in made.pages.items())}
                xen_scmi: scmi {{
                    compatible = "arm,scmi-smc";
                    arm,smc-id = <{made.doorbells[1]:#x}>;
                    shmem = <&xen_shm_1>;
                    #address-cells = <1>;
                    #size-cells = <0>;
                    #access-controller-cells = <1>;
                }};
            }};
        }};
    }};
}};
{patch}&{{{made.device}}} {{ access-controllers = <&xen_scmi {DEVICE_ID}>; xen,passthrough; }};
"""


def _cells(tree: Tree, chosen: Node | None) -> tuple[int, int]:
    """The cells of addresses below /chosen: its own, or else the root's."""
    for node in (chosen, tree.root):
        if node and (width := node.u32("#address-cells")):
            return width, node.u32("#size-cells") or 1
    return 2, 1


def _missing(chosen: Node | None, width: int, depth: int) -> str:
    """What /chosen needs to pass addresses on, as far as the board does not say it."""
    lines = {"#address-cells": f"= <{width}>", "#size-cells": f"= <{depth}>", "ranges": ""}
    have = chosen.properties if chosen else {}
    return "\n".join(f"        {name} {value};" for name, value in lines.items() if name not in have)


def _page(label: str, address: int, width: int, depth: int) -> str:
    return f"""\
                {label}: sram@{address:x} {{
                    compatible = "arm,scmi-shmem";
                    reg = <{_number(address, width)} {_number(PAGE, depth)}>;
                }};
"""


def _number(value: int, cells: int) -> str:
    return " ".join(hex(value >> 32 * at & 0xFFFF_FFFF) for at in reversed(range(cells)))


# ---- guests -----------------------------------------------------------------------------------


def write(tree: Tree, folder: Path) -> Files:
    """The fragment as ``xen.dts`` in ``folder``, and the guests of agents 2 and 3 with their trees."""
    made = plan(tree)
    fragment = folder / "xen.dts"
    fragment.write_text(xen_config(tree, made))
    for agent, name in GUESTS.items():
        (folder / f"{name}.dts").write_text(_guest_tree(made.doorbells[agent]))
        devices = f'"{made.device}"' if agent == 2 else ""
        (folder / f"{name}.cfg").write_text(
            f'name = "{name}"\nmemory = 64\ndevice_tree = "{name}.dts"\n'
            f'arm_sci = "type=scmi_smc_multiagent,agent_id={agent}"\n'
            f'iomem = [ "{made.pages[agent] // PAGE:x},1@{GUEST_PAGE // PAGE:x}" ]\ndtdev = [ {devices} ]\n'
        )
    return Files(fragment, tuple(folder / f"{name}.cfg" for name in GUESTS.values()))


@cache
def _texts(board: Path) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        write(load([board]), Path(folder))
        return {path.name: path.read_text() for path in Path(folder).iterdir()}


def written(board: Path, folder: Path) -> Files:
    """Like ``write``, for a board's file; what was made for it once is not made again."""
    for name, text in _texts(board).items():
        (folder / name).write_text(text)
    return Files(folder / "xen.dts", tuple(folder / f"{name}.cfg" for name in GUESTS.values()))


def _guest_tree(doorbell: int) -> str:
    return f"""\
/dts-v1/;
/ {{
    #address-cells = <2>;
    #size-cells = <2>;
    passthrough {{
        compatible = "simple-bus";
        #address-cells = <2>;
        #size-cells = <2>;
        ranges;
        page: sram@{GUEST_PAGE:x} {{
            compatible = "arm,scmi-shmem";
            reg = <0x0 {GUEST_PAGE:#x} 0x0 0x1000>;
        }};
        firmware {{
            scmi {{
                compatible = "arm,scmi-smc";
                arm,smc-id = <{doorbell:#x}>;
                shmem = <&page>;
                #address-cells = <1>;
                #size-cells = <0>;
                protocol@14 {{ reg = <0x14>; #clock-cells = <1>; }};
            }};
        }};
    }};
}};
"""
