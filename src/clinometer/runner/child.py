"""Child processes that run somebody's code: whatever that code does, the parent learns how it ended, and goes on.

They are forked from a server that has imported torch and computed nothing, so a child starts in milliseconds. A child
may print a gigabyte, exit, be killed, leave processes behind, or have children of its own.
"""

import contextlib
import multiprocessing as mp
import os
import pickle
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from clinometer.runner.output import dropping_output
from clinometer.runner.process_group import WORKERS, kill_group, lead_group, reap_group
from clinometer.runner.temporary import shorten_socket_paths

_START_ATTEMPTS = 5
_END_SECONDS = 5.0  # for a process to end after its answer, and after SIGKILL
_LONGEST = 2**15  # characters of a traceback's beginning, and of its end
_VALUE, _ERROR = b"=", b"!"  # what an answer holds


class ChildError(Exception):
    """A child process ended without a result; the message is its traceback, or says how the process ended."""


@dataclass(eq=False)
class Child:
    """A process that calls one function."""

    process: BaseProcess
    _pipe: Connection  # receives the answer: its length, its kind, and a pickled value or a traceback
    _received: bytearray = field(default_factory=bytearray)

    @property
    def handles(self) -> list[Any]:
        """What `multiprocessing.connection.wait` wakes up for: the process ends, or a part of its answer has come."""
        return [self.process.sentinel] if self._pipe.closed else [self.process.sentinel, self._pipe]

    def ended(self) -> bool:
        """Whether it has ended; nothing is waited for, except for the end of a process that has answered."""
        exited = self.process.exitcode is not None  # asked first: what it has sent before is then received
        self._receive()
        if self._answer() is None and not exited:
            return False
        self.process.join(_END_SECONDS)  # a thread, or a child, of somebody's code may keep it from ending
        self.stop()
        return True

    def error(self) -> str | None:
        """Why it ended without a result: its traceback, or the signal; None if it ended well."""
        answer = self._answer()
        if answer is not None:
            return None if answer[:1] == _VALUE else answer[1:].decode()
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"killed: {signal.Signals(-code).name}"
        return f"its process ended with exit status {code} before its work was done"

    def value(self) -> Any:
        """What the function returned; ChildError if it ended otherwise."""
        if (error := self.error()) is not None:
            raise ChildError(error)
        return pickle.loads((self._answer() or b"")[1:])  # of our own process: no file or network is involved

    def stop(self) -> None:
        """End it now, with all processes that it has started."""
        self.kill()
        self.process.join(_END_SECONDS)
        self._pipe.close()
        if self.process.pid:
            WORKERS.discard(self.process.pid)
            reap_group(self.process.pid)

    def kill(self) -> None:
        """Begin to end it: `stop` waits for the end."""
        if self.process.exitcode is None and self.process.pid:
            kill_group(self.process.pid)
            self.process.kill()  # which has no group yet if it has only just begun

    def _receive(self) -> None:
        """Take what the pipe holds. The child never waits for long, since a full pipe wakes up the parent."""
        with contextlib.suppress(BlockingIOError):
            while not self._pipe.closed:
                part = os.read(self._pipe.fileno(), 2**16)
                self._received += part
                if not part:
                    self._pipe.close()

    def _answer(self) -> bytes | None:
        """The answer, once it is whole."""
        length = int.from_bytes(self._received[:8], "little")
        return bytes(self._received[8:]) if len(self._received) >= max(9, 8 + length) else None


def start_child(function: Callable[..., Any], arguments: Sequence[Any]) -> Child:
    """Call a function in a process of its own, which inherits the environment and the folder of this one.

    Args:
        function: Defined at the top of a module.
        arguments: Of the function; they are pickled.

    Raises:
        OSError: if the system starts no process.
    """
    for _ in range(_START_ATTEMPTS):
        try:
            return _start(function, arguments)
        except (EOFError, ConnectionError):  # the server was killed at this moment; the next attempt starts one
            time.sleep(0.2)
    raise OSError(f"no process can be started: multiprocessing's server has ended {_START_ATTEMPTS} times")


def call_in_child(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own, and return what it returns.

    Raises:
        ChildError: if it raises anything, or the process ends; the message is the traceback, or the signal.
    """
    child = start_child(function, arguments)
    try:
        while not child.ended():
            wait(child.handles)
        return child.value()
    finally:
        child.stop()


def _start(function: Callable[..., Any], arguments: Sequence[Any]) -> Child:
    method = "forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn"
    context: Any = mp.get_context(method)
    if method == "forkserver":
        # torch.optim imports torch._dynamo when the first optimizer is made: 1.1 CPU s, more than a tiny run takes.
        context.set_forkserver_preload(["clinometer.runner.preload", "torch._dynamo"])
    shorten_socket_paths()
    receiver, sender = context.Pipe(duplex=False)
    os.set_blocking(receiver.fileno(), False)
    # A daemon to us: the interpreter's end must not wait for it.
    process = context.Process(target=_call, args=(function, arguments, dict(os.environ), sender), daemon=True)
    with sender, _main_hidden():
        process.start()
    WORKERS.add(process.pid)
    return Child(process, receiver)


@contextlib.contextmanager
def _main_hidden() -> Generator[None]:
    """Hide the program from multiprocessing, which would import it again in every child.

    A child needs nothing of it; a script then needs no `if __name__ == "__main__"`, and the command line no second
    import.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _call(
    function: Callable[..., Any], arguments: Sequence[Any], environ: Mapping[str, str], sender: Connection
) -> None:
    """What the child does."""
    command: Any = mp.parent_process()
    lead_group(command.sentinel)
    mp.current_process().daemon = False  # whose children multiprocessing would refuse, such as a DataLoader's
    mp.set_start_method(None, force=True)  # not chosen yet: that is left to somebody's code
    os.environ.clear()  # the server has the variables of the time when it was started
    os.environ.update(environ)
    process = os.getpid()
    with dropping_output():
        try:
            kind, answer = _VALUE, pickle.dumps(function(*arguments))
        except BaseException:  # SystemExit too: a run that exits has not been made
            kind, answer = _ERROR, shortened(traceback.format_exc()).encode(errors="backslashreplace")
    if os.getpid() != process:
        os._exit(1)  # a fork of somebody's code that came here by itself
    _send(sender, kind + answer)
    sys.exit(kind == _ERROR)


def _send(sender: Connection, answer: bytes) -> None:
    """Send an answer with its length before it; the reader tells by the length whether it is whole."""
    left = memoryview(len(answer).to_bytes(8, "little") + answer)
    with contextlib.suppress(OSError):  # closed by somebody's code, or nobody reads it any more
        while left:
            left = left[os.write(sender.fileno(), left) :]


def shortened(text: str) -> str:
    """A text without its middle, if it is very long.

    Example:
        >>> len(shortened("a" * 10**6)) < 70_000
        True
    """
    if len(text) <= 2 * _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n... {len(text) - 2 * _LONGEST} characters are left out ...\n{text[-_LONGEST:]}"


def last_line(text: str) -> str:
    """The last line of a traceback, which says what was raised."""
    return next(reversed(text.strip().splitlines()), "")
