"""The suite about itself: every numbered scenario has a test that says so in its name."""

import re
from pathlib import Path

SCENARIOS = 42
NAMED = re.compile(r"^def test_s(\d\d)_", re.MULTILINE)


def test_every_scenario_has_a_test() -> None:
    found: set[int] = set()
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        found.update(int(number) for number in NAMED.findall(path.read_text(encoding="utf-8")))
    assert found == set(range(1, SCENARIOS + 1))
