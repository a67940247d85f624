"""What is claimed, each claim decided by intervals over seeds."""

from clinometer.papers.bronstein2021.claims import equivariance, landscape, stability, symmetry

CLAIMS = (*equivariance.CLAIMS, *stability.CLAIMS, *symmetry.CLAIMS, *landscape.CLAIMS)
