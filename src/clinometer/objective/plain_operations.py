"""Plain operations in place of fused kernels that torch cannot differentiate twice: attention's, and weight norm's."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

ATTENTION = (
    "attention is computed by plain operations (SDPBackend.MATH), as the fused kernels that training may use have no "
    "second derivative: loss and gradient round otherwise than in training"
)
DROPOUT = "dropout inside attention may draw other entries than training's fused kernel does"

# What happens inside a function is not seen from outside: that nn.MultiheadAttention's calls attention, and that a
# backward pass computes checkpointed activations again.
_ATTENTION = {F.scaled_dot_product_attention, F.multi_head_attention_forward, torch.autograd.grad}


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    return v * (g / torch.norm_except_dim(v, 2, dim))


def _hardsigmoid(x: Tensor, **_inplace: bool) -> Tensor:
    return F.relu6(x + 3) / 6


_torch: Any = torch
_PLAIN: dict[Any, Callable[..., Tensor]] = {
    _torch._weight_norm: _weight_norm,  # its second derivative is wrong: it holds the norm constant
    F.hardsigmoid: _hardsigmoid,  # has none
}


class PlainOperations(TorchFunctionMode):
    """Inside the block attention, weight norm and hardsigmoid are computed by operations that have second derivatives.

    Attention is, whatever `sdpa_kernel` a loss function chooses. That switch is thrown around the calls alone: it is
    the whole program's, and other threads may train meanwhile.

    Example:
        >>> x = torch.randn(1, 1, 2, 4, requires_grad=True)
        >>> with PlainOperations() as plain:
        ...     y = F.scaled_dot_product_attention(x, x, x)
        >>> plain.notes == [ATTENTION]
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []  # what is other than in training, in words

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _PLAIN:
            return _PLAIN[func](*args, **kwargs)
        if func not in _ATTENTION:
            return func(*args, **kwargs)
        if _is_fused(func, kwargs):
            self._note(ATTENTION)
            if _dropout(func, args, kwargs):
                self._note(DROPOUT)
        with sdpa_kernel(SDPBackend.MATH):
            return func(*args, **kwargs)

    def _note(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)


def _is_fused(func: Any, kwargs: Any) -> bool:
    """Whether training may use a fused kernel here: one is allowed, and the weights of attention are not asked for."""
    if func is torch.autograd.grad or (func is F.multi_head_attention_forward and kwargs.get("need_weights", True)):
        return False
    backends = torch.backends.cuda
    return backends.flash_sdp_enabled() or backends.mem_efficient_sdp_enabled() or backends.cudnn_sdp_enabled()


def _dropout(func: Any, args: Any, kwargs: Any) -> bool:
    if func is F.scaled_dot_product_attention:
        return (args[4] if len(args) > 4 else kwargs.get("dropout_p", 0.0)) > 0
    return kwargs.get("training", True) and kwargs.get("dropout_p", *args[10:11]) > 0
