"""What a run's code may do to its process, done on purpose: an optimizer whose third step does it.

The dry run of a study takes one step, and so passes.
"""

import ctypes
import multiprocessing as mp
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BORN = "STUBBORN"  # the environment variable with the folder in which each process leaves its number


def net() -> nn.Module:
    """A linear classifier of digits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def loaded(method: str) -> tuple[Tensor, Tensor]:
    """Data that two processes load."""
    data = TensorDataset(torch.arange(128.0).reshape(64, 2), torch.arange(64) % 2)
    batches = list(DataLoader(data, 16, num_workers=2, multiprocessing_context=method))
    return torch.cat([inputs for inputs, _ in batches]), torch.cat([targets for _, targets in batches])


class Stubborn(torch.optim.SGD):
    """SGD that does something else at its third step."""

    def __init__(self, params: Iterable[Tensor], how: str, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)
        self._how, self._steps = how, 0

    def step(self, *given: Any) -> Any:
        self._steps += 1
        if self._steps == 3:
            WAYS[self._how]()
        return super().step(*given)


def born() -> None:
    """Leave this process's number."""
    Path(os.environ[BORN], str(os.getpid())).touch()


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    born()
    while True:
        time.sleep(1)


def _stop() -> None:
    born()
    os.kill(os.getpid(), signal.SIGSTOP)


def _hold_the_interpreter() -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)  # which Python calls once the C function returns
    born()
    while True:
        ctypes.PyDLL(None).sleep(1000)  # the lock of the interpreter is held, so that no thread of it runs


def _have_children() -> None:
    if os.fork() == 0:
        born()
        time.sleep(1000)
    program = subprocess.Popen(["sleep", "1000"])
    Path(os.environ[BORN], str(program.pid)).touch()
    born()
    time.sleep(1000)


def _leave_a_child() -> None:
    if os.fork() == 0:
        born()
        time.sleep(1000)


def _raise(error: BaseException) -> Callable[[], None]:
    def way() -> None:
        raise error

    return way


def _fall_through() -> None:
    if os.fork() == 0:
        raise ValueError("a fork that does not end where it should")


def _change_all() -> None:
    """The folder, the environment, signals, the start method; a gigabyte would take long to print, 10 MB do."""
    os.chdir("/")
    os.environ.clear()
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    mp.set_start_method("spawn")
    print("x" * 10**7)


WAYS: dict[str, Callable[[], Any]] = {
    "ignores signals": _ignore_signals,
    "is stopped": _stop,
    "is in C code": _hold_the_interpreter,
    "has children": _have_children,
    "leaves a child": _leave_a_child,
    "leaves a thread": lambda: threading.Thread(target=time.sleep, args=(1000,)).start(),
    "exits": _raise(SystemExit("why")),
    "exits well": _raise(SystemExit(0)),
    "interrupts": _raise(KeyboardInterrupt()),
    "ends a generator": _raise(GeneratorExit()),
    "says much": _raise(ValueError(f"{'a' * 50_000}{'b' * 100_000}{'c' * 50_000}")),
    "says strange things": _raise(ValueError("half of a pair: \ud800")),
    "leaves with 0": lambda: os._exit(0),
    "leaves with 3": lambda: os._exit(3),
    "reads at 0": lambda: ctypes.string_at(0),
    "falls through": _fall_through,
    "closes all files": lambda: os.closerange(3, 1000),
    "changes all": _change_all,
}
