"""The example of the platforms' page is a platform."""

import re
from pathlib import Path

from deploy import platforms
from deploy.topology import read_platform

FOLDER = Path(next(iter(platforms.__path__)))


def test_the_rights_and_the_view_of_the_page_fit_the_reference_platform(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    path = tmp_path / "platform.toml"
    own = (FOLDER / "automotive" / "platform.toml").read_text(encoding="utf-8")
    path.write_text(f"{own}\n{example[1]}", encoding="utf-8")
    described = read_platform(path)
    assert [right.allow for right in described.right] == [True, False]
    assert described.view[0].ids == (5, 3)
