"""Under which conditions a loss is evaluated: uncompiled, and in float32 or in the precision of training.

A compiled model would be compiled again for every set of parameters, and cannot be differentiated twice. Autocast
rounds to eight bits or eleven, which drowns the small differences that smoothness is made of, and it remembers casts.
"""

import contextlib
from collections.abc import Generator
from typing import Any, Literal, get_args

import torch

Precision = Literal["float32", "training"]

_DEVICES = ("cpu", "cuda", "mps", "xpu")
_Region: Any = torch.autocast


def check_precision(precision: str) -> None:
    """ValueError unless it is one that we know."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}; found {precision!r}.")


@contextlib.contextmanager
def conditions(precision: Precision) -> Generator[None]:
    """Inside the block compiled code runs as Python; autocast is off or, in training's precision, without memory.

    A `loss_fn` may enter a region of its own, and accelerate wraps `forward` in one; hence the class is changed.
    """
    entered = _Region.__enter__

    def enter(region: Any) -> Any:
        kept = region._enabled, region._cache_enabled
        region._enabled, region._cache_enabled = kept[0] and precision == "training", False
        try:
            return entered(region)
        finally:
            region._enabled, region._cache_enabled = kept

    around = [torch.autocast(device, torch.get_autocast_dtype(device)) for device in _DEVICES if _is_on(device)]
    _Region.__enter__ = enter
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
            for region in around:  # the loop's own
                stack.enter_context(region)
            yield
    finally:
        _Region.__enter__ = entered


def _is_on(device: str) -> bool:
    return torch.is_autocast_enabled(device)
