"""A running Prometheus, asked through its API."""

import json
import time
import urllib.parse
import urllib.request
from typing import Any

from tests.system.processes import eventually

Labels = tuple[tuple[str, str], ...]
TOLERANCE_S = 0.01  # Prometheus puts a scrape where it was planned, if it was no more than 2 ms late


class Asked:
    """``url``: of the server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **words: object) -> Any:
        """The ``data`` of an answer of /api/v1."""
        query = urllib.parse.urlencode({key: str(value) for key, value in words.items()})
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=20) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> dict[Labels, float]:
        """An instant query: the values by sorted labels."""
        found = self.get("query", query=expression)
        assert found["resultType"] == "vector", found["resultType"]
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in found["result"]}

    def by(self, expression: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The same, by the values of these labels."""
        return {
            tuple(dict(pairs).get(label, "") for label in labels): value
            for pairs, value in self.query(expression).items()
        }

    def drawn(self, expression: str, since_s: float, to_s: float) -> int:
        """How many samples a graph of it would have, one a second."""
        found = self.get("query_range", query=expression, start=since_s, end=to_s, step=1)
        return sum(len(one["values"]) for one in found["result"])

    def value(self, expression: str) -> float:
        """Of an expression that has one value, or none: 0."""
        return sum(self.query(expression).values())

    def targets(self) -> dict[str, str]:
        """The health of every target by the name of its process."""
        found = self.get("targets", state="active")["activeTargets"]
        return {one["labels"]["process"]: one["health"] for one in found}

    def seen(self, *processes: str) -> None:
        """Wait until each of these has been scraped after now."""
        begin = time.time() + TOLERANCE_S
        for process in processes:
            newest = f'max(timestamp(up{{process="{process}"}}))'  # of an expression it would be now
            eventually(
                lambda newest=newest: self.value(newest) > begin, f"a scrape of {process}", pause_s=0.1
            )
