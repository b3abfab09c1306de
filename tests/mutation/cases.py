"""The files of one case: a kind, a seed, a folder. Equal kinds and seeds give equal files, everywhere.

A case is the shipped platform with one file spoiled. It does not know what is done with the files.
"""

import random
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from deploy import devicetree
from deploy.devicetree import emit
from deploy.topology import shipped
from nodes.devicetree import Tree
from tests.mutation import spoil, trees

FRAGMENT = b"""\
/dts-v1/;
/ { firmware { note = "merged"; }; chosen { bootargs = "quiet"; }; extra { ref = <&scmi_xen 9>; }; };
&soc { extra@1000 { reg = <0 0x1000 0 0x1000>; access-controllers = <&scmi_xen 1>; clocks = <&scmi_clk 1>; };
};
&{/chosen/xen/xen_scmi_config} { xen,dom0-sci-agent-id = <0>; };
"""
OVERLAY = b"""\
/dts-v1/;
/plugin/;
&scmi_xen { status = "okay"; };
/ {
  fragment@0 { target = <&soc>; __overlay__ { new: new@2000 { reg = <0 0x2000 0 0x1000>; self = <&new>; };
  }; };
  fragment@1 { target-path = "/chosen/xen/xen_scmi_config"; __overlay__ { xen,dom0-sci-agent-id = <3>; }; };
};
"""
COMPILED = b"""\
/dts-v1/;
/ {
  f@0 { target = <0xffffffff>; __overlay__ { p = <5 1>; q = <0xffffffff>; new { phandle = <5>; }; }; };
  f@1 { target-path = "/chosen/xen/xen_scmi_config"; __overlay__ { xen,dom0-sci-agent-id = <0>; }; };
  __symbols__ { nn = "/f@0/__overlay__/new"; };
  __fixups__ { soc = "/f@0:target:0", "/f@0/__overlay__:q:0"; };
  __local_fixups__ { f@0 { __overlay__ { p = <0>; }; }; };
};
"""
SYMBOLS = b"/dts-v1/; / { __symbols__ { soc = &soc; scmi_xen = &scmi_xen; scmi_clk = &scmi_clk; }; };"


class Inputs(NamedTuple):
    """What ``trapline up`` is given."""

    host: tuple[Path, ...]
    platform: Path | None
    xl: tuple[Path, ...]
    dom0less: dict[str, Path]

    def files(self) -> list[Path]:
        found = [*self.host, *self.xl, *self.dom0less.values()]
        return [*found, self.platform] if self.platform else found


class Case(NamedTuple):
    """How the case is called, and its files."""

    kind: str
    seed: int
    inputs: Inputs

    @property
    def replay(self) -> str:
        return f"python -m tests.mutation {self.kind} {self.seed}"


@cache
def good() -> dict[str, bytes]:
    """The good files by name: the shipped platform, its trees as sources and as blobs, things to merge."""
    folder = shipped()
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for name in ("cluster", "ivi", "tcu"):
        found[f"{name}.dtb"] = emit.to_dtb(devicetree.load([folder / f"{name}.dts"]))
    found |= {"host.dtb": emit.to_dtb(host()), "fragment.dts": FRAGMENT, "overlay.dts": OVERLAY}
    return found


@cache
def host() -> Tree:
    """The shipped host tree, with symbols for overlays."""
    return _compiled(SYMBOLS, shipped() / "host.dts")


def _compiled(source: bytes, *base: Path) -> Tree:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.dts"
        path.write_bytes(source)
        return devicetree.load([*base, path])


@cache
def overlay_blob() -> bytes:
    return emit.to_dtb(_compiled(COMPILED))


def prepare(folder: Path) -> None:
    """Put the good files into ``folder``: guests with compiled trees, which load faster."""
    for name, content in good().items():
        (folder / name).write_bytes(content)
    (folder / "host.dts").unlink()
    for name in ("cluster", "ivi", "tcu"):
        (folder / f"{name}.dts").unlink()
        if name != "cluster":
            cfg = folder / f"{name}.cfg"
            cfg.write_text(cfg.read_text().replace(f"{name}.dts", f"{name}.dtb"))
    (folder / "overlay.dtbo").write_bytes(overlay_blob())


def make(kind: str, seed: int, folder: Path) -> Case:
    """Write the spoiled files of a case into a ``folder`` that ``prepare`` filled."""
    # A string as the seed of Random does not depend on the interpreter.
    return Case(kind, seed, KINDS[kind](random.Random(f"{kind} {seed}"), folder))


def inputs(
    folder: Path, *hosts: str, xl: tuple[str, ...] = ("ivi.cfg",), platform: str = "platform.toml"
) -> Inputs:
    """Files of ``folder``; without ``platform`` EL3's resources are derived from the host tree."""
    return Inputs(
        tuple(folder / name for name in hosts),
        folder / platform if platform else None,
        tuple(folder / name for name in xl),
        {"cluster": folder / "cluster.dtb"},
    )


def _any_bytes(chance: random.Random, folder: Path) -> Inputs:
    start = chance.choice((b"", b"\xd0\x0d\xfe\xed", good()["host.dtb"][: chance.randrange(200)]))
    (folder / "bad.dtb").write_bytes(start + chance.randbytes(chance.randrange(400)))
    return inputs(folder, "bad.dtb")


def _dtb(chance: random.Random, folder: Path) -> Inputs:
    (folder / "bad.dtb").write_bytes(spoil.flipped(good()["host.dtb"], chance))
    return inputs(folder, "bad.dtb")


def _dts(chance: random.Random, folder: Path) -> Inputs:
    (folder / "bad.dts").write_bytes(spoil.shuffled(good()["host.dts"], chance, spoil.DEVICE_TREE))
    return inputs(folder, "bad.dts", xl=())


def _tree(chance: random.Random, folder: Path) -> Inputs:
    (folder / "bad.dtb").write_bytes(emit.to_dtb(trees.changed(host(), chance)))
    platform = "platform.toml" if chance.randrange(4) else ""
    return inputs(folder, "bad.dtb", xl=("ivi.cfg", "tcu.cfg"), platform=platform)


def _partial(chance: random.Random, folder: Path) -> Inputs:
    """The tree of a boot domain, or a guest's."""
    name = chance.choice(("cluster", "ivi"))
    if chance.randrange(2):
        content = spoil.shuffled(good()[f"{name}.dts"], chance, spoil.DEVICE_TREE)
    else:
        tree = trees.changed(_guest_tree(name), chance)
        content = emit.to_dtb(tree)
    (folder / "bad.dtb").write_bytes(content)
    (folder / "own.cfg").write_bytes(good()["ivi.cfg"].replace(b"ivi.dts", b"bad.dtb"))
    made = inputs(folder, "host.dtb", xl=("own.cfg",) if name == "ivi" else ("ivi.cfg",))
    return made if name == "ivi" else made._replace(dom0less={"cluster": folder / "bad.dtb"})


@cache
def _guest_tree(name: str) -> Tree:
    return devicetree.load([shipped() / f"{name}.dts"])


def _toml(chance: random.Random, folder: Path) -> Inputs:
    text = good()["platform.toml"]
    # Most of what is shuffled does not parse; what has other numbers is judged by what they mean.
    way = chance.randrange(2)
    spoilt = spoil.shuffled(text, chance, spoil.TOML) if way else spoil.renumbered(text, chance)
    (folder / "bad.toml").write_bytes(spoilt)
    return inputs(folder, "host.dtb", platform="bad.toml")


def _xl(chance: random.Random, folder: Path) -> Inputs:
    (folder / "bad.cfg").write_bytes(spoil.shuffled((folder / "ivi.cfg").read_bytes(), chance, spoil.XL))
    return inputs(folder, "host.dtb", xl=("bad.cfg",))


def _overlay(chance: random.Random, folder: Path) -> Inputs:
    """A fragment, an overlay source or a compiled overlay over the good tree; at times the base is bad."""
    name = chance.choice(("fragment.dts", "overlay.dts", "overlay.dtbo"))
    content = (folder / name).read_bytes()
    compiled = name.endswith(".dtbo")
    bad = spoil.flipped(content, chance) if compiled else spoil.shuffled(content, chance, spoil.DEVICE_TREE)
    (folder / "bad.dtbo").write_bytes(bad)
    if chance.randrange(4):
        return inputs(folder, "host.dtb", "bad.dtbo")
    (folder / "bad.dtb").write_bytes(emit.to_dtb(trees.changed(host(), chance)))
    return inputs(folder, "bad.dtb", name)


KINDS: dict[str, Callable[[random.Random, Path], Inputs]] = {
    "bytes": _any_bytes,
    "dtb": _dtb,
    "dts": _dts,
    "tree": _tree,
    "partial": _partial,
    "toml": _toml,
    "xl": _xl,
    "overlay": _overlay,
}


def fresh(folder: Path) -> Path:
    """``folder`` emptied and filled again."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prepare(folder)
    return folder
