"""A metrics port: the library's text byte for byte, few and bounded words of HTTP, TLS, an account."""

import base64
import http.client
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families

from deploy.errors import UserError
from deploy.metrics import access as opened
from deploy.metrics.access import Access, account, asked
from deploy.metrics.exposition import OPENMETRICS, TEXT, Page
from deploy.metrics.listening import CONNECTIONS_MAX, HEADERS_MAX, LINE_BYTES_MAX, Listener, Unavailable
from nodes.meters import Meters

NAMELESS = ":scrypt$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
Start = Callable[[Access], int]


@pytest.fixture
def page() -> Page:
    made = Meters("xen")
    for at in range(12):
        made.counter("trapline_smc_traps_total")[f'd"{at}\\\n', "doorbell", "forwarded"] += 10**at
    made.counter("trapline_domain_state").put(("ivi", "running"), 1)
    made.counter("trapline_scmi_inflight_calls")[("3",)] -= 2_000_000
    for value_ns in (0, 5_000, 70_000_000, 10**12):
        made.histogram("trapline_scmi_queue_wait_seconds")[("3",)].observe(value_ns)
    return Page(made)


@pytest.fixture
def start(page: Page) -> Iterator[Start]:
    started: list[Listener] = []

    def begin(access: Access) -> int:
        started.append(Listener(page, access))
        return started[-1].port

    yield begin
    for one in started:
        one.stop()
        one.stop()
        with socket.socket() as probe:
            assert probe.connect_ex((opened.LOOPBACK, one.port))


@pytest.fixture
def port(start: Start) -> int:
    return start(Access())


def ask(port: int, words: bytes) -> bytes:
    """What comes back for these bytes until the connection ends."""
    with closing(socket.create_connection((opened.LOOPBACK, port), timeout=10)) as client:
        client.sendall(words)
        with suppress(OSError):  # it may have hung up already
            client.shutdown(socket.SHUT_WR)
        found = b""
        with suppress(ConnectionResetError):  # what was not read is thrown away
            while more := client.recv(65536):
                found += more
        return found


def get(connection: http.client.HTTPConnection, path: str = "/metrics", **headers: str) -> tuple[int, bytes]:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


# ---- what is said -----------------------------------------------------------------------------


def test_the_text_is_the_librarys(page: Page) -> None:
    for _ in range(2):  # written first, and from what is kept
        theirs = generate_latest(page.registry).decode()  # type: ignore[no-untyped-call]
        assert theirs.startswith(page.own())
        page._meters.counter("trapline_smc_traps_total")["new", "psci", "handled"] += 1


def test_a_process_tells_of_itself(page: Page) -> None:
    text = page.text().decode()
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "python_gc_collections_total"):
        assert f"\n{name}" in text
    assert "_created" not in text
    assert "trapline_build_info{" in text


def test_a_connection_serves_many_scrapes(port: int) -> None:
    with closing(http.client.HTTPConnection(opened.LOOPBACK, port, timeout=10)) as connection:
        for path in ("/metrics", "/", "/metrics?x=1"):
            status, body = get(connection, path)
            assert (status, body[:6]) == (200, b"# HELP")
        assert get(connection, "/else") == (404, b"")
        connection.request("HEAD", "/metrics")
        answer = connection.getresponse()
        assert (answer.status, answer.read(), answer.headers["Content-Type"]) == (200, b"", TEXT)


def test_openmetrics_for_whoever_takes_nothing_else(port: int) -> None:
    with closing(http.client.HTTPConnection(opened.LOOPBACK, port, timeout=10)) as connection:
        connection.request("GET", "/", headers={"Accept": "application/openmetrics-text"})
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == OPENMETRICS
        assert len(list(open_families(answer.read().decode()))) > 5  # type: ignore[no-untyped-call]
        accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        assert get(connection, Accept=accept)[1].startswith(b"# HELP trapline_smc_traps_total")


class Mute:
    """A page that says nothing until it is allowed to, and then that it cannot."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may = threading.Event()

    def text(self) -> bytes:
        self.asked.set()
        assert self.may.wait(10)
        raise Unavailable("ivi did not answer")

    open_text = text


def test_a_page_that_cannot_be_had_is_told_and_holds_up_no_other(page: Page) -> None:
    mute = Mute()
    listener = Listener(page, Access(), others={"/metrics/ivi": mute})
    with closing(http.client.HTTPConnection(opened.LOOPBACK, listener.port, timeout=10)) as waiting:
        waiting.request("GET", "/metrics/ivi")
        assert mute.asked.wait(10)
        with closing(http.client.HTTPConnection(opened.LOOPBACK, listener.port, timeout=10)) as other:
            assert get(other)[0] == 200
        mute.may.set()
        answer = waiting.getresponse()
        assert (answer.status, answer.reason) == (503, "Service Unavailable")
        assert answer.read() == b"ivi did not answer\n"
        assert get(waiting)[0] == 200, "the connection goes on"
    listener.stop()


# ---- what a client may do ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"200"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405"),
        (b"GET /\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\r\n", b"400"),
        (b"A" * (LINE_BYTES_MAX + 1), b"400"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEADERS_MAX - 1) + b"\r\n", b"200"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * HEADERS_MAX + b"\r\n", b""),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * LINE_BYTES_MAX + b"\r\n\r\n", b""),
        (b"", b""),
    ],
)
def test_words(port: int, words: bytes, code: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    answer = ask(port, words)
    assert answer[9:12] == code or (not answer and len(words) > LINE_BYTES_MAX)
    assert capfd.readouterr().err == ""


def test_what_follows_a_body_is_no_request(port: int) -> None:
    smuggled = b"GET / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    assert ask(port, smuggled).count(b"HTTP/1.1 200") == 1


def test_connections_are_bounded(port: int) -> None:
    """Silent ones do not keep others away for longer than they are open."""
    silent = [socket.create_connection((opened.LOOPBACK, port), timeout=10) for _ in range(CONNECTIONS_MAX)]
    with closing(socket.create_connection((opened.LOOPBACK, port), timeout=10)) as late:
        assert late.recv(1) == b""
    silent.pop().close()
    while True:
        answer = b""
        try:
            answer = ask(port, b"GET / HTTP/1.1\r\n\r\n")
        except ConnectionError:
            continue
        if answer:
            break
    assert answer[9:12] == b"200"
    for one in silent:
        one.close()


# ---- an account -------------------------------------------------------------------------------


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def test_an_account(start: Start) -> None:
    access = Access(account=account("me", "se:cret"), own="ours")
    with closing(http.client.HTTPConnection(opened.LOOPBACK, start(access), timeout=10)) as connection:
        assert get(connection) == (401, b"")
        for _ in range(2):  # derived, and remembered
            assert get(connection, Authorization=basic("me", "se:cret"))[0] == 200
        assert get(connection, Authorization=basic(opened.OWN, "ours"))[0] == 200
        wrong = (basic("me", "secret"), basic("you", "se:cret"), basic(opened.OWN, ""), "Basic !")
        for one in wrong:
            assert get(connection, Authorization=one) == (401, b"")


@pytest.mark.parametrize("line", ["", "me", "me:plain", "me:scrypt$AA==$AA==", NAMELESS, "a\nb"])
def test_a_password_file_that_is_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "account").write_text(line)
    with pytest.raises(UserError, match="account"):
        asked(None, None, None, None, tmp_path / "account")


def test_a_password_file(tmp_path: Path) -> None:
    private = tmp_path / "account"
    private.write_text(account("me", "x") + "\n\n")
    private.chmod(0o600)
    assert asked(None, None, None, None, private).account.startswith("me:scrypt$")
    private.chmod(0o640)
    with pytest.raises(UserError, match="others may read or change this account; run 'chmod 600"):
        asked(None, None, None, None, private)


# ---- TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of a server and one of a client, each signed by itself, and a key with a password."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client"):
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        words += ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        words += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run(words, check=True, capture_output=True)
    words = ["openssl", "ec", "-in", str(folder / "server.key"), "-aes128", "-passout", "pass:secret"]
    subprocess.run([*words, "-out", str(folder / "locked.key")], check=True, capture_output=True)
    return folder


def secure(folder: Path, *, client: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "server.pem")
    if client:
        context.load_cert_chain(folder / "client.pem", folder / "client.key")
    return context


def over_tls(port: int, context: ssl.SSLContext) -> AbstractContextManager[http.client.HTTPConnection]:
    return closing(http.client.HTTPSConnection(opened.LOOPBACK, port, timeout=10, context=context))


def test_tls(start: Start, certificates: Path) -> None:
    access = asked(None, certificates / "server.pem", certificates / "server.key", None, None)
    port = start(access)
    context = secure(certificates, client=False)
    with over_tls(port, context) as connection:
        assert get(connection)[0] == get(connection)[0] == 200
    plain = http.client.HTTPConnection(opened.LOOPBACK, port, timeout=10)
    with closing(plain), pytest.raises((ConnectionError, http.client.HTTPException)):
        get(plain)
    assert access.scrape_settings()["scheme"] == "https"


def test_clients_with_a_certificate_only(start: Start, certificates: Path) -> None:
    files = [certificates / name for name in ("server.pem", "server.key", "client.pem")]
    port = start(asked(None, *files, None))
    context = secure(certificates, client=True)
    with over_tls(port, context) as connection:
        assert get(connection)[0] == 200
    nobody = secure(certificates, client=False)
    with over_tls(port, nobody) as connection, pytest.raises((OSError, http.client.HTTPException)):
        get(connection)


@pytest.mark.parametrize(
    ("cert", "key", "client_ca", "told"),
    [
        ("server.pem", None, None, "--metrics-key: a certificate and its key"),
        (None, "server.key", None, "--metrics-cert: a certificate and its key"),
        (None, None, "client.pem", "--metrics-client-ca: clients show"),
        ("server.pem", "client.key", None, "cannot be used"),
        ("server.pem", "locked.key", None, "encrypted"),
        ("nowhere.pem", "server.key", None, "No such file"),
        ("server.pem", "server.key", "nowhere.pem", "--metrics-client-ca .*No such file"),
        ("server.pem", "server.key", "client.key", "--metrics-client-ca .*cannot be used"),
    ],
)
def test_files_that_cannot_be_used(
    certificates: Path, cert: str | None, key: str | None, client_ca: str | None, told: str
) -> None:
    files = [None if name is None else certificates / name for name in (cert, key, client_ca)]
    with pytest.raises(UserError, match=told) as raised:
        asked(None, *files, None)
    assert "\n" not in str(raised.value)


# ---- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["localhost", "1.2.3", "", "203.0.113.7"])
def test_an_address_of_nobody(address: str) -> None:
    if address:
        with pytest.raises(UserError, match=f"--metrics-address {address}"):
            asked(address, None, None, None, None)
    else:
        assert asked(address, None, None, None, None) == Access()


def test_where_to_scrape_and_what_to_warn_of() -> None:
    assert Access().target(5) == "127.0.0.1:5"
    assert Access("0.0.0.0").target(5) == "127.0.0.1:5"
    assert Access("::").target(5) == "[::1]:5"
    assert Access("::1").target(0) == ""
    assert opened.warnings(Access()) == opened.warnings(Access("127.0.0.2")) == []
    (line,) = opened.warnings(Access("0.0.0.0"))
    assert "0.0.0.0" in line
    assert "everybody" in line
    assert "clear" in line
    assert "password" in opened.warnings(Access("0.0.0.0", account="x"))[0]
    assert "clear" not in opened.warnings(Access("::", "cert", "key"))[0]
