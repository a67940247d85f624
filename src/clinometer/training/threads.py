"""How torch computes where numbers must not depend on the machine: on one thread, and in the whole of float32."""

import contextlib
from collections.abc import Generator

import torch


def use_plain_arithmetic() -> None:
    """Let this process compute on one thread from now on, and round nothing to fewer bits than float32 has.

    One single-threaded process per core beats one process with many threads. On a GPU torch's convolutions round their
    inputs to TF32 by default, which has 10 bits of mantissa: a step that changes a weight by less than a thousandth
    would not change the loss, and differences of gradients would be those of rounding.
    """
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


@contextlib.contextmanager
def one_thread() -> Generator[None]:
    """Let torch use one thread while a `with` block lasts: a sum over several has other last bits.

    Example:
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
