"""What the paper claims, and the rule that decides each claim, fixed before any run.

Comparisons are paired by seed: two networks of one seed start from the same weights and see the same batches. Ratios
are compared as logarithms. A network that never leaves chance decides nothing: its landscape is flat because it has
not begun to learn.
"""

from clinometer.papers.santurkar2018.claims import (
    ambiguities,
    covariate_shift,
    distributions,
    findings,
    smoothness,
    training,
)

_MODULES = (training, distributions, covariate_shift, smoothness, ambiguities, findings)
CLAIMS = tuple(
    sorted(
        (each for module in _MODULES for each in module.CLAIMS),
        key=lambda claim: (claim.id[0], int(claim.id[1:])),
    )
)
