"""Looks at the data: every verdict is noted before it is shown, and those before it are paid for."""

import contextlib
import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own import CLAIM, described, make, planned

from clinometer.cli.app import main
from clinometer.pages.verdicts import Verdicts
from clinometer.results.look_file import read_looks, union, write_looks
from clinometer.results.merge import merge
from clinometer.results.rule_file import UNRECORDED, read_rules
from clinometer.store import DamagedError
from clinometer.studies import looks as module
from clinometer.studies.looks import add_looks, check_seeds, most_seeds, noted_looks
from clinometer.studies.plan import Plan
from clinometer.studies.rules import DIFFERENT, record_rules, statuses
from clinometer.training.files import write_sealed
from clinometer.training.study_file import write_study

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_study" / "study.yaml"
PART = "train.loss at the end, difference"


def decided(plan: Plan, folder: Path) -> dict[str, Any]:
    return Verdicts(plan, folder).all_rows()[0]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_more_seeds_are_a_second_look_and_the_same_seeds_are_none(tmp_path: Path) -> None:
    """The file as a user reads it, and the looks that the row says it pays for."""
    two, four = planned(seeds=2), planned(seeds=4)
    make(tmp_path, two)
    first = decided(two, tmp_path)
    held = (tmp_path / "looks.json").read_bytes()
    assert json.loads(held)["100"] == {"worse": {PART: [2]}}
    assert decided(two, tmp_path) == first
    assert (tmp_path / "looks.json").read_bytes() == held
    make(tmp_path, four)
    assert decided(four, tmp_path)["parts"][0]["looks"] == [2, 4]
    assert read_looks(tmp_path) == {"100": {"worse": {PART: [2, 4]}}}
    assert decided(four, tmp_path)["parts"][0]["looks"] == [2, 4]


def test_a_second_look_is_paid_for(tmp_path: Path) -> None:
    """The same four seeds with and without a look at two of them: the interval that paid is wider, on both sides."""
    four = planned(seeds=4)
    make(tmp_path / "once", four)
    once = decided(four, tmp_path / "once")
    shutil.copytree(tmp_path / "once" / "runs", tmp_path / "twice" / "runs")
    decided(planned(seeds=2), tmp_path / "twice")
    twice = decided(four, tmp_path / "twice")
    assert twice["low"] < once["low"] < once["high"] < twice["high"]


def test_one_seed_is_no_look(tmp_path: Path) -> None:
    """It has no interval and so decides nothing: there is nothing to pay for."""
    make(tmp_path, one := planned(seeds=1))
    assert decided(one, tmp_path)["verdict"] == "undecided"
    assert not (tmp_path / "looks.json").exists()


def test_a_verdict_that_cannot_be_noted_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up at the worst moment: no row comes out, and the next call looks for the first time."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    make(tmp_path, plan := planned())
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_looks", full)
        verdicts = Verdicts(plan, tmp_path)
        assert verdicts.new_rows() == []
        with pytest.raises(OSError, match="No space left"):
            verdicts.all_rows()
    assert not (tmp_path / "looks.json").exists()
    assert decided(plan, tmp_path)["parts"][0]["looks"] == [2]


def test_fewer_seeds_than_at_a_look_are_refused(tmp_path: Path) -> None:
    """Also where only one of several parts was looked at with more; the same number, more, or other seeds are taken."""
    write_looks(tmp_path, {"100": {"worse": {"gap": [3], "rest": [3, 6]}, "gone": {"gap": [9]}}})
    with pytest.raises(
        ValueError, match=r"--seeds 3, but claim worse was looked at with 6 seeds.*say --seeds 6 or more"
    ):
        check_seeds(planned(seeds=3), tmp_path)
    assert most_seeds(tmp_path, 100) == {"worse": 6, "gone": 9}
    assert most_seeds(tmp_path, 0) == {}
    for plan in (planned(seeds=6), planned(seeds=7), planned(seeds=3, first_seed=200)):
        check_seeds(plan, tmp_path)


@pytest.mark.parametrize("command", ["reproduce", "run"])
def test_the_commands_refuse_before_any_work(command: str, tmp_path: Path) -> None:
    """Status 2, one line, and every file of the folder as it was."""
    words = ["reproduce", "santurkar2018", "--only", "F2"] if command == "reproduce" else ["run", str(EXAMPLE)]
    name = "F2" if command == "reproduce" else "smoother"
    folder = tmp_path / "out"
    folder.mkdir()
    write_study(folder, {"study": "santurkar2018"})
    write_looks(folder, {"100": {name: {"gap": [9]}}})
    before, err = files(folder), io.StringIO()
    with contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([*words, "--seeds", "2", "--first-seed", "100", "--to", str(folder)])
    assert ended.value.code == 2
    assert f"--seeds 2, but claim {name} was looked at with 9 seeds" in err.getvalue()
    assert err.getvalue().count("\n") == 1
    assert files(folder) == before


def test_a_report_of_fewer_runs_than_at_a_look_decides_nothing(tmp_path: Path) -> None:
    """Two of six runs were lost: what was seen with three seeds cannot be unseen, and the file still says three."""
    make(tmp_path, plan := planned(seeds=3))
    assert decided(plan, tmp_path)["verdict"] == "holds"
    for run in plan.configs[-2:]:
        shutil.rmtree(tmp_path / "runs" / run.key)
    row = decided(plan, tmp_path)
    assert row["verdict"] == "undecided"
    assert row["parts"][0]["remark"]
    assert read_looks(tmp_path) == {"100": {"worse": {PART: [3]}}}


def test_looks_at_a_time_are_all_kept(tmp_path: Path) -> None:
    """Twenty writers on one file, as threads with a lock file of their own each: no look of one is lost by another."""

    def look(number: int) -> None:
        with noted_looks(tmp_path, 100) as looks:
            add_looks(looks, [{"id": f"C{number}", "parts": [{"name": "gap", "n": 2 + number}], "beside": []}])

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(look, range(20)))
    assert read_looks(tmp_path)["100"] == {f"C{number}": {"gap": [2 + number]} for number in range(20)}


@pytest.mark.parametrize(
    "facts", [{"x": {}}, {"0": []}, {"0": {"C1": [3]}}, {"0": {"C1": {"gap": 3}}}, {"0": {"C1": {"gap": [3.5]}}}]
)
def test_looks_in_a_form_that_nobody_wrote_are_damaged(facts: dict[str, Any], tmp_path: Path) -> None:
    """Sealed as if sound, so that the form alone is at fault."""
    write_sealed(tmp_path / "looks.json", facts)
    with pytest.raises(DamagedError, match=r"looks\.json is damaged, so the earlier looks are not known"):
        read_looks(tmp_path)


COUNTS = st.lists(st.integers(2, 30), unique=True).map(sorted)
LOOKS = st.dictionaries(
    st.sampled_from(["0", "100"]),
    st.dictionaries(st.sampled_from(["C1", "C2"]), st.dictionaries(st.sampled_from(["gap", "β"]), COUNTS)),
)


@given(LOOKS, LOOKS, LOOKS)
def test_a_union_of_looks_is_one(one: Any, two: Any, three: Any) -> None:
    """The laws of sets: no order, no grouping, no repetition matters, and nothing is lost."""
    both = union(one, two)
    assert union(two, one) == both == union(both, one) == union(both, both)
    assert union(union(one, two), three) == union(one, union(two, three)) == union(one, two, three)
    for first, claims in one.items():
        for claim, parts in claims.items():
            for part, counts in parts.items():
                assert set(counts) <= set(both[first][claim][part])
                assert both[first][claim][part] == sorted(set(both[first][claim][part]))


@given(st.lists(st.integers(0, 12)))
def test_noted_looks_increase(counts: list[int]) -> None:
    """Seeds come and go in any way: what is noted is each new largest number from two on."""
    looks: dict[str, dict[str, list[int]]] = {}
    for n in counts:
        add_looks(looks, [{"id": "C1", "parts": [{"name": "gap", "n": n}], "beside": []}])
    records = [n for i, n in enumerate(counts) if n >= 2 and n > max([1, *counts[:i]])]
    assert looks.get("C1", {}).get("gap", []) == records


def test_merging_keeps_the_looks_of_all_folders(tmp_path: Path) -> None:
    """Seeds made in two places, looked at in both: in the merged folder both looks are paid for."""
    for name, seeds in (("a", 2), ("b", 3)):
        plan = planned(seeds=seeds)
        described(tmp_path / name, plan)
        record_rules(plan, tmp_path / name)
        make(tmp_path / name, plan)
        decided(plan, tmp_path / name)
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    row = decided(planned(seeds=4), tmp_path / "all")
    assert (row["n"], row["parts"][0]["looks"], row["status"]) == (3, [2, 3], "confirmatory")
    assert row["recorded"] == read_rules(tmp_path / "a")["100"]["worse"].recorded


@pytest.mark.parametrize(
    ("other", "reason"),
    [({**CLAIM, "rule": "difference above 0.1"}, DIFFERENT), (None, UNRECORDED)],
)
def test_merging_with_another_rule_or_with_none_explores(other: Any, reason: str, tmp_path: Path) -> None:
    """The second folder recorded another rule; or its runs were made without any, perhaps before the first's rule."""
    plan = planned()
    for name, recorded in (("a", plan), ("b", other and planned(other))):
        described(tmp_path / name, plan)
        if recorded:
            record_rules(recorded, tmp_path / name)
        make(tmp_path / name, plan)
    for folders in (["a", "b"], ["b", "a"]):
        to = tmp_path / "".join(folders)
        merge([tmp_path / name for name in folders], to)
        status = statuses(plan, to)["worse"]
        assert (status.status, status.status_reason) == ("exploratory", reason)


@pytest.mark.parametrize("name", ["looks.json", "rules.json"])
def test_merging_a_damaged_file_is_an_error_and_makes_nothing(name: str, tmp_path: Path) -> None:
    """What the damaged file said would be lost in the merged folder."""
    described(tmp_path / "a", plan := planned())
    make(tmp_path / "a", plan)
    (tmp_path / "a" / name).write_text("{")
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        merge([tmp_path / "a"], tmp_path / "all")
    assert not (tmp_path / "all").exists()
