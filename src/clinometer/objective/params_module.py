"""Training without a module: a mapping of tensors, as `torch.func`, style transfer and fitting a few numbers have it.

All that is measured moves the parameters of a module. So the tensors become the parameters of a module made for them,
and the loss function gets them back in the mapping that it expects.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Params = Mapping[str, Any] | nn.ParameterDict | Callable[[], Mapping[str, Any]]
ParamsLossFn = Callable[[Any, Any], Tensor]

_Build = Callable[[Mapping[str, Any]], Any]  # from tensors by name to the mapping that they came from


class ParamsModule(nn.Module):
    """The tensors of a mapping as parameters. Names in nested mappings and lists are joined by dots.

    Integer tensors are buffers, and what is no tensor stays as it is.

    Args:
        params: The mapping; or a function without arguments that returns the present one, for training that makes a
            new mapping at each step.

    Raises:
        TypeError: if it is neither.
        ValueError: if two tensors would have one name, or none is of a floating or complex type.

    Example:
        >>> module = ParamsModule({"layer": {"w": torch.zeros(2, 3), "b": torch.zeros(2)}, "power": 4})
        >>> [name for name, _ in module.named_parameters()], module.tree()["power"]
        (['layer.w', 'layer.b'], 4)
    """

    def __init__(self, params: Params) -> None:
        super().__init__()
        given: Any = params
        if isinstance(given, nn.Module) and not isinstance(given, nn.ParameterDict):
            raise TypeError(
                f"params must be a mapping of tensors; found the module {type(given).__name__}. Pass it as the model."
            )
        # A function, which evaluations share: they would copy a mapping.
        self._read: Callable[[], Any] = given if callable(given) and not _is_mapping(given) else lambda: given
        self._shapes: Mapping[str, torch.Size] | None = None
        self.refresh()

    def refresh(self) -> None:
        """Take the tensors that the mapping has now.

        Raises:
            ValueError: if their names or shapes are not those of the first time.
        """
        found: dict[str, Tensor] = {}
        params = self._read()
        if not _is_mapping(params):
            raise TypeError(
                "params must be a mapping from names to tensors, or a function without arguments that returns one; "
                f"found {type(params).__name__}."
            )
        self._build: _Build = _flatten(params, "", found)
        # As nn.Module keeps them: register_parameter allows neither dots in a name nor tensors without gradient.
        moving: dict[str, Any] = {name: tensor for name, tensor in found.items() if _is_continuous(tensor)}
        self._parameters, self._buffers = moving, {n: t for n, t in found.items() if n not in moving}
        self._check_shapes({name: tensor.shape for name, tensor in moving.items()})

    def trained(self) -> dict[str, Tensor]:
        """The tensors that training moves: those that require gradients; where none does, all, as in `torch.func`."""
        tensors: dict[str, Tensor] = dict(super().named_parameters())
        return {name: tensor for name, tensor in tensors.items() if tensor.requires_grad} or tensors

    def tree(self) -> Any:
        """The mapping, with the tensors that the module has now."""
        return self._build({**self._parameters, **self._buffers})

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """As of any module. A trained tensor without `requires_grad` comes as a parameter that shares its values."""
        trained = {id(tensor) for tensor in self.trained().values()}
        for name, tensor in super().named_parameters(prefix, recurse, remove_duplicate):
            yield name, nn.Parameter(tensor.detach()) if id(tensor) in trained and not tensor.requires_grad else tensor

    def _check_shapes(self, shapes: Mapping[str, torch.Size]) -> None:
        if not shapes:
            raise ValueError("params has no tensor of a floating or complex type, so there is nothing to train.")
        first = self._shapes = self._shapes or shapes
        changed = [name for name in {**first, **shapes} if first.get(name) != shapes.get(name)]
        if changed:
            before, now = (tuple(each[changed[0]]) if changed[0] in each else "missing" for each in (first, shapes))
            raise ValueError(
                f"the tensors of params must keep their names and shapes; {changed[0]!r} was {before} and is {now}. "
                "Make another one where training goes on with other tensors; a recorder takes start=."
            )


class ParamsLoss:
    """`loss_fn(params, batch)` as a function of a `ParamsModule` and the batch.

    Example:
        >>> module = ParamsModule({"w": torch.tensor(3.0)})
        >>> ParamsLoss(lambda params, batch: batch * params["w"])(module, 2)
        tensor(6.)
    """

    def __init__(self, loss_fn: ParamsLossFn) -> None:
        self.loss_fn = loss_fn

    def __call__(self, module: ParamsModule, batch: Any) -> Tensor:
        """The user's function on the module's present tensors."""
        return self.loss_fn(module.tree(), batch)


def as_module(model: Any, params: Any, loss_fn: Any) -> tuple[nn.Module, Callable[[Any, Any], Tensor]]:
    """The model and its loss function, or those that stand for `params`; TypeError unless there is one of both."""
    if (model is None) == (params is None):
        found = "neither" if model is None else "both"
        raise TypeError(f"expected a model or, for training without a module, params= in its place; found {found}.")
    if not callable(loss_fn):
        of = "model" if params is None else "params"
        raise TypeError(f"loss_fn must be a function of {of} and batch; found {loss_fn!r}.")
    module = model if params is None else ParamsModule(params)
    return module, loss_of(module, loss_fn)


def loss_of(model: nn.Module, loss_fn: Any) -> Callable[[Any, Any], Tensor]:
    """A user's loss function as one of the model, which may stand for `params`, and the batch."""
    return ParamsLoss(loss_fn) if isinstance(model, ParamsModule) and not isinstance(loss_fn, ParamsLoss) else loss_fn


def trained_by_default(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model that training moves unless some of them are chosen."""
    if isinstance(model, ParamsModule):
        return model.trained()
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def present_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The tensors of these names that training holds now: a module's stay the same, those of `params` may be new."""
    if not isinstance(model, ParamsModule):
        return tensors
    model.refresh()
    now: dict[str, Tensor] = dict(nn.Module.named_parameters(model))
    return {name: now.get(name, tensor) for name, tensor in tensors.items()}


def _flatten(item: Any, name: str, found: dict[str, Tensor]) -> _Build:
    """Put the tensors inside `item` into `found`; the function returned builds an `item` of others."""
    if isinstance(item, Tensor):
        if name in found:
            raise ValueError(f"two tensors of params are called {name!r} once names are joined by dots; rename one.")
        # What was computed from earlier parameters is a place to differentiate at, as torch.func.grad takes it.
        found[name] = item if item.is_leaf else item.detach()
        return lambda tensors: tensors[name]
    if _is_mapping(item):
        built = {key: _flatten(value, f"{name}.{key}".lstrip("."), found) for key, value in item.items()}
        return lambda tensors: {key: build(tensors) for key, build in built.items()}
    if isinstance(item, list | tuple):
        kind: Any = type(item)
        labels, make = getattr(kind, "_fields", range(len(item))), getattr(kind, "_make", kind)  # of a namedtuple
        parts = [_flatten(value, f"{name}.{label}", found) for label, value in zip(labels, item, strict=True)]
        return lambda tensors: make(build(tensors) for build in parts)
    return lambda _: item


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping | nn.ParameterDict)


def _is_continuous(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()
