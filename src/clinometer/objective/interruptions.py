"""Errors that say nothing about the loss or the set-up: memory was short, or the program was interrupted."""

import signal
import traceback
from typing import Any

import torch

# torch's CPU allocator raises a plain RuntimeError, and cuBLAS has an error code of its own.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short.

    Example:
        >>> try:
        ...     torch.empty(2**50)
        ... except RuntimeError as error:
        ...     is_out_of_memory(error)
        True
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def is_interruption(error: BaseException) -> bool:
    """Whether it interrupts the program from outside: a time-out, or what a handler of a signal raised.

    A handler is run amid whatever code runs just then, so its error has a frame of the handler among its frames.

    Example:
        >>> is_interruption(TimeoutError()), is_interruption(ValueError())
        (True, False)
    """
    if isinstance(error, TimeoutError) or not isinstance(error, Exception):
        return True
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    return any(frame.f_code in handlers for frame, _ in traceback.walk_tb(error.__traceback__))


def _code(handler: Any) -> Any:
    """The code that a signal's handler runs; None for the system's own handlers."""
    function = getattr(handler, "__func__", handler)  # of a bound method
    called: Any = vars(type(handler)).get("__call__")  # of an object that can be called
    return getattr(function, "__code__", None) or getattr(called, "__code__", None)
