"""The precision in which a loss is evaluated: float32 or training's own, always uncompiled.

A compiled model would be compiled again for every set of parameters, and cannot be differentiated twice. Autocast
rounds to eight bits or eleven, which drowns the small differences that smoothness is made of, and it caches casts.
"""

import contextlib
from collections.abc import Generator
from typing import Any, Literal, get_args

import torch

Precision = Literal["float32", "training"]

_DEVICES = ("cpu", "cuda", "mps", "xpu")
_Region: Any = torch.autocast


def check_precision(precision: str) -> None:
    """ValueError unless `precision` is one of `Precision`."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}; found {precision!r}.")


@contextlib.contextmanager
def eager(precision: Precision) -> Generator[None]:
    """Inside the block compiled code runs as Python; autocast is off or, with `training`, caches no casts.

    `loss_fn` may enter an autocast region of its own, and accelerate wraps `forward` in one, so the class is patched.
    """
    entered = _Region.__enter__

    def enter(region: Any) -> Any:
        own = region._enabled, region._cache_enabled
        region._enabled, region._cache_enabled = own[0] and precision == "training", False
        try:
            return entered(region)
        finally:
            region._enabled, region._cache_enabled = own

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
