"""What Prometheus and Alertmanager are told, judged by their own checkers."""

import json
import subprocess
from pathlib import Path

import pytest

from deploy.metrics.access import Access
from deploy.observability import alertmanager, assets, prometheus


def check(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A checker of Debian's; packages prometheus and prometheus-alertmanager."""
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("manager", [None, 9466])
def test_promtool_takes_the_configuration(tmp_path: Path, manager: int | None) -> None:
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd" / "xen.json").write_text('[{"targets": ["127.0.0.1:1"], "labels": {"role": "xen"}}]')
    folder = tmp_path / "observe"
    folder.mkdir()
    made = prometheus.config("../sd/*.json", alertmanager=manager)
    (folder / prometheus.CONFIG).write_bytes(made)
    (folder / prometheus.RULES).write_bytes((assets.folder() / "prometheus" / prometheus.RULES).read_bytes())
    done = check(folder, "promtool", "check", "config", prometheus.CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(made)
    assert ("alerting" in found) == (manager is not None)


@pytest.mark.parametrize(
    "access", [Access(), Access(own="secret", account="x"), Access(cert="c.pem", key="k.pem", own="secret")]
)
def test_promtool_takes_how_metrics_are_served(tmp_path: Path, access: Access) -> None:
    made = prometheus.config("*.json", alertmanager=None, scrape=access.scrape_settings())
    (tmp_path / prometheus.CONFIG).write_bytes(made)
    (tmp_path / prometheus.RULES).write_text("groups: []\n")
    done = check(tmp_path, "promtool", "check", "config", prometheus.CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(made)["scrape_configs"]
    assert found["scheme"] == ("https" if access.cert else "http")
    assert found.get("basic_auth", {}).get("password", "") == access.own


def test_promtool_sees_a_wrong_one(tmp_path: Path) -> None:
    made = prometheus.config("../*/sd/*.json", alertmanager=None)
    (tmp_path / prometheus.CONFIG).write_bytes(made)
    assert check(tmp_path, "promtool", "check", "config", prometheus.CONFIG).returncode == 1


def test_amtool_takes_the_configuration(tmp_path: Path) -> None:
    (tmp_path / alertmanager.CONFIG).write_bytes(alertmanager.config())
    done = check(tmp_path, "amtool", "check-config", alertmanager.CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 receivers" in done.stdout
    assert "1 inhibit rules" in done.stdout


def test_everything_listens_on_loopback_only() -> None:
    for words in (
        prometheus.words(Path("/p"), Path("/run"), 1234),
        alertmanager.words(Path("/a"), Path("/run"), 1234),
    ):
        assert "--web.listen-address=127.0.0.1:1234" in words
    assert "--cluster.listen-address=" in alertmanager.words(Path("/a"), Path("/run"), 1234)
