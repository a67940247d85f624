"""Four numbers of each layer's output as a whole: mean, variance, kurtosis and the largest magnitude."""

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.hooks import submodule
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class OutputMoments:
    """Of all entries of one output together: over the batch, units and space."""

    mean: float
    var: float  # biased
    kurtosis: float  # m4 / m2²: 3 for a Gaussian, 1 at least; NaN where the output is constant
    largest: float  # the largest magnitude


UNKNOWN = OutputMoments(*(float("nan"),) * 4)


def output_moments(output: Tensor) -> OutputMoments:
    """Mean, biased variance, kurtosis m4 / m2² and the largest magnitude of all entries of a tensor.

    Computed in float32 at least, after the mean is taken off. NaN and infinities are entries as any other.

    Example:
        >>> found = output_moments(torch.tensor([1.0, -1.0, 3.0, 5.0]))
        >>> found.mean, found.var, round(found.kurtosis, 4), found.largest
        (2.0, 5.0, 1.64, 5.0)
    """
    values = torch.view_as_real(output.detach()) if output.is_complex() else output.detach()
    if not values.numel():
        return UNKNOWN
    wide = values.to(torch.promote_types(values.dtype, torch.float32)).flatten()
    mean = wide.mean()
    squares = (wide - mean).square_()
    var = squares.mean()
    relative = squares / var  # before it is squared: the fourth power of an activation may overflow
    return OutputMoments(*torch.stack([mean, var, relative.square_().mean(), wide.abs().max()]).tolist())


def activation_moments(objective: Objective, at: Point, modules: Sequence[str]) -> dict[str, OutputMoments]:
    """The moments of what submodules return, by their names, on the objective's first batch. Cost: one forward pass.

    A module that returns several values is measured by its first; of several calls the last counts. One that did not
    run, or returned no floating-point tensor, has NaN.

    Raises:
        ValueError: if the model has no submodule of one of these names.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, x: m(x).sum(), torch.tensor([[-1.0], [1.0]]))
        >>> activation_moments(objective, {"weight": torch.tensor([[2.0]])}, [""])[""]
        OutputMoments(mean=0, var=4, kurtosis=1, largest=2)
    """
    found = dict.fromkeys(modules, UNKNOWN)
    with _watched(objective.model, found):
        objective.only([0]).loss(at)
    return found


@contextlib.contextmanager
def _watched(model: nn.Module, found: dict[str, OutputMoments]) -> Generator[None]:
    """Inside the block each output's moments replace those under the module's name."""

    def into(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            first = _first(output)
            if isinstance(first, Tensor) and (first.is_floating_point() or first.is_complex()):
                found[name] = output_moments(first)

        return hook

    with contextlib.ExitStack() as hooks:
        for name in found:
            hooks.callback(submodule(model, name).register_forward_hook(into(name)).remove)
        yield


def _first(output: Any) -> Any:
    """The first value of what a module returned: of a tuple, a list, or a mapping such as transformers' outputs."""
    if isinstance(output, Mapping):
        return next(iter(output.values()), None)
    return next(iter(output), None) if isinstance(output, tuple | list) else output
