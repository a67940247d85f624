"""The wrapper that Lightning Fabric puts around a model, as it runs while it is measured."""

from typing import Any

import torch
from torch import nn


def fabric_attributes(module: nn.Module) -> dict[str, Any] | None:
    """What a Fabric wrapper has other than in training; None for every other module.

    Its own forward pass has the output refuse a backward pass that `fabric.backward` does not make. And in mixed
    precision it casts inputs to half precision, for autocast to match the weights; without autocast they stay.
    """
    if type(module).__name__ != "_FabricModule":
        return None
    wrapper: Any = module

    def forward(*args: Any, **kwargs: Any) -> Any:
        precision = wrapper._strategy.precision
        with precision.forward_context():
            device = next(module.parameters()).device.type
            if type(precision).__name__ != "MixedPrecision" or torch.is_autocast_enabled(device):
                args, kwargs = precision.convert_input((args, kwargs))
            output = wrapper._forward_module(*args, **kwargs)
        return precision.convert_output(output)

    return {"forward": forward}
