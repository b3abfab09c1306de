"""Every test that THREATS.md names exists, and every threat names one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "deploy" / "keys" / "THREATS.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)


def test_every_named_test_is_there() -> None:
    missing = []
    for file, name in NAMED:
        path = ROOT / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if not text or (name and f"def {name}(" not in text):
            missing.append(f"{file}::{name}")
    assert len(NAMED) > 30
    assert missing == []


def test_every_line_of_every_table_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    bare = [row for row in rows if "tests/" not in row and not row.endswith("| shown by |")]
    assert bare == []
    assert "## Not defended" in PAGE
