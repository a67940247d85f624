"""The inputs of attention's softmax: how large they are, and how spread the weights that come out.

Attention is told from any other softmax by what follows it: its weights are multiplied with values, in a product of
matrices. That is seen below autograd, in the operations that torch runs, so it does not matter who wrote the attention.
"""

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
from clinometer.objective.plain_operations import PlainOperations
from clinometer.readable.results import readable

_SOFTMAX = {"aten::_softmax", "aten::_safe_softmax"}  # the second is that of F.scaled_dot_product_attention
_PRODUCTS = {
    "aten::mm": 0,
    "aten::bmm": 0,
    "aten::mv": 0,
    "aten::addmm": 1,
    "aten::baddbmm": 1,
}  # of arguments from here


@readable
@dataclass(frozen=True)
class Attention:
    """One softmax over keys, by whom it was called."""

    module: str  # the innermost module that ran
    largest: float  # the largest finite input, over batch, heads, queries and keys; NaN where none is finite
    entropy: float  # the mean entropy of the weights of a query, in nats; queries that see no key are left out


def attention_logits(objective: Objective, at: Point) -> list[Attention]:
    """Each attention of the loss, in the order in which they run, on the objective's first batch.

    Attention is computed by plain operations, as fused kernels show no logits; masks and scales are in the logits.
    Cost: one forward pass.

    Example:
        >>> attend = nn.MultiheadAttention(2, 1, bias=False, batch_first=True)
        >>> objective = Objective(attend, lambda m, x: m(x, x, x)[0].sum(), torch.ones(1, 3, 2))
        >>> [found] = attention_logits(objective, objective.here())      # three equal keys: ln 3 = 1.0986
        >>> round(found.entropy, 4)
        1.0986
    """
    with _running(objective.model) as running, _Softmaxes(running) as seen, PlainOperations():
        objective.only([0]).loss(at)
    return seen.attentions()


class _Softmaxes(TorchDispatchMode):
    """Follows the results of every softmax inside the block until they are multiplied with a matrix.

    Args:
        running: The names of the modules that run, the innermost last.
    """

    def __init__(self, running: list[str]) -> None:
        super().__init__()
        self._running = running
        self._found: list[Attention] = []
        self._multiplied: set[int] = set()  # the numbers of those in `_found` that are attention
        self._followed: dict[int, tuple[int, Any]] = {}  # by storage: the number, and the storage, lest it be used anew

    def attentions(self) -> list[Attention]:
        """Those whose results were multiplied with a matrix."""
        return [each for number, each in enumerate(self._found) if number in self._multiplied]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name
        first = result[0] if isinstance(result, tuple | list) and result else result
        if name in _SOFTMAX:
            self._follow(first, len(self._found))
            self._found.append(_attention(self._running[-1] if self._running else "", args[0], args[1]))
        elif self._followed:
            self._pass_on(name, [each for each in args[_PRODUCTS.get(name, 0) :] if isinstance(each, Tensor)], first)
        return result

    def _pass_on(self, name: str, args: list[Tensor], result: Any) -> None:
        for tensor in args:
            number, _ = self._followed.get(_storage_key(tensor), (None, None))
            if number is None:
                continue
            if name in _PRODUCTS:
                self._multiplied.add(number)
                self._followed = {key: each for key, each in self._followed.items() if each[0] != number}
            elif isinstance(result, Tensor) and result.numel() == tensor.numel():  # dropout, a cast, a mask, a copy
                self._follow(result, number)

    def _follow(self, tensor: Any, number: int) -> None:
        self._followed[_storage_key(tensor)] = number, tensor.untyped_storage()


def _attention(module: str, logits: Tensor, dim: int) -> Attention:
    wide = logits.detach().to(torch.promote_types(logits.dtype, torch.float32))
    finite = wide.isfinite()
    largest = wide.masked_fill(~finite, -torch.inf).max() if wide.numel() else wide.new_tensor(torch.nan)
    entropies = torch.special.entr(wide.softmax(dim)).sum(dim)[finite.any(dim)]
    return Attention(module, float(largest) if largest.isfinite() else float("nan"), float(entropies.mean()))


def _storage_key(tensor: Tensor) -> int:
    storage: Any = tensor.untyped_storage()
    return storage._cdata


@contextlib.contextmanager
def _running(model: nn.Module) -> Generator[list[str]]:
    """Inside the block, the names of the modules that run at the moment, the innermost last."""
    running: list[str] = []

    def enter(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda _module, _inputs: running.append(name)

    def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        running.pop()

    with contextlib.ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(module.register_forward_pre_hook(enter(name or type(module).__name__)).remove)
            hooks.callback(module.register_forward_hook(leave, always_call=True).remove)
        yield running
