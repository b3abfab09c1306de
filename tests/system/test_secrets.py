"""What proves who is who is told to nobody: not by a file, a command line, an environment or a metric."""

import base64
from pathlib import Path

from zmq.utils import z85

from deploy.engines.local import Options
from deploy.keys.authority import create
from tests.system import metrics
from tests.system.door import works
from tests.system.local import Local


def test_no_secret_is_in_a_file_a_command_line_or_an_environment(local: Local, tmp_path: Path) -> None:
    keys = create(tmp_path / "keys", [("xen", "xen"), ("firmware", "firmware"), ("guest", "ivi")])
    platform = local.start(Options(0, keys=keys))
    works(platform)
    credentials = platform.engine._credentials
    assert credentials.secret == keys.node("xen", "xen")
    assert credentials.secret is not None
    secrets = [keys.secret, credentials.secret, keys.node("guest", "ivi"), *credentials.links]
    secrets += [credentials.firmware(1), *(info.link for info in platform.toolstack.list())]
    forms = [
        form for one in secrets for form in (one, one.hex().encode(), z85.encode(one), base64.b64encode(one))
    ]
    run = platform.run_directory.path
    told = {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert any(path.endswith("cluster.json") for path in told)
    for node in platform.engine.nodes().values():
        for fact in ("cmdline", "environ"):
            path = Path(f"/proc/{node['pid']}/{fact}")
            told[str(path)] = path.read_bytes()
        told[f"metrics of {node['pid']}"] = metrics.read(node["port"]).encode()
    assert [path for path, content in told.items() if any(form in content for form in forms)] == []
