"""What the abstract claims, and the rule that decides each claim, fixed before the confirmatory seeds were run.

Comparisons are paired by seed: two networks of one seed start from the same weights and see the same batches. Claims
whose id begins with M are decided in torch's reparametrisation, those with P in the projection of the author's code,
and G is of the GANs.
"""

from clinometer.papers.subramanian2019.claims import accuracy, drift, gan, parameters, sparsity, time

_MODULES = (drift, accuracy, time, sparsity, parameters, gan)
CLAIMS = tuple(
    sorted(
        (each for module in _MODULES for each in module.CLAIMS), key=lambda claim: ("MPG".index(claim.id[0]), claim.id)
    )
)
