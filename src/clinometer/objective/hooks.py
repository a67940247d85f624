"""What passes through a submodule: hooks that look at its input and output, and change neither's value."""

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from clinometer.objective.gradients import gradients


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


@contextlib.contextmanager
def capture_outputs(model: nn.Module, modules: Sequence[str]) -> Generator[dict[str, Tensor]]:
    """Inside the block, a copy of each module's output, or of its first, goes into the mapping by name.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Identity(), nn.Flatten(0))
        >>> with capture_outputs(model, ["0"]) as outputs:
        ...     _ = model(torch.ones(1, 2))
        >>> outputs
        {'0': tensor([[1., 1.]])}
    """
    outputs: dict[str, Tensor] = {}

    def into(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple | list) else output
            if isinstance(first, Tensor):
                outputs[name] = first.detach().clone()  # an in-place ReLU after it would overwrite it

        return hook

    with contextlib.ExitStack() as hooks:
        for name in modules:
            hooks.callback(submodule(model, name).register_forward_hook(into(name)).remove)
        yield outputs


@contextlib.contextmanager
def capture_inputs_and_outputs(model: nn.Module, modules: Sequence[str]) -> Generator[dict[str, tuple[Tensor, Tensor]]]:
    """Inside the block, each module's input and output, undetached, go into the mapping by name."""
    captured: dict[str, tuple[Tensor, Tensor]] = {}

    def into(name: str) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, inputs: Any, output: Any) -> Any:
            if isinstance(output, Tensor) and inputs and isinstance(inputs[0], Tensor):
                captured[name] = (inputs[0], output)
                return output.clone()  # an in-place ReLU after it would become part of the output seen here
            return None

        return hook

    with contextlib.ExitStack() as hooks:
        for name in modules:
            module = submodule(model, name)
            hooks.callback(module.register_forward_pre_hook(_own_inputs).remove)
            hooks.callback(module.register_forward_hook(into(name)).remove)
        yield captured


def signals_of(
    loss: Tensor, captured: Mapping[str, tuple[Tensor, Tensor]], modules: Sequence[str]
) -> dict[str, Signal]:
    """The captured inputs and outputs of these modules, with the gradients of a loss by them.

    Raises:
        ValueError: if one of the modules is not among the captured.
    """
    silent = [name for name in modules if name not in captured]
    if silent:
        raise ValueError(f"{silent[0]!r} took no part in the loss, or returned no tensor.")
    tensors = [tensor for name in modules for tensor in captured[name]]
    grads = iter(gradients(loss, tensors))
    detached = ((name, *(tensor.detach() for tensor in captured[name])) for name in modules)
    return {name: Signal(into, out, next(grads), next(grads)) for name, into, out in detached}


def _own_inputs(_module: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """A forward pre-hook: the module gets tensors of its own, so that gradients by them are those through it alone.

    The tensors it is given may go elsewhere, too, as in a residual block; or be data, which need no gradient.
    """
    return tuple(_own(x) if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs)


def _own(x: Tensor) -> Tensor:
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
