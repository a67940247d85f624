"""Rules that are fixed before the data."""

import dataclasses
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own import CLAIM, make, own, planned
from stored import STUDY

from clinometer.pages.study_page import report as study_page
from clinometer.pages.study_page.report import report
from clinometer.pages.verdicts import Verdicts
from clinometer.results.look_file import write_looks
from clinometer.results.rule_file import RecordedRule, merged_rules, read_rules
from clinometer.results.sequential import STATISTIC_VERSION
from clinometer.runner.records import RunRecord, note_start, write_record
from clinometer.store import DamagedError
from clinometer.studies import rules
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import above
from clinometer.studies.declared.spec import restored
from clinometer.studies.looks import check_seeds
from clinometer.studies.plan import Plan
from clinometer.studies.plan import plan as plan_of
from clinometer.studies.rules import digest_of, record_rules, statuses
from clinometer.training.files import write_sealed
from clinometer.training.run_folder import run_folder

WORDS = Claim(
    "C1",
    "it is larger",
    "§1",
    "above 0.5 seed by seed",
    (),
    lambda *_: Evidence((above("gap", [1.0]),)),
    {"bound": 0.5},
)


def test_the_digest_is_of_what_decides_and_of_nothing_else() -> None:
    """hashlib of the same facts, spelled out here. Source, figures, id and the order of names change nothing."""
    statistic = json.dumps(STATISTIC_VERSION)
    text = f'"rule": "above 0.5 seed by seed", "statement": "it is larger", "statistic": {statistic}'
    text = '{"bounds": {"bound": 0.5}, ' + text + "}"
    assert digest_of(WORDS) == hashlib.sha256(text.encode()).hexdigest()
    same = (
        {"source": "§2"},
        {"figures": ("figure_04",)},
        {"id": "C2"},
        {"bounds": {"bound": 0.50}},
    )
    for change in same:
        assert digest_of(dataclasses.replace(WORDS, **change)) == digest_of(WORDS)
    two = dataclasses.replace(WORDS, bounds={"low": 1, "high": 2})
    assert digest_of(two) == digest_of(dataclasses.replace(WORDS, bounds={"high": 2.0, "low": 1.0}))


@pytest.mark.parametrize("change", [{"statement": "x"}, {"rule": "x"}, {"bounds": {"bound": 0.4}}, {"bounds": {}}])
def test_a_change_of_what_decides_changes_the_digest(change: dict[str, object]) -> None:
    """Each of them would let a claim be decided otherwise after the data."""
    assert digest_of(dataclasses.replace(WORDS, **change)) != digest_of(WORDS)


def test_another_statistic_is_another_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words judged by another method are not the rule that was recorded."""
    before = digest_of(WORDS)
    monkeypatch.setattr(rules, "STATISTIC_VERSION", "another")
    assert digest_of(WORDS) != before


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without figures: a drawing takes a second, and says nothing of rules."""
    monkeypatch.setattr(study_page, "_drawn_figures", lambda *_: {})
    monkeypatch.setattr(study_page, "_save", lambda *_: None)


def row_of(folder: Path, plan: Plan) -> dict[str, Any]:
    """The row of the plan's first claim, by the runs in the folder."""
    return Verdicts(plan, folder).all_rows()[0]


def flip(path: Path) -> None:
    """Change one digit in a file, which stays JSON."""
    text = path.read_text()
    at = next(i for i in range(len(text) // 3, len(text)) if text[i].isdigit())
    path.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])


def test_a_rule_that_is_recorded_before_the_runs_confirms(tmp_path: Path) -> None:
    """The file itself is read, as the study's user would: seed, claim, the words, and a time between two looks at the
    clock."""
    plan = planned()
    before = datetime.now(UTC).replace(microsecond=0)
    record_rules(plan, tmp_path)
    held = json.loads((tmp_path / "rules.json").read_text())["100"]["worse"]
    assert held["digest"] == digest_of(plan.claims[0])
    assert held["rule"] == plan.claims[0].rule
    assert before <= datetime.fromisoformat(held["recorded"]) <= datetime.now(UTC)
    make(tmp_path, plan)
    record_rules(plan, tmp_path)
    row = row_of(tmp_path, plan)
    assert (row["verdict"], row["status"], row["status_reason"]) == ("holds", "confirmatory", "")
    assert (row["first_seed"], row["recorded"], row["recorded_rules"]) == (100, held["recorded"], ())
    assert json.loads((tmp_path / "rules.json").read_text())["100"]["worse"] == held


def test_a_rule_that_is_written_after_the_runs_explores(tmp_path: Path) -> None:
    """Runs without a record, as if somebody had removed it or had made them otherwise; recording now does not help."""
    plan = planned()
    make(tmp_path, plan)
    assert row_of(tmp_path, plan)["status_reason"] == rules.UNRECORDED
    (tmp_path / "looks.json").unlink()
    for _ in range(2):
        record_rules(plan, tmp_path)
        row = row_of(tmp_path, plan)
        assert (row["verdict"], row["status"], row["status_reason"]) == ("holds", "exploratory", rules.LATE)


@pytest.mark.parametrize("begun", ["done", "folder", "record", "damaged record", "look"])
def test_one_run_that_has_begun_is_enough_to_be_late(begun: str, tmp_path: Path) -> None:
    """Whatever tells of it: its folder, finished or not; its record, where the folder was taken away; a look."""
    plan = planned()
    run = plan.configs[3]
    if begun == "done":
        make(tmp_path, plan)
    elif begun == "folder":
        run_folder(tmp_path, run).mkdir(parents=True)
    elif begun == "look":
        write_looks(tmp_path, {"100": {"worse": {"gap": [2]}}})
    else:
        (tmp_path / "records").mkdir()
        note_start(tmp_path, run.key, dataclasses.asdict(run), "here:1")
        if begun == "damaged record":
            flip(tmp_path / "records" / f"{run.key}.json")
    record_rules(plan, tmp_path)
    assert statuses(plan, tmp_path)["worse"].status_reason == rules.LATE


def test_a_run_that_waits_has_not_begun(tmp_path: Path) -> None:
    """The scheduler writes the records of all runs before the first begins; a kill right after leaves this."""
    plan = planned()
    (tmp_path / "records").mkdir()
    for run in plan.configs:
        write_record(tmp_path, RunRecord(run.key))
    record_rules(plan, tmp_path)
    assert statuses(plan, tmp_path)["worse"].status == "confirmatory"


def test_a_kill_between_the_record_and_the_first_run_changes_nothing(tmp_path: Path) -> None:
    """The command is given again: the record is the same to the byte. No run has begun, so a rule may be mended."""
    plan = planned()
    record_rules(plan, tmp_path)
    first = (tmp_path / "rules.json").read_bytes()
    record_rules(plan, tmp_path)
    assert (tmp_path / "rules.json").read_bytes() == first
    mended = planned({**CLAIM, "rule": "difference above 0.1"})
    record_rules(mended, tmp_path)
    make(tmp_path, mended)
    assert row_of(tmp_path, mended)["status"] == "confirmatory"


@pytest.mark.parametrize(
    ("change", "named"), [({"rule": "difference above 0.5"}, "rule"), ({"statement": "it is better"}, "statement")]
)
def test_a_rule_that_changes_between_looks_is_marked_and_both_are_shown(
    change: dict[str, str], named: str, tmp_path: Path
) -> None:
    """The record stays; the page and the row have the old words and the new; the first rule again confirms again."""
    plan, changed = planned(), planned({**CLAIM, **change})
    record_rules(plan, tmp_path)
    make(tmp_path, plan)
    assert row_of(tmp_path, plan)["status"] == "confirmatory"
    held = (tmp_path / "rules.json").read_bytes()
    record_rules(changed, tmp_path)
    found = report(changed, tmp_path, "x").claims[0]
    assert (tmp_path / "rules.json").read_bytes() == held
    assert (found["status"], found["status_reason"]) == ("exploratory", f"rule changed after the data ({named})")
    assert found["recorded_rules"][0]["rule"] == plan.claims[0].rule
    page = (tmp_path / "report.html").read_text()
    assert "Exploratory: rule changed after the data" in page
    for claim in (plan.claims[0], changed.claims[0]):
        assert f"{claim.statement if named == 'statement' else claim.rule}" in page
    assert row_of(tmp_path, plan)["status"] == "confirmatory"


def test_a_claim_that_is_added_after_the_runs_explores_beside_one_that_confirms(tmp_path: Path) -> None:
    """A declared study whose file grows: the line above says what is true of most, and the new claim is marked."""
    added = {**CLAIM, "id": "better", "rule": "difference below 0"}
    plan, grown = planned(), planned(CLAIM, added)
    record_rules(plan, tmp_path)
    make(tmp_path, plan)
    record_rules(grown, tmp_path)
    rows = report(grown, tmp_path, "x").claims
    assert [row["status"] for row in rows] == ["confirmatory", "exploratory"]
    page = (tmp_path / "report.html").read_text()
    assert "before the first run, except where a claim is marked exploratory." in page
    assert page.count("exploratory: rule written after the data") == 1


def test_claims_that_the_first_command_leaves_out_are_recorded_too(tmp_path: Path) -> None:
    """With --only, the runs of one claim are among those of another, which is decided later by the rule of before."""
    part, whole = (plan_of(STUDY, "smoke", only, seeds=2, first_seed=100) for only in (["C1"], []))
    assert len(part.claims) < len(whole.claims)
    record_rules(part, tmp_path)
    for run in part.configs:
        run_folder(tmp_path, run).mkdir(parents=True)
    record_rules(whole, tmp_path)
    assert {status.status for status in statuses(whole, tmp_path).values()} == {"confirmatory"}


def test_nothing_is_recorded_for_pilots_nor_shared_between_ranges(tmp_path: Path) -> None:
    """Seeds 0, 1, 2 explore; those from 200 on have a record of their own, made by another rule than those from 100."""
    pilot, first, second = (planned(first_seed=seed) for seed in (0, 100, 200))
    second = planned({**CLAIM, "rule": "difference above 0.1"}, first_seed=200)
    record_rules(pilot, tmp_path)
    assert not (tmp_path / "rules.json").exists()
    make(tmp_path, pilot)
    assert row_of(tmp_path, pilot)["status_reason"] == rules.PILOT
    for plan in (first, second):
        record_rules(plan, tmp_path)
        make(tmp_path, plan)
    assert [row_of(tmp_path, plan)["status"] for plan in (first, second)] == ["confirmatory"] * 2


@pytest.mark.parametrize(("own_seeds", "first"), [((100, 100), 100), ((130, 107), 107), ((100, 99), 99), ((0, 100), 0)])
def test_seeds_of_the_arms_themselves_count(own_seeds: tuple[int, int], first: int, tmp_path: Path) -> None:
    """A study whose arms have seeds of their own begins at seed 0: the lowest seed of a run decides, by hand."""
    plan = planned(first_seed=0)
    spec = plan.study.figures[plan.figures[0]]
    arms = [dataclasses.replace(a, seed=s) for a, s in zip(spec.arms(plan.variants), own_seeds, strict=True)]
    figures = {plan.figures[0]: dataclasses.replace(spec, arms=lambda _: arms)}
    claims = tuple(dataclasses.replace(claim, arms=None) for claim in plan.study.claims)
    plan = plan_of(dataclasses.replace(plan.study, figures=figures, claims=claims), "own")
    record_rules(plan, tmp_path)
    (status,) = statuses(plan, tmp_path).values()
    assert (status.first_seed, status.status_reason) == (first, "" if first >= 100 else rules.PILOT)
    assert (tmp_path / "rules.json").exists() == (first >= 100)


@pytest.mark.parametrize(
    ("first_seed", "seeds", "apart"),
    [(102, 2, True), (99, 2, True), (104, 2, False), (0, 100, False), (100, 4, False)],
)
def test_seeds_that_were_looked_at_under_another_first_seed_explore(
    first_seed: int, seeds: int, apart: bool, tmp_path: Path
) -> None:
    """Seeds 100 to 103 against ranges that reach into them, end just before or begin just after; by sets."""
    plan = planned(seeds=4)
    record_rules(plan, tmp_path)
    write_looks(tmp_path, {str(first_seed): {"worse": {"gap": [seeds]}}})
    assert apart == (first_seed != 100 and bool({*range(100, 104)} & {*range(first_seed, first_seed + seeds)}))
    reason = rules.APART.format(first_seed) if apart else ""
    assert statuses(plan, tmp_path)["worse"].status_reason == reason


@pytest.mark.parametrize("name", ["rules.json", "looks.json"])
@pytest.mark.parametrize("damage", [flip, lambda path: path.write_text("{"), lambda path: path.write_bytes(b"\xff")])
def test_a_damaged_file_is_a_mark_and_stays_as_it_is(name: str, damage: Any, tmp_path: Path) -> None:
    """Whatever is done with the study meanwhile, the file is there to be mended, and the sound copy brings all back."""
    plan = planned()
    record_rules(plan, tmp_path)
    make(tmp_path, plan)
    report(plan, tmp_path, "x")
    sound = (tmp_path / name).read_bytes()
    damage(tmp_path / name)
    damaged = (tmp_path / name).read_bytes()
    assert damaged != sound
    record_rules(plan, tmp_path)
    check_seeds(plan, tmp_path)
    row = report(plan, tmp_path, "x").claims[0]
    assert (row["verdict"], row["status"]) == ("holds", "exploratory")
    assert f"{name} is damaged, so the" in row["status_reason"]
    assert f"{name} is damaged, so the" in (tmp_path / "report.html").read_text()
    assert (tmp_path / name).read_bytes() == damaged
    (tmp_path / name).write_bytes(sound)
    assert row_of(tmp_path, plan)["status"] == "confirmatory"


def test_rules_in_a_form_that_nobody_wrote_are_damaged(tmp_path: Path) -> None:
    """Sealed as if sound, so that the form alone is at fault."""
    for facts in ({"x": {}}, {"100": []}, {"100": {"worse": {}}}, {"100": {"worse": {"late": "", "others": []}}}):
        write_sealed(tmp_path / "rules.json", facts)
        with pytest.raises(DamagedError, match=r"rules\.json is damaged, so the rules recorded before the data"):
            read_rules(tmp_path)


def test_many_processes_record_one_rule(tmp_path: Path) -> None:
    """Eight at a time, as threads with a lock file of their own each: one record, of one of the times."""
    plan = planned()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: record_rules(plan, tmp_path), range(8)))
    assert list(read_rules(tmp_path)["100"]) == ["worse"]
    assert statuses(plan, tmp_path)["worse"].status == "confirmatory"
    assert not list(tmp_path.glob("*.partial"))


def test_a_claim_of_a_program_keeps_its_status_in_a_report(tmp_path: Path) -> None:
    """`report DIR` runs no program: from study.json it has the words and bounds, and so the digest."""
    claim = Claim("loss", "it is positive", "", "above 1", (), lambda *_: Evidence(()), {"bound": 1.0, "margin": 2})
    program = own(claim)
    facts = json.loads(json.dumps({"study": "rates", "declared": program.declared()}))
    assert [digest_of(each) for each in restored(facts, []).claims] == [digest_of(claim)]


TIMES = st.integers(0, 3).map(lambda day: f"2026-11-2{day}T00:00:00+00:00")
RULES = st.builds(
    lambda which, recorded, late: RecordedRule(f"d{which}", "", f"rule {which}", {}, "1", recorded, late),
    st.integers(0, 2),
    TIMES,
    st.sampled_from(["", rules.LATE]),
)
FILES = st.dictionaries(st.sampled_from(["100", "200"]), st.dictionaries(st.sampled_from(["C1", "C2"]), RULES))


@given(st.lists(FILES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_merged_rules_depend_on_no_order(files: list[Any], random: Any) -> None:
    """Laws of a union: any order, any grouping and any repetition give the same; the earliest rule is the main one."""
    shuffled = random.sample([*files, *files], 2 * len(files))
    merged = merged_rules([(each, None) for each in files])
    assert merged_rules([(each, None) for each in shuffled]) == merged
    steps = files[0]
    for each in files[1:]:
        steps = merged_rules([(steps, None), (each, None)])
    assert merged_rules([(steps, None)]) == merged
    for first, claims in merged.items():
        for claim, rule in claims.items():
            found = [each[first][claim] for each in files if claim in each.get(first, {})]
            assert rule.recorded == min(each.recorded for each in found)
            assert {rule.digest, *(each.digest for each in rule.others)} == {each.digest for each in found}
            assert bool(rule.late) == any(each.late for each in found)
