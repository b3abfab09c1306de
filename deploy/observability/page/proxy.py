"""Queries of the page, passed to one Prometheus: few paths, bounded in length, number, time and size.

It does not look into answers. What is not in PATHS never leaves this process.
"""

import http.client
import re
import threading
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from deploy.errors import UserError

PATHS: Final = re.compile(
    r"/api/v1/(?:query|query_range|series|labels|label/[a-zA-Z_][a-zA-Z0-9_]{0,99}/values)"
)
QUERY_BYTES_MAX: Final = 16_384
ANSWER_BYTES_MAX: Final = 32 << 20
ANSWER_S: Final = 10.0
AT_ONCE_MAX: Final = 8


class Answer(NamedTuple):
    """What the browser gets: an HTTP status and JSON."""

    status: int
    content: bytes


def refusal(status: int, why: str) -> Answer:
    """An error in the words of Prometheus' API; ``why`` is ours, without quotes or backslashes."""
    return Answer(status, f'{{"status":"error","errorType":"page","error":"{why}"}}'.encode())


class Prometheus:
    """One Prometheus at ``url``, http only. Raises UserError for a URL that is not one."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme != "http" or not parts.hostname or port == -1:
            raise UserError(f"--prometheus {url}: not a URL; give http://HOST:PORT")
        self.url = url.rstrip("/")
        self._host = parts.hostname
        self._port = port or 80
        self._prefix = parts.path.rstrip("/")
        self._room = threading.BoundedSemaphore(AT_ONCE_MAX)

    def ask(self, path: str, query: str) -> Answer:
        """GET one of PATHS; an Answer also when it is refused or Prometheus cannot be reached."""
        if not PATHS.fullmatch(path):
            return refusal(404, "the page passes on no such path")
        if len(query) > QUERY_BYTES_MAX:
            return refusal(414, f"a query may have {QUERY_BYTES_MAX} bytes")
        if not self._room.acquire(timeout=ANSWER_S):
            return refusal(503, "too many queries at once")
        try:
            return self._get(f"{self._prefix}{path}?{query}")
        except (OSError, http.client.HTTPException) as error:
            return refusal(502, f"Prometheus does not answer ({type(error).__name__})")
        finally:
            self._room.release()

    def _get(self, target: str) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_S)
        try:
            connection.request("GET", target, headers={"Accept": "application/json"})
            response = connection.getresponse()
            content = response.read(ANSWER_BYTES_MAX + 1)
            if len(content) > ANSWER_BYTES_MAX:
                return refusal(502, "the answer is too large")
            return Answer(response.status, content)
        finally:
            connection.close()
