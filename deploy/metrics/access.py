"""Who may read a process' metrics: the address it listens on, certificates, and an account.

What a user asked for is checked here, before anything is started. Passwords are never kept: an account is a
name and a scrypt hash. Serving is in ``deploy.metrics.listening``.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
import socket
import ssl
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.errors import UserError
from deploy.files import read_text

LOOPBACK: Final = "127.0.0.1"
ACCOUNT_BYTES_MAX: Final = 4096
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 14, 8, 1  # about 50 ms and 16 MiB, once for each process and client
OWN: Final = "trapline"  # the name that our own Prometheus says
SALT_BYTES: Final = 16
KEY_BYTES: Final = 32
ACCOUNT_FORM: Final = "NAME:scrypt$SALT$KEY, as 'python -m deploy.metrics.access NAME' prints it"


class Access(msgspec.Struct, frozen=True):
    """``serve`` False: nothing listens. ``cert`` and ``key``: TLS. ``client_ca``: clients have to show a
    certificate of these. ``account``: the line of a password file, "" for none; ``own``: the password of
    a Prometheus that was started beside the platform. ``port`` 0: one of the system's choice.
    """

    address: str = LOOPBACK
    cert: str = ""
    key: str = ""
    client_ca: str = ""
    account: str = ""
    own: str = ""
    serve: bool = True
    port: int = 0

    @property
    def outside(self) -> bool:
        """Whether others than this machine can connect."""
        return not ipaddress.ip_address(self.address).is_loopback

    def target(self, port: int) -> str:
        """Where this machine's own Prometheus connects to; "" for port 0, which is none."""
        if not port:
            return ""
        address = ipaddress.ip_address(self.address)
        if address.is_unspecified:
            address = ipaddress.ip_address(LOOPBACK if address.version == 4 else "::1")
        return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"

    def scrape_settings(self) -> dict[str, Any]:
        """What a scrape_config of Prometheus on this machine has to say beside its targets.

        The certificate names the machine as others know it, and loopback is no such name. What only others
        can know (their password, their certificate) is left to them.
        """
        found: dict[str, Any] = {"scheme": "https" if self.cert else "http"}
        if self.cert:
            found["tls_config"] = {"insecure_skip_verify": True}
        if self.own:
            found["basic_auth"] = {"username": OWN, "password": self.own}
        return found


def tls(access: Access) -> ssl.SSLContext | None:
    """The context to serve with, or None; raises UserError for files that cannot be used."""
    if not access.cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(access.cert, access.key, password=_no_password)
    except (OSError, ValueError) as error:
        detail = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"--metrics-cert {access.cert}, --metrics-key {access.key}: cannot be used: {detail}; give a "
            "certificate and its unencrypted key, in PEM"
        ) from None
    if access.client_ca:
        try:
            context.load_verify_locations(access.client_ca)
        except (OSError, ValueError) as error:
            detail = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            raise UserError(
                f"--metrics-client-ca {access.client_ca}: cannot be used: {detail}; give certificates in PEM"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    """OpenSSL would ask the terminal, in every process."""
    raise ValueError("the key is encrypted")


def asked(
    address: str | None, cert: Path | None, key: Path | None, client_ca: Path | None, passwords: Path | None
) -> Access:
    """What the options of a command line mean; raises UserError for what they cannot."""
    try:
        listens = str(ipaddress.ip_address(address or LOOPBACK))
    except ValueError:
        raise UserError(
            f"--metrics-address {address}: no IP address; give one of this machine, or 0.0.0.0 for all"
        ) from None
    if (cert is None) is not (key is None):
        missing = "--metrics-key" if key is None else "--metrics-cert"
        raise UserError(f"{missing}: a certificate and its key go together; give both, or none")
    if client_ca is not None and cert is None:
        raise UserError(
            "--metrics-client-ca: clients show certificates over TLS only; give --metrics-cert, --metrics-key"
        )
    account = "" if passwords is None else _account(passwords)
    paths = ["" if one is None else str(one.absolute()) for one in (cert, key, client_ca)]
    access = Access(listens, paths[0], paths[1], paths[2], account)
    _try(access)
    return access


def _try(access: Access) -> None:
    """Whether every process will be able to listen so; raises UserError."""
    tls(access)
    family = socket.AF_INET6 if ":" in access.address else socket.AF_INET
    try:
        socket.create_server((access.address, 0), family=family).close()
    except OSError as error:
        raise UserError(
            f"--metrics-address {access.address}: nothing can listen there: {error.strerror}; give "
            "an address of this machine"
        ) from None


def warnings(access: Access) -> list[str]:
    """What somebody who let others in should know."""
    if not access.outside:
        return []
    open_to = "everybody who reaches it" if not (access.account or access.client_ca) else "others"
    lines = [f"metrics: every process listens on {access.address}, where {open_to} can read them"]
    if not access.cert:
        lines[0] += "; without --metrics-cert they travel in the clear"
        lines[0] += ", and so does the password" if access.account else ""
    return lines


# ---- accounts ---------------------------------------------------------------------------------


def _account(path: Path) -> str:
    """The one line of a password file, which nobody else may read: a password can be guessed from a hash."""
    lines = [line for line in read_text(path, ACCOUNT_BYTES_MAX).splitlines() if line.strip()]
    if len(lines) != 1 or _parsed(lines[0]) is None:
        raise UserError(f"{path}: not one account; write one line {ACCOUNT_FORM}")
    if path.stat().st_mode & 0o077:
        raise UserError(f"{path}: others may read or change this account; run 'chmod 600 {path}'")
    return lines[0].strip()


def _parsed(line: str) -> tuple[str, bytes, bytes] | None:
    """Name, salt and key of an account."""
    name, _, rest = line.strip().partition(":")
    parts = rest.split("$")
    if not name or len(parts) != 3 or parts[0] != "scrypt":
        return None
    try:
        salt, key = (base64.b64decode(part, validate=True) for part in parts[1:])
    except (binascii.Error, ValueError):
        return None
    return (name, salt, key) if len(salt) == SALT_BYTES and len(key) == KEY_BYTES else None


def _derived(password: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=KEY_BYTES)


def account(name: str, password: str) -> str:
    """The line of a password file for a new account."""
    salt = os.urandom(SALT_BYTES)
    key = _derived(password.encode(), salt)
    return f"{name}:scrypt${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


class Door:
    """Lets in who has the account. What was right once is compared with its digest, which is cheap."""

    def __init__(self, access: Access) -> None:
        self._account = _parsed(access.account) if access.account else None
        self._open = not access.account
        pair = base64.b64encode(f"{OWN}:{access.own}".encode()).decode()
        self._own = hashlib.sha256(f"Basic {pair}".encode()).digest() if access.own else b""
        self._known = b""

    def knows(self, authorization: str) -> bool:
        """Whether an Authorization header may come in, as far as that can be told at once."""
        if self._open:
            return True
        digest = hashlib.sha256(authorization.encode()).digest()
        return any(known and hmac.compare_digest(digest, known) for known in (self._own, self._known))

    def admits(self, authorization: str) -> bool:
        """Whether it may come in; this takes its time."""
        if self.knows(authorization):
            return True
        if not self._proves(authorization):
            return False
        self._known = hashlib.sha256(authorization.encode()).digest()
        return True

    def _proves(self, authorization: str) -> bool:
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic" or self._account is None:
            return False
        try:
            name, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        wanted, salt, key = self._account
        right = hmac.compare_digest(_derived(password, salt), key)
        return hmac.compare_digest(name, wanted.encode()) and right


def main() -> None:
    """``python -m deploy.metrics.access NAME``: ask for a password and print the account."""
    import getpass  # noqa: PLC0415 - nodes import this module
    import sys  # noqa: PLC0415

    if len(sys.argv) != 2 or ":" in sys.argv[1] or not sys.argv[1]:
        sys.exit("usage: python -m deploy.metrics.access NAME")
    sys.stdout.write(account(sys.argv[1], getpass.getpass()) + "\n")


if __name__ == "__main__":
    main()
