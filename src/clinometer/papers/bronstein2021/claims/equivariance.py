"""G1 to G3: which networks are equivariant, and whether training restores what padding breaks."""

import numpy as np

from clinometer.papers.bronstein2021.configs import trained, upright
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import FACTOR, RELATIVE, Comparison, above, below, within
from clinometer.training.config import Bases, RunConfig

EXACT, EXACT_64, BROKEN = 1e-6, 1e-13, 1e-2
STAYS, FURTHER = 1.5, 2.0  # factors between which an error stays, and by which it grows
BUILT_FOR = (  # a network, and the group that each of its stages is equivariant to by construction
    ("circular", "shift"),
    ("strided", "even_shift"),
    ("p4", "rotation"),
    ("graph", "rotation"),
    ("graph", "permutation"),
    ("set", "permutation"),
)
NOT_BUILT_FOR = (("padded", "shift"), ("padded", "rotation"), ("strided", "shift"), ("circular", "rotation"))
_LAST, _POOLED = -3, -2  # the last stage, and the mean over the domain


def exact(runs: RunTable, bases: Bases) -> Evidence:
    """G1."""
    networks = trained(bases)
    parts: list[Comparison] = []
    for name, group in BUILT_FOR:
        for field, bound, precision in ((group, EXACT, "float32"), (f"{group}_float64", EXACT_64, "float64")):
            told = f"{name} network, {group.replace('_', ' ')}, {precision}: largest error of any stage and step"
            parts.append(below(told, _largest(runs, networks[name], field), np.log10(bound), RELATIVE))
    return Evidence(tuple(parts))


def broken(runs: RunTable, bases: Bases) -> Evidence:
    """G2."""
    networks = trained(bases)
    return Evidence(
        tuple(
            above(
                f"{name} network, {group}: smallest error of the last stage at any step",
                np.log10(_errors(runs, networks[name], group)[:, :, _LAST].min(1)),
                np.log10(BROKEN),
                RELATIVE,
            )
            for name, group in NOT_BUILT_FOR
        )
    )


def not_restored(runs: RunTable, bases: Bases) -> Evidence:
    """G3."""
    turned, straight = trained(bases)["padded"], upright(bases)
    seeds = runs.common(turned, straight)

    def change(arm: RunConfig, place: int) -> Floats:
        logs = np.log10(_errors(runs, arm, "rotation", seeds)[:, :, place])
        return _late(logs) - logs[:, 0]

    reached = _late(np.log10(_errors(runs, turned, "rotation", seeds)[:, :, _POOLED]))
    stays = np.log10(STAYS)
    return Evidence(
        (
            within("pooled features, late over first, all rotations", change(turned, _POOLED), -stays, stays, FACTOR),
            above("the error reached there", reached, np.log10(BROKEN), RELATIVE),
            above("pooled features, late over first, upright", change(straight, _POOLED), np.log10(FURTHER), FACTOR),
        ),
        beside=(
            below("last stage, late over first, all rotations", change(turned, _LAST), 0.0, FACTOR),
            below("last stage, late over first, upright", change(straight, _LAST), 0.0, FACTOR),
        ),
    )


def _errors(runs: RunTable, arm: RunConfig, field: str, seeds: list[int] | None = None) -> Floats:
    """(seeds, steps, stages)."""
    return runs.values(arm, "equivariance", field, seeds)


def _largest(runs: RunTable, arm: RunConfig, field: str) -> Floats:
    """log10 of the largest error of any stage at any step; NaN marks stages on which the group does not act."""
    return np.log10(np.nanmax(_errors(runs, arm, field), axis=(1, 2)))


def _late(logs: Floats) -> Floats:
    """The mean over the last quarter of the measured steps."""
    return logs[:, -max(1, logs.shape[1] // 4) :].mean(1)


CLAIMS = (
    Claim(
        "G1",
        "each network is equivariant, stage by stage, to the group that it is built for, before and after training",
        "Sections 3.1, 3.5 and 5",
        "For each network and group two parts: the largest equivariance error of any stage, the pooled features and "
        f"the logits, at any measured step, lies below {EXACT:g} in float32 and below {EXACT_64:g} in float64. "
        "float32 rounds to 6e-8, a stage adds up to 216 products, and there are four or five stages: less than 20 "
        "roundings. Circular CNN: cyclic shifts; with a stride of 2: even ones; p4: rotations by right angles; "
        "graph: those, and permutations of the nodes; set: permutations. Centres by Student's t, of log10.",
        ("equivariance_depth",),
        exact,
        {"largest error in float32": EXACT, "largest error in float64": EXACT_64},
    ),
    Claim(
        "G2",
        "padding and strides break it, and so does what the filters were not built for",
        "Sections 3.1 and 5.1",
        f"The smallest error of the last stage at any measured step is at least {BROKEN:g}, four orders above what "
        "counts as exact: of the padded CNN under cyclic shifts and under rotations, of the strided one under odd "
        "shifts, of the circular one under rotations.",
        ("equivariance_depth",),
        broken,
        {"least error": BROKEN},
    ),
    Claim(
        "G3",
        "training does not restore what padding breaks: on all rotations the padded network's pooled features stay "
        "as far from invariant as they were, and on upright digits they go further",
        "ours: does training restore or break it?",
        "Three parts, of the error of the pooled features under rotations by right angles, over the last quarter of "
        "the measured steps against before the first. Where digits come in all rotations it changes by a factor "
        f"below {STAYS:g} in either direction, and stays above {BROKEN:g}; where they come upright it grows at least "
        f"{FURTHER:g} times. Beside them, and not counted: the last stage before pooling.",
        ("equivariance_training",),
        not_restored,
        {"factor either way": STAYS, "least error": BROKEN, "least growth on upright digits": FURTHER},
    ),
)
