"""Processes that are nobody's child: no `os.wait` of somebody's code finds them."""

import os
from collections.abc import Callable


def fork_orphan(work: Callable[[], None]) -> None:
    """Call a function in a fork of this process that belongs to nobody, and ends with it; it is not waited for."""
    child = os.fork()
    if child == 0:
        try:
            if os.fork() == 0:  # a grandchild belongs to nobody, once its parent has ended
                work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
