"""The catalogue: one owner per fact, few values per label, and cores that keep to their own part."""

import pytest

from deploy.engines.simulated import SimulatedEngine
from deploy.experiments.describing.faults import KINDS
from deploy.toolstack import Toolstack, Work
from deploy.topology import load_shipped
from nodes.limits import DOMAINS, STORY_ENTRIES
from nodes.meters import Histogram, Meters, quantile_ns
from nodes.metric_labels import FAULT, OTHER
from nodes.metrics import BY_NAME, CATALOGUE, LATENCY_BUCKETS_NS, ROLES, TARGET_LABELS, Metric
from nodes.story import Story

SERIES_MAX = 1_000_000


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_every_row_follows_the_conventions(metric: Metric) -> None:
    assert metric.owner in (*ROLES, "every")
    assert metric.name.startswith("trapline_")
    assert metric.name.endswith("_total") is (metric.type == "counter")
    assert metric.type in ("counter", "gauge", "histogram")
    if metric.type == "histogram":
        assert metric.name.endswith("_seconds")
    assert metric.help.endswith(".") or metric.help.startswith("1;")


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_labels_are_bounded(metric: Metric) -> None:
    for label in metric.labels:
        assert 1 <= label.bound <= 256
        assert label.most - (OTHER not in label.values) == label.bound
        assert len(set(label.values)) == len(label.values) <= label.bound
    names = [label.name for label in metric.labels]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_no_label_is_one_of_the_targets(metric: Metric) -> None:
    """Prometheus would keep the target's and call the metric's own exported_role."""
    assert {label.name for label in metric.labels}.isdisjoint(TARGET_LABELS)


def test_bounds_of_domains_hold_what_xen_holds() -> None:
    for metric in CATALOGUE:
        for label in metric.labels:
            if label.name in ("domain", "agent"):
                assert label.bound > DOMAINS - 1


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(CATALOGUE)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_keeps_its_own_metrics_and_no_others(role: str) -> None:
    meters = Meters(role)
    for metric in CATALOGUE:
        own = metric.owner in (role, "every")
        kept = meters.histogram if metric.type == "histogram" else meters.counter
        if own:
            assert kept(metric.name) is kept(metric.name)
        else:
            with pytest.raises(ValueError, match=f"{role} does not own"):
                kept(metric.name)


@pytest.mark.parametrize("name", ["trapline_nothing_total", "", "trapline_scmi_queue_wait_seconds"])
def test_a_misspelt_counter_is_found_when_a_core_is_built(name: str) -> None:
    with pytest.raises(ValueError, match="does not own a counter"):
        Meters("xen").counter(name)
    with pytest.raises(ValueError, match="does not own a histogram"):
        Meters("xen").histogram("trapline_smc_traps_total")


def test_what_a_whole_platform_counts_is_in_the_catalogue() -> None:
    """Every label tuple of every core has the row's width and only values that the row lists."""
    topology = load_shipped()
    engine = SimulatedEngine(topology, 1, lambda *_: None)
    toolstack = Toolstack(engine, topology, Work(run=True, think_ns=100_000))
    toolstack.start()
    engine.run(50_000_000)
    toolstack.reboot("ivi")
    toolstack.destroy("tcu")
    seen = set()
    for driver in engine.drivers().values():
        meters = driver.core.meters
        for kept in (meters.counters, meters.histograms):
            for name, series in kept.items():
                seen.update((name,) for labels in series if labels is not None)
                assert len(series) <= SERIES_MAX
                for labels in series:
                    _assert_listed(BY_NAME[name], labels)
    assert ("trapline_scmi_calls_total",) in seen
    assert ("trapline_agent_resets_total",) in seen


def _assert_listed(metric: Metric, labels: tuple[str, ...]) -> None:
    assert len(labels) == len(metric.labels), metric.name
    for label, value in zip(metric.labels, labels, strict=True):
        assert isinstance(value, str)
        assert not label.values or value in label.values, (metric.name, label.name, value)


def test_faults_are_called_what_scenarios_call_them() -> None:
    """Nodes cannot look the table up, so its names are in the catalogue too."""
    assert FAULT.values == (*(kind.name for kind in KINDS), "kill", "stop", "cont", OTHER)
    assert FAULT.bound == len(FAULT.values)


# ---- histograms -------------------------------------------------------------------------------


def test_buckets_ascend() -> None:
    assert list(LATENCY_BUCKETS_NS) == sorted(set(LATENCY_BUCKETS_NS))


def test_an_observation_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram()
    for value in (0, LATENCY_BUCKETS_NS[0], LATENCY_BUCKETS_NS[0] + 1, LATENCY_BUCKETS_NS[-1] + 1):
        histogram.observe(value)
    assert (histogram.counts[0], histogram.counts[1], histogram.counts[-1]) == (2, 1, 1)
    assert sum(histogram.counts) == 4
    assert histogram.sum_ns == 2 * LATENCY_BUCKETS_NS[0] + 1 + LATENCY_BUCKETS_NS[-1] + 1


@pytest.mark.parametrize("q", [0.0, 0.5, 0.99, 1.0])
def test_a_quantile_is_inside_its_bucket(q: float) -> None:
    histogram = Histogram()
    assert histogram.quantile_ns(q) == 0
    for _ in range(10):
        histogram.observe(LATENCY_BUCKETS_NS[3])
    if q:
        assert LATENCY_BUCKETS_NS[2] < histogram.quantile_ns(q) <= LATENCY_BUCKETS_NS[3]


def test_quantiles_do_not_fall() -> None:
    counts = [0, 5, 0, 3, 0, 0, 1, *[0] * (len(LATENCY_BUCKETS_NS) - 6)]
    found = [quantile_ns(counts, q / 20) for q in range(1, 21)]
    assert found == sorted(found)
    assert quantile_ns([*[0] * len(LATENCY_BUCKETS_NS), 4], 0.5) == LATENCY_BUCKETS_NS[-1]


# ---- stories ----------------------------------------------------------------------------------


def test_a_story_keeps_the_last_entries_and_counts_all() -> None:
    story = Story()
    for number in range(STORY_ENTRIES + 7):
        story.add(number * 1_000_000, "what", number, 0xAB)
    assert story.seen == STORY_ENTRIES + 7
    assert len(story.entries) == len(story.lines()) == STORY_ENTRIES
    assert story.lines()[0] == "0.007000 what request=7 0xab"


def test_what_is_counted_elsewhere_is_there_for_whoever_looks() -> None:
    """By name or all of them, and once only."""
    meters = Meters("guest")
    kept = meters.counter("trapline_bus_bytes_total")
    waiting = [3]

    def collect() -> None:
        while waiting:
            kept[("in",)] += waiting.pop()

    meters.collect = collect
    assert meters.counter("trapline_bus_bytes_total") == {("in",): 3}
    waiting.append(4)
    assert meters.counters["trapline_bus_bytes_total"] == {("in",): 7}
