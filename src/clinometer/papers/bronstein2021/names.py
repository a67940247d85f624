"""What claims and figures share with what is measured, and import without torch: names of rows, the rule of a count."""

FIXED_SUBSPACE = "fixed_subspace"  # the rows of `symmetrised.py`
TOLERANCE = 1e-9  # of the largest eigenvalue: what rounding leaves of a zero, in float64, with room
GAP = 100.0  # the least factor from the largest zero to the smallest of the other eigenvalues
