"""Tensors that `loss_fn` reaches by itself and that no module holds: a learned temperature, a list of loss weights.

A module's tensors can be replaced in the module. A bare one is in a closure, a global or somebody's attribute; so for
an evaluation it gets other memory, and afterwards its own again. Its gradient and hooks are set aside.
"""

import contextlib
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.params import Point

_autograd: Any = torch.autograd
_same_version = _autograd._unsafe_preserve_version_counter  # a graph of training's own checks the version
_MOST = 2**20  # elements: a larger tensor that requires no gradient holds data, not state
_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


@dataclass
class _Held:
    """A bare tensor and the values that it had."""

    tensor: Tensor
    values: Tensor
    version: int  # how often it had been changed in place, as torch counts
    constant: bool = False  # nothing has changed it since: it needs no other memory


class BareTensors:
    """Bare tensors at the values that they have now, or at those of a point.

    Args:
        tensors: The bare tensors that the loss may use.
        live: The tensors that make up a point, by name; bare ones and others.

    Example:
        >>> weight = torch.tensor(2.0, requires_grad=True)
        >>> bare = BareTensors([weight], {})
        >>> _ = weight.data.fill_(5.0)
        >>> with bare.at({}):
        ...     print(weight.item())
        2.0
        >>> weight.item()
        5.0
    """

    def __init__(self, tensors: Iterable[Tensor], live: Mapping[str, Tensor]) -> None:
        names = {id(tensor): name for name, tensor in live.items()}
        bare = [tensor for tensor in tensors if id(tensor) in names or _can_be_lent(tensor)]
        self.moved = {names[id(tensor)]: tensor for tensor in bare if id(tensor) in names}
        self._held = [_Held(t, t.detach().clone(), t._version) for t in bare if id(t) not in names]

    @contextlib.contextmanager
    def at(self, point: Point) -> Generator[None]:
        """Inside the block those that make up a point have its values, and the others those of the start."""
        held = [each for each in self._held if not (each.constant and each.tensor._version == each.version)]
        state = [each for each in held if not each.tensor.requires_grad]
        still = [torch.equal(each.tensor, each.values) for each in state]
        with contextlib.ExitStack() as own:
            for name, tensor in self.moved.items():
                _lend(tensor, point[name].detach().clone(), own)
            for each in held:
                _lend(each.tensor, each.values.clone(), own)
            lent = [each.tensor._version for each in state]
            yield
            for each, unmoved, version in zip(state, still, lent, strict=True):
                each.constant = unmoved and each.tensor._version == version

    def check_used(self, nodes: Iterable[Any], leaves: Point) -> None:
        """ValueError if a loss with these nodes depends on bare tensors that are held, and on none of the leaves."""
        used = {id(leaf) for node in nodes if (leaf := getattr(node, "variable", None)) is not None}
        held = [each.tensor for each in self._held if id(each.tensor) in used]
        if held and used.isdisjoint(map(id, leaves.values())):
            raise ValueError(
                f"the loss depends on a tensor of shape {tuple(held[0].shape)} that loss_fn reaches by itself, and on "
                "no parameter of the model. If such tensors are trained, give the recorder the optimizer that trains "
                "them, or pass them instead of the model: params={name: tensor}, with loss_fn(params, batch)."
            )


def _can_be_lent(tensor: Tensor) -> bool:
    if tensor.requires_grad or isinstance(tensor, nn.Parameter):
        return True
    plain = type(tensor) is Tensor and tensor.layout is torch.strided and not tensor.is_inference()
    return plain and tensor.numel() <= _MOST


def _lend(tensor: Any, values: Tensor, until: contextlib.ExitStack) -> None:
    """Give a tensor other memory with these values; the stack gives it its own back."""
    until.enter_context(_same_version(tensor))
    # No hooks is None in torch, but None does not take back those that were registered.
    lent = {"data": values, "grad": None, **{name: {} for name in _HOOKS if getattr(tensor, name)}}
    own = {name: getattr(tensor, name) for name in lent}
    until.callback(_assign, tensor, own)
    _assign(tensor, lent)


def _assign(tensor: Any, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        setattr(tensor, name, value)
