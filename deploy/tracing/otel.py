"""Calls as OpenTelemetry traces: a span for the guest, one for Xen in it, one for EL3 in that.

Needs the extra ``otel``. Spans are sent by whoever calls ``add``, in batches, with no thread behind: a slow
receiver makes the reader slow, and what is overwritten meanwhile is counted there. A call is sampled by a
hash of whose and which it is, so that two exporters choose the same.
"""

import hashlib
import logging
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from deploy import __version__
from deploy.errors import UserError
from deploy.tracing.calls import XEN, Call

BATCH_SPANS: Final = 512
TIMEOUT_S: Final = 5
PATH: Final = "/v1/traces"
SERVICES: Final = ("guest", XEN, "el3")


def exporter(url: str) -> SpanExporter:
    """For OTLP over HTTP; a URL without a path gets the usual one. Raises UserError for what is no URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UserError(f"--otlp {url}: give the receiver's URL, such as http://127.0.0.1:4318")
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # ``failed`` tells it
    whole = urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else PATH))
    return OTLPSpanExporter(endpoint=whole, timeout=TIMEOUT_S)


def sampled(call: Call, one_in: int) -> bool:
    """Whether this call is one of ``one_in``."""
    whose = f"{call.domain}#{call.incarnation}:{call.request}".encode()
    return int.from_bytes(hashlib.blake2b(whose, digest_size=8).digest()) % one_in == 0


class _Batch(SpanProcessor):
    """Spans that wait to be sent."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class Exporting:
    """``add`` calls, ``flush`` now and then and at the end. ``exported`` and ``failed`` count spans.

    ``wall_ns``: Unix time when the run began.
    """

    def __init__(self, to: SpanExporter, wall_ns: int, one_in: int = 1, cluster: str = "") -> None:
        self.exported = 0
        self.failed = 0
        self._to = to
        self._wall_ns = wall_ns
        self._one_in = one_in
        self._batch = _Batch()
        self._tracers = {service: self._tracer(service, cluster) for service in SERVICES}

    def _tracer(self, service: str, cluster: str) -> Tracer:
        about = {
            "service.name": f"trapline-{service}",
            "service.version": __version__,
            "trapline.cluster": cluster,
        }
        provider = TracerProvider(resource=Resource(about), shutdown_on_exit=False)
        provider.add_span_processor(self._batch)
        return provider.get_tracer("trapline", __version__)

    def add(self, call: Call) -> None:
        """Export it if it is sampled and over; what is known of it decides which spans there are."""
        end_ns = call.el3_out_ns if call.domain == XEN else call.returned_ns
        if end_ns is None or not call.over or not sampled(call, self._one_in):
            return
        begin_ns = call.at_ns if call.intended_ns is None else call.intended_ns
        name = f"{call.protocol}.{call.message}" if call.doorbell and call.message else "smc"
        span = self._open(XEN if call.domain == XEN else "guest", name, begin_ns, None, call)
        if call.failed:
            span.set_status(Status(StatusCode.ERROR, call.status or call.code or "refused by Xen"))
        inner = span
        if call.domain != XEN and call.xen_in_ns is not None:
            inner = self._open(XEN, "xen", call.xen_in_ns, span, call)
        if call.el3_in_ns is not None and call.el3_out_ns is not None:
            el3 = self._open("el3", "el3", call.el3_in_ns, inner, call)
            el3.end(self._wall_ns + call.el3_out_ns)
        if inner is not span:
            inner.end(self._wall_ns + (end_ns if call.el3_out_ns is None else call.el3_out_ns))
        span.end(self._wall_ns + end_ns)
        if len(self._batch.spans) >= BATCH_SPANS:
            self.flush()

    def _open(self, service: str, name: str, at_ns: int, parent: Span | None, call: Call) -> Span:
        return self._tracers[service].start_span(
            name,
            context=None if parent is None else set_span_in_context(parent),
            kind=SpanKind.CLIENT if parent is None else SpanKind.SERVER,
            attributes=_attributes(call),
            start_time=self._wall_ns + at_ns,
        )

    def flush(self) -> None:
        """Send what waits; what the receiver does not take is counted and forgotten."""
        spans, self._batch.spans = self._batch.spans, []
        if not spans:
            return
        if self._to.export(spans) is SpanExportResult.SUCCESS:
            self.exported += len(spans)
        else:
            self.failed += len(spans)

    def close(self) -> None:
        self.flush()
        self._to.shutdown()


def _attributes(call: Call) -> dict[str, str | int | bool]:
    found: dict[str, str | int | bool] = {
        "trapline.domain": call.domain,
        "trapline.incarnation": call.incarnation,
        "trapline.request": call.request,
        "trapline.cause": call.cause,
        "trapline.smc": call.smc,
        "trapline.function": call.function,
    }
    if call.agent >= 0:
        found["scmi.agent"] = call.agent
    for key, text in (
        ("scmi.protocol", call.protocol),
        ("scmi.message", call.message),
        ("scmi.status", call.status),
        ("scmi.request", call.asked),
        ("scmi.reply", call.answered),
        ("trapline.code", call.code),
    ):
        if text:
            found[key] = text
    if call.code:
        found["trapline.definite"] = call.definite
    return found
