"""Every probe of the registry, each with the variants that the contract tests try, on the network of `models`."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from models import batch

from clinometer import Probe
from clinometer.probes.registry import PROBES

BATCHES = [batch(100), batch(101)]  # other ones than those that are trained on

# A probe that is not here is tried as it is by default.
ARGUMENTS: Mapping[str, list[dict[str, Any]]] = {
    "landscape": [
        {},
        {"direction": "random", "distances": [0.05, 0.1]},
        {"direction": "update"},
        {"blocks": "layers"},
        {"batches": BATCHES},
    ],
    "headroom": [
        {},
        {"blocks": ["first.*", "*.bias"], "angle": True},
        {"direction": "gradient", "batches": BATCHES},
        {"loss_fn": lambda model, data: model(data[0]).square().mean()},
    ],
    "directional_sharpness": [{}, {"blocks": "layers"}, {"batches": BATCHES}],
    "sharpness": [{}, {"k": 3, "blocks": "layers"}, {"which": "smallest", "basis": 4, "batches": BATCHES}],
    "batch_sharpness": [{}, {"batches": BATCHES}],
    "scale_free": [{}, {"direction": "update"}, {"direction": "random", "by": "layer", "move_1d": True}],
    "generalised_sharpness": [{}, {"norm": "spectral", "iterations": 2, "batches": BATCHES}],
    "activations": [{"modules": ["norm", "head"]}],
    "trace": [{}, {"products": 8, "blocks": "layers"}],
    "density": [{"steps": 6}, {"steps": 4, "blocks": ["first.*", "*.bias"]}],
}


def variants() -> dict[str, Callable[[], Probe]]:
    """The name of the rows to what makes the probe."""
    makers = [functools.partial(make, **a) for name, make in PROBES.items() for a in ARGUMENTS.get(name, [{}])]
    return {maker().__name__: maker for maker in makers}


VARIANTS = variants()
