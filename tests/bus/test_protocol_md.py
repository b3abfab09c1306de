"""What PROTOCOL.md shows is true: its example decodes, its limits hold, its C program compiles and runs."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus import fields, frames, shmem
from bus.links.zeromq import QUEUE_MESSAGES, RouterLink
from bus.scmi import clock, header
from bus.scmi.status import STATUS_BYTES, Status
from bus.smccc import ExceptionClass
from deploy.generate import ROOT
from nodes.limits import CHANNEL_WAITERS

TEXT = (ROOT / "bus" / "PROTOCOL.md").read_text(encoding="utf-8")
TOKEN = b"T" * 32


def block(language: str) -> str:
    """The text of the one fenced block with this info string."""
    found = re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, language
    return str(found[0])


def shown(name: str) -> bytes:
    lines = block(f"hex {name}").splitlines()
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in lines))


# ---- the worked example -----------------------------------------------------------------------

TRAP = frames.Trap(1, 7, 7, ExceptionClass.SMC64, 0, (0x8200_0005, 0, 0, 0, 0, 0, 0, 0), 0x2200_1000)
RETURN = frames.Return(1, 7, 7, (0, 0, 0, 0))
HEADER = header.pack(0x14, 0x6, token=5)
ASKED = shmem.request(HEADER, fields.encode(clock.RateGet(6)))
ANSWERED = shmem.reply(HEADER, Status.SUCCESS.word + fields.encode(clock.RateGetReply(800_000_000)))


def test_the_example_is_what_the_codec_writes() -> None:
    assert shown("trap-envelope") == frames.encode(TRAP)
    assert shown("trap-page") == ASKED
    assert shown("return-envelope") == frames.encode(RETURN)
    assert shown("return-page") == ANSWERED


def test_the_example_reads_as_the_text_says() -> None:
    assert frames.decode(shown("trap-envelope")) == TRAP
    assert frames.decode(shown("return-envelope")) == RETURN
    head, payload = shmem.read_message(shown("trap-page"))
    assert (header.protocol_id(head), header.message_id(head), header.token(head)) == (0x14, 0x6, 5)
    assert fields.decode(clock.RateGet, payload) == clock.RateGet(6)
    head, payload = shmem.read_message(shown("return-page"))
    assert head == HEADER
    assert fields.decode(clock.RateGetReply, payload[STATUS_BYTES:]).rate == 800_000_000


def test_the_limits_are_those_of_the_code() -> None:
    for line in (
        f"| envelope | {frames.ENVELOPE_BYTES_MAX:,} bytes |",
        f"| page frame | {frames.PAGE_FRAME_BYTES_MAX:,} bytes |",
        f"| any single ZeroMQ frame | {frames.ENVELOPE_BYTES_MAX + frames.PAGE_FRAME_BYTES_MAX:,} bytes |",
        f"| messages waiting for one peer, each direction | {QUEUE_MESSAGES:,} |",
        f"| traps waiting for one channel | {CHANNEL_WAITERS} |",
        f"* **version**: {frames.PROTOCOL_VERSION}.",
    ):
        assert line in TEXT


def test_links_to_other_pages_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert targets
    for target in targets:
        assert (ROOT / "bus" / target).is_file(), target


# ---- the C program ----------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    probe = subprocess.run(
        [compiler, "-E", "-x", "c", "-"], input=b"#include <zmq.h>\n", capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("needs the headers of libzmq")
    source, binary = tmp_path / "ring.c", tmp_path / "ring"
    source.write_text(block("c"), encoding="utf-8")
    command = [compiler, "-Wall", "-Wextra", "-Werror", "-o", str(binary), str(source), "-lzmq"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return binary


@pytest.fixture
def xen() -> Iterator[RouterLink]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tl-"))
    link = RouterLink([f"ipc://{folder}/xen.sock"], pytest.fail)
    link.set_timeout_ns(20_000_000_000)
    yield link
    link.close()
    shutil.rmtree(folder)


def ring(program: Path, xen: RouterLink, answer: frames.Frame, page: bytes) -> tuple[int, str]:
    """Run the program against a Xen that answers its trap like this; gives its exit code and output."""
    with subprocess.Popen(
        [program, xen.endpoints[0]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            return _converse(process, xen, answer, page)
        finally:
            process.kill()


def _converse(
    process: "subprocess.Popen[bytes]", xen: RouterLink, answer: frames.Frame, page: bytes
) -> tuple[int, str]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(TOKEN)
    process.stdin.close()
    for wanted, frame, content in (
        ((frames.Hello(1, 0, 0, "c"), b""), frames.Welcome(1, 0, 0, 3, "ivi"), b""),
        ((TRAP, ASKED), answer, page),
    ):
        delivery = xen.receive()
        assert delivery is not None
        peer, envelope, sent = delivery
        assert peer == TOKEN
        assert (frames.decode(envelope), sent) == wanted
        assert xen.send(peer, frames.encode(frame), content)
    output = process.stdout.read().decode()
    return process.wait(20), output


def test_the_program_is_short_and_rings_its_doorbell(program: Path, xen: RouterLink) -> None:
    assert len(block("c").splitlines()) < 60
    assert ring(program, xen, RETURN, ANSWERED) == (0, "800000000 Hz\n")


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        (frames.Error(1, 7, 7, "el3-lost", False, "EL3 is gone"), b""),
        (frames.Return(1, 7, 7, ((1 << 64) - 1, 0, 0, 0)), b""),
        (RETURN, shmem.FAILED),
        (RETURN, b""),
        (RETURN, shmem.reply(HEADER, Status.DENIED.word)),
        (RETURN, shmem.reply(HEADER + (1 << 18), ANSWERED[shmem.PAYLOAD_AT :])),
    ],
    ids=["error", "smc-refused", "channel-error", "not-free", "denied", "another-token"],
)
def test_the_program_sees_that_it_failed(
    program: Path, xen: RouterLink, answer: frames.Frame, page: bytes
) -> None:
    assert ring(program, xen, answer, page) == (1, "")
