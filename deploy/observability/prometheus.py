"""Prometheus for clusters: its configuration and its command line. It starts nothing.

All paths in the configuration are relative to it, so that no character of a run directory's name means
anything. JSON is YAML.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from deploy.observability.ports import LOOPBACK
from nodes.metrics import JOB

CONFIG = "prometheus.yml"
RULES = "rules.yml"
DATA = "data"
SCRAPE_S = 1
RETENTION = "3h"
RETENTION_SIZE = "256MB"
# Blocks this short: what is in memory and in the write-ahead log stays small beside what is retained.
BLOCK = "15m"
READY = "/-/ready"


def config(targets: str, *, alertmanager: int | None, scrape: Mapping[str, Any] | None = None) -> bytes:
    """The configuration; RULES lie beside it. ``targets``: a pattern of file-based discovery, relative to it.

    ``alertmanager``: its port, None for none. ``scrape``: scheme and credentials (``deploy.metrics.access``).
    """
    found: dict[str, Any] = {
        "global": {
            "scrape_interval": f"{SCRAPE_S}s",
            "scrape_timeout": "900ms",
            "evaluation_interval": f"{SCRAPE_S}s",
        },
        "rule_files": [RULES],
        "scrape_configs": [
            {
                "job_name": JOB,
                **(scrape or {}),
                "file_sd_configs": [{"files": [targets], "refresh_interval": "2s"}],
            }
        ],
    }
    if alertmanager is not None:
        found["alerting"] = {
            "alertmanagers": [{"static_configs": [{"targets": [f"{LOOPBACK}:{alertmanager}"]}]}]
        }
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def words(program: Path, folder: Path, port: int) -> list[str]:
    """The command line; ``folder`` holds its configuration and takes its data."""
    return [
        str(program),
        f"--config.file={CONFIG}",
        f"--web.listen-address={LOOPBACK}:{port}",
        f"--web.external-url=http://{LOOPBACK}:{port}",
        # Else any page in the user's browser could read it.
        r"--web.cors.origin=https?://(127\.0\.0\.1|localhost)(:[0-9]+)?",
        f"--storage.tsdb.path={folder / DATA}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--storage.tsdb.retention.size={RETENTION_SIZE}",
        f"--storage.tsdb.min-block-duration={BLOCK}",
        f"--storage.tsdb.max-block-duration={BLOCK}",
        f"--scrape.discovery-reload-interval={SCRAPE_S}s",
        "--enable-feature=exemplar-storage",
        "--log.level=error",
    ]
