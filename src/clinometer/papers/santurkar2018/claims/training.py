"""C1, C2, C5, C11: how fast and how far the networks train."""

import numpy as np

from clinometer.analysis.accuracies import (
    ALIVE,
    TEST_IMAGES,
    final_odds,
    higher,
    lower,
    mean_odds,
    not_alive,
    test_odds,
)
from clinometer.analysis.learning_progress import left_chance, loss_fell
from clinometer.analysis.matched_accuracy import SETTLED, test_odds_at_common_accuracies
from clinometer.analysis.paired import ENOUGH, log_ratio, of_most_seeds
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import LABELS, LPS, dln, high_lr, vgg
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, STEPS, Comparison, above, below
from clinometer.training.config import Bases, RunConfig

TRAINED = 0.1  # "still trains": within ten points of where it ends at the lower learning rate
AS_WELL = 0.05  # "as well": within five points of mean training accuracy
ALIKE = 2.0  # "similar smoothness": within this factor


def trains_faster(runs: RunTable, bases: Bases) -> Evidence:
    """C1."""
    none, batch = vgg(bases, ["none", "batch"])
    high_none, high_batch = vgg(bases, ["none", "batch"], lr=high_lr(bases))
    seeds, high, both = (runs.common(*pair) for pair in ((none, batch), (high_none, high_batch), (batch, high_batch)))
    low_lr, lr = f"lr {none['lr']:g}", f"lr {high_none['lr']:g}"
    return Evidence(
        (
            higher(
                f"mean training accuracy at {low_lr}, BatchNorm − standard",
                mean_odds(runs, batch, seeds),
                mean_odds(runs, none, seeds),
            ),
            higher(
                f"final training accuracy with BatchNorm, {lr} − {low_lr}",
                final_odds(runs, high_batch, both),
                final_odds(runs, batch, both),
                TRAINED,
            ),
            not_alive(f"final training accuracy at {lr}, standard − chance", final_odds(runs, high_none, high)),
        ),
        trained(runs, none, batch, high_none, high_batch),
    )


def generalises_better(runs: RunTable, bases: Bases) -> Evidence:
    """C2."""
    none, batch = vgg(bases, ["none", "batch"])
    seeds = runs.common(none, batch)
    without, with_norm = (test_odds(runs, arm, seeds, TEST_IMAGES[arm.data]) for arm in (none, batch))
    matched = test_odds_at_common_accuracies(runs, batch, none, TEST_IMAGES[none.data])
    overlap = np.isfinite(matched[0])
    equal, equal_without = (of_most_seeds(odds, overlap) for odds in matched)
    ends = [100 * float((1 / (1 + np.exp(-odds))).mean()) for odds in (with_norm, without)]
    return Evidence(
        (higher("final test accuracy, BatchNorm − standard", with_norm, without),),
        f"test accuracy {ends[0]:.1f}% with BatchNorm, {ends[1]:.1f}% without (in the paper 83% and 80%); "
        + trained(runs, none, batch),
        beside=(higher("test accuracy at equal training accuracies, BatchNorm − standard", equal, equal_without),),
    )


def noise_stops_the_standard_network(runs: RunTable, bases: Bases) -> Evidence:
    """C5."""
    none, noise = vgg(bases, ["none", "noise"])
    seeds = runs.common(none, noise)
    quiet, noisy = (left_chance(runs, arm, seeds) for arm in (none, noise))
    learns = np.isfinite(quiet)  # where the network is dead without noise, noise has nothing to stop
    leaves, delay = (of_most_seeds(steps, learns) for steps in (noisy, noisy - quiet))
    return Evidence(
        (
            above(
                "step at which the standard network with noise leaves chance: none of the run's",
                leaves,
                noise.steps - 1,
                STEPS,
                method="sign",
            ),
        ),
        trained(runs, none, noise),
        beside=(
            above("steps by which noise delays leaving chance", delay, 0.0, STEPS, method="sign"),
            lower(
                "mean training accuracy, with noise − without",
                mean_odds(runs, noise, seeds),
                mean_odds(runs, none, seeds),
            ),
        ),
    )


def lp_does_as_well(runs: RunTable, bases: Bases) -> Evidence:
    """C11."""
    batch, *lps = vgg(bases, ["batch", *LPS])
    batch_dln, *lps_dln = dln(bases, ["batch", *LPS])
    seeds, seeds_dln = runs.common(batch, *lps), runs.common(batch_dln, *lps_dln)
    parts: list[Comparison] = []
    for arm in lps:
        name = LABELS[arm["norm"]].removeprefix("Standard + ")
        ours, fast = (mean_odds(runs, each, seeds) for each in (arm, batch))
        parts.append(higher(f"mean training accuracy, {name} − BatchNorm", ours, fast, AS_WELL))
        rougher = log_ratio(_largest_beta(runs, arm, seeds), _largest_beta(runs, batch, seeds))
        parts.append(below(f"largest β, {name} over BatchNorm", rougher, np.log10(ALIKE), FACTOR))
    reached = {arm["norm"]: loss_fell(runs, arm, seeds_dln) for arm in (batch_dln, *lps_dln)}
    l1 = reached.pop("l1")
    deep = [
        below(
            f"DLN: last over first loss, L1 over {LABELS[other].removeprefix('Standard + ')}",
            log_ratio(l1, values),
            unit=FACTOR,
        )
        for other, values in reached.items()
    ]
    return Evidence((*parts, deep[0]), trained(runs, batch, *lps, batch_dln, *lps_dln), beside=tuple(deep[1:]))


def _largest_beta(runs: RunTable, arm: RunConfig, seeds: list[int]) -> Floats:
    return runs.values(arm, "landscape", "beta", seeds).max(1)


_LOG_ODDS = "Accuracies are compared by their log odds, and told in percentage points."

CLAIMS = (
    Claim(
        "C1",
        "BatchNorm trains faster at lr 0.1 and still trains at lr 0.5, where the standard network does not",
        "Fig. 1(a), 11",
        "Three parts. At lr 0.1 the mean training accuracy over the run is larger with BatchNorm. At the high learning "
        "rate, 0.5 on CIFAR-10 and 1.0 on digits, which take 0.5 in stride, BatchNorm's accuracy over the last 10 "
        f"steps is not below what it is at lr 0.1 by more than {100 * TRAINED:.0f} points, or where that would be less "
        f"than chance, than chance. The standard network's there lies below {ALIVE:.0%}, twice chance. {_LOG_ODDS}",
        ("figure_01",),
        trains_faster,
        {"points lost at the high learning rate": 100 * TRAINED, "accuracy of a dead network": ALIVE},
    ),
    Claim(
        "C2",
        "BatchNorm generalises better (83% against 80%)",
        "Fig. 1(b)",
        "Test accuracy at the end of the run at lr 0.1, which is what the paper compares, is larger with BatchNorm. "
        "Beside it, and not counted: at equal training accuracies, since a network that has trained further tests "
        "better, too. There each network's test accuracy is interpolated between tested steps against its training "
        f"accuracy over 9 steps, from leaving chance and step {SETTLED} on, and averaged over the training accuracies "
        f"that both pass, in those seeds that have such; undecided where these are fewer than {ENOUGH:.0%}. "
        + _LOG_ODDS,
        ("figure_01",),
        generalises_better,
        {"first step at equal training accuracies": SETTLED, "share of seeds": ENOUGH},
    ),
    Claim(
        "C5",
        "the same noise on the standard network keeps it from training",
        "Section 2.1",
        "The paper says: entirely. So the standard network with Algorithm 1's noise never leaves chance within the "
        "run, in the median over seeds: leaving chance is the first step at which the accuracy over 9 steps exceeds "
        f"{ALIVE:.0%}, twice chance, and infinite where there is none; sign test. Over those seeds in which the "
        f"network leaves chance without noise; undecided where these are fewer than {ENOUGH:.0%}. Beside it, and "
        "not counted: by how many steps noise delays leaving chance, infinite where it never does, and the mean "
        "training accuracy.",
        ("noise_without_batchnorm",),
        noise_stops_the_standard_network,
        {"accuracy of a dead network": ALIVE, "share of seeds": ENOUGH},
    ),
    Claim(
        "C11",
        "L1, L2 and L∞ normalization train as well as BatchNorm or better (in the DLN L1 does best), with a smoothness "
        "like BatchNorm's",
        "Fig. 5, 12, 13",
        f"For each p two parts. Mean training accuracy over the run is not below BatchNorm's by more than "
        f"{100 * AS_WELL:.0f} points: a sixth of what BatchNorm gains over the standard network. The largest β over "
        f"the run is not above BatchNorm's by more than a factor {ALIKE:g}: about as far as each curve of Figure 4(c) "
        "strays from its own level. In the deep linear network one more: L1 brings the loss further down than "
        f"BatchNorm. Beside it, and not counted: further than L2 and L∞. {_LOG_ODDS}",
        ("figure_05",),
        lp_does_as_well,
        {"points lost": 100 * AS_WELL, "factor on the largest beta": ALIKE},
    ),
)
