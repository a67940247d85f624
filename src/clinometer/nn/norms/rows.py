"""Normalizations, and noise, by name. Adding a norm is adding a row here."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from clinometer.nn.norms.batch_renorm import BatchRenorm
from clinometer.nn.norms.dynamic_tanh import DynamicTanh
from clinometer.nn.norms.filter_response import FilterResponseNorm
from clinometer.nn.norms.fixup import ScalarAffine, fixup_start
from clinometer.nn.norms.ghost_batch import GhostBatchNorm
from clinometer.nn.norms.graph import GraphNorm, PairNorm
from clinometer.nn.norms.lp import LpNorm, SampleLpNorm
from clinometer.nn.norms.mean_spectral import mean_spectral
from clinometer.nn.norms.noise import Noise
from clinometer.nn.norms.on_weights import OnWeights
from clinometer.nn.norms.rms import RMSNorm
from clinometer.nn.norms.torch_layers import batch_norm, group_norm, instance_norm
from clinometer.nn.norms.weight_standardization import weight_standardization


class NormFactory(Protocol):
    """What a row is: a norm for so many features in so many spatial dimensions, by the options that the norm has."""

    def __call__(self, num_features: int, spatial_dims: int, /, **options: Any) -> nn.Module: ...


NORMS: Mapping[str, NormFactory] = {
    "none": lambda _n, _dims, **options: nn.Identity(**options),
    "batch": batch_norm,
    "layer": lambda n, _dims, **options: nn.GroupNorm(1, n, **options),  # over a sample's units and space
    "group": group_norm,
    "instance": instance_norm,
    "rms": lambda n, _dims, **options: RMSNorm(n, **options),
    "filter_response": lambda n, dims, **options: FilterResponseNorm(n, dims, **options),
    "ghost_batch": lambda n, _dims, **options: GhostBatchNorm(n, **options),
    "batch_renorm": lambda n, _dims, **options: BatchRenorm(n, **options),
    "dynamic_tanh": lambda n, _dims, **options: DynamicTanh(n, **options),
    "graph": lambda n, _dims, **options: GraphNorm(n, **options),
    "pair": lambda n, _dims, **options: PairNorm(n, **options),
    # These change the weight of the layer before: see `apply_norm`.
    "weight": lambda _n, _dims, **options: OnWeights(partial(weight_norm, **options)),
    "spectral": lambda _n, _dims, **options: OnWeights(partial(spectral_norm, **options)),
    "mean_spectral": lambda n, _dims, **options: mean_spectral(n, **options),
    "weight_standardization": lambda _n, _dims, **options: OnWeights(partial(weight_standardization, **options)),
    "fixup": lambda _n, _dims, **options: OnWeights(partial(fixup_start, **options), ScalarAffine()),
    # Of Santurkar et al. (2018).
    "noisy_batch": lambda n, dims, **options: nn.Sequential(batch_norm(n, dims, **options), Noise()),
    "noise": lambda _n, _dims, **options: Noise(**options),
    "l1": lambda n, _dims, **options: LpNorm(n, 1, **options),
    "l2": lambda n, _dims, **options: LpNorm(n, 2, **options),
    "linf": lambda n, _dims, **options: LpNorm(n, float("inf"), **options),
    # Other readings of the paper's section 3.3; for p = 1 the literal one is the average.
    "l2_literal": lambda n, _dims, **options: LpNorm(n, 2, literal=True, **options),
    "linf_literal": lambda n, _dims, **options: LpNorm(n, float("inf"), literal=True, **options),
    "l1_sample": lambda n, _dims, **options: SampleLpNorm(n, 1, **options),
    "l2_sample": lambda n, _dims, **options: SampleLpNorm(n, 2, **options),
    "linf_sample": lambda n, _dims, **options: SampleLpNorm(n, float("inf"), **options),
}


def norm_factory(name: str) -> NormFactory:
    """A row of `NORMS`.

    Raises:
        ValueError: if there is no such row.
    """
    if name not in NORMS:
        raise ValueError(f"no norm {name!r}; there are {', '.join(NORMS)}.")
    return NORMS[name]
