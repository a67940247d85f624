"""C1, C2, C5, C11: how fast and how far the networks train."""

import numpy as np

from clinometer.analysis.learning_progress import final_accuracy, left_chance, loss_fell, mean_accuracy
from clinometer.analysis.paired import log_ratio
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import LABELS, LPS, dln, vgg
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import Comparison, above, below
from clinometer.training.config import Bases, RunConfig

ALIVE = 0.2  # twice chance: above it a network has begun to learn
TRAINED = 0.1  # "still trains": within ten points of where it ends at the lower learning rate
ALMOST = 0.05  # "as well": within five points of mean training accuracy
ALIKE = np.log10(2)  # "similar smoothness": within a factor 2


def trains_faster(runs: RunTable, bases: Bases) -> Evidence:
    """C1."""
    none, batch = vgg(bases, ["none", "batch"])
    high_none, high_batch = vgg(bases, ["none", "batch"], lr=0.5)
    seeds, high, both = (runs.common(*pair) for pair in ((none, batch), (high_none, high_batch), (batch, high_batch)))
    return Evidence(
        (
            above(
                f"mean training accuracy at lr {none['lr']:g}, BatchNorm − standard",
                mean_accuracy(runs, batch, seeds) - mean_accuracy(runs, none, seeds),
            ),
            above(
                "final training accuracy with BatchNorm, lr 0.5 − lr 0.1",
                final_accuracy(runs, high_batch, both) - final_accuracy(runs, batch, both),
                -TRAINED,
            ),
            below("final training accuracy at lr 0.5, standard", final_accuracy(runs, high_none, high), ALIVE),
        ),
        trained(runs, none, batch, high_none, high_batch),
    )


def generalises_better(runs: RunTable, bases: Bases) -> Evidence:
    """C2."""
    none, batch = vgg(bases, ["none", "batch"])
    seeds = runs.common(none, batch)
    tests = [np.nan_to_num(runs.values(arm, "test", "accuracy", seeds)[:, -1]) for arm in (none, batch)]
    gaps = [final_accuracy(runs, arm, seeds) - test for arm, test in zip((none, batch), tests, strict=True)]
    return Evidence(
        (above("final test accuracy, BatchNorm − standard", tests[1] - tests[0]),),
        f"test accuracy {100 * tests[1].mean():.1f}% with BatchNorm, {100 * tests[0].mean():.1f}% without; "
        + trained(runs, none, batch),
        beside=(below("training minus test accuracy, BatchNorm − standard", gaps[1] - gaps[0]),),
    )


def noise_stops_the_standard_network(runs: RunTable, bases: Bases) -> Evidence:
    """C5."""
    none, noise = vgg(bases, ["none", "noise"])
    seeds = runs.common(none, noise)
    delay = left_chance(runs, noise, seeds) - left_chance(runs, none, seeds)
    return Evidence(
        (below("final training accuracy, standard with noise", final_accuracy(runs, noise, seeds), ALIVE),),
        trained(runs, none, noise),
        beside=(
            above("steps by which noise delays leaving chance", delay),
            below(
                "mean training accuracy, with noise − without",
                mean_accuracy(runs, noise, seeds) - mean_accuracy(runs, none, seeds),
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
        faster = mean_accuracy(runs, arm, seeds) - mean_accuracy(runs, batch, seeds)
        rougher = log_ratio(_largest_beta(runs, arm, seeds), _largest_beta(runs, batch, seeds))
        parts.append(above(f"mean training accuracy, {name} − BatchNorm", faster, -ALMOST))
        parts.append(below(f"log10 of the largest β, {name} − BatchNorm", rougher, ALIKE))
    reached = {arm["norm"]: loss_fell(runs, arm, seeds_dln) for arm in (batch_dln, *lps_dln)}
    l1 = reached.pop("l1")
    parts += [
        below(
            f"DLN, log10 of last over first loss, L1 − {LABELS[other].removeprefix('Standard + ')}",
            log_ratio(l1, values),
        )
        for other, values in reached.items()
    ]
    return Evidence(tuple(parts), trained(runs, batch, *lps, batch_dln, *lps_dln))


def _largest_beta(runs: RunTable, arm: RunConfig, seeds: list[int]) -> Floats:
    return runs.values(arm, "landscape", "beta", seeds).max(1)


CLAIMS = (
    Claim(
        "C1",
        "BatchNorm trains faster at lr 0.1 and still trains at lr 0.5, where the standard network does not",
        "Fig. 1(a), 11",
        "Three parts. At lr 0.1 the mean training accuracy over the run is larger with BatchNorm. BatchNorm's accuracy "
        f"over the last 10 steps is at lr 0.5 not below what it is at lr 0.1 by more than {TRAINED:.0%}. The standard "
        f"network's at lr 0.5 stays below {ALIVE:.0%}, twice chance.",
        ("figure_01",),
        trains_faster,
    ),
    Claim(
        "C2",
        "BatchNorm generalises better (83% against 80%)",
        "Fig. 1(b)",
        "Test accuracy at the end of the run at lr 0.1 is larger with BatchNorm. Beside it, and not counted: training "
        "minus test accuracy, since a network that has trained further tests better, too.",
        ("figure_01",),
        generalises_better,
    ),
    Claim(
        "C5",
        "the same noise on the standard network keeps it from training",
        "Section 2.1",
        f"The training accuracy over the last 10 steps of the standard network with Algorithm 1's noise stays below "
        f"{ALIVE:.0%}, twice chance. Beside it, and not counted: by how many steps noise delays leaving chance.",
        ("noise_without_batchnorm",),
        noise_stops_the_standard_network,
    ),
    Claim(
        "C11",
        "L1, L2 and L∞ normalization train as well as BatchNorm or better (in the DLN L1 does best), with a smoothness "
        "like BatchNorm's",
        "Fig. 5, 12, 13",
        f"For each p two parts: mean training accuracy over the run not below BatchNorm's by more than {ALMOST:.0%}, "
        "and the largest β over the run not above BatchNorm's by more than a factor 2. In the deep linear network "
        "three more: L1 brings the loss further down than BatchNorm, L2 and L∞.",
        ("figure_05",),
        lp_does_as_well,
    ),
)
