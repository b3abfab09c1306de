"""--metrics-address and what goes with it: who may read the metrics of a platform's processes."""

import secrets
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from deploy.cli.output import say_error
from deploy.errors import UserError
from deploy.metrics.access import Access, asked, warnings

F = TypeVar("F", bound=Callable[..., Any])
FILE: Final = click.Path(path_type=Path)
OWN_BYTES: Final = 32
OPTIONS: Final = (
    ("--metrics-cert", "Serve metrics over TLS with this certificate (PEM)."),
    ("--metrics-key", "The certificate's key (PEM, not encrypted)."),
    ("--metrics-client-ca", "Who reads metrics has to show a certificate that one of these signed (PEM)."),
    (
        "--metrics-password-file",
        "The one account that may read metrics: a line that 'python -m deploy.metrics.access NAME' prints.",
    ),
)


def metrics_options(command: F) -> F:
    """All of them; the command gets ``metrics``, an Access: for this machine only unless told otherwise."""

    @wraps(command)
    def with_access(
        *arguments: Any,
        metrics_address: str | None,
        metrics_cert: Path | None,
        metrics_key: Path | None,
        metrics_client_ca: Path | None,
        metrics_password_file: Path | None,
        **others: Any,
    ) -> Any:
        access = asked(metrics_address, metrics_cert, metrics_key, metrics_client_ca, metrics_password_file)
        return command(*arguments, metrics=access, **others)

    wrapped: Any = with_access
    for name, text in reversed(OPTIONS):
        wrapped = click.option(name, type=FILE, metavar="FILE", help=text)(wrapped)
    return click.option(  # type: ignore[no-any-return]
        "--metrics-address",
        metavar="ADDRESS",
        help="Where metrics are served; 0.0.0.0: on all addresses. Default: for this machine only.",
    )(wrapped)


def for_own_eyes(access: Access, observe: bool) -> Access:
    """The same, so that a Prometheus that we start ourselves gets in; raises UserError where it cannot."""
    if not observe:
        return access
    if access.client_ca:
        raise UserError(
            "--observe and --metrics-client-ca: the Prometheus that is started has no certificate; leave one "
            "of them out"
        )
    return msgspec.structs.replace(access, own=secrets.token_hex(OWN_BYTES)) if access.account else access


def warn(access: Access) -> None:
    """Tell on stderr who can read what."""
    for line in warnings(access):
        say_error(line)
