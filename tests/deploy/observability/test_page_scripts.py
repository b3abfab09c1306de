"""The page's scripts, as far as they draw nothing: node runs ``page_scripts/`` on copies of them."""

import re
import shutil
import subprocess
from pathlib import Path

from deploy.observability.page import files

SCRIPTS = Path(__file__).parent / "page_scripts"
TESTS_MIN = 50
PATIENCE_S = 60


def test_what_scripts_compute_is_what_grafana_shows(tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node, "these tests run the page's scripts: apt-get install nodejs"
    (tmp_path / "package.json").write_text('{"type": "module"}')  # node asks; a browser knows
    shutil.copytree(files.STATIC, tmp_path / "static")
    tests = [str(shutil.copy(path, _made(tmp_path / "tests"))) for path in sorted(SCRIPTS.glob("*.test.mjs"))]
    ran = subprocess.run(
        [node, "--test", *tests], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    passed = re.search(r"^\S pass (\d+)", ran.stdout, re.MULTILINE)
    assert passed, ran.stdout
    assert int(passed[1]) >= TESTS_MIN, "a file of tests was not run"


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
