"""How a comparison, its looks and its parts become a verdict: by hand, by simulation, and what must always agree."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clinometer.results.sequential_sign import sign_interval, sign_p
from clinometer.results.sequential_t import t_interval, t_p
from clinometer.studies.claims import Evidence, Finding, judge, judge_part
from clinometer.studies.comparison import FACTOR, Comparison, above, below, within
from clinometer.studies.estimate import estimate

FIVE = [1.0, 1.1, 0.9, 1.2, 0.8]
SAMPLES = st.lists(st.floats(-10, 10), min_size=1, max_size=9) | st.lists(st.sampled_from([-1.0, 0.0, 2.0]), min_size=1)
COMPARISONS = st.one_of(
    st.builds(lambda samples, method: above("a", samples, method=method), SAMPLES, st.sampled_from(["t", "sign"])),
    st.builds(lambda samples, method: below("b", samples, method=method), SAMPLES, st.sampled_from(["t", "sign"])),
    st.builds(lambda samples: within("w", samples, -1.5, 1.5), SAMPLES),
)


def test_earlier_looks_are_paid_for_and_the_same_look_is_not_another() -> None:
    """By the definition of spending: the limit depends on the looks taken; a second one at five is none."""
    samples = above("a", FIVE)
    assert estimate(samples, [3]).interval == t_interval(FIVE, [3])
    assert estimate(samples, [3, 5]) == estimate(samples, [3])
    assert estimate(samples).interval.low > estimate(samples, [3]).interval.low
    assert judge_part(samples, [3]).looks == (3, 5)


def test_one_seed_that_was_looked_at_costs_nothing() -> None:
    """It has no interval, so it cannot have decided anything."""
    assert estimate(above("a", FIVE), [1]).interval == t_interval(FIVE)


def test_a_look_at_fewer_seeds_than_before_decides_nothing() -> None:
    """Whoever saw eight could pick the five that please; nothing that five say counts then."""
    part = judge_part(above("a", FIVE), [8])
    assert (part.verdict, part.interval.low, part.interval.high) == ("undecided", -math.inf, math.inf)
    assert math.isnan(part.p)
    assert part.remark == "there was a look at 8 seeds: one at 5 decides nothing"


@pytest.mark.parametrize(
    ("samples", "remark"),
    [
        ([0.0] * 3, "all 3 values are equal; decided by the sign test, for which the seeds are too few"),
        ([0.0] * 8, "all 8 values are equal; decided by the sign test; the interval has no width"),
        ([1.0] * 7 + [2.0], "2 distinct values; decided by the sign test"),
        ([1.0, 2.0], ""),
        ([1.0, math.inf, 2.0], "1 of 3 samples is not finite"),
    ],
)
def test_samples_that_student_does_not_fit_are_named(samples: list[float], remark: str) -> None:
    """Their deviation is 0, a count's, or none: an interval from it would be a plausible wrong number."""
    found = estimate(above("a", samples))
    assert found.remark == remark
    if "sign test" in remark:
        assert found.interval == sign_interval(samples)


def test_equal_values_decide_once_their_number_does() -> None:
    """[0, 0] from three seeds is no certainty: eight equal seeds agree by chance in 2/256, three in 2/8."""
    assert judge_part(below("b", [0.0] * 3, 1.0)).verdict == "undecided"
    assert judge_part(below("b", [0.0] * 8, 1.0)).verdict == "holds"


def test_what_never_happened_may_decide_by_signs() -> None:
    """A delay that is infinite in seven of eight seeds is longer than 10 steps; its upper end is infinite."""
    part = judge_part(above("delay", [40.0, *[math.inf] * 7], 10.0, method="sign"))
    assert (part.verdict, part.interval.low, part.interval.high) == ("holds", 40.0, math.inf)
    assert part.inside
    assert judge_part(below("delay", [40.0, *[math.inf] * 7], 10.0, method="sign")).verdict == "fails"


@given(COMPARISONS)
def test_the_verdict_and_p_agree(comparison: Comparison) -> None:
    """A part is decided where p is at most 5%, and p is of the end that decides: both, for a centre within two."""
    part = judge_part(comparison)
    if part.interval.low in part.bounds or part.interval.high in part.bounds:
        return  # an interval that just touches a bound decides nothing; p may then be 5%
    assert (part.p <= 0.05) == (part.verdict != "undecided")
    of = {"t": t_p, "sign": sign_p}["sign" if "sign test" in part.remark else comparison.method]
    if comparison.name == "w" and part.inside:
        assert part.p == max(of(comparison.samples, end) for end in (-1.5, 1.5))


def test_equivalence_is_wrongly_found_in_5_percent_at_most() -> None:
    """Simulated at the margin's edge, where it is hardest: two one-sided tests, each at half of what is spent."""
    samples = np.random.default_rng(3).normal(1.0, 0.1, size=(2000, 8))
    wrong = np.mean([judge_part(within("w", row, -1.0, 1.0)).verdict == "holds" for row in samples])
    expected = 0.028 * (1 - 1.5 / 8) / 2
    assert wrong == pytest.approx(expected, abs=4 * (expected / 2000) ** 0.5)


def finding(*samples: list[float]) -> Finding:
    return judge(Evidence(tuple(above(f"part {k}", each) for k, each in enumerate(samples))))


def test_a_claim_holds_if_all_parts_do_and_its_p_is_the_largest() -> None:
    """The intersection-union test (Berger, 1982): the level is that of the weakest part, without a correction."""
    found = finding(FIVE, [2.0, 2.1, 1.9, 2.2, 1.8])
    assert found.verdict == "holds"
    assert found.p == max(part.p for part in found.parts) <= 0.05


def test_a_part_that_fails_fails_the_claim_only_at_its_share_of_the_level() -> None:
    """One of m parts fails by chance more often than one alone: Bonferroni's correction, by hand."""
    barely = [-0.9, -1.6, -0.3, -1.3, -0.8]
    (part,) = finding(barely).parts
    assert part.verdict == "fails"
    assert 0.025 < part.p <= 0.05
    assert (finding(barely).verdict, finding(barely).p) == ("fails", part.p)
    two = finding(barely, FIVE)
    assert (two.verdict, two.p) == ("undecided", 2 * part.p)
    clearly = finding([each * 0.1 - 3 for each in barely], FIVE)
    assert clearly.verdict == "fails"


def test_false_failures_of_six_parts_stay_below_5_percent() -> None:
    """Simulated: six independent parts that are true by nothing; without the correction one in eight would fail."""
    samples = np.random.default_rng(4).normal(size=(400, 6, 8))
    found = [finding(*parts.tolist()) for parts in samples]
    uncorrected = np.mean([any(part.verdict == "fails" for part in each.parts) for each in found])
    corrected = np.mean([each.verdict == "fails" for each in found])
    one_sided = 0.028 * (1 - 1.5 / 8) / 2
    assert uncorrected == pytest.approx(1 - (1 - one_sided) ** 6, abs=4 * 0.013)
    assert corrected <= 0.05


def test_what_was_not_tested_has_no_p() -> None:
    """A claim of parts without numbers is not among the hypotheses of a table."""
    assert math.isnan(finding([math.nan, 1.0]).p)
    mixed = finding([math.nan] * 5, [-1.0, -1.1, -0.9, -1.2, -0.8])
    assert (mixed.verdict, mixed.p) == ("fails", 2 * mixed.parts[1].p)


@given(st.lists(st.lists(st.floats(-3, 3), min_size=3, max_size=7, unique=True), min_size=1, max_size=4))
def test_a_claim_is_decided_where_its_p_is_at_most_5_percent(samples: list[list[float]]) -> None:
    """Whoever adjusts p for the number of claims must start from the verdict that stands beside it."""
    found = finding(*samples)
    assert (found.p <= 0.05) == (found.verdict != "undecided")


def test_effects_that_are_told_as_factors_are_decided_as_logarithms() -> None:
    """A factor of 10 with the limits of scipy's interval at the error that is spent, as powers of ten."""
    part = judge_part(above("a", FIVE, unit=FACTOR))
    error = 0.028 * (1 - 1.5 / 5)
    theirs = stats.ttest_1samp(FIVE, 0).confidence_interval(1 - error)
    assert (part.effect.low, part.effect.high) == pytest.approx((10**theirs.low, 10**theirs.high))
    assert part.bounds == (1.0, math.inf)
