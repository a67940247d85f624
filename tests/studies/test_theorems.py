import json
import math

import pytest
import torch

from clinometer.studies.theorems import Theorem, TheoremSpec, check, excess, named, relative_error, rows, select


def uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def theorem(case, **breaks) -> Theorem:
    return Theorem("hypothesis", "printed", "true", case, breaks, tolerance=0.25)


def test_the_worst_case_decides() -> None:
    """Errors chosen by hand, one of them just beyond the tolerance, in the middle of the cases."""
    errors = iter([0.0, 0.25, 0.26, 0.1])
    found = check(theorem(lambda _: next(errors)), cases=4)
    assert (found.verdict, found.worst) == ("failed", 0.26)
    assert check(theorem(lambda _: 0.25), cases=3).verdict == "verified"


def test_a_break_says_how_often_and_by_how_much() -> None:
    """By hand: 0.5 and infinity of four are beyond the tolerance, with an infinite median; of none there is none."""
    errors = iter([0.0, 0.5, math.inf, 0.25])
    found = check(theorem(lambda _: 0.0, some=lambda _: next(errors), none=lambda _: 0.0), cases=4)
    some, none = found.breaks
    assert (some.name, some.false, some.error) == ("some", 0.5, math.inf)
    assert none.false == 0.0
    assert math.isnan(none.error)
    assert found.verdict == "verified", "a break decides nothing about the true statement"


def test_what_is_no_number_fails() -> None:
    """NaN compares as false with everything, so it must not pass for an error of zero."""
    nothing = torch.tensor(math.nan)
    assert relative_error(nothing, torch.tensor(1.0), 1.0) == math.inf
    assert excess(nothing, torch.tensor(1.0), 1.0) == math.inf
    assert relative_error(torch.tensor(0.0), torch.tensor(0.0), 0.0) == math.inf


def test_equal_seeds_are_equal_checks_and_others_are_not() -> None:
    """So that a case which fails somewhere can be found again."""
    first, again, other = (check(theorem(uniform), cases=5, seed=seed).worst for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(("cases", "seed"), [(0, 0), (-1, 0), (1, -1), (1, 2**63)])
def test_bad_input(cases: int, seed: int) -> None:
    """Said before a case is tried."""
    with pytest.raises(ValueError, match="must"):
        check(theorem(lambda _: pytest.fail("tried")), cases, seed)


def test_the_rows_are_strict_json() -> None:
    """Infinities and NaN would not be."""
    found = {"theorem_1": check(theorem(lambda _: math.inf, none=lambda _: 0.0), cases=1)}
    listed = {"theorem_1": TheoremSpec("title", "source", lambda: found["theorem_1"].theorem)}
    (row,) = json.loads(json.dumps(rows(listed, found), allow_nan=False))
    assert (row["id"], row["verdict"], row["worst"]) == ("theorem_1", "failed", None)
    assert row["breaks"] == [{"name": "none", "false": 0.0, "error": None}]


def test_a_name_stands_for_its_parts() -> None:
    """`theorem_2` is what the paper calls it, whatever we have cut it into; and nothing else begins like it."""
    known = ["theorem_1", "theorem_2_part_1", "theorem_2_part_2", "theorem_20"]
    assert named(known, "theorem_2") == ["theorem_2_part_1", "theorem_2_part_2"]
    assert named(known, "theorem_2_part_2") == ["theorem_2_part_2"]
    assert select(known, ["theorem_20", "theorem_1"]) == ("theorem_1", "theorem_20")
    assert select(known, []) == tuple(known)
    with pytest.raises(ValueError, match=r"there are theorem_1, .* Did you mean 'theorem_1'"):
        select(known, ["theorem_3"])
