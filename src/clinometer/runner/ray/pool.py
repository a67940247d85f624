"""Runs on a Ray cluster, without a file system that its nodes share: what a run comes to is brought back as it goes on.

This process alone writes to the study's folder, and holds the leases. Each slot is an actor (`slot.py`) that is told
small things and answers them: no callback, no stream, so that a driver far from the cluster, a Ray Client, does the
same. Whatever becomes of a node, the runs that it was making are gone on with elsewhere, from what had come.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clinometer.runner.locks import RunLocks
from clinometer.runner.ray.actor import News, Place, Sent, Slot
from clinometer.runner.ray.connect import ClusterError, connect, modules
from clinometer.runner.ray.transfer import packed, unpack
from clinometer.runner.worker import Task
from clinometer.store import DamagedError
from clinometer.training.data.datasets import TO_SEND
from clinometer.training.files import digest
from clinometer.training.run import Group
from clinometer.training.run_folder import is_done, run_folder

_LOOK = 5.0  # seconds between looks for nodes that have come
_PATIENCE = 5.0  # seconds for slots to clear up
_STILLBORN = 3  # slots in a row that end before they have begun


@dataclass(eq=False)
class _Held:
    """A slot as it looks from here."""

    actor: Any
    answer: Any  # a reference to what it will say next; None if it was asked nothing
    place: Place | None = None  # once it is there
    task: Task | None = None
    group: Group = ()  # those of the task's runs that it makes


@dataclass
class Cluster:
    """A Ray cluster as a `Pool`: as many runs at a time as its nodes hold, those that come later included.

    Args:
        address: "ray" for the cluster that this machine belongs to, or one of this machine alone if it belongs to none;
            "ray://head:10001" for one elsewhere.
        cpus: What a run is to have of CPUs.
        gpus: What it is to have of GPUs, such as 0.25: four runs share one.
        jobs: Runs at a time, instead; what does not fit yet is waited for.
        say: Told in a sentence what is being waited for.

    Raises:
        ClusterError: if there is no such cluster, or a number makes no sense; later, if its nodes cannot make runs.
        ImportError: if Ray is not installed.
    """

    address: str = "ray"
    cpus: float = 1.0
    gpus: float = 0.0
    jobs: int | None = None
    say: Callable[[str], None] = lambda _remark: None
    _slots: list[_Held] = field(default_factory=list[_Held])
    _nothing: list[Task] = field(default_factory=list[Task])  # tasks whose runs others have
    _sent: dict[str, dict[str, Sent]] = field(default_factory=dict[str, dict[str, Sent]])
    _leases: RunLocks | None = None
    _looked: float = -_LOOK
    _stillborn: int = 0
    _waiting: bool = False

    def __post_init__(self) -> None:
        self._ray, self._leave = connect(self.address, self.cpus, self.gpus)
        # Whether to take up again what was lost is decided by whoever asked for the runs.
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_restarts": 0, "max_task_retries": 0}
        self._modules = self._ray.put(modules())
        self._actor = self._ray.remote(Slot).options(**options)

    def room(self) -> bool:
        self._grow()
        return self._free() is not None

    def begin(self, task: Task) -> str:
        leases = self._leases = self._leases or RunLocks(task.study)
        slot = self._free()
        folders = {config: run_folder(task.study, config) for config in task.group if leases.take(config.key)}
        group = tuple(config for config, folder in folders.items() if not is_done(folder))
        if not slot or not slot.place or not group:
            self._nothing.append(task)
            return "nobody"
        parcels = {config.key: packed(folders[config]) for config in group}
        slot.task, slot.group = task, group
        slot.answer = slot.actor.make.remote(replace(task, group=group), parcels, self._data(group))
        return f"{slot.place.host}:{slot.place.pid}"

    def ended(self, seconds: float | None) -> Iterator[tuple[Task, str | None]]:
        while self._nothing:
            yield self._nothing.pop(), None
            seconds = 0.0
        try:
            for slot in self._answering(_LOOK if seconds is None else min(seconds, _LOOK)):
                task, ended, error = slot.task, *self._hear(slot)
                if task and ended:
                    slot.task = None
                    yield task, error
        except ConnectionError as error:
            raise ClusterError(
                f"the cluster is lost: {error}. What has come back is kept, and the same command goes on from there."
            ) from error

    def close(self) -> None:
        # Runs end with their slots in any case; asked first, a slot leaves nothing on its node.
        with contextlib.suppress(ConnectionError, self._ray.exceptions.RayError):
            leaving = [slot.actor.stop.remote() for slot in self._slots if slot.place]
            if leaving:
                self._ray.wait(leaving, num_returns=len(leaving), timeout=_PATIENCE)
            for slot in self._slots:
                self._ray.kill(slot.actor)
        self._leave()

    def _free(self) -> _Held | None:
        return next((slot for slot in self._slots if slot.place and slot.answer is None), None)

    def _grow(self) -> None:
        """Ask for the slots that are missing: at first, when one was lost, when nodes have come."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        fitting = sum(self._fits(node["Resources"]) for node in self._ray.nodes() if node["Alive"])
        if not fitting and not self._waiting:
            self._waiting = True
            self.say(
                f"No node of the cluster has {self.cpus:g} CPUs and {self.gpus:g} GPUs for a run: waiting for one."
            )
        while len(self._slots) < (self.jobs or fitting):
            actor = self._actor.remote("cuda" if self.gpus else "cpu", self._modules)
            self._slots.append(_Held(actor, actor.place.remote()))

    def _fits(self, has: dict[str, float]) -> int:
        """How many runs a node can hold at a time."""
        asked = {name: share for name, share in (("CPU", self.cpus), ("GPU", self.gpus)) if share}
        return min(int(has.get(name, 0.0) / share + 1e-6) for name, share in asked.items())

    def _answering(self, seconds: float) -> list[_Held]:
        """Wait that long at most for slots that have something to say."""
        asked = {slot.answer: slot for slot in self._slots if slot.answer is not None}
        if not asked:
            time.sleep(seconds)
            return []
        self._ray.wait(list(asked), timeout=seconds)
        ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        return [asked[answer] for answer in ready]

    def _hear(self, slot: _Held) -> tuple[bool, str | None]:
        """Take a slot's answer: whether its task has ended, and why, if not well."""
        errors = self._ray.exceptions
        try:
            said = self._ray.get(slot.answer)
            slot.answer = None
            if isinstance(said, Place):
                self._welcome(slot, said)
                return False, None
            return self._keep(slot, said)
        except ConnectionError:
            raise
        except errors.RayTaskError as error:  # raised there, by what it was asked; it lives
            slot.answer = None
            return True, str(error)
        except (errors.RayError, DamagedError, OSError) as error:
            self._lose(slot, error)
            return True, f"worker died: {error}" if isinstance(error, errors.RayError) else str(error)

    def _keep(self, slot: _Held, news: News) -> tuple[bool, str | None]:
        assert slot.task
        for config in slot.group:
            unpack(news.parcels[config.key], run_folder(slot.task.study, config))
        if not news.ended:
            slot.answer = slot.actor.news.remote()
        return news.ended, news.error

    def _welcome(self, slot: _Held, place: Place) -> None:
        if place.torch != torch.__version__:
            raise ClusterError(
                f"the node {place.host} has torch {place.torch}, and here it is {torch.__version__}: their runs would "
                "differ. Install the same version on all nodes."
            )
        slot.place, self._stillborn = place, 0

    def _lose(self, slot: _Held, error: Exception) -> None:
        self._slots.remove(slot)
        self._ray.kill(slot.actor)
        self._looked = -_LOOK  # ask for another at once
        self._stillborn += slot.place is None
        if self._stillborn == _STILLBORN:
            raise ClusterError(f"no process can be started on the cluster's nodes: {error}") from error

    def _data(self, group: Group) -> dict[str, Sent]:
        """What the nodes need of a group's data: put into the cluster once, fetched by each node once."""
        name = group[0].data
        if name in TO_SEND and name not in self._sent:
            files = {name: Path(file) for name, file in TO_SEND[name]().items()}
            self._sent[name] = {
                part: Sent(digest(file), self._ray.put(np.fromfile(file, np.uint8))) for part, file in files.items()
            }
        return self._sent.get(name, {})
