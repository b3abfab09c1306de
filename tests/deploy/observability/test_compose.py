"""The compose file, as far as it can be judged without containers: structure, mounts, what it says."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from deploy import observability
from deploy.observability import alertmanager, assets, prometheus
from deploy.observability.session import OFFSET, PAGE_PORT

FOLDER = Path(observability.__file__).parent
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
GIVEN = {"TRAPLINE_USER": "1000:1000", "TRAPLINE_WATCH": "/run/user/1000/trapline/demo"}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
PINNED = re.compile(r"docker\.io/[\w-]+/[\w-]+:v?\d+\.\d+\.\d+")


def filled(text: str) -> str:
    """The text as a shell's compose would see it."""
    return VARIABLE.sub(lambda found: GIVEN.get(found[1], found[3] if found[2] == "-" else ""), text)


SERVICES: dict[str, Any] = yaml.safe_load(filled(TEXT))["services"]


def mounts() -> list[tuple[str, str, str]]:
    return [tuple(one.rsplit(":", 2)) for service in SERVICES.values() for one in service["volumes"]]


def test_it_is_a_compose_file() -> None:
    assert sorted(PyCompose.from_yaml(filled(TEXT)).service_names()) == sorted(SERVICES)
    for good, bad in (("tmpfs:", "tmpfss:"), ("volumes:", "volume:"), ("services:", "service:")):
        with pytest.raises(ValueError, match=r"extension key|unknown|missing"):
            PyCompose.from_yaml(filled(TEXT.replace(good, bad)))


def test_what_it_mounts_is_there_and_read_only() -> None:
    ours = [source for source, _, _ in mounts() if source != GIVEN["TRAPLINE_WATCH"]]
    assert len(ours) == len(mounts()) - 1 == 5
    assert [source for source in ours if not (FOLDER / source).exists()] == []
    assert {mode for _, _, mode in mounts()} == {"ro"}
    assert (FOLDER / "../../grafana").resolve() == assets.folder().resolve()


def test_what_has_no_default_must_be_given() -> None:
    asked = {name for name, how, _ in VARIABLE.findall(TEXT) if how == "?"}
    assert asked == set(GIVEN)


def test_everything_listens_on_loopback() -> None:
    assert {service["network_mode"] for service in SERVICES.values()} == {"host"}
    assert not any("ports" in service for service in SERVICES.values())
    for name, port in ((name, PAGE_PORT + OFFSET[name]) for name in ("prometheus", "alertmanager")):
        assert f"--web.listen-address=127.0.0.1:{port}" in SERVICES[name]["command"]
    assert "--cluster.listen-address=" in SERVICES["alertmanager"]["command"]
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_images_are_pinned() -> None:
    assert all(PINNED.fullmatch(service["image"]) for service in SERVICES.values())


def test_grafana_is_told_what_its_provisioning_asks_for() -> None:
    files = (assets.folder() / "provisioning").rglob("*.yaml")
    asked = {
        name for file in files for name in re.findall(r"url: \$\{(\w+)\}|path: \$\{(\w+)\}", file.read_text())
    }
    told = SERVICES["grafana"]["environment"]
    assert {one or other for one, other in asked} <= set(told)
    (dashboards,) = [inside for source, inside, _ in mounts() if source.endswith("/dashboards")]
    assert dashboards == told["TRAPLINE_DASHBOARDS"]
    home = Path(told["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (assets.folder() / "dashboards" / home.relative_to(dashboards)).exists()


def test_prometheus_is_told_the_same_as_without_containers(tmp_path: Path) -> None:
    text = (FOLDER / "compose.prometheus.yml").read_text(encoding="utf-8")
    same = prometheus.config("/run/trapline/sd/*.json", alertmanager=PAGE_PORT + OFFSET["alertmanager"])
    assert yaml.safe_load(text) == yaml.safe_load(same)
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    (tmp_path / "rules.yml").write_bytes((assets.folder() / "prometheus" / "rules.yml").read_bytes())
    done = subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_alertmanager_is_told_the_same_as_without_containers() -> None:
    text = (FOLDER / "compose.alertmanager.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == yaml.safe_load(alertmanager.config())


@pytest.mark.parametrize(
    ("service", "program"), [("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")]
)
def test_their_programs_know_the_options(service: str, program: str) -> None:
    """Debian's, of another version than the containers'."""
    words = SERVICES[service]["command"]
    for more, code in (([], 0), (["--nonsense"], 1)):
        done = subprocess.run([program, *words, *more, "--version"], capture_output=True, check=False)
        assert bool(done.returncode) == bool(code), done.stderr
