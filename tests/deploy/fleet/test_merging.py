"""One result of many: the sums are the sums, the quantiles are of all calls, the order does not matter."""

from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.experiments import conductor
from deploy.experiments.judging.histogram import LatencyHistogram
from deploy.experiments.keeping import session
from deploy.fleet.ledger import Died, Done, Given, Record, Refused
from deploy.fleet.merging import Merge, Merged
from deploy.fleet.messages import COUNTS, AgentCount, Outcome, Times
from deploy.fleet.plan import Plan, jobs, order_of
from deploy.fleet.working import outcome
from tests.deploy.fleet.fleets import agent, done, plan

PLAN = Plan("small", "Small", "", 1, "1", ("profile=a,b,seed=1..4",))


def merged(records: list[Record], asked: Plan = PLAN) -> Merged:
    merge = Merge(asked, jobs(asked))
    for record in records:
        merge.see(record)
    return merge.merged()


def test_nothing_is_no_verdict() -> None:
    none = merged([])
    assert (none.verdict, none.planned, none.sums.latency.calls) == ("error", 8, 0)


def test_verdicts_by_cell_and_in_all() -> None:
    lost = Died(3, 3, "its worker was ended by SIGKILL", final=True)
    found = merged([done(0), done(1, verdict="fail"), done(2), lost, Given(4, 1), Refused(0, 1)])
    assert [dict(one.verdicts) for one in found.cells] == [
        {"pass": 2, "fail": 0, "error": 0, "lost": 0},
        {"pass": 0, "fail": 1, "error": 0, "lost": 1},
    ]
    assert found.verdict == "fail"
    assert [(one.job, one.verdict, one.cell, one.seed) for one in found.failures] == [
        (1, "fail", "profile=b", 1),
        (3, "lost", "profile=b", 2),
    ]
    assert found.failures[1].command == "trapline run small --profile b --seed 2"
    assert found.failures[1].reason == lost.how


def test_a_death_that_is_not_the_last_is_no_result() -> None:
    assert merged([Died(0, 1, "")]) == merged([])


COUNT = st.integers(0, 1000)
AGENTS = st.builds(
    AgentCount,
    domain=st.sampled_from(["dom0", "guest0", "guest1"]),
    **dict.fromkeys(COUNTS, COUNT),
    statuses=st.dictionaries(st.sampled_from(["SUCCESS", "DENIED"]), COUNT),
    codes=st.dictionaries(st.just("timeout"), COUNT),
    times=st.builds(Times, st.dictionaries(st.integers(0, 4000), st.integers(1, 50)), st.integers(0, 10**9)),
)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(["pass", "fail", "error"]),
    st.just("why"),
    st.just("trapline run small"),
    st.lists(AGENTS, max_size=3, unique_by=lambda one: one.domain).map(tuple),
    COUNT,
    COUNT,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(OUTCOMES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_sums_are_exact_and_the_order_does_not_matter(outcomes: list[Outcome], random: object) -> None:
    records: list[Record] = [Done(job, 1, one) for job, one in enumerate(outcomes)]
    found = merged(records)
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert msgspec.json.encode(merged(shuffled)) == msgspec.json.encode(found)
    every = [one for each in outcomes for one in each.agents]
    for name in COUNTS:
        assert found.sums.counts[name] == sum(getattr(one, name) for one in every)
        assert found.sums.counts[name] == sum(one.sums.counts[name] for one in found.cells)
        assert found.sums.counts[name] == sum(one.sums.counts[name] for one in found.agents)
    for status in ("SUCCESS", "DENIED"):
        assert found.sums.statuses.get(status, 0) == sum(one.statuses.get(status, 0) for one in every)
    assert sum(one.violations for one in found.cells) == sum(one.violations for one in outcomes)
    assert found.sums.latency.calls == sum(sum(one.times.buckets.values()) for one in every)
    assert len(found.failures) == sum(one.verdict != "pass" for one in outcomes)


def test_quantiles_are_of_all_calls_and_no_averages() -> None:
    """99 platforms with one fast call each and one with 901 slow ones: half of all calls are slow."""
    asked = Plan("small", "Small", "", 1, "1", ("seed=1..100",))
    fast, slow = agent(calls=1, bucket=100), agent(calls=901, bucket=2000)
    records: list[Record] = [Done(job, 1, Outcome("pass", "", "", (fast,))) for job in range(99)]
    records.append(Done(99, 1, Outcome("pass", "", "", (slow,))))
    found = merged(records, asked)
    alone = LatencyHistogram.of({100: 99, 2000: 901}, 40_000)
    assert found.sums.latency.p50_us == alone.quantile_us(0.5)
    assert found.sums.latency.p50_us > 100 * (LatencyHistogram.of({100: 1}, 40_000).quantile_us(0.5) or 0)
    assert found.slowest[0].job == 99


def test_the_sums_of_runs_are_those_of_their_results(tmp_path: Path) -> None:
    """Real runs: once through the fleet's worker, once each alone."""
    asked = plan(tmp_path, "seed=1..3")
    found = jobs(asked)
    records: list[Record] = [Done(one.number, 1, outcome(order_of(asked, one, 1, ""))) for one in found]
    total = merged(records, asked)
    results = []
    for one in found:
        scenario, seed, source = session.scene(asked.scenario, one.seed)
        results.append(conductor.run(scenario, seed, source=source))
    every = [one for result in results for one in result.agents]
    for name in COUNTS:
        assert total.sums.counts[name] == sum(getattr(one, name) for one in every)
    assert total.sums.counts["issued"] > 0
    assert total.sums.latency.calls == sum(one.latency["faults"].calls for one in every if one.latency)
    assert total.sums.latency.max_us == max(one.latency["faults"].max_us for one in every if one.latency)
    (one,) = merged(records[:1], asked).cells
    assert one.sums.latency.p99_us == results[0].agents[-1].latency["faults"].p99_us
    assert [record.outcome.fingerprint for record in records if isinstance(record, Done)] == [
        result.fingerprint for result in results
    ]
