"""``python -m deploy.observability.page``: the page as a process of its own, which ends with its parent."""

import argparse
import sys
import threading
from pathlib import Path

from deploy.errors import UserError
from deploy.observability import assets
from deploy.observability.page import files
from deploy.observability.page.clusters import Clusters
from deploy.observability.page.proxy import Prometheus
from deploy.observability.page.server import Server, Site
from deploy.observability.ports import LOOPBACK


def main() -> int:
    """Serve until stdin is closed. Exit code 2, and one line, for what the user must fix."""
    given = _arguments()
    try:
        server = _server(given)
    except UserError as error:
        sys.stderr.write(f"trapline: {error}\n")
        return 2
    threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    sys.stdout.write(f'{{"url": "{server.url}"}}\n')
    sys.stdout.flush()
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.observability.page", description=__doc__)
    parser.add_argument("--prometheus", required=True, metavar="URL", help="http://HOST:PORT")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--parent", type=Path, metavar="DIR", help="the folder of run directories")
    where.add_argument("--run-dir", type=Path, metavar="DIR", help="one cluster's run directory")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--dashboards", type=Path, metavar="DIR", help="instead of Trapline's own")
    parser.add_argument(
        "--scrape-interval", default="1s", metavar="TIME", help="how often Prometheus scrapes"
    )
    return parser.parse_args()


def _server(given: argparse.Namespace) -> Server:
    site = Site(
        Prometheus(given.prometheus),
        Clusters(given.parent, given.run_dir),
        files.dashboards(given.dashboards or assets.folder() / assets.MARK),
        given.scrape_interval,
    )
    try:
        return Server(site, given.port)
    except (OSError, OverflowError) as error:
        raise UserError(f"--port {given.port}: cannot listen on {LOOPBACK}: {error}") from None


def _end_with_parent(server: Server) -> None:
    sys.stdin.buffer.read()
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
