"""Written trees against the schemas: dt-validate's core ones, and the kernel's binding of SCMI.

dtschema comes with the ``dev`` extra. The kernel's binding is not part of this repository:
``tests/kernel_bindings.sh FOLDER`` gets it from Debian, and TRAPLINE_KERNEL_BINDINGS names that folder.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import devicetree
from deploy.cli.dt import _parsed
from deploy.devicetree import emit
from deploy.dt.dom0 import write_dom0
from deploy.dt.template import guest_source
from deploy.topology import shipped
from tests.deploy import written

FOLDER = os.environ.get("TRAPLINE_KERNEL_BINDINGS")
VALIDATE = Path(sys.executable).with_name("dt-validate")
KERNELS = pytest.mark.skipif(
    not FOLDER, reason="TRAPLINE_KERNEL_BINDINGS names no folder; see tests/kernel_bindings.sh"
)
DEVICES = ("/soc/i2c@e6510000", "/soc/modem@fe000000")
# What a partial tree is not, or Xen's documented form of one is not, and core schemas ask for.
ALLOWED = (
    "/: 'compatible' is a required property",
    "/: 'model' is a required property",
    "(simple-bus): $nodename:0:",
    "firmware (simple-bus): scmi: 'ranges' is a required property",
    "is not of type 'object', 'integer', 'array', 'boolean', 'null'",  # a property that no schema types
)


def complaints(blob: bytes, folder: Path, schemas: Path | None = None) -> list[str]:
    """What dt-validate says about a tree, each in one line."""
    file = folder / "tree.dtb"
    file.write_bytes(blob)
    extra = []
    if schemas is not None:
        made = folder / "schemas.json"
        command = [VALIDATE.with_name("dt-mk-schema"), "-j", schemas]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=100, check=True)
        made.write_bytes(done.stdout)
        extra = ["-s", str(made)]
    command = [VALIDATE, *extra, file]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert "Traceback" not in ended.stderr
    lines = (ended.stdout + ended.stderr).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("\t")]


def odd(found: list[str]) -> list[str]:
    return [line for line in found if not any(one in line for one in ALLOWED)]


def guest_blob(kind: str, old: str = "", new: str = "", *, way_back: bool = False) -> bytes:
    agent = 3 if way_back else 4
    made = written.planned(
        "dom0less" if kind == "dom0less" else "xl", DEVICES, agent=agent, way_back=way_back
    )
    source = guest_source(made)
    assert old in source
    return emit.to_dtb(_parsed(source.replace(old, new), None))


def test_dt_validate_is_there() -> None:
    assert VALIDATE.is_file(), "the dev extra brings dtschema"


@pytest.mark.parametrize("kind", ["xl", "dom0less"])
def test_a_guests_tree_breaks_no_core_schema(kind: str, tmp_path: Path) -> None:
    assert odd(complaints(guest_blob(kind), tmp_path)) == []


def test_core_schemas_do_find_what_is_wrong(tmp_path: Path) -> None:
    assert odd(complaints(guest_blob("xl", "#clock-cells = <1>", '#clock-cells = "one"'), tmp_path))


def test_dom0s_tree_breaks_no_schema_that_the_host_tree_keeps(tmp_path: Path) -> None:
    host = devicetree.load([shipped() / "host.dts"])
    before = complaints(emit.to_dtb(host), tmp_path)
    after = complaints(emit.to_dtb(write_dom0(host).tree), tmp_path)
    assert {line.partition(": ")[2] for line in after} <= {line.partition(": ")[2] for line in before}


@KERNELS
@pytest.mark.parametrize("kind", ["xl", "dom0less"])
def test_a_guests_tree_keeps_the_kernels_binding(kind: str, tmp_path: Path) -> None:
    assert odd(complaints(guest_blob(kind), tmp_path, Path(FOLDER or ""))) == []


@KERNELS
@pytest.mark.parametrize(
    ("old", "new"),
    [("arm,smc-id = <0x82000006>;", ""), ("shmem = <&scmi_shm>;", ""), ("#reset-cells = <1>;", "")],
)
def test_the_kernels_binding_does_find_what_is_wrong(old: str, new: str, tmp_path: Path) -> None:
    assert odd(complaints(guest_blob("xl", old, new), tmp_path, Path(FOLDER or "")))


@KERNELS
@pytest.mark.parametrize("kind", ["xl", "dom0less"])
def test_the_kernels_binding_objects_to_the_name_of_the_way_back_only(kind: str, tmp_path: Path) -> None:
    found = odd(complaints(guest_blob(kind, way_back=True), tmp_path, Path(FOLDER or "")))
    named = "scmi (arm,scmi-smc): interrupt-names:0: 'a2p' was expected"
    assert [line.partition(": ")[2] for line in found] == [named]
