"""The sweep of a norm's learning rates: five by factors of 4, then one between the last stable and the first unstable.

Where stability ends is decided by `analysis/stable_rate.py`, to a factor of 2.
"""

from collections.abc import Callable, Sequence

from clinometer.analysis.stable_rate import Trial, Trials, outcome, trial
from clinometer.papers.norms.configs import RATES, STRIDE
from clinometer.training.config import RunConfig
from clinometer.training.curve import curve, samples
from clinometer.training.from_config import Data
from clinometer.training.parts import Samples

TUNING_SEED = 1_000_000  # added to a run's seed: the seeds of sweeps are those of no measured run


def sweep(train: Callable[[int], Trial], rates: Sequence[int] = RATES) -> dict[int, Trial]:
    """Train at each rate, then at the one in the middle of the gap in which stability ends.

    Args:
        train: Half octaves of a rate to what becomes of it.
        rates: Half octaves, rising.

    Example:
        >>> fine, diverged = Trial((2.3,), (1.0,), (0.5,)), Trial((2.3,), (9.0,), (0.1,))
        >>> sorted(sweep(lambda half_octaves: fine if half_octaves < 1 else diverged, [-4, 0, 4]))
        [-4, 0, 2, 4]
    """
    trials = {each: train(each) for each in rates}
    gap = _middle(trials)
    return trials if gap is None else dict(sorted({**trials, gap: train(gap)}.items()))


def swept(config: RunConfig, device: str = "cpu", data: Data | None = None) -> dict[int, Trial]:
    """The sweep of a config's network: its `half_octaves` of rates for `sweep_steps` steps, with a seed of its own."""
    train, seed = samples(config, device, data), TUNING_SEED + config.seed
    short = config.vary(steps=config["sweep_steps"])
    return sweep(lambda half_octaves: _trained(short, half_octaves, seed, train, device), config["half_octaves"])


def _trained(config: RunConfig, half_octaves: int, seed: int, train: Samples, device: str) -> Trial:
    return trial([curve(config, 2.0 ** (half_octaves / 2), seed, train, device)])


def _middle(trials: Trials) -> int | None:
    """The rate between the largest stable one and the next; None where none is stable, or all above the best are."""
    found = outcome(trials)
    stable = [each for each in trials if 2.0 ** (each / 2) == found.largest]
    if not stable or found.censored:
        return None
    return stable[0] + STRIDE // 2
