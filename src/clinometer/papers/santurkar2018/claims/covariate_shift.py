"""C6: how a layer's gradient shifts because the layers below it moved."""

import numpy as np

from clinometer.analysis.internal_shift import shift_over_layers
from clinometer.analysis.learning_progress import ENDED, Bools, all_learn
from clinometer.analysis.matched_loss import matched_difference
from clinometer.analysis.paired import ENOUGH, mean_difference, of_most_seeds
from clinometer.papers.santurkar2018.progress import trained
from clinometer.papers.santurkar2018.variants import dln, vgg
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, Comparison, above, below
from clinometer.training.config import Bases, RunConfig

SIMILAR = 1.26  # "similar": ‖G − G′‖ within this factor, a tenth of a decade
SIMILAR_COSINE = 0.05


def shift_is_not_reduced(runs: RunTable, bases: Bases) -> Evidence:
    """C6."""
    pairs = {"VGG": vgg(bases, ["none", "batch"]), "DLN": dln(bases, ["none", "batch"])}
    parts: list[Comparison] = []
    beside: list[Comparison] = []
    notes: list[str] = []
    for kind, both in pairs.items():
        learning = all_learn(runs, both, runs.common(*both), "internal_shift")
        never = int((~learning.any(1)).sum())
        notes += [f"in {never} of {len(learning)} seeds at no measured step did both {kind}s learn"] * bool(never)
        parts += _compared(f"{kind}, where both learn", *(_shift(runs, both, f, learning) for f in _FIELDS))
        whole = np.ones_like(learning)
        beside += _compared(f"{kind}, the whole run", *(_shift(runs, both, field, whole) for field in _FIELDS))
        matched = (matched_difference(runs, both[1], both[0], shift_over_layers(runs, field)) for field in _FIELDS)
        beside += _compared(f"{kind}, at matched loss", *matched)
    arms = [arm for both in pairs.values() for arm in both]
    return Evidence(tuple(parts), "; ".join([*notes, trained(runs, *arms)]), beside=tuple(beside))


def _compared(where: str, l2: Floats, cosine: Floats) -> list[Comparison]:
    return [
        above(f"{where}: ‖G − G′‖, BatchNorm over standard", l2, -np.log10(SIMILAR), FACTOR),
        below(f"{where}: cos(G, G′), BatchNorm − standard", cosine, SIMILAR_COSINE),
    ]


def _shift(runs: RunTable, both: list[RunConfig], field: str, chosen: Bools) -> Floats:
    """BatchNorm's mean over layers and chosen steps minus the standard network's, one per seed that has such a step."""
    seeds, measure = runs.common(*both), shift_over_layers(runs, field)
    none, batch = (measure(arm, seeds) for arm in both)
    return of_most_seeds(mean_difference(batch, none, chosen), chosen.any(1))


_FIELDS = ("l2", "cosine")

CLAIMS = (
    Claim(
        "C6",
        "BatchNorm does not reduce internal covariate shift: its l2 difference is similar or larger, its cosine "
        "similar or smaller",
        "Fig. 3",
        "For the VGG, over its layers 2 and up, and for the DLN, over layers 9 and 17, which the paper shows, two "
        "parts each: means over layers and over the measured steps at which both networks learn. Both have then passed "
        f"twice chance and neither {ENDED:.0%}, in accuracy over 9 steps (for the DLN: all steps of a network whose "
        "loss falls): a network at chance has no gradient to shift, and one that is done has little. ‖G − G′‖ is not "
        f"smaller by more than a factor {SIMILAR:g}, a tenth of a decade on Figure 3's log axes; cos(G, G′) is not "
        f"larger by more than {SIMILAR_COSINE}, on an axis from −1 to 1. Over those seeds that have such a step; "
        f"undecided where these are fewer than {ENOUGH:.0%}. Beside it, and not counted: over the whole run from step "
        "0, which the paper plots, and at matched loss.",
        ("figure_03",),
        shift_is_not_reduced,
        {"factor": SIMILAR, "cosine": SIMILAR_COSINE, "share of seeds": ENOUGH},
    ),
)
