"""Two recordings compared by what they mean: what differs is found, and nothing else is."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bus import frames
from deploy.errors import UserError
from deploy.experiments.history.semantic import Semantic
from deploy.experiments.replaying import diff as subject
from deploy.experiments.replaying.diff import RunDifference, compare
from deploy.recording.decode import Decoder
from deploy.recording.events import Base, Ended, Event, Executed, Lived, Returned, Trapped
from deploy.recording.rows import domain_of
from deploy.topology import Topology, load_shipped
from tests.deploy.commands import run
from tests.deploy.experiments.recorded_run import recorded

Change = Callable[[list[Event]], list[Event]]
FAILED = (-9 & 0xFFFF_FFFF).to_bytes(4, "little")


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load_shipped()


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(Decoder().events(recorded().rows))


@pytest.fixture
def differ(tmp_path: Path, topology: Topology, events: list[Event]) -> Callable[[Change], RunDifference]:
    """The recorded run against itself with a change."""

    def made(change: Change) -> RunDifference:
        folders = []
        for name, told in (("a", events), ("b", change(list(events)))):
            folder = tmp_path / name
            folder.mkdir()
            written = Semantic(folder, name, topology)
            for event in told:
                written.see(event)
            written.close()
            folders.append(folder)
        return compare(*folders)

    return made


def later(event: Event, by_ns: int) -> Event:
    return msgspec.structs.replace(event, at_ns=event.at_ns + by_ns)


def changed(found: list[Event], kind: type[Base], number: int, **fields: object) -> list[Event]:
    """The list with the ``number``-th event of a kind changed."""
    at = [at for at, event in enumerate(found) if isinstance(event, kind)][number]
    found[at] = msgspec.structs.replace(found[at], **fields)
    return found


def parted(found: RunDifference) -> list[tuple[str, str]]:
    assert found.same == (not found.partings)
    return [(one.aspect, one.subject) for one in found.partings]


def test_a_run_is_the_same_as_itself_whenever_things_happened(
    differ: Callable[[Change], RunDifference],
) -> None:
    found = differ(lambda told: [later(event, 5_000) for event in told])
    assert parted(found) == []
    assert not found.outcomes
    there = {(one.aspect, one.subject) for one in found.sequences}
    assert {("calls", "ivi#2"), ("permissions", "agent 3"), ("resets", "agent 3"), ("life", "tcu")} <= there


def test_the_interleaving_of_domains_does_not_count(differ: Callable[[Change], RunDifference]) -> None:
    def apart(told: list[Event]) -> list[Event]:
        return sorted(told, key=lambda event: getattr(event, "domain", "") == "cluster#1")

    assert parted(differ(apart)) == []


@pytest.mark.parametrize("number", [0, 150, 255, 256, 257, 400])
def test_an_outcome_that_differs_is_found_where_it_is(
    differ: Callable[[Change], RunDifference],
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    monkeypatch.setattr(subject, "BLOCK", 16)
    returned = [event for event in events if isinstance(event, Returned)]
    victim = returned[number]
    index = sum(event.domain == victim.domain for event in returned[:number])
    found = differ(lambda told: changed(told, Returned, number, payload=FAILED, status=-9))
    assert parted(found) == [("calls", victim.domain)]
    (one,) = found.partings
    assert one.a is not None
    assert one.b is not None
    assert (one.index, one.a.number, one.b.number) == (index, victim.number, victim.number)
    before = one.a.text.split()[-1]
    assert one.b.text == one.a.text.replace(before, "HARDWARE_ERROR")
    counted = {(row.domain, row.outcome, row.b - row.a) for row in found.outcomes}
    name = domain_of(victim.domain)
    assert counted == {(name, before, -1), (name, "HARDWARE_ERROR", 1)}


def test_other_arguments_are_another_call(
    differ: Callable[[Change], RunDifference], events: list[Event]
) -> None:
    rung = [event for event in events if isinstance(event, Trapped)]
    number = next(at for at, event in enumerate(rung) if event.head & 0x3FFFF == 0x14 << 10 | 0x5)
    payload = rung[number].payload[:8] + bytes(8)
    found = differ(lambda told: changed(told, Trapped, number, payload=payload))
    assert parted(found) == [("calls", rung[number].domain)]
    assert not found.outcomes
    text = found.partings[0].b
    assert text is not None
    assert "CLOCK_RATE_SET(clock " in text.text
    assert "rate=0)" in text.text


def test_what_only_one_run_has_is_told(differ: Callable[[Change], RunDifference]) -> None:
    found = differ(lambda told: [one for one in told if getattr(one, "domain", "") != "cluster#1"])
    assert parted(found) == [("calls", "cluster#1")]
    assert found.partings[0].a is not None
    assert found.partings[0].b is None
    (row,) = (one for one in found.sequences if one.subject == "cluster#1")
    assert (row.b, row.same) == (0, False)


def test_a_sequence_that_goes_on_longer_differs_at_its_end(differ: Callable[[Change], RunDifference]) -> None:
    def shorter(told: list[Event]) -> list[Event]:
        last = [at for at, event in enumerate(told) if isinstance(event, Returned)][-1]
        return told[:last] + told[last + 1 :]

    (one,) = differ(shorter).partings
    assert one.b is None
    assert one.a is not None


def test_permissions_resets_and_lives_are_compared(differ: Callable[[Change], RunDifference]) -> None:
    def otherwise(told: list[Event]) -> list[Event]:
        changed(told, Lived, -1, event="refused")
        own = {event.request for event in told if type(event).__name__ == "Forwarded" and not event.domain}
        numbers = [at for at, one in enumerate(told) if isinstance(one, Executed) and one.request in own]
        for at in numbers:
            told[at] = msgspec.structs.replace(told[at], payload=FAILED, status=-9)
        return told

    aspects = {aspect for aspect, _ in parted(differ(otherwise))}
    assert aspects == {"permissions", "resets", "life"}


def test_guests_own_words_count_only_where_there_are_no_others(
    differ: Callable[[Change], RunDifference],
) -> None:
    call = Ended(10**6, 10**9, "ivi#1", 3, 0x14 << 10 | 0x6, 10**9 - 4_000, 0, "", True, -3)

    def only_words(told: list[Event]) -> list[Event]:
        return [*(one for one in told if not isinstance(one, (Trapped, Returned))), call]

    found = differ(only_words)
    assert ("calls, as guests tell", "ivi#1") in parted(found)
    (latency,) = found.latency
    assert latency.domain == "ivi"
    assert latency.a == (None,) * len(subject.QUANTILES)
    assert latency.b[0] == pytest.approx(4.0, rel=0.01)


def test_words_beside_the_wire_do_not_count_twice(differ: Callable[[Change], RunDifference]) -> None:
    call = Ended(10**6, 10**9, "ivi#1", 3, 0x14 << 10 | 0x6, 10**9 - 4_000, 0, "", True, -3)
    assert parted(differ(lambda told: [*told, call])) == []


def test_without_a_decoded_history_the_frames_are_read(tmp_path: Path) -> None:
    a, b = (recorded().save(tmp_path / name) for name in "ab")
    assert compare(a, b).same
    rows = list(recorded().rows)
    at = [at for at, row in enumerate(rows) if row[1] == "ivi#1" and len(row[5]) > 28][5]
    rows[at] = (*rows[at][:5], rows[at][5][:28] + FAILED)
    msgspec.structs.replace(recorded(), rows=tuple(rows)).save(b)
    assert parted(compare(a, b)) == [("calls", "ivi#1")]
    with pytest.raises(UserError, match=r"run\.json"):
        compare(a, tmp_path)


def test_the_command(tmp_path: Path) -> None:
    a, b = (str(recorded().save(tmp_path / name)) for name in "ab")
    death = frames.encode(frames.Lifecycle(1, 0, 0, 4, "tcu", "crashed", ""))
    rows = (*recorded().rows, (10**9, "toolstack", "xen", 0, death, b""))
    c = str(msgspec.structs.replace(recorded(), rows=rows).save(tmp_path / "c"))

    same = run("diff", a, b)
    assert (same.exit_code, same.stdout.partition("\n")[0]) == (0, "same")
    different = run("diff", a, c)
    assert different.exit_code == 1
    assert "tcu: life part at number 7" in different.stdout
    lines = [line.rstrip() for line in different.stdout.splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) <= 80
    told = msgspec.json.decode(run("diff", a, c, "--json").stdout)
    assert told["same"] is False
    assert told["partings"][0]["a"] is None
