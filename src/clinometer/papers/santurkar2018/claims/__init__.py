"""What the paper claims, and the rule that decides each claim, fixed before any run.

Comparisons are paired by seed: two networks of one seed start from the same weights and see the same batches. Ratios
are compared as logarithms. A network that never leaves chance decides nothing: its landscape is flat because it has
not begun to learn.
"""

from clinometer.papers.santurkar2018.claims import ambiguities, distributions, findings, smoothness, training

CLAIMS = tuple(
    sorted(
        (*training.CLAIMS, *distributions.CLAIMS, *smoothness.CLAIMS, *ambiguities.CLAIMS, *findings.CLAIMS),
        key=lambda claim: (claim.id[0], int(claim.id[1:])),
    )
)
