"""Whatever becomes of the files: the linter ends with findings that have a place, and prints them."""

import io
import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from deploy import __version__
from deploy.lint import judge, read, report_sarif, report_text
from deploy.lint.locate import Texts
from deploy.topology import shipped
from tests.deploy.lint.platform import Platform
from tests.deploy.lint.sarif import assert_valid

FILES = sorted(path.name for path in shipped().iterdir() if path.is_file())
EXAMPLES = int(os.environ.get("TRAPLINE_MUTATIONS", "200"))
WORDS = b'{ } ; <0> 255 0x82000004 &scmi_shm_2 &scmi_clk \xff \0 [ ] ranges; -1 " # / 99999999999999 xen,sci'
TOKENS = st.sampled_from([b"", b"\n", b'status = "disabled";', *WORDS.split(b" ")])


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    """One or two files, each with a few pieces cut out, replaced or put in."""
    made = []
    for name in draw(st.lists(st.sampled_from(FILES), min_size=1, max_size=2, unique=True)):
        content = (shipped() / name).read_bytes()
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, len(content)))
            length = draw(st.sampled_from([0, 0, 1, 3, 12, 80]))
            content = content[:start] + draw(TOKENS) + content[start + length :]
        made.append((name, content))
    return made


@settings(max_examples=EXAMPLES, deadline=None)
@given(mutations())
def test_any_mutation_is_survived(changed: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder))
        for name, content in changed:
            (platform.folder / name).write_bytes(content)
        material, texts = read(platform.inputs()), Texts()
        found = judge(material, texts)
        assert all(one.message and one.fix and one.spot.file for one in found)
        assert_valid(report_sarif.report(found, material.files, __version__, True))
        out = Console(file=io.StringIO(), width=80, highlight=False)
        report_text.findings(out, found, texts)
        report_text.summary(out, found, "these")


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(st.sampled_from(FILES), st.binary(max_size=300))
def test_any_bytes_are_survived(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder))
        (platform.folder / name).write_bytes(content)
        assert all(one.spot.file for one in judge(read(platform.inputs())))
