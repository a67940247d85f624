"""Ctrl-C, SIGTERM and a terminal that is closed: the first ends a command in an orderly way, the second at once.

Ctrl-Z stops a command and its workers, which are no longer in the terminal's group.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Generator
from typing import NoReturn

from clinometer.runner.process_group import suspend

_SHOW_CURSOR = b"\x1b[?25h"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def orderly_interruptions() -> Generator[None]:
    """Raise KeyboardInterrupt for the first signal that asks for the end; the system acts on a second one.

    A second signal so ends the process in whatever it waits for, and the guardians of its workers end them. Signals
    that were ignored stay ignored, such as SIGHUP under `nohup`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number, handler in handlers.items() if handler is not signal.SIG_IGN]
    seen: list[int] = []

    def interrupt(number: int, _frame: object) -> NoReturn:
        seen.append(number)
        for each in ours:
            signal.signal(each, signal.SIG_DFL)
        with contextlib.suppress(OSError):  # the terminal may be gone
            if os.isatty(1):
                os.write(1, _SHOW_CURSOR)  # which a live display hides, and a second signal leaves no time to show
        raise KeyboardInterrupt(number)

    for number in ours:
        signal.signal(number, interrupt)
    suspends = signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL  # not so where there is no terminal to go back to
    if suspends:
        signal.signal(signal.SIGTSTP, lambda _number, _frame: suspend())
    try:
        yield
    finally:
        if suspends:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        if not seen:
            for number in ours:
                signal.signal(number, handlers[number])


def end_at_once() -> None:
    """Let the first signal end the process, for a command that has nothing to keep."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def status_of(interruption: KeyboardInterrupt) -> int:
    """The exit status of a command that a signal has ended: 128 and the signal's number, as shells have it.

    Example:
        >>> status_of(KeyboardInterrupt()), status_of(KeyboardInterrupt(signal.SIGTERM))
        (130, 143)
    """
    return 128 + (interruption.args[0] if interruption.args else signal.SIGINT)
