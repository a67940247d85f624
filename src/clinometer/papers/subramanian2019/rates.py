"""The learning rate of each arm: the one at which it trains best, chosen on the seeds of pilots.

`python -m clinometer.papers.subramanian2019.rates --scale laptop` tries the rates of `GRID` with seeds below 100, and
prints for each arm the mean loss of the last steps: the best rate is the one where that is the lowest. No test image is
looked at. For a GAN it is the Fréchet distance at the end.
"""

from collections.abc import Mapping

GRID = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)

ALIKE: Mapping[str, float] = {
    "none": 3e-3,
    "batch": 3e-3,
    "spectral": 3e-3,
    "mean_spectral": 3e-3,
    "spectral_projected": 3e-3,
    "mean_spectral_projected": 3e-3,
}
RATES: Mapping[str, Mapping[str, float]] = {"digits": ALIKE, "cifar10": ALIKE, "gan": ALIKE}
