"""The runs: a large batch shared by workers, plainly or with noise, and a small batch for comparison."""

from clinometer.papers.haruki2019.sizes import TRAINED
from clinometer.training.config import Bases, RunConfig
from clinometer.training.errors import check_choice
from clinometer.training.settings import Settings

_HERE = "clinometer.papers.haruki2019"
NOISES = ("none", "own", "permuted", "isotropic")
SGD, GNC, GNC_0, ISOTROPIC, SMALL = "SGD", "GNC", "GNC, lag 0", "isotropic noise", "SGD, small batch"
ARMS = (SGD, GNC, GNC_0, ISOTROPIC, SMALL)
RATES = {  # by `tuning.py` on pilot seeds, on images kept apart from those that are tested
    "digits": {SGD: 0.1, GNC: 0.1, GNC_0: 0.1, ISOTROPIC: 0.1, SMALL: 0.02},
    "cifar10": {SGD: 0.2, GNC: 0.2, GNC_0: 0.6, ISOTROPIC: 0.2, SMALL: 0.02},
}
SCALES = {"digits": {GNC: 0.1, GNC_0: 1.0}, "cifar10": {GNC: 0.1, GNC_0: 1.0}}  # likewise; isotropic noise has GNC's
_NOISE = {GNC: "own", GNC_0: "own", ISOTROPIC: "isotropic"}


def large_batch(
    noise: str = "none",
    *,
    dataset: str = "digits",
    part: str = "test",
    batch_size: int = 512,
    workers: int = 16,
    lr: float = 0.2,
    scale: float = 1.0,
    lag: int = 1,
    momentum: float = 0.9,
    norm: str = "none",
    steps: int = 100,
    seed: int = 0,
    geometry: bool = False,
) -> RunConfig:
    """A run.

    Args:
        noise: `none`, or whose noise a worker gets: its `own`, its neighbour's (`permuted`), or `isotropic`.
        dataset: Whose images.
        part: Tested on the `test` images, or on those kept apart for `tuning`.
        batch_size: Images of a step.
        workers: Among whom it is divided.
        lr: Learning rate.
        scale: Of the noise, in steps of a worker.
        lag: 1 for the noise of the step before, 0 for that at the step's own point.
        momentum: Of SGD.
        norm: A row of `NORMS`.
        steps: Of training.
        seed: Of weights, batches and isotropic noise.
        geometry: Whether the noise is held against the Hessian, at three steps.

    Example:
        >>> large_batch("own", workers=1)                                           # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: one worker has no gradient noise...
    """
    check_choice("noise", noise, NOISES)
    check_choice("data set", dataset, TRAINED)
    if workers < 2 and noise != "none":
        raise ValueError("one worker has no gradient noise: that is plain SGD. Expected at least 2, or noise none.")
    if batch_size % workers:
        raise ValueError(f"a batch of {batch_size} does not divide into {workers} equal parts.")
    return RunConfig(
        f"{_HERE}.network:network",
        f"{_HERE}.images:images",
        trainer=f"{_HERE}.trainer:train",
        settings=Settings(
            dataset=dataset,
            part=part,
            norm=norm,
            lr=float(lr),
            momentum=float(momentum),
            noise=noise,
            workers=workers,
            scale=float(scale),
            lag=lag,
            geometry=geometry,
        ),
        probes=(),
        batch_size=batch_size,
        steps=steps,
        seed=seed,
        measure_every=-(-steps // 3),
        test_every=max(1, steps // 5),
    )


def arm(bases: Bases, name: str) -> RunConfig:
    """One of `ARMS`, at its own tuned rate and scale."""
    (base,) = bases.values()
    dataset = base["dataset"]
    return varied(base, name, RATES[dataset][name], SCALES[dataset].get(name, SCALES[dataset][GNC]))


def varied(base: RunConfig, name: str, lr: float, scale: float) -> RunConfig:
    """One of `ARMS` at some rate and scale; the small batch sees as many images in all."""
    run = base.vary(noise=_NOISE.get(name, "none"), lag=int(name != GNC_0), lr=lr, scale=scale, geometry=name == SGD)
    if name != SMALL:
        return run
    by = base["workers"]
    return run.vary(
        workers=1,
        batch_size=base.batch_size // by,
        steps=base.steps * by,
        measure_every=base.measure_every * by,
        test_every=base.test_every * by,
    )
