"""Claims as JSON: a paper's and a declared study's are one kind of object, and a row holds all of a finding."""

import dataclasses
import json

import numpy as np
import pytest
from stored import BASES, CLAIMS, STUDY, table

from clinometer.results.run_table import RunTable
from clinometer.results.statistics import Interval
from clinometer.studies.claims import Claim, Evidence, Finding, Part, judge
from clinometer.studies.claims_json import claim_rows, to_finding, to_row, with_holm
from clinometer.studies.comparison import above, below
from clinometer.studies.declared.spec import OwnStudy
from clinometer.studies.plan import plan
from clinometer.studies.seeds_needed import seeds_needed

OWN = OwnStudy(
    name="rates",
    model="nets:mlp",
    factors={"lr": [0.1, 0.2]},
    seeds=2,
    steps=2,
    claims=[
        {"id": "lower", "quantity": "train.loss", "rule": "ratio below 1", "compare": {"lr": 0.2}, "to": {"lr": 0.1}}
    ],
)


def test_a_comparison_and_a_papers_claim_make_the_same_objects() -> None:
    """Whoever reads claims.json need not know which kind of study wrote it: the keys agree at every level."""
    planned = plan(dataclasses.replace(OWN, seeds=8).study(), "own")
    losses = {config: {"train": {"loss": [4.0, 1.0 / config.settings["lr"]]}} for config in planned.configs}
    (own,) = claim_rows(planned.claims, RunTable.of_arrays(losses), planned.variants)
    arms = [arm for name in CLAIMS["C1"].figures for arm in STUDY.figures[name].arms(BASES)]
    (papers,) = claim_rows([CLAIMS["C1"]], table(arms), BASES)
    assert own["verdict"] == "holds"
    assert list(own) == list(papers)
    assert list(own["parts"][0]) == list(papers["parts"][0])


def test_a_declared_claim_waits_for_every_run_of_its_study() -> None:
    """A claim that needed no run would be decided before the first is made, and stay undecided."""
    planned = plan(OWN.study(), "own")
    (claim,) = planned.claims
    assert set(planned.runs_of(claim)) == set(planned.configs)
    assert len(planned.configs) == 4


@pytest.mark.parametrize("samples", [[1.0, 1.1, 0.9], [1.0], [np.nan, 1.0]], ids=["interval", "one seed", "not finite"])
def test_a_row_holds_all_of_a_finding(samples: list[float]) -> None:
    """Through the text of the file and back, compared field by field: no interval and no number come back as such."""
    evidence = Evidence((above("a", samples), below("b", samples, 2.0)), "a note", beside=(above("c", samples),))
    finding = judge(evidence)
    claim = Claim("C", "statement", "source", "rule", (), lambda _runs, _variants: finding)
    again = to_finding(json.loads(json.dumps(to_row(claim, finding), allow_nan=False)))
    np.testing.assert_equal(again.p, finding.p)
    assert (again.verdict, again.note) == (finding.verdict, finding.note)
    for ours, theirs in zip((*finding.parts, *finding.beside), (*again.parts, *again.beside), strict=True):
        assert (ours.name, ours.verdict) == (theirs.name, theirs.verdict)
        np.testing.assert_equal(theirs.p, ours.p)
        if ours.interval.value == ours.interval.value:  # of what is not finite only that is kept
            assert dataclasses.astuple(theirs.interval) == dataclasses.astuple(ours.interval)


@pytest.mark.parametrize(
    ("ps", "left"),
    [
        ([0.02, 0.04], ["holds", "holds"]),  # 0.02 · 2 and 0.04 · 1
        ([0.03, 0.04], ["undecided", "undecided"]),  # 0.03 · 2 is above 5%, and nothing after it is left
        ([0.001, 0.06, 0.02], ["holds", "undecided", "holds"]),  # 0.02 · 2: the smallest has left the table
        ([0.04, np.nan], ["holds", "undecided"]),  # what was not tested does not count
    ],
)
def test_verdicts_of_a_table_share_one_error(ps: list[float], left: list[str]) -> None:
    """Holm (1979) by hand. A verdict is kept or becomes undecided; the plain one stays beside it."""
    number, found = Interval(1.0, 0.5, 1.5, 3), Interval(np.nan, np.nan, np.nan, 0)
    rows: list[dict[str, object]] = []
    for p in ps:
        tested = p == p
        part = Part("gap", number if tested else found, "holds" if p <= 0.05 else "undecided", number, p=p)
        claim = Claim(f"C{len(rows)}", "statement", "source", "rule", (), lambda _runs, _variants: Evidence(()))
        rows.append(to_row(claim, Finding((part,))))
    assert [row["holm"] for row in with_holm(rows)] == left
    assert [row["verdict"] for row in with_holm(rows)] == ["holds" if p <= 0.05 else "undecided" for p in ps]


@pytest.mark.parametrize(
    ("samples", "told"),
    [([0.0, 1.0, 2.0], True), ([1.0, 1.1, 0.9, 1.0, 1.2], False), ([1.0], False), ([1.0, np.nan, 2.0], False)],
    ids=["open", "decided", "one seed", "not finite"],
)
def test_an_open_claim_has_the_seeds_that_it_needs(samples: list[float], told: bool) -> None:
    """They are those that `clinometer plan` tells of the same samples; a number that cannot be known is none."""
    evidence = Evidence((above("x", samples),))
    claim = Claim("C", "statement", "source", "rule", (), lambda *_: evidence)
    (row,) = claim_rows([claim], RunTable({}), {})
    needed = seeds_needed(evidence)
    assert row["seeds_needed"] == ({"likely": needed.likely, "cautious": needed.cautious} if told and needed else None)
    assert (row["seeds_needed"] is not None) == told
    kept = to_finding(json.loads(json.dumps(row)))
    (again,) = claim_rows([dataclasses.replace(claim, compare=lambda *_: kept)], RunTable({}), {})
    assert again["seeds_needed"] == row["seeds_needed"], "also of a finding that was kept"
