"""Pools: where runs are made. `LocalPool` uses this machine's cores or GPUs; `runner/ray/` has a cluster's."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Protocol

import torch

from clinometer.runner.child import Child
from clinometer.runner.worker import Task, start_worker


class Pool(Protocol):
    """Where runs are made: the cores of this machine, or a cluster's."""

    def has_room(self) -> bool:
        """Whether another task can be started."""
        ...

    def start(self, task: Task) -> bool:
        """Start a task where there is room for it; False if none of its runs can be made, being done or locked."""
        ...

    def wait(self, seconds: float | None) -> Iterator[tuple[Task, str | None]]:
        """Wait at most so long for tasks to end; yield each with its error, or None if it ended well."""
        ...

    def close(self) -> None:
        """Stop all tasks, and release the locks of their runs."""
        ...


@dataclass
class LocalPool:
    """Worker processes on this machine, one for each of `devices` at a time."""

    devices: Sequence[str]
    _workers: dict[Child, tuple[Task, str]] = field(default_factory=dict[Child, tuple[Task, str]])  # and their devices

    def has_room(self) -> bool:
        return len(self._workers) < len(self.devices)

    def start(self, task: Task) -> bool:
        free = list(self.devices)
        for _, used in self._workers.values():
            free.remove(used)
        self._workers[start_worker(task, free[0])] = (task, free[0])
        return True

    def wait(self, seconds: float | None) -> Iterator[tuple[Task, str | None]]:
        wait([handle for worker in self._workers for handle in worker.handles], seconds)
        for worker in [worker for worker in self._workers if worker.ended()]:
            task, _ = self._workers.pop(worker)
            yield task, worker.error()

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.stop()


def worker_devices(device: str = "cpu", jobs: int | None = None, per_device: int = 1) -> list[str]:
    """The device of each worker, as many as there are runs at a time.

    Args:
        device: cpu; cuda, for every GPU; or some GPUs, separated by commas: `cuda:0,cuda:2`.
        jobs: Runs at a time; by default one per core, or `per_device` on each GPU.
        per_device: Runs at a time on each GPU.

    Raises:
        ValueError: if a device cannot be used, or a number is less than 1.

    Example:
        >>> worker_devices("cpu", jobs=2)
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
        return names * (jobs or cpu_count())
    each = names * per_device
    return [each[number % len(each)] for number in range(jobs or len(each))]


def cpu_count() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
