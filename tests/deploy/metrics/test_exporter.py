"""Meters as Prometheus text: values, bounded labels, and a server that nobody can upset."""

import socket
import struct
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

import deploy
from deploy.metrics.exporter import serve, snapshot
from deploy.metrics.exposition import MetersCollector
from nodes.meters import Meters
from nodes.metric_labels import OTHER
from nodes.metrics import CATALOGUE, LATENCY_BUCKETS_NS


@pytest.fixture
def meters() -> Meters:
    made = Meters("xen")
    made.counter("trapline_smc_traps_total")[("ivi", "doorbell", "forwarded")] += 3
    made.counter("trapline_bus_dropped_total")[("late",)] += 1
    made.histogram("trapline_scmi_queue_wait_seconds")[("3",)].observe(160_000)
    return made


@pytest.fixture
def port(meters: Meters) -> Iterator[int]:
    number, stop = serve(meters)
    yield number
    stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", number))


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def test_a_scrape(port: int) -> None:
    text = scrape(port)
    labels = 'domain="ivi",function="doorbell",verdict="forwarded"'
    assert f"trapline_smc_traps_total{{{labels}}} 3.0" in text
    assert 'trapline_scmi_queue_wait_seconds_bucket{agent="3",le="0.0001"} 0.0' in text
    assert 'trapline_scmi_queue_wait_seconds_bucket{agent="3",le="0.0002"} 1.0' in text
    assert 'trapline_scmi_queue_wait_seconds_sum{agent="3"} 0.00016' in text
    assert f'version="{deploy.__version__}"' in text


def test_only_what_the_role_owns_is_exported(meters: Meters) -> None:
    names = {family.name for family in MetersCollector(meters).collect()}
    owned = {metric.name.removesuffix("_total") for metric in CATALOGUE if metric.owner in ("xen", "every")}
    assert names == owned


def test_values_outside_a_closed_list_become_other(meters: Meters) -> None:
    meters.counter("trapline_smc_traps_total")[("ivi", "x", "forwarded")] += 1
    meters.counter("trapline_smc_traps_total")[("ivi", "y", "forwarded")] += 1
    found = [
        sample
        for family in MetersCollector(meters).collect()
        for sample in family.samples
        if sample.labels.get("function") == OTHER
    ]
    assert [sample.value for sample in found] == [2]


def test_label_values_are_escaped(meters: Meters, port: int) -> None:
    meters.counter("trapline_smc_traps_total")[('a"b\\c\nd', "doorbell", "refused")] += 1
    families = text_string_to_metric_families(scrape(port))
    names = {sample.labels.get("domain") for family in families for sample in family.samples}
    assert 'a"b\\c\nd' in names


def test_a_client_that_breaks_off_leaves_no_trace(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    for content in (b"GET /metrics HTTP/1.1\r\n\r\n", b"\0" * 1000, b""):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as stream:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stream.sendall(content)
        scrape(port)
    assert capfd.readouterr().err == ""


def test_a_taken_port_is_an_error(port: int, meters: Meters) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(meters, port)


def test_the_snapshot_is_a_copy(meters: Meters) -> None:
    found = snapshot(meters)
    meters.counter("trapline_bus_dropped_total")[("late",)] += 1
    assert found["counters"]["trapline_bus_dropped_total"] == {("late",): 1}
    counts = found["histograms"]["trapline_scmi_queue_wait_seconds"][("3",)]
    assert (len(counts), sum(counts)) == (len(LATENCY_BUCKETS_NS) + 1, 1)
