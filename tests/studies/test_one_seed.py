"""Claims whose interval has an infinite end: one seed, or numbers beyond the floats. No number is invented for it."""

import json
import math

import numpy as np
import pytest
from stored import BASES, CLAIMS, STUDY, table

from clinometer.pages.comparison_table import difference_text
from clinometer.pages.tables import claims_table, verdict_text
from clinometer.results.run_table import RunTable
from clinometer.results.statistics import Interval, interval
from clinometer.studies.claims_json import claim_rows, to_finding
from clinometer.studies.declared.claims import comparison
from clinometer.studies.effect_text import effect_text
from clinometer.training.config import RunConfig

ARMS = {f"p {p:g}": RunConfig("nets:mlp", settings={"p": p}, steps=10) for p in (0.0, 0.5)}


def row_of(rule: str, *betas: tuple[float, float]) -> dict[str, object]:
    """The row of a claim on two arms whose β, at each seed, is chosen."""
    arrays = {
        arm.vary(seed=seed): {"landscape": {"beta": np.array([pair[which]])}}
        for which, arm in enumerate(ARMS.values())
        for seed, pair in enumerate(betas)
    }
    keys = {"id": "C", "quantity": "landscape.beta", "rule": rule, "compare": {"p": 0.5}, "to": {"p": 0.0}}
    (row,) = claim_rows([comparison("claims[0]", keys, ["p"])], RunTable.of_arrays(arrays, {}), ARMS)
    return row


@pytest.mark.parametrize("rule", ["ratio below 1", "ratio above 3", "difference above 0", "difference below 0"])
def test_one_seed_decides_nothing_and_says_so(rule: str) -> None:
    """A mean without an interval, in JSON that any reader takes, in the table, and in a line."""
    row = row_of(rule, (2.0, 6.0))
    assert row["verdict"] == "undecided"
    assert row["value"] == pytest.approx(3.0 if rule.startswith("ratio") else 4.0)
    assert (row["low"], row["high"], row["n"]) == (None, None, 1)
    assert row["note"] == "An interval needs at least two seeds."
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert "[no interval] (rule: " in str(verdict_text(row))
    assert claims_table([row]).row_count == 2 + len(row["parts"]) + bool(row["beside"])
    (part,) = to_finding(row).parts
    assert (part.interval.low, part.interval.high) == (-math.inf, math.inf)


def test_an_interval_may_reach_infinity() -> None:
    """Ratios of 1e300 and 1e-300 have a logarithm whose interval reaches beyond that of any float."""
    row = row_of("ratio below 1", (1.0, 1e300), (1e300, 1.0))
    assert (row["verdict"], row["low"], row["high"], row["n"]) == ("undecided", 0.0, None, 2)
    assert effect_text(row) == "a factor 1 [0, ∞]"
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert to_finding(row).parts[0].effect.high == math.inf
    row = row_of("difference above 0", (-1.7e308, 1.7e308), (1.0, 2.0))
    assert row["verdict"] == "undecided"
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_deviations_beyond_the_floats_leave_no_interval() -> None:
    """The squares of 1e200 are infinite; a warning would be an error here."""
    found = interval([1e200, -1e200])
    assert found == Interval(0.0, -math.inf, math.inf, 2)
    assert difference_text(found) == "0 [no interval]"
    assert difference_text(Interval(1.0, 0.0, math.inf, 2)) == "1 [0, inf]"


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_of_the_paper_takes_one_seed(name: str) -> None:
    """`--seeds 1` decides none of them, breaks none, and each says why."""
    arms = [arm for figure in CLAIMS[name].figures for arm in STUDY.figures[figure].arms(BASES)]
    (row,) = claim_rows([CLAIMS[name]], table(arms, 1), BASES)
    assert row["verdict"] == "undecided"
    assert row["note"].endswith("An interval needs at least two seeds.")
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert claims_table([row]).row_count == 2 + len(row["parts"]) + bool(row["beside"])
    assert row["id"] in str(verdict_text(row))
