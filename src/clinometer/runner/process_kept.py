"""Keeps what somebody's code may change of a process that it does not own."""

import contextlib
import os
import signal
import threading
from collections.abc import Generator

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


@contextlib.contextmanager
def process_kept() -> Generator[None]:
    """Put back this process's folder, environment variables and signal handlers after a `with` block.

    Example:
        >>> before = os.environ["HOME"] = "/home/somebody"
        >>> with process_kept():
        ...     os.environ["HOME"] = "/"
        >>> os.environ["HOME"]
        '/home/somebody'
    """
    folder, environment = os.open(".", os.O_RDONLY), dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        os.fchdir(folder)
        os.close(folder)
        if environment != os.environ:
            os.environ.clear()
            os.environ.update(environment)
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)
