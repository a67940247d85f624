"""N1 to N6: which norms smooth, which train as well as BatchNorm, and whether the one predicts the other.

The odd ones are about the VGG where a claim has one network, the even ones about the residual network.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from clinometer.analysis.accuracies import higher
from clinometer.analysis.paired import of_most_seeds
from clinometer.papers.norms import SOURCE
from clinometer.papers.norms.configs import NORMS, arms_of, networks
from clinometer.papers.norms.quantities import QUANTITIES, SMOOTHNESS, networks_made, norms_made, of_norms
from clinometer.papers.norms.rank_correlation import Over, kendall, rank_correlation, spearman
from clinometer.results.run_table import Floats, RunTable
from clinometer.results.sequential import LEVEL
from clinometer.results.statistics import Interval, holm
from clinometer.studies.claims import Claim, Evidence, Finding, Part, Variants, judge_part, undecided
from clinometer.studies.comparison import FACTOR, Comparison, below
from clinometer.training.config import RunConfig

AS_WELL = 0.05  # of accuracy, as in the like claim of santurkar2018, C11
PREDICTS = {"N5": "largest", "N6": "best_accuracy"}


def smoother(network: str) -> Callable[[RunTable, Variants], Evidence]:
    """N1 and N2."""

    def compare(runs: RunTable, bases: Variants) -> Evidence:
        values = {name: of_norms(runs, networks(bases)[network], name) for name in ("variation", "gap", "beta")}
        parts = compared(values.pop("variation"), "variation")
        beside = [part for name, found in values.items() for part in compared(found, name)]
        note = _counts(parts, "smoother than without a norm", "rougher") + _lacking(runs, networks(bases)[network])
        return Evidence(tuple(parts), note, tuple(beside))

    return compare


def trains_as_well(network: str) -> Callable[[RunTable, Variants], Evidence]:
    """N3 and N4."""

    def compare(runs: RunTable, bases: Variants) -> Evidence:
        found = {name: of_norms(runs, networks(bases)[network], name) for name in ("best_accuracy", "accuracy")}
        parts = _against_batch(found["best_accuracy"], "at its best rate")
        note = _counts(parts, f"not worse than BatchNorm by {100 * AS_WELL:g} points", "worse by more")
        note += _lacking(runs, networks(bases)[network])
        return Evidence(tuple(parts), note, tuple(_against_batch(found["accuracy"], "at the shared rate")))

    return compare


def predicts(outcome: str) -> Callable[[RunTable, Variants], Finding]:
    """N5 and N6."""

    def compare(runs: RunTable, bases: Variants) -> Finding:
        parts: list[Part] = []
        beside: list[Part] = []
        for name, network in networks(bases).items():
            if name not in networks_made(runs, bases):
                parts.append(replace(undecided("").parts[0], name=f"{name}: not measured"))
                continue
            found = of_norms(runs, network, outcome)
            smooth = {each: -of_norms(runs, network, each) for each in SMOOTHNESS}
            counted = smooth.pop("variation")
            parts.append(_correlation(name, "variation", outcome, counted, found))
            beside.append(_correlation(name, "variation", outcome, counted, found, over="seeds"))
            beside.append(_correlation(name, "variation", outcome, counted, found, statistic="Kendall's τ"))
            beside += [_correlation(name, each, outcome, values, found) for each, values in smooth.items()]
        lacking = "".join(_lacking(runs, network) for network in networks(bases).values())
        return Finding(tuple(parts), _POPULATION + lacking, tuple(beside))

    return compare


def compared(values: Floats, name: str, on: str = "none") -> list[Comparison]:
    """The parts "a measure of smoothness is smaller with the norm than with another", of those seeds that have it.

    Args:
        values: log10 of the factor on the other norm of each of `NORMS`, (norms, seeds).
        name: The quantity.
        on: The other norm.
    """
    told, other = QUANTITIES[name].told, "without" if on == "none" else on
    return [
        below(f"{norm}: {told}, with / {other}", of_most_seeds(ratios, np.isfinite(ratios)), 0.0, FACTOR)
        for norm, ratios in zip(NORMS, values, strict=True)
        if norm != on
    ]


def _against_batch(odds: Floats, when: str) -> list[Comparison]:
    batch = odds[NORMS.index("batch")]
    return [
        higher(f"{norm}: test accuracy {when}, it − BatchNorm", ours, batch, AS_WELL)
        for norm, ours in zip(NORMS, odds, strict=True)
        if norm != "batch"
    ]


def _counts(parts: list[Comparison], holds: str, fails: str) -> str:
    """How many norms are on either side, together wrong in at most 5% by Holm."""
    judged = [judge_part(part) for part in parts]
    sure = [p <= LEVEL for p in holm([part.p for part in judged])]
    names: Mapping[str, list[str]] = {
        verdict: [
            part.name.partition(":")[0] for part, s in zip(judged, sure, strict=True) if s and part.verdict == verdict
        ]
        for verdict in ("holds", "fails")
    }
    texts = [
        f"{told}: {len(names[verdict])} of {len(parts)}" + f" ({', '.join(names[verdict])})" * bool(names[verdict])
        for verdict, told in (("holds", holds), ("fails", fails))
    ]
    return f"By Holm over the norms, {'; '.join(texts)}."


def _lacking(runs: RunTable, network: RunConfig) -> str:
    """Which norms have no finished runs, in words."""
    made = norms_made(runs, network)
    lacking = [norm for norm in NORMS if norm not in made]
    kind = network.model.rpartition(":")[2]
    return f" No finished runs of {', '.join(lacking)} ({kind})." if lacking else ""


def _correlation(
    network: str, smooth: str, outcome: str, x: Floats, y: Floats, over: Over = "norms and seeds", statistic: str = "ρ"
) -> Part:
    found = rank_correlation(x, y, spearman if statistic == "ρ" else kendall, over)
    shown = Interval(found.value, found.low, found.high, found.norms)
    verdict = "holds" if found.low > 0 else "fails" if found.high < 0 else "undecided"
    told = f"{network}, {statistic} over {over}: smaller {SMOOTHNESS[smooth].told}, larger {QUANTITIES[outcome].told}"
    remark = "" if found.norms == len(NORMS) else f"{len(NORMS) - found.norms} norms have no such number"
    return Part(told, shown, verdict, shown, "", (0.0, np.inf), p=found.p, looks=(x.shape[1],), remark=remark)


_POPULATION = (
    "n counts norms. The interval is about norms of which these are taken for a random choice, with new seeds, in this "
    "network with these data and this budget; over seeds alone, about these very norms."
)
_SMOOTH_RULE = (
    "For each of the {count} norms a part: the loss variation along the gradient, each filter moved by 1% and 10% of "
    "its own norm, is smaller with the norm than without one, at the shared rate and at matched loss, as a geometric "
    "mean over the losses that both networks of a seed come through while they learn. Over those seeds that have such "
    "losses; a part is undecided where these are fewer than half. The claim holds if all parts do. Beside it, and not "
    "counted: the relative change of the gradient and β on the same walk. Which norms do, corrected for their number "
    "by Holm, is in the note."
)
_WELL_RULE = (
    "For each of the other norms, and for none, a part: the mean test accuracy of the last four tests of a training at "
    "its own best rate is not below that of BatchNorm at BatchNorm's own by more than {points:g} points. The best rate "
    "is that of the lowest final loss in a shorter sweep with another seed; each seed has a sweep of its own. "
    "Accuracies are compared by their log odds. The claim holds if all parts do. Beside it, and not counted: at the "
    "shared rate."
)
_RANK_RULE = (
    "Two parts, for the VGG and for the residual network: Spearman's rank correlation over {count} norms, none among "
    "them, between minus the logarithm of the scale-free loss variation of N1 and {outcome}, both as means over seeds, "
    "is above 0: the 95% percentile interval of 4,000 draws of norms and seeds with replacement lies above it. One "
    "look. Beside it, and not counted: the interval over seeds alone, Kendall's τ, and other measures of smoothness."
)


def _arms_of(network: str) -> Callable[[Variants], list[RunConfig]]:
    return lambda bases: arms_of(bases, network)


def _smooth(id_: str, network: str) -> Claim:
    rule = _SMOOTH_RULE.format(count=len(NORMS) - 1)
    statement = f"every norm smooths the loss of the {network} along the gradient"
    bounds = {"least factor": 1.0}
    return Claim(id_, statement, SOURCE, rule, ("smoothness",), smoother(network), bounds, _arms_of(network))


def _well(id_: str, network: str) -> Claim:
    statement = f"the {network} trains as well with any norm, or with none, as with BatchNorm"
    rule = _WELL_RULE.format(points=100 * AS_WELL)
    bounds = {"points lost": 100 * AS_WELL}
    return Claim(id_, statement, SOURCE, rule, ("training",), trains_as_well(network), bounds, _arms_of(network))


def _predicts(id_: str) -> Claim:
    outcome = PREDICTS[id_]
    told = {
        "largest": "the largest trainable rate of its sweeps",
        "best_accuracy": "the test accuracy at its own best rate",
    }[outcome]
    statement = f"the smoother a norm makes the loss, the larger {told}"
    rule = _RANK_RULE.format(count=len(NORMS), outcome=told)
    return Claim(id_, statement, SOURCE, rule, ("training",), predicts(outcome), {"ρ": 0.0})


CLAIMS = (
    _smooth("N1", "VGG"),
    _smooth("N2", "ResNet"),
    _well("N3", "VGG"),
    _well("N4", "ResNet"),
    _predicts("N5"),
    _predicts("N6"),
)
