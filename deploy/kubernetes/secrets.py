"""``python -m deploy.kubernetes.secrets --release NAME --domain D ... | kubectl create -f -``: the keys of a
platform in Kubernetes as Secrets for its chart: fresh, or with ``--keys DIR`` those of ``trapline keys``.

One Secret is the registry's: its key, and whose each public key is. Each node has one of its own, with its
key and the config of its command line; a pod gets its own and no other. Keys go to stdout and nowhere else.
"""

import argparse
import base64
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec
from zmq.utils import z85

from deploy.errors import UserError
from deploy.keys.authority import Authority
from deploy.launching import granted
from deploy.launching.config import AUTO, NodeConfig
from deploy.launching.keyring import FreshKeys, Keys
from deploy.launching.launcher import LaunchFailed
from deploy.launching.registry import Who
from deploy.launching.wires import public_of

REGISTRY_PORT: Final = 5555  # as the chart has it, and so are the others
METRICS_PORT: Final = 9470
MOUNTED: Final = "/keys"
PATIENCE_S: Final = 86_400.0  # a node waits as long as its platform is not there
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?")


class Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Raises UserError."""
    parser = Options(prog="python -m deploy.kubernetes.secrets", description=__doc__)
    parser.add_argument("--release", required=True, help="the name that 'helm install' is given")
    parser.add_argument(
        "--domain", action="append", default=[], help="a domain of the platform, dom0 too; repeatable"
    )
    parser.add_argument("--keys", type=Path, help="a folder of 'trapline keys', which knows the domains")
    found = parser.parse_args(arguments)
    if bool(found.domain) is (found.keys is not None):
        raise UserError("--domain, --keys: give the domains, or a folder of keys that knows them")
    for option, name in (("--release ", found.release), *(("--domain ", one) for one in found.domain)):
        _check(option, name)
    for name in found.domain:
        if found.domain.count(name) > 1:
            raise UserError(f"--domain {name}: is there twice; give each once")
    return found


def _check(where: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise UserError(
            f"{where}{name}: Kubernetes wants 1 to 20 of a-z, 0-9 and '-', ends without '-'; rename it"
        )


def nodes(domains: Sequence[str]) -> list[Who]:
    """Everybody who has a key."""
    return [("xen", "xen"), ("firmware", "firmware"), *(("guest", name) for name in domains)]


def secret_name(release: str, role: str, name: str) -> str:
    """As the chart has it."""
    return f"{release}-keys-domain-{name}" if role == "guest" else f"{release}-keys-{role}"


def config_of(release: str, who: Who, public: bytes) -> NodeConfig:
    """A node of a pod: it knows no address but the registry's, and makes no identity up."""
    return NodeConfig(
        cluster="",
        role=who[0],
        name=who[1],
        registry=f"tcp://{release}-supervisor:{REGISTRY_PORT}",
        registry_key=z85.encode(public).decode(),
        key_file=f"{MOUNTED}/node.key",
        address=AUTO,
        metrics="0.0.0.0",
        metrics_port=METRICS_PORT,
        patience_s=PATIENCE_S,
    )


def manifests(release: str, domains: Sequence[str], keys: Keys | None = None) -> dict[str, Any]:
    """A List of Secrets, with fresh keys unless given; raises LaunchFailed for who has none of these."""
    keys = keys or FreshKeys()
    public, secret = keys.public, keys.secret
    whose: dict[Who, bytes] = {}
    items = []
    for who in nodes(domains):
        own = keys.node(*who)
        whose[who] = public_of(own)
        config = msgspec.json.format(msgspec.json.encode(config_of(release, who, public)), indent=1)
        content = {"node.json": config, "node.key": z85.encode(own)}
        items.append(_secret(secret_name(release, *who), release, content))
    items.insert(0, _secret(f"{release}-keys-registry", release, granted.contents(secret, whose)))
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _secret(name: str, release: str, content: dict[str, bytes]) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "trapline", "app.kubernetes.io/instance": release}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": "Opaque",
        "data": {file: base64.b64encode(text).decode() for file, text in content.items()},
    }


def _made(asked: argparse.Namespace) -> dict[str, Any]:
    if asked.keys is None:
        return manifests(asked.release, asked.domain)
    authority = Authority(asked.keys)
    known = [one for one in authority.list.nodes if authority.current(one.who) is not None]
    domains = list(dict.fromkeys(one.name for one in known if one.role == "guest"))
    for name in domains:
        _check(f"{asked.keys}: guest:", name)
    return manifests(asked.release, domains, authority)


def main(arguments: Sequence[str]) -> int:
    """The command line; gives the exit code."""
    try:
        asked = options(arguments)
        found = _made(asked)
    except (UserError, LaunchFailed) as error:
        sys.stderr.write(f"trapline: {error}\n")
        return 2
    try:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # kubectl has ended, and said why
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
