"""Makes runs on a Ray cluster whose nodes share no file system: the files of a run are sent back while it lasts.

This process alone writes to the study's folder and holds the runs' locks. Each slot is an actor (`actor.py`) that
answers one small request after another, without callbacks or streams, so that a driver far from the cluster, a Ray
Client, works in the same way. If a node dies, its runs are resumed elsewhere from what has been sent back.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clinometer.runner.locks import RunLocks
from clinometer.runner.ray.actor import Place, SharedFile, Slot, TaskUpdate
from clinometer.runner.ray.connect import ClusterError, connect, modules
from clinometer.runner.ray.transfer import pack, unpack
from clinometer.runner.records import note_start
from clinometer.runner.worker import Task
from clinometer.store import DamagedError
from clinometer.training.data.datasets import TO_SEND
from clinometer.training.files import digest
from clinometer.training.run import Group
from clinometer.training.run_folder import is_done, run_folder

_POLL_SECONDS = 5.0  # between looks for nodes that have joined
_STOP_SECONDS = 5.0  # for slots to clear up
_FAILED_STARTS = 3  # slots in a row that end before they have answered once


@dataclass(frozen=True)
class _Job:
    """A task in a slot."""

    task: Task
    group: Group  # the runs of the task that the slot makes
    locks: RunLocks  # of these runs; held until the job has ended


@dataclass(eq=False)
class _SlotHandle:
    """A slot, seen from the driver. It is starting (no place yet), idle (no job) or working.

    `answer` refers to the slot's next answer: its place while it starts, an update while it works, None while it idles.
    """

    actor: Any
    answer: Any
    place: Place | None = None
    job: _Job | None = None

    @property
    def idle(self) -> bool:
        """Whether a job can be started in it."""
        return self.place is not None and self.job is None

    def end_job(self) -> None:
        """Make it idle, and unlock its runs."""
        if self.job:
            self.job.locks.close()
        self.job = self.answer = None


@dataclass
class RayPool:
    """A Ray cluster as a `Pool`: as many runs at a time as its nodes hold, those that join later included.

    Args:
        address: "ray" for the cluster that this machine belongs to, or one of this machine alone if it belongs to none;
            "ray://head:10001" for one elsewhere.
        cpus: CPUs per run.
        gpus: GPUs per run; with 0.25, four runs share one.
        jobs: Runs at a time, instead; those that do not fit yet wait for nodes.
        notify: Called with a sentence on what is waited for.

    Raises:
        ClusterError: if there is no such cluster, or a number makes no sense; later, if its nodes cannot make runs.
        ImportError: if Ray is not installed.
    """

    address: str = "ray"
    cpus: float = 1.0
    gpus: float = 0.0
    jobs: int | None = None
    notify: Callable[[str], None] = lambda _sentence: None
    _slots: list[_SlotHandle] = field(default_factory=list[_SlotHandle])
    _sent: dict[str, dict[str, SharedFile]] = field(default_factory=dict[str, dict[str, SharedFile]])  # by data set
    _looked: float = -_POLL_SECONDS
    _failed_starts: int = 0
    _notified: bool = False

    def __post_init__(self) -> None:
        self._ray, self._disconnect = connect(self.address, self.cpus, self.gpus)
        # No restarts by Ray: the scheduler decides whether a run is resumed.
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_restarts": 0, "max_task_retries": 0}
        self._modules = self._ray.put(modules())
        self._actor = self._ray.remote(Slot).options(**options)

    def has_room(self) -> bool:
        self._add_slots()
        return any(slot.idle for slot in self._slots)

    def start(self, task: Task) -> bool:
        slot = next(slot for slot in self._slots if slot.idle)
        locks = RunLocks(task.study)
        folders = {config: run_folder(task.study, config) for config in task.group if locks.acquire(config.key)}
        group = tuple(config for config, folder in folders.items() if not is_done(folder))
        if not group:
            locks.close()
            return False
        slot.job = _Job(task, group, locks)
        assert slot.place, "an idle slot has a place"
        for config in group:
            note_start(task.study, config.key, dataclasses.asdict(config), f"{slot.place.host}:{slot.place.pid}")
        parcels = {config.key: pack(folders[config]) for config in group}
        slot.answer = slot.actor.start.remote(replace(task, group=group), parcels, self._data(group))
        return True

    def wait(self, seconds: float | None) -> Iterator[tuple[Task, str | None]]:
        try:
            for slot in self._answered(_POLL_SECONDS if seconds is None else min(seconds, _POLL_SECONDS)):
                job = slot.job
                ended, error = self._receive(slot)
                if job and ended:
                    slot.end_job()
                    yield job.task, error
        except ConnectionError as error:
            raise ClusterError(
                f"the cluster is lost: {error}. What has come back is kept, and the same command goes on from there."
            ) from error

    def close(self) -> None:
        # Runs end with their slots in any case; a slot that is asked to stop first leaves nothing on its node.
        with contextlib.suppress(ConnectionError, self._ray.exceptions.RayError):
            stopping = [slot.actor.stop.remote() for slot in self._slots if slot.place]
            if stopping:
                self._ray.wait(stopping, num_returns=len(stopping), timeout=_STOP_SECONDS)
            for slot in self._slots:
                self._ray.kill(slot.actor)
        for slot in self._slots:
            slot.end_job()
        self._disconnect()

    def _add_slots(self) -> None:
        """Start the slots that are missing: at first, after one was lost, and when nodes have joined."""
        if time.monotonic() - self._looked < _POLL_SECONDS:
            return
        self._looked = time.monotonic()
        fitting = sum(self._fits(node["Resources"]) for node in self._ray.nodes() if node["Alive"])
        if not fitting and not self._notified:
            self._notified = True
            self.notify(
                f"No node of the cluster has {self.cpus:g} CPUs and {self.gpus:g} GPUs for a run: waiting for one."
            )
        while len(self._slots) < (self.jobs or fitting):
            actor = self._actor.remote("cuda" if self.gpus else "cpu", self._modules)
            self._slots.append(_SlotHandle(actor, actor.place.remote()))

    def _fits(self, resources: dict[str, float]) -> int:
        """How many runs a node can hold at a time."""
        needed = {name: share for name, share in (("CPU", self.cpus), ("GPU", self.gpus)) if share}
        return min(int(resources.get(name, 0.0) / share + 1e-6) for name, share in needed.items())

    def _answered(self, seconds: float) -> list[_SlotHandle]:
        """Wait at most so long for slots that have answered."""
        awaited = {slot.answer: slot for slot in self._slots if slot.answer is not None}
        if not awaited:
            time.sleep(seconds)
            return []
        self._ray.wait(list(awaited), timeout=seconds)
        ready, _ = self._ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        return [awaited[answer] for answer in ready]

    def _receive(self, slot: _SlotHandle) -> tuple[bool, str | None]:
        """Act on a slot's answer; return whether its job has ended, and the error that ended it, if any."""
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(slot.answer)
            if isinstance(answer, Place):
                self._admit(slot, answer)
                return False, None
            return self._update(slot, answer)
        except ConnectionError:
            raise
        except errors.RayTaskError as error:  # raised by what the slot was asked; the slot lives
            return True, str(error)
        except (errors.RayError, DamagedError, OSError) as error:
            self._lose(slot, error)
            return True, f"worker died: {error}" if isinstance(error, errors.RayError) else str(error)

    def _update(self, slot: _SlotHandle, update: TaskUpdate) -> tuple[bool, str | None]:
        """Write what has come back of a job's runs, and ask for more unless the job has ended."""
        assert slot.job
        for config in slot.job.group:
            unpack(update.parcels[config.key], run_folder(slot.job.task.study, config))
        if not update.ended:
            slot.answer = slot.actor.poll.remote()
        return update.ended, update.error

    def _admit(self, slot: _SlotHandle, place: Place) -> None:
        """Take a slot that has started into use."""
        if place.torch != torch.__version__:
            raise ClusterError(
                f"the node {place.host} has torch {place.torch}, and here it is {torch.__version__}: their runs would "
                "differ. Install the same version on all nodes."
            )
        slot.place, slot.answer, self._failed_starts = place, None, 0

    def _lose(self, slot: _SlotHandle, error: Exception) -> None:
        """Forget a slot that has ended; another is started at the next look."""
        self._slots.remove(slot)
        self._ray.kill(slot.actor)
        self._looked = -_POLL_SECONDS
        self._failed_starts += slot.place is None
        if self._failed_starts == _FAILED_STARTS:
            raise ClusterError(f"no process can be started on the cluster's nodes: {error}") from error

    def _data(self, group: Group) -> dict[str, SharedFile]:
        """The files of a group's data: put into the cluster once, and fetched by each node once."""
        name = group[0].data
        if name in TO_SEND and name not in self._sent:
            files = {name: Path(file) for name, file in TO_SEND[name]().items()}
            self._sent[name] = {
                part: SharedFile(digest(file), self._ray.put(np.fromfile(file, np.uint8)))
                for part, file in files.items()
            }
        return self._sent.get(name, {})
