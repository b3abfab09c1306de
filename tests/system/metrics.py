"""What a process' metrics port says, as plain numbers."""

import urllib.request
from collections.abc import Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, tuple[tuple[str, str], ...]]


def read(port: int, node: str = "", **headers: str) -> str:
    """The text of a scrape; of a ``node`` whose page is served there beside others."""
    path = f"metrics/{node}" if node else "metrics"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


def families(port: int) -> list[Metric]:
    return list(text_string_to_metric_families(read(port)))


def samples(port: int) -> dict[Sample, float]:
    """Every sample by name and sorted labels."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in families(port)
        for one in family.samples
    }


def total(found: Mapping[Sample, float], name: str, **labels: str) -> float:
    """The sum over all samples of that name that have these labels."""
    wanted = set(labels.items())
    return sum(value for (one, pairs), value in found.items() if one == name and wanted <= set(pairs))


def value(port: int, name: str, **labels: str) -> float:
    return total(samples(port), name, **labels)
