"""How many threads torch uses: one where numbers must not depend on the machine."""

import contextlib
from collections.abc import Generator

import torch


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
