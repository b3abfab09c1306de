"""Ten thousand spoiled platforms: each works, or is refused in one line that names the place.

A failure prints the command that makes the case again. ``corpus.yaml`` keeps what was found and mended.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.errors import UserError
from tests.mutation import cases, judge
from tests.mutation.cases import Case, Inputs
from tests.mutation.subjects import SUBJECTS

CASES_PER_KIND = 1300
CASES_PER_TEST = 130
CORPUS = yaml.safe_load(Path(__file__).with_name("corpus.yaml").read_text())

GOOD = {"start": "boots", "check": "clean"}

subjects = pytest.mark.parametrize("name", SUBJECTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return cases.fresh(tmp_path / "case")


def expect_silence(capfd: pytest.CaptureFixture[str]) -> None:
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", cases.KINDS)
@pytest.mark.parametrize("first", range(0, CASES_PER_KIND, CASES_PER_TEST))
def test_spoiled_files(folder: Path, kind: str, first: int, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in SUBJECTS}
    wrong = []
    with judge.little_memory():
        for seed in range(first, first + CASES_PER_TEST):
            case = cases.make(kind, seed, folder)
            found = {}
            for name, subject in SUBJECTS.items():
                found[name], complaint = judge.judged(name, subject, case)
                outcomes[name][found[name]] += 1
                wrong += [complaint] if complaint else []
            if found["start"].startswith("refused") and found["check"] != "refused":
                wrong.append(f"{case.replay}: 'up' refuses what is {found['check']} to 'check'")
    assert wrong == [], "\n\n".join(wrong[:5])
    expect_silence(capfd)
    for counted in outcomes.values():
        # A kind that is always refused, or never, would test little; only junk is no tree ever.
        assert counted["refused"]
        assert len(counted) > 1 or kind == "bytes", outcomes


def test_there_are_ten_thousand() -> None:
    assert len(cases.KINDS) * CASES_PER_KIND >= 10_000


@subjects
@pytest.mark.parametrize("entry", CORPUS, ids=[entry["found"][:40] for entry in CORPUS])
def test_what_was_found_before(folder: Path, name: str, entry: dict[str, Any]) -> None:
    inputs = edited(folder, entry)
    outcome, complaint = judge.judged(name, SUBJECTS[name], Case("corpus", CORPUS.index(entry), inputs))
    assert (outcome, complaint) == (entry["outcome"][name], None)
    if "told" in entry and name == "start":
        with pytest.raises(UserError) as raised:
            SUBJECTS[name](inputs)
        assert entry["told"] in str(raised.value)
        assert str(raised.value).count(entry["file"]) == 1


def edited(folder: Path, entry: dict[str, Any]) -> Inputs:
    """The good inputs with the entry's file changed."""
    path = folder / entry["file"]
    text = (path.read_bytes() if path.exists() else cases.good()[path.name]).decode("latin-1")
    for edit in entry["edits"]:
        assert edit["old"] in text, edit
        text = text.replace(edit["old"], edit["new"] * edit.get("times", 1), 1)
    path.write_bytes(text.encode("latin-1"))
    hosts = {"host.dts": ("host.dts",), "overlay.dts": ("host.dtb", "overlay.dts")}
    platform = "" if entry.get("derive") else "platform.toml"
    made = cases.inputs(folder, *hosts.get(path.name, ("host.dtb",)), platform=platform)
    return made._replace(dom0less={"cluster": path}) if path.name == "cluster.dts" else made


@subjects
def test_good_files_work(folder: Path, name: str) -> None:
    inputs = cases.inputs(folder, "host.dtb", "fragment.dts", xl=("ivi.cfg", "tcu.cfg"))
    assert judge.judged(name, SUBJECTS[name], Case("good", 0, inputs)) == (GOOD[name], None)


# ---- any bytes, by Hypothesis -----------------------------------------------------------------


@subjects
@pytest.mark.parametrize("role", ["host", "platform", "xl", "overlay"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes(folder: Path, name: str, role: str, content: bytes) -> None:
    path = folder / "any"
    path.write_bytes(content)
    good = cases.inputs(folder, "host.dtb")
    inputs = {
        "host": good._replace(host=(path,)),
        "platform": good._replace(platform=path),
        "xl": good._replace(xl=(path,)),
        "overlay": good._replace(host=(*good.host, path)),
    }[role]
    _, complaint = judge.judged(name, SUBJECTS[name], Case(role, 0, inputs))
    assert complaint is None


# ---- the judge itself -------------------------------------------------------------------------


def complaint_about(folder: Path, subject: Any) -> str | None:
    return judge.judged("planted", subject, cases.make("tree", 7, folder))[1]


def raising(error: BaseException) -> Any:
    def subject(_inputs: Inputs) -> str:
        raise error

    return subject


def test_a_crash_is_told_with_its_replay(folder: Path) -> None:
    told = complaint_about(folder, raising(KeyError("reg")))
    assert told is not None
    assert told.startswith("python -m tests.mutation tree 7: planted: KeyError: 'reg'")


def test_an_error_without_a_file_is_found(folder: Path) -> None:
    assert "names no file" in str(complaint_about(folder, raising(UserError("something is wrong"))))
    assert complaint_about(folder, raising(UserError(f"{folder / 'bad.dtb'}: is wrong"))) is None
    assert "one printable line" in str(complaint_about(folder, raising(UserError(""))))


def test_a_hang_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_inputs: Inputs) -> str:
        while True:
            pass

    monkeypatch.setattr(judge, "CPU_S", 0.05)
    assert "more than 0.05 s" in str(complaint_about(folder, hang))


def test_too_much_memory_is_refused(folder: Path) -> None:
    def hungry(_inputs: Inputs) -> str:
        return str(len(bytearray(2 * judge.MEMORY_BYTES)))

    with judge.little_memory():
        assert "MemoryError" in str(complaint_about(folder, hungry))


def test_equal_seeds_give_equal_files(folder: Path) -> None:
    for kind in cases.KINDS:
        first = [path.read_bytes() for path in cases.make(kind, 5, folder).inputs.files()]
        assert first == [path.read_bytes() for path in cases.make(kind, 5, folder).inputs.files()]
        assert first != [path.read_bytes() for path in cases.make(kind, 6, folder).inputs.files()]
