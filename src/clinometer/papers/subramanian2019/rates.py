"""The learning rate of each arm: the one at which it trains best, chosen on seeds of pilots by `tuning.py`."""

from collections.abc import Mapping

GRIDS: Mapping[str, tuple[float, ...]] = {  # the rates that were tried
    "classifier": (1e-3, 3e-3, 1e-2, 3e-2),
    "gan": (3e-4, 1e-3, 3e-3),
}
RATES: Mapping[str, Mapping[str, float]] = {
    "digits": {
        "none": 1e-2,
        "batch": 1e-2,
        "spectral": 3e-2,  # at 0.1, which was tried as well, it does not learn
        "mean_spectral": 1e-2,
        "spectral_projected": 3e-2,
        "mean_spectral_projected": 1e-2,
    },
    "cifar10": {
        "none": 3e-3,
        "batch": 1e-2,
        "spectral": 3e-3,
        "mean_spectral": 1e-2,
        "spectral_projected": 3e-3,
        "mean_spectral_projected": 3e-3,
    },
    "gan": {
        "none": 1e-3,
        "batch": 1e-3,
        "spectral": 3e-4,
        "mean_spectral": 1e-3,
        "mean_spectral_projected": 1e-3,  # that of the other reading: it was not tried
    },
}
