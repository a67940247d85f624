"""Errors that say nothing about the loss or the set-up: memory was short, a device failed, the program was stopped."""

import signal
import traceback
from collections.abc import Iterator
from typing import Any

import torch

# torch's CPU allocator raises a plain RuntimeError, and cuBLAS has an error code of its own.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")

# Of CUDA and its libraries, of several processes, and of a DataLoader's.
_FAILED = ("CUDA error", "CUBLAS_STATUS", "CUDNN_STATUS", "cuDNN error", "NCCL", "Gloo", "HIP error", "MPS backend",
           "Connection", "timed out", "Timed out", "DataLoader worker")  # fmt: skip
_DEVICE_ERRORS = tuple(getattr(torch, name) for name in ("AcceleratorError",) if hasattr(torch, name))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short.

    Example:
        >>> try:
        ...     torch.empty(2**50)
        ... except RuntimeError as error:
        ...     is_out_of_memory(error)
        True
    """
    return any(
        isinstance(cause, MemoryError | torch.OutOfMemoryError)
        or (isinstance(cause, RuntimeError) and any(words in str(cause) for words in _OUT_OF_MEMORY))
        for cause in _causes(error)
    )


def is_transient(error: BaseException) -> bool:
    """Whether it may not come again at the same point: memory, a device, a file or a connection failed.

    Example:
        >>> is_transient(ConnectionResetError()), is_transient(RuntimeError("CUDA error: an illegal memory access"))
        (True, True)
    """
    return is_out_of_memory(error) or any(
        isinstance(cause, (OSError, EOFError, BufferError, *_DEVICE_ERRORS))
        or (isinstance(cause, RuntimeError) and any(words in str(cause) for words in _FAILED))
        for cause in _causes(error)
    )


def is_interruption(error: BaseException) -> bool:
    """Whether it interrupts the program from outside: a time-out, or what a handler of a signal raised.

    A handler is run amid whatever code runs just then, so its error has a frame of the handler among its frames.

    Example:
        >>> is_interruption(TimeoutError()), is_interruption(ValueError())
        (True, False)
    """
    if not isinstance(error, Exception) or any(isinstance(cause, TimeoutError) for cause in _causes(error)):
        return True
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    return any(frame.f_code in handlers for frame, _ in traceback.walk_tb(error.__traceback__))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, the one that it was raised from, and so on."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _code(handler: Any) -> Any:
    """The code that a signal's handler runs; None for the system's own handlers."""
    function = getattr(handler, "__func__", handler)  # of a bound method
    called: Any = vars(type(handler)).get("__call__")  # of an object that can be called
    return getattr(function, "__code__", None) or getattr(called, "__code__", None)
