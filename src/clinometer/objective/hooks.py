"""What passes through a submodule: hooks that look at its input and output, and change neither's value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Signal:
    """What went through a module and the gradients that came back, all detached."""

    input: Tensor
    output: Tensor
    input_gradient: Tensor  # ∂L/∂input
    output_gradient: Tensor  # ∂L/∂output


def submodule(model: nn.Module, name: str) -> nn.Module:
    """The submodule of that name; ValueError with the names that exist."""
    modules = dict(model.named_modules())
    if name not in modules:
        known = ", ".join(repr(n) for n in list(modules)[1:9]) or "none"
        raise ValueError(f"{type(model).__name__} has no module {name!r}; it has {known}. See model.named_modules().")
    return modules[name]


def keep(name: str, seen: dict[str, Tensor]) -> Callable[[nn.Module, Any, Any], None]:
    """A forward hook that puts a copy of the module's output, or of its first, into `seen`."""

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple | list) else output
        if isinstance(first, Tensor):
            seen[name] = first.detach().clone()  # an in-place ReLU after it would overwrite it

    return hook


def tracked(_module: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """A forward pre-hook: the module gets tensors of its own, so that gradients by them are those through it alone.

    What it is given may go elsewhere, too, as in a residual block; or be data, which need no gradient.
    """
    return tuple(_own(x) if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs)


def _own(x: Tensor) -> Tensor:
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def tap(name: str, seen: dict[str, tuple[Tensor, Tensor]]) -> Callable[[nn.Module, Any, Any], Any]:
    """A forward hook that puts the module's input and output, undetached, into `seen`."""

    def hook(_module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, Tensor) and inputs and isinstance(inputs[0], Tensor):
            seen[name] = (inputs[0], output)
            return output.clone()  # an in-place ReLU after it would become part of the output seen here
        return None

    return hook
