"""Calls as OpenTelemetry spans: times, nesting, who is sampled, and a receiver that reads protobuf."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deploy.cli.trace_otlp import exporting, one_in
from deploy.errors import UserError
from deploy.tracing.calls import Call
from deploy.tracing.otel import Exporting, exporter, sampled
from tests.deploy.tracing.written import MINUS_ONE, TCU, Asked, told, word

WALL_NS = 1_700_000_000_000_000_000
RATE = word(0) + (9).to_bytes(8, "little")


def call(*rows: Any) -> Call:
    (found,) = told(*rows)
    assert isinstance(found, Call)
    return found


ANSWERED = call(*Asked(1000, 0x6, word(6)).whole(RATE))


def spans_of(*calls: Call) -> list[Any]:
    memory = InMemorySpanExporter()
    sending = Exporting(memory, WALL_NS, cluster="c")
    for one in calls:
        sending.add(one)
    sending.flush()
    assert sending.exported == len(memory.get_finished_spans())
    return sorted(memory.get_finished_spans(), key=lambda span: span.start_time or 0)


def test_a_call_is_three_spans_in_one_another() -> None:
    guest, xen, el3 = spans_of(ANSWERED)
    assert [span.name for span in (guest, xen, el3)] == ["clock.CLOCK_RATE_GET", "xen", "el3"]
    assert (guest.parent, xen.parent.span_id, el3.parent.span_id) == (
        None,
        guest.context.span_id,
        xen.context.span_id,
    )
    assert [(span.start_time - WALL_NS, span.end_time - WALL_NS) for span in (guest, xen, el3)] == [
        (1_000_000, 1_400_000),
        (1_100_000, 1_300_000),
        (1_200_000, 1_300_000),
    ]
    assert [span.resource.attributes["service.name"] for span in (guest, xen, el3)] == [
        "trapline-guest",
        "trapline-xen",
        "trapline-el3",
    ]
    found = dict(guest.attributes)
    assert found["scmi.agent"] == 3
    assert found["scmi.request"] == "clock_id=6"
    assert (found["trapline.request"], found["trapline.cause"], found["scmi.status"]) == (7, 7, "SUCCESS")
    assert guest.status.is_unset


def test_a_refused_call_has_no_span_of_el3() -> None:
    asked = Asked(1000, 0x6, word(6), function=TCU)
    refused = call(asked.trap(), asked.returned(None, MINUS_ONE), asked.ended(code="smc-refused"))
    guest, xen = spans_of(refused)
    assert (guest.name, guest.status.is_ok, guest.status.description) == ("smc", False, "smc-refused")
    assert xen.end_time == guest.end_time


def test_what_is_under_way_is_not_exported() -> None:
    assert spans_of(call(Asked(1000, 0x6, word(6)).trap())) == []


def test_sampling_is_by_the_call_and_nothing_else() -> None:
    calls = [call(*Asked(1000, 0x6, word(6), request=number).whole(RATE)) for number in range(1, 401)]
    chosen = [one.request for one in calls if sampled(one, 10)]
    assert chosen == [one.request for one in calls if sampled(one, 10)]
    assert 20 < len(chosen) < 60
    assert all(sampled(one, 1) for one in calls)


@pytest.mark.parametrize(("text", "number"), [("1/1", 1), ("1", 1), ("1/100", 100), ("1/1000000", 1_000_000)])
def test_a_sample(text: str, number: int) -> None:
    assert one_in(text) == number


@pytest.mark.parametrize("text", ["", "0", "2/3", "1/0", "1/1000001", "1/-5", "10%"])
def test_no_sample(text: str) -> None:
    with pytest.raises(UserError, match="give 1/N"):
        one_in(text)


@pytest.mark.parametrize("url", ["", "here", "ftp://127.0.0.1", "127.0.0.1:4318", "http://"])
def test_no_url(url: str) -> None:
    with pytest.raises(UserError, match="give the receiver's URL"):
        exporter(url)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "deploy.tracing.otel")
    with pytest.raises(UserError, match=r"is not installed; install it with pip install 'trapline\[otel\]'"):
        exporting("http://127.0.0.1:1", "1/1", 0, "")


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[str, Any]], list[int]]]:
    """A URL, what was posted there, and the statuses to answer with (200 when there are no more)."""
    posted: list[tuple[str, Any]] = []
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()

        def log_message(self, *_told: Any) -> None:
            """It is quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", posted, statuses
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_receiver_over_http_gets_protobuf(receiver: tuple[str, list[Any], list[int]]) -> None:
    url, posted, statuses = receiver
    statuses.append(400)
    sending = Exporting(exporter(url), WALL_NS)
    sending.add(ANSWERED)
    sending.flush()
    assert (sending.exported, sending.failed) == (0, 3)
    sending.add(ANSWERED)
    sending.close()
    assert (sending.exported, sending.failed) == (3, 3)
    path, sent = posted[-1]
    assert path == "/v1/traces"
    spans = [span for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans]
    assert sorted(span.name for span in spans) == ["clock.CLOCK_RATE_GET", "el3", "xen"]
    assert len({span.trace_id for span in spans}) == 1
    root = next(span for span in spans if not span.parent_span_id)
    assert (root.start_time_unix_nano, root.end_time_unix_nano) == (WALL_NS + 1_000_000, WALL_NS + 1_400_000)
