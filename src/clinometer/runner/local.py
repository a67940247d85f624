"""Where runs are made: the cores or GPUs of this machine; a cluster's are in `cluster/`."""

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Protocol

import torch

from clinometer.runner.worker import Child, Task, start


class Pool(Protocol):
    """Where runs are made: the cores of this machine, or a cluster's."""

    def room(self) -> bool:
        """Whether another group can begin."""
        ...

    def begin(self, task: Task) -> str:
        """Begin to make a task's runs, in the study's folder or on the way to it; returns who makes them."""
        ...

    def ended(self, seconds: float | None) -> Iterator[tuple[Task, str | None]]:
        """Wait that long at most for tasks to end; each with None if it ended well, or with what ended it."""
        ...

    def close(self) -> None:
        """Stop whatever is in work."""
        ...


@dataclass
class Cores:
    """Processes of this machine, one for each of `devices` at a time."""

    devices: Sequence[str]
    _children: dict[Child, str] = field(default_factory=dict[Child, str])

    def room(self) -> bool:
        return len(self._children) < len(self.devices)

    def begin(self, task: Task) -> str:
        free = list(self.devices)
        for taken in self._children.values():
            free.remove(taken)
        child = start(task, free[0])
        self._children[child] = free[0]
        return f"{socket.gethostname()}:{child.process.pid}"

    def ended(self, seconds: float | None) -> Iterator[tuple[Task, str | None]]:
        wait([child.process.sentinel for child in self._children], seconds)
        for child in [c for c in self._children if c.process.exitcode is not None]:
            del self._children[child]
            yield child.task, child.error()
            child.stop()

    def close(self) -> None:
        for child in self._children:
            child.stop()


def slots(device: str = "cpu", jobs: int | None = None, per_device: int = 1) -> list[str]:
    """The device of each run that is made at a time.

    Args:
        device: cpu; cuda, for every GPU that is there; or some of them, separated by commas: `cuda:0,cuda:2`.
        jobs: Runs at a time; by default one per core, or `per_device` on each GPU.
        per_device: Runs at a time on each GPU.

    Raises:
        ValueError: if a device cannot be used, or a number is less than 1.

    Example:
        >>> slots("cpu", jobs=2)
        ['cpu', 'cpu']
    """
    for name, number in (("jobs", jobs), ("per-device", per_device)):
        if number is not None and number < 1:
            raise ValueError(f"--{name} must be at least 1; found {number}.")
    names = [name.strip() for name in device.split(",")]
    if names == ["cuda"] and torch.cuda.is_available():
        names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    for name in names:
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {name} cannot be used: {str(error).splitlines()[0]}") from error
    if names == ["cpu"]:
        return names * (jobs or cores())
    each = names * per_device
    return [each[number % len(each)] for number in range(jobs or len(each))]


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
