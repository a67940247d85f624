"""G6 and G7: symmetries give flat directions, and keep gradients in their fixed subspace."""

import numpy as np

from clinometer.analysis.paired import of_most_seeds
from clinometer.papers.bronstein2021.configs import on_orbits, tiny_networks
from clinometer.papers.bronstein2021.names import FIXED_SUBSPACE, GAP, TOLERANCE
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import RELATIVE, Comparison, Unit, above, below, within
from clinometer.training.config import Bases, RunConfig

CRITICAL, IDENTITY = 1e-10, 1e-12
_COUNT = Unit("eigenvalues")
INSIDE, OUTSIDE = 1e-12, 1e-2


def flat(runs: RunTable, bases: Bases) -> Evidence:
    """G6."""
    counted: list[Comparison] = []
    tested: list[Comparison] = []
    notes: list[str] = []
    for kind, arm in tiny_networks(bases).items():
        there = _of_run(runs, arm, "gradient") < CRITICAL
        if not there.all():
            notes.append(f"{kind}: no critical point was reached in {(~there).sum()} of {len(there)} seeds")
        excess = of_most_seeds(_of_run(runs, arm, "zeros") - _of_run(runs, arm, "expected"), there)
        counted.append(within(f"{kind}: zero eigenvalues − symmetries", excess, -0.5, 0.5, _COUNT, method="sign"))
        if runs.values(arm, "spectrum", "identity").size:
            identity, bent = _of_run(runs, arm, "identity").max(1), _bent(runs, arm)
            tested.append(
                below(
                    f"{kind}: error of H t = −(Dt)ᵀ g, not at a critical point",
                    np.log10(identity),
                    np.log10(IDENTITY),
                    RELATIVE,
                )
            )
            tested.append(above(f"{kind}: ‖H t‖ / ‖H‖ ‖t‖ there, the smallest", bent, np.log10(TOLERANCE), RELATIVE))
    return Evidence((*counted, *tested), "; ".join(notes))


def inside(runs: RunTable, bases: Bases) -> Evidence:
    """G7."""
    symmetric, straight = on_orbits(bases).values()

    def share(arm: RunConfig, field: str, pick: str = "max") -> Floats:
        return np.log10(getattr(runs.values(arm, FIXED_SUBSPACE, field), pick)(1))

    def exact(told: str, field: str) -> Comparison:
        return below(told, share(symmetric, field), np.log10(INSIDE), RELATIVE)

    def outside(told: str, arm: RunConfig, field: str) -> Comparison:
        return above(told, share(arm, field, "min"), np.log10(OUTSIDE), RELATIVE)

    return Evidence(
        (
            exact("gradient at symmetric filters, all rotations, largest share outside", "gradient"),
            exact("weights after training from symmetric filters, all rotations", "weights"),
            exact("‖g(T w) − T g(w)‖ / ‖g(w)‖ at filters as drawn, all rotations", "equivariance"),
            outside("gradient at symmetric filters, upright digits, smallest share", straight, "gradient"),
            outside("gradient at filters as drawn, all rotations, smallest share", symmetric, "drawn"),
        )
    )


def _of_run(runs: RunTable, arm: RunConfig, field: str) -> Floats:
    return runs.values(arm, "spectrum", field)[:, 0]


def _bent(runs: RunTable, arm: RunConfig) -> Floats:
    """log10 of the smallest ‖H t‖ / ‖H‖ ‖t‖ far from critical, of the symmetries that are not flat everywhere."""
    return np.log10(np.nanmin(_of_run(runs, arm, "bent"), axis=1))


CLAIMS = (
    Claim(
        "G6",
        "a continuous symmetry of the weights gives flat directions at a critical point, and elsewhere H t = −(Dt)ᵀ g",
        "ours, from section 3.1",
        f"Of tiny networks in float64. At a critical point of a squared error, the eigenvalues below {TOLERANCE:g} "
        f"times the largest, where the next one is {GAP:g} times larger at least, are as many as the dimension of the "
        "continuous symmetries: none with tanh; one per hidden unit with ReLU; h² + h with a linear hidden layer; "
        "three per channel of a convolution with BatchNorm, planar or on p4 (the scale and the bias before it; γ and "
        "β against the head). Sign test. Seeds whose gradient did not fall below 1e-10 are left out; undecided where "
        f"these are more than half. And where the gradient does not vanish, the identity holds to {IDENTITY:g} for "
        f"every symmetry, while ‖H t‖ / ‖H‖ ‖t‖ is larger than {TOLERANCE:g}, the tolerance of the count: the "
        "direction is not flat there. But for the bias before BatchNorm, which is flat everywhere.",
        ("spectrum",),
        flat,
        {"gradient": CRITICAL, "tolerance": TOLERANCE, "gap": GAP, "identity": IDENTITY, "least bend": TOLERANCE},
    ),
    Claim(
        "G7",
        "on images closed under rotations the gradient at symmetric filters stays in the fixed subspace",
        "ours, from section 3.1",
        "Five parts, in float64, of a padded network: with images in all four rotations, the share of the gradient "
        f"outside of the subspace fixed by rotating filters, at symmetric ones, is below {INSIDE:g} at every measured "
        "step, as is that of the weights; at filters as they were drawn, g(T w) = T g(w) to the same precision. With "
        f"upright images the gradient's share is at least {OUTSIDE:g}; and so is it at filters as drawn, also on all "
        "rotations, since the invariance of the loss bounds gradients only where the weights are fixed.",
        ("fixed_subspace",),
        inside,
        {"largest share": INSIDE, "least share": OUTSIDE},
    ),
)
