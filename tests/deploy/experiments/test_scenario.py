"""Scenario files: what is read, and what is said of each mistake, with its place."""

from pathlib import Path

import pytest

from deploy.errors import UserError
from deploy.experiments.describing import problems, reference
from deploy.experiments.describing.lines import line_of
from deploy.experiments.describing.scenario import Scenario, ready

GOOD = """title = "A try"
seed = 3
platform = { guests = 2 }

[[load]]
domains = "guests"
kind = "open"
rate = [100, 200]

[[load]]
domains = ["guest0"]
kind = "closed"
mix = [{ message = "clock.CLOCK_RATE_SET", weight = 2, fields = { clock_id = 1 } }]

[[fault]]
kind = "link.delay"
at_ms = [10, 20]
delay_us = 5

[[threshold]]
measure = "p99_us"
domain = "guest1"
at_most = 5
times_solo = true
"""


def read(tmp_path: Path, text: str) -> Scenario:
    path = tmp_path / "one.toml"
    path.write_text(text, encoding="utf-8")
    return problems.read(path)[0]


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_a_good_file_is_read(tmp_path: Path) -> None:
    scenario = read(tmp_path, GOOD)
    assert scenario.seed == 3
    assert scenario.load[0].rate == (100.0, 200.0)
    assert scenario.fault[0].delay_us == 5.0
    assert scenario.threshold[0].times_solo


@pytest.mark.parametrize("name", ready())
def test_what_comes_with_trapline_is_right(name: str) -> None:
    scenario, path, _ = problems.read(name)
    assert scenario.title
    assert path.stem == name


SPOILED = [
    ('kind = "open"', 'kind = "opne"', "one.toml:7: load[0].kind: ", '"open"'),
    ("rate = [100, 200]", "rate = [200, 100]", "one.toml:8: load[0].rate:", "upside down"),
    ("rate = [100, 200]", "rate = -1", "one.toml:8: load[0].rate:", "below zero"),
    ("rate = [100, 200]", "rate = [1, 2, 3]", "one.toml:8: load[0].rate:", ""),
    ("rate = [100, 200]", "rate = 0", "one.toml:8: load[0].rate:", "needs arrivals"),
    ("rate = [100, 200]", "rate = nan", "one.toml:8: load[0].rate:", "0 or more"),
    ("rate = [100, 200]", "rat = 5", "one.toml:8: load[0].rat: there is no such key", "write rate"),
    ("rate = [100, 200]", "rate = 5\nburst_calls = 3", "one.toml:9: load[0].burst_calls", "both"),
    ("rate = [100, 200]", "rate = 5\nstart_ms = 3\nstop_ms = 2", "one.toml:10: load[0].stop_ms", "later"),
    ("rate = [100, 200]", "rate = 5\nthink_us = 3", "one.toml:9: load[0].think_us", "does not take it"),
    ("rate = [100, 200]", 'rate = 5\ntrace = "x"', "one.toml:9: load[0].trace", "both or neither"),
    ("rate = [100, 200]", 'rate = 5\nmix = "raeds"', "one.toml:9: load[0].mix", "did you mean 'reads'"),
    ("CLOCK_RATE_SET", "CLOCK_RATE_STE", "one.toml:13: load[1].mix", "did you mean 'CLOCK_RATE_SET'"),
    ("clock.CLOCK", "clok.CLOCK", "one.toml:13: load[1].mix", "did you mean 'clock'"),
    ("clock_id = 1", "clok_id = 1", "one.toml:13: load[1].mix", "did you mean 'clock_id'"),
    ("weight = 2", "weight = 0", "one.toml:13: load[1].mix", "weight"),
    ("link.delay", "link.delya", "one.toml:16: fault[0].kind", "did you mean 'link.delay'"),
    ("delay_us = 5", "rate = 5", "one.toml:18: fault[0].rate", "it takes at_ms, for_ms, every_ms, where"),
    ("delay_us = 5", "likelihood = 1.5", "one.toml:18: fault[0].likelihood", "at most 1"),
    ("delay_us = 5", 'messages = ["tarp"]', "one.toml:18: fault[0].messages", "did you mean 'trap'"),
    ("at_ms = [10, 20]", "at_ms = 1000", "one.toml:17: fault[0].at_ms", "after the faults phase"),
    (
        "delay_us = 5",
        '\n[[fault]]\nkind = "process.kill"\nfor_ms = 3',
        "one.toml:21: fault[1].for_ms",
        "over at once",
    ),
    ("link.delay", "guest.header_flip", "one.toml:18: fault[0].delay_us", "does not take it"),
    (
        '"link.delay"\nat_ms = [10, 20]\ndelay_us = 5\n',
        '"guest.header_flip"\n',
        "one.toml:16: fault[0].kind",
        'pages = "mapped"',
    ),
    (
        'kind = "link.delay"',
        'kind = "link.lose"\nto = "firmware"',
        "one.toml:19: fault[0].delay_us",
        "does not take it",
    ),
    ("p99_us", "p99us", "one.toml:21: threshold[0].measure", "did you mean 'p99_us'"),
    ("at_most = 5\n", "", "one.toml:20: threshold[0].at_most", "no bound"),
    ("at_most = 5", "at_most = 5\nat_least = 6", "one.toml:24: threshold[0].at_least", "swap"),
    ('"p99_us"', '"fairness"', "one.toml:22: threshold[0].domain", "all domains together"),
    ('domain = "guest1"\n', "", "one.toml:23: threshold[0].times_solo", "alone"),
    ("{ guests = 2 }", '{ name = "automotve" }', "one.toml:3: platform.name", "'automotive'"),
    (
        "{ guests = 2 }",
        '{ guests = 2, name = "automotive" }',
        "one.toml:3: platform.guests",
        "one of the two",
    ),
    ("{ guests = 2 }", '{ xl = ["a.cfg"] }', "one.toml:3: platform.xl", "host_dt"),
    ("{ guests = 2 }", "{ boards = 2 }", "one.toml:3: platform.boards", "guests"),
    ("{ guests = 2 }", "{ guests = 300 }", "one.toml:3: platform.guests: 300", "0 to 254"),
    ("{ guests = 2 }", '{ xen = "v12" }', "one.toml:3: platform.xen", "v11"),
    ("{ guests = 2 }", '{ firmware = "tff" }', "one.toml:3: platform.firmware", "tfa"),
    ("seed = 3", "seed = -3", "one.toml:2: seed", "0 to"),
    ("seed = 3", "sed = 3", "one.toml:2: sed: there is no such key", "seed"),
    ("seed = 3", 'record = "none"', "one.toml:2: record", "checked"),
    ("seed = 3", 'metering = { mode = "enforce" }', "one.toml:2: metering.mode", "limit"),
    ("seed = 3", 'explore = { operations = ["detroy"] }', "one.toml:2: explore.operations", "'destroy'"),
    ("seed = 3", 'swarm = { faults = ["el3.bussy"] }', "one.toml:2: swarm.faults", "'el3.busy'"),
    ("seed = 3", 'checkers = ["token"]', "one.toml:2: checkers", "did you mean 'tokens'"),
    ("seed = 3", 'known = ["progres"]', "one.toml:2: known", "did you mean 'progress'"),
    ('title = "A try"', "", "title: it is missing", "string"),
    ("seed = 3", "seed =", "one.toml:2", "TOML"),
]


@pytest.mark.parametrize(("there", "instead", "place", "says"), SPOILED)
def test_every_mistake_is_named_with_its_place(
    tmp_path: Path, there: str, instead: str, place: str, says: str
) -> None:
    said = complaint(tmp_path, GOOD.replace(there, instead, 1))
    assert place in said
    assert says in said


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ('where = "xen"\nto = "firmware"', True),
        ('where = "firmware"', True),
        ('where = "xen"', True),
        ('where = "guest0"', False),
        ('where = "guest0"\nto = "xen"', False),
    ],
)
def test_what_may_be_lost_between_xen_and_el3_needs_patience(tmp_path: Path, keys: str, wrong: bool) -> None:
    text = f'title = "x"\nplatform = {{ guests = 1 }}\n[[fault]]\nkind = "link.lose"\n{keys}\n'
    if wrong:
        assert "xen_patience_ms" in complaint(tmp_path, text)
    else:
        read(tmp_path, text)
    read(tmp_path, text + "[timing]\nxen_patience_ms = 40\n")


def test_domains_are_looked_up_on_the_platform(tmp_path: Path) -> None:
    scenario = read(tmp_path, GOOD)
    problems.check_domains(scenario, ("dom0", "guest0", "guest1"), "one.toml", GOOD)
    with pytest.raises(UserError, match=r"one.toml:11: load\[1\].domains: .*'guest0'; did you mean 'guests'"):
        problems.check_domains(scenario, ("guesta",), "one.toml", GOOD)
    with pytest.raises(UserError, match=r"one.toml:22: threshold\[0\].domain: .* did you mean 'guest0'"):
        problems.check_domains(scenario, ("dom0", "guest0"), "one.toml", GOOD)


def test_a_name_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"helo: no scenario .* did you mean 'hello'"):
        problems.read("helo")
    with pytest.raises(UserError, match=r"no/where\.toml: no such file"):
        problems.read("no/where.toml")


def test_lines() -> None:
    text = "a = 1\n[t]\nb = 2\n[[l]]\nc = 1\n[[l]]\n c = 2\nd = 3\n"
    assert [line_of(text, path) for path in ("a", "t.b", "t", "l[0].c", "l[1].c", "l[1].x", "l[2].c")] == [
        1, 3, 2, 5, 7, 6, None,
    ]  # fmt: skip


def test_every_key_has_a_meaning_and_every_table_a_section() -> None:
    page = reference.keys()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert not [row for row in rows if row.endswith("|  |")]
    for table in ("[platform]", "[timing]", "[[load]]", "[[fault]]", "[phases]", "[[threshold]]", "[swarm]"):
        assert f"### `{table}`" in page
