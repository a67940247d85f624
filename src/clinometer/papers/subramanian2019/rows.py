"""What the study's runs write, as far as claims and figures name it. It needs no torch."""

from collections.abc import Mapping
from typing import Any

SAMPLES = "samples"  # rows of the GANs
STEP_TIME = "step_time"  # rows of what times steps
SITES = {  # modules of a layer, to what their outputs are called
    "conv": "what the convolution returns, before the mean is subtracted",
    "norm": "what the norm returns and the ReLU takes",
    "relu": "what the ReLU returns and the next layer takes",
}
THRESHOLDS = (0.0, 1e-8, 1e-6, 1e-4, 1e-2)  # of a gradient's largest magnitude; 0 counts entries that are exactly zero
DEFINED = 1e-6  # the threshold that the claims count
VARIANTS: Mapping[str, Mapping[str, Any]] = {  # that are timed beside BatchNorm
    "reparametrised, 1 iteration": {"norm": "mean_spectral", "n_power_iterations": 1, "projection": False},
    "reparametrised, 100 iterations": {"norm": "mean_spectral", "n_power_iterations": 100, "projection": False},
    "projected, 1 iteration": {"norm": "mean_spectral", "n_power_iterations": 1, "projection": True},
    "projected, 100 iterations": {"norm": "mean_spectral", "n_power_iterations": 100, "projection": True},
    "spectral normalization, 1 iteration": {"norm": "spectral", "n_power_iterations": 1, "projection": False},
    "BatchNorm itself": {"norm": "batch"},
}
