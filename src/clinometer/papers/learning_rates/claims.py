"""What is asked of `suggest_lr`, decided on the held-out set."""

from collections.abc import Hashable, Sequence

from clinometer.papers.learning_rates import SOURCE
from clinometer.papers.learning_rates.case import Case, read_cases
from clinometer.papers.learning_rates.configurations import HELD_OUT, configurations, networks
from clinometer.papers.learning_rates.prediction import PREDICTORS, SUGGESTED
from clinometer.papers.learning_rates.scores import CLOSE, clusters, is_right
from clinometer.results.clustered import design_effect, share
from clinometer.results.run_table import MissingRunsError, RunTable
from clinometer.results.statistics import Interval
from clinometer.studies.claims import Claim, Finding, Part, Variants, judge_part
from clinometer.studies.comparison import PERCENT, below

RIGHT, WELL, FAILURES, COST = 0.8, 0.8, 0.05, 0.2
_NOTE = "The configurations are the samples; those of one network count as alike."


def share_part(name: str, hits: Sequence[bool], alike: Sequence[Hashable], low: float, high: float = 1.0) -> Part:
    """The part "the share of hits lies between `low` and `high`", of which one end is 0 or 1 and bounds nothing.

    Args:
        name: What is counted.
        hits: Whether each configuration is a hit, (n,).
        alike: To which cluster each belongs, (n,).
        low: The bound below.
        high: The bound above.
    """
    found = share(hits, alike)
    beyond = (found.low > low or low == 0) and (found.high < high or high == 1)
    outside = found.high < low or found.low > high
    shown = Interval(100 * found.value, 100 * found.low, 100 * found.high, found.n)
    return Part(
        name,
        found,
        "holds" if beyond else "fails" if outside else "undecided",
        shown,
        PERCENT.name,
        (100 * low, 100 * high),
        p=_p(hits, alike, low if low > 0 else high),
        looks=(found.n,),
    )


def _p(hits: Sequence[bool], alike: Sequence[Hashable], bound: float) -> float:
    """Two-sided, of the share being `bound`, with as many trials as the clusters are worth."""
    from scipy import stats

    n = len(hits) / design_effect(hits, alike)
    k = sum(hits) / len(hits) * n
    above = float(stats.beta.cdf(bound, k, n - k + 1)) if k > 0 else 1.0
    below_it = float(stats.beta.sf(bound, k + 1, n - k)) if k < n else 1.0
    return min(1.0, 2 * min(above, below_it))


def _cases(runs: RunTable, bases: Variants) -> list[Case]:
    cases = read_cases(runs, configurations(networks(HELD_OUT, bases), bases))
    if not cases:
        raise MissingRunsError("no held-out configuration has both a sweep and a prediction")
    return cases


def right(runs: RunTable, bases: Variants) -> Finding:
    """L1."""
    cases = _cases(runs, bases)
    each = {
        name: share_part(PREDICTORS[name].replace("`", ""), [is_right(c, name) for c in cases], clusters(cases), RIGHT)
        for name in PREDICTORS
    }
    return Finding((each.pop(SUGGESTED),), _NOTE, tuple(each.values()))


def trains_well(runs: RunTable, bases: Variants) -> Finding:
    """L2."""
    cases = _cases(runs, bases)
    hits = [case.excess(SUGGESTED) <= CLOSE for case in cases]
    cost = judge_part(below("passes over those of a sweep", [case.cost for case in cases], COST, PERCENT))
    return Finding((share_part("loss within 5%", hits, clusters(cases), WELL), cost), _NOTE)


def never_fails(runs: RunTable, bases: Variants) -> Finding:
    """L3."""
    cases = _cases(runs, bases)
    return Finding(
        (share_part("not stable", [c.failed(SUGGESTED) for c in cases], clusters(cases), 0, FAILURES),), _NOTE
    )


CLAIMS = (
    Claim(
        "L1",
        "suggest_lr tells the largest stable learning rate to a factor of 1.5",
        SOURCE,
        "In at least 80% of the held-out configurations the predicted rate lies within a factor of 1.5 of the interval "
        "of the grid in which stability ends; no answer counts as wrong. Beside it: the usual predictors, each fitted "
        "by one factor per optimizer on the tuning set.",
        ("held_out",),
        right,
        {"share": RIGHT, "factor": 1.5},
    ),
    Claim(
        "L2",
        "the rate that suggest_lr takes trains as well as a sweep's best, at a fifth of its cost",
        SOURCE,
        "In at least 80% of the held-out configurations the mean loss of the last 20 steps, over 3 seeds, is at most "
        "1.05 times that of the best of 7 rates; no answer counts as worse. And the mean cost is below a fifth of the "
        "passes of a sweep of these 7 rates with one seed.",
        ("held_out",),
        trains_well,
        {"share": WELL, "factor": CLOSE, "cost": COST},
    ),
    Claim(
        "L3",
        "suggest_lr gives no rate at which training is not stable",
        SOURCE,
        "In fewer than 5% of the held-out configurations is the rate that it takes not stable, by the rule of the "
        "sweep; that it cannot tell is no failure.",
        ("held_out",),
        never_fails,
        {"share": FAILURES},
    ),
)
