"""Normalizations by name, for comparing them.

`NORMS[name](num_features, spatial_dims, **options)` builds a layer for (N, C) when `spatial_dims` is 0, (N, C, L) when
1, (N, C, H, W) when 2. Some norms act on the weight of the layer before: `apply_norm(layer, name, **options)` puts any
of them after its layer.
"""

from types import FunctionType

from clinometer.nn.norms.apply import apply_norm, norm_after
from clinometer.nn.norms.rows import NORMS

for _name, _row in NORMS.items():
    if isinstance(_row, FunctionType) and _row.__name__ == "<lambda>":
        _row.__qualname__ = f"NORMS[{_name!r}]"  # what its repr shows

__all__ = ["NORMS", "apply_norm", "norm_after"]
