"""Whatever the files hold, ``load`` gives a tree or one UserError of one line that names a file."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.devicetree import blob, emit, load
from deploy.errors import UserError

SOURCE = b"""\
/dts-v1/;
/memreserve/ 0x1000 (2 << 4);
/ {
  a: soc {
    compatible = "x,y", "z"; reg = <0x10 &b 1 (3*~4)>, [01 02];
    b: dev@1 { phandle = <3>; path = &b; empty; };
  };
  /omit-if-no-ref/ c: ref { y = /bits/ 64 <1 (1<<33)>; z = "a\\x41\\012"; /delete-property/ q; };
  aliases { s = &a; A_b = "x"; };
};
&a { k = <&{/soc/dev@1} &c>; in: more = <value: 1>; };
"""

OVERLAY = b"""\
/dts-v1/;
/plugin/;
/ {
  fragment@0 { target = <&a>; __overlay__ { p = <&n 1>; n: new { phandle = <&n>; }; dev@1 { w; }; }; };
  fragment@1 { target-path = "/soc/dev@1"; __overlay__ { w = "x"; }; };
};
&b { v = &a; };
"""

COMPILED = b"""\
/dts-v1/;
/ {
  f@0 { target = <0xffffffff>; __overlay__ { p = <5 1>; q = <0xffffffff>; new { phandle = <5>; }; }; };
  f@1 { target-path = "/soc"; __overlay__ { dev@1 { phandle = <1>; w; }; }; };
  __symbols__ { nn = "/f@0/__overlay__/new"; };
  __fixups__ { a = "/f@0:target:0", "/f@0/__overlay__:q:0"; };
  __local_fixups__ { f@0 { __overlay__ { p = <0>; }; }; };
};
"""

TOKENS = (
    b"/ { } ; < > &a &{/soc} &{/} /delete-node/ /plugin/; /dts-v1/; 09 0x 99999999999999999999 (1<<1000) [ ] "
    b"\" ' \\ /* // #line \x00 \xff phandle =<0>; =<3>; /bits/8 __overlay__ target name@1@2 (((( - \\377 "
    b', = : #include FOO l: /omit-if-no-ref/ linux,phandle /include/"any" /include/"/dev/zero" /include/"-" '
    b'/include/"." /incbin/("/dev/zero") /incbin/("any",99999999999999999999,5) /memreserve/'
).split(b" ")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with base.dts, base.dtb and over.dtbo, all of which load."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "base.dts").write_bytes(SOURCE)
    (folder / "base.dtb").write_bytes(emit.to_dtb(load([folder / "base.dts"])))
    (folder / "compiled.dts").write_bytes(COMPILED)
    (folder / "over.dtbo").write_bytes(emit.to_dtb(load([folder / "compiled.dts"])))
    assert load([folder / "base.dts", folder / "over.dtbo"]).get("/soc/new")
    return folder


def mutated(content: bytes, seed: int) -> bytes:
    """``content`` with up to three places changed: a token put in, bytes cut, doubled or overwritten."""
    draw = random.Random(seed)
    image = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        at, kind = draw.randrange(len(image) + 1), draw.randrange(4)
        if kind == 0:
            image[at:at] = draw.choice(TOKENS)
        elif kind == 1:
            del image[at : at + draw.randint(1, 10)]
        elif kind == 2:
            start = draw.randrange(len(image) + 1)
            image[at:at] = image[start : start + draw.randint(1, 60)]
        else:
            image[at : at + 1] = bytes([draw.randrange(256)])
    return bytes(image)


def judge(paths: list[Path]) -> None:
    """Load; a tree must survive being written and read, an error must be one line with a place."""
    try:
        tree = load(paths)
    except UserError as error:
        complaint = str(error)
    else:
        again = paths[0].parent / "again.dtb"
        again.write_bytes(emit.to_dtb(tree))
        if blob.overlay_fragments(tree.root):
            return  # what was merged in made it look like an overlay, which is refused as a base
        assert [(n.path, n.properties) for n in load([again])] == [(n.path, n.properties) for n in tree]
        return
    assert complaint
    assert "\n" not in complaint


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(), st.sampled_from([b"", b"\xd0\x0d\xfe\xed", b"/dts-v1/;", b"/dts-v1/; / {"]))
def test_any_bytes(good: Path, tmp_path: Path, content: bytes, start: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(start + content)
    judge([path])
    for base in ("base.dts", "base.dtb"):
        judge([good / base, path])


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.sampled_from(["base.dts", "base.dtb"]))
def test_a_mutated_base(good: Path, tmp_path: Path, seed: int, name: str) -> None:
    path = tmp_path / "any"
    path.write_bytes(mutated((good / name).read_bytes(), seed))
    judge([path])
    judge([good / "base.dtb", path])


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from(["base.dts", "base.dtb"]))
def test_a_mutated_overlay(good: Path, tmp_path: Path, seed: int, binary: bool, base: str) -> None:
    path = tmp_path / "any"
    path.write_bytes(mutated((good / "over.dtbo").read_bytes() if binary else OVERLAY, seed))
    judge([good / base, path])
