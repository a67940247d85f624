"""The precision in which a loss is evaluated: float32 or training's own, always uncompiled.

A compiled model would be compiled again for every set of parameters, and cannot be differentiated twice. Autocast
rounds to eight bits or eleven, which drowns the small differences that smoothness is made of, and it caches casts.
"""

import contextlib
import threading
from collections.abc import Generator
from typing import Any, Literal, get_args

import torch

from clinometer.objective.thread_view import is_started_by_torch

Precision = Literal["float32", "training"]

_DEVICES = ("cpu", "cuda", "mps", "xpu")
_Region: Any = torch.autocast


def check_precision(precision: str) -> None:
    """ValueError unless `precision` is one of `Precision`."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}; found {precision!r}.")


@contextlib.contextmanager
def eager(precision: Precision) -> Generator[None]:
    """Inside the block compiled code runs as Python, and this thread's autocast is off or, with `training`, uncached.

    `loss_fn` may enter an autocast region of its own, and accelerate wraps `forward` in one, so the class is patched;
    regions that other threads enter meanwhile are left alone. One thread at a time may be inside.
    """
    entered, evaluating = _Region.__enter__, threading.get_ident()

    def enter(region: Any) -> Any:
        result = entered(region)
        if threading.get_ident() == evaluating or is_started_by_torch(threading.current_thread()):
            if precision == "float32":
                torch.set_autocast_enabled(region.device, False)
            torch.set_autocast_cache_enabled(False)  # the region's end restores both
        return result

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
