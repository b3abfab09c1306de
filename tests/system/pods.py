"""The rendered chart on podman's kube player, with an image made from scratch: all of it in one folder.

podman 4.3 plays Pods, so each StatefulSet becomes its pod, under the StatefulSet's name: the supervisor's is
then known by the name of its Service. It publishes every port that a pod names on the host, cannot mount a
Secret so that only the pod's user reads it, and asks probes with a curl that the image has not: ports and
probes are taken out, and keys are host folders of the owner and mode that kubelet gives them. All other kinds
are left out.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes import secrets
from tests.deploy.kubernetes import chart

USER = 10001
TAG = "trapline:test"
SUBNET, SERVICE = "10.89.0.0/24", "10.89.0.10"
PROGRAMS = ("podman", "runc", "catatonit", "iptables", "nsenter", "ip")
CONF = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
helper_binaries_dir = ["/usr/lib/podman", "/usr/libexec/podman", "/usr/bin"]
[network]
network_backend = "netavark"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=8192:8192"]
"""


def missing() -> str:
    """Why this cannot be run here; empty if it can."""
    if os.geteuid() != 0:
        return "needs root: podman with networks of its own, and files of another user"
    if chart.FOLDER is None:
        return chart.WITHOUT
    return ", ".join(f"no {one} in PATH" for one in PROGRAMS if shutil.which(one) is None)


class Pods:
    """A podman that keeps all in ``folder``, and its bridge and rules in a network namespace of its own;
    ``release`` is in the name of all that it starts.
    """

    def __init__(self, folder: Path, release: str, domains: tuple[str, ...]) -> None:
        self.folder = folder
        self.release = release
        self.domains = domains
        self.manifest = folder / "pods.yaml"
        (folder / "containers.conf").write_text(CONF)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
        subprocess.run(["ip", "netns", "add", release], check=True)
        subprocess.run(["ip", "-n", release, "link", "set", "lo", "up"], check=True)
        self.words = (
            "nsenter",
            f"--net=/run/netns/{release}",
            "podman",
            f"--root={folder / 'store'}",
            f"--runroot={folder / 'state'}",
            f"--tmpdir={folder / 'tmp'}",
            f"--network-config-dir={folder / 'networks'}",
        )

    def podman(self, *words: object, check: bool = True) -> str:
        done = subprocess.run(
            [*self.words, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=self.environment,
            stdin=subprocess.DEVNULL,
        )
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def make_image(self) -> None:
        done = subprocess.run(
            [str(chart.ROOT / "deploy/kubernetes/image.sh"), TAG],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            env={**self.environment, "ENGINE": " ".join(self.words), "PYTHON": sys.executable},
        )
        assert done.returncode == 0, done.stderr

    # ---- the chart ----------------------------------------------------------------------------

    def play(self, values: dict[str, Any]) -> None:
        """All pods; the supervisor has the address that stands for its Service's, and the others know it.
        There is no DNS: podman's may take half a minute where it cannot ask the world.
        """
        name, tag = TAG.split(":")
        image = {"repository": f"localhost/{name}", "tag": tag, "pullPolicy": "Never"}
        whole = {"domains": list(self.domains), "image": image, **values}
        self._write_keys()
        pods = chart.pods(chart.rendered(self.folder, whole, self.release))
        ordered = sorted(pods.items(), key=lambda one: not one[0].endswith("-supervisor"))
        self.manifest.write_text(yaml.safe_dump_all([self._pod(*one) for one in ordered]))
        self.podman("network", "create", "--disable-dns", "--subnet", SUBNET, self.release)
        self.podman("kube", "play", "--network", self.release, "--ip", SERVICE, self.manifest)

    def _write_keys(self) -> None:
        for item in secrets.manifests(self.release, self.domains)["items"]:
            folder = self.folder / item["metadata"]["name"]
            folder.mkdir()
            for file, text in item["data"].items():
                path = folder / file
                path.write_bytes(base64.b64decode(text))
                os.chown(path, 0, USER)
                path.chmod(0o440)

    def _pod(self, name: str, template: dict[str, Any]) -> dict[str, Any]:
        spec = template["spec"]
        for container in spec["containers"]:
            for key in ("ports", "startupProbe", "readinessProbe", "livenessProbe"):
                container.pop(key, None)
        for volume in spec["volumes"]:
            if "secret" in volume:
                folder = self.folder / volume.pop("secret")["secretName"]
                volume["hostPath"] = {"path": str(folder), "type": "Directory"}
        spec["hostAliases"] = [{"ip": SERVICE, "hostnames": [f"{self.release}-supervisor"]}]
        metadata = {"name": name, "labels": template["metadata"]["labels"]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def container(self, name: str) -> str:
        """Of supervisor, xen, firmware, or a domain."""
        if name in self.domains:
            return f"{self.release}-domain-{name}-guest"
        return f"{self.release}-{name}-{name}"

    # ---- looking ------------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        """On this machine; 0 if it does not run."""
        return int(self.podman("inspect", "--format", "{{.State.Pid}}", self.container(name)))

    def trapline(self, *words: object, check: bool = True) -> Any:
        """A command beside the supervisor, as with 'kubectl exec'; its JSON."""
        command = ("python3.11", "-m", "deploy.entry", *words, "--json")
        told = self.podman("exec", self.container("supervisor"), *command, check=check)
        return json.loads(told) if told.strip() else None

    def logs(self, name: str) -> str:
        """What it said, the supervisor's log included."""
        said = self.podman("logs", self.container(name), check=False)
        kept = "import glob; [print(open(one).read()) for one in glob.glob('/run/trapline/platform/log/*')]"
        if name == "supervisor" and "is up in" not in said:
            said += self.podman("exec", self.container(name), "python3.11", "-c", kept, check=False)
        return said

    def metric(self, node: str, name: str) -> float:
        """The sum of a metric's series, read from the pod's address."""
        target = self.trapline("status")["nodes"][node]["target"]
        page = f"urlopen('http://{target}/metrics', timeout=10)"
        read = f"from urllib.request import urlopen; print({page}.read().decode())"
        lines = self.podman("exec", self.container("supervisor"), "python3.11", "-c", read).splitlines()
        return sum(float(one.rpartition(" ")[2]) for one in lines if one.startswith(name))

    # ---- the end ------------------------------------------------------------------------------

    def down(self) -> None:
        self.podman("kube", "down", self.manifest)

    def remove(self) -> None:
        """Whatever is there still."""
        self.podman("pod", "rm", "--all", "--force", "--time", "0", check=False)
        self.podman("network", "rm", "--force", self.release, check=False)
        self.podman("rmi", "--all", "--force", check=False)
        if Path(f"/run/netns/{self.release}").exists():
            subprocess.run(["ip", "netns", "delete", self.release], check=True)

    def left(self) -> dict[str, object]:
        """What there should be nothing of after the end."""
        return {
            "containers": self.podman("ps", "--all", "--quiet").split(),
            "pods": self.podman("pod", "ps", "--quiet").split(),
            "volumes": self.podman("volume", "ls", "--quiet").split(),
            "processes": [pid for pid in os.listdir("/proc") if pid.isdigit() and self._is_ours(int(pid))],
            "mounts": [
                one
                for one in Path("/proc/mounts").read_text().split()
                if f"{self.folder}/store/overlay/" in one
            ],
        }

    def _is_ours(self, pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return False
        return pid != os.getpid() and any(word.startswith(str(self.folder)) for word in words)
