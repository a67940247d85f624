"""A slot of a cluster: one task at a time is made here, in a private folder, and what comes of it is asked for."""

import contextlib
import fcntl
import io
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch

from clinometer.extras import need
from clinometer.runner.ray.transfer import Parcel, last_checkpoint, packed, unpack
from clinometer.runner.worker import Child, Task, start
from clinometer.training.data.datasets import cache_folder
from clinometer.training.environment import environment
from clinometer.training.files import write_bytes
from clinometer.training.fingerprint import differences, fingerprint
from clinometer.training.run_folder import run_folder

_LOOK = 0.5  # seconds between looks for a new checkpoint


@dataclass(frozen=True)
class Place:
    """Where a slot is."""

    host: str
    pid: int
    torch: str  # its version


@dataclass(frozen=True)
class Sent:
    """A file in the cluster's object store: it is fetched by those nodes alone that have not got it."""

    digest: str  # SHA-256
    reference: Any  # to a NumPy array of its bytes


@dataclass(frozen=True)
class News:
    """What has become of a task since the last news."""

    parcels: Mapping[str, Parcel]  # what is new of each run, by its key
    ended: bool
    error: str | None  # why it ended, if not well


class Slot:
    """One slot. It becomes a Ray actor: a process on some node that holds what a run is to have, and starts each run.

    Args:
        device: Where runs train: cpu, or cuda for the GPU, or the part of one, that Ray has given it.
        modules: The user's own modules, zipped.
    """

    def __init__(self, device: str, modules: bytes | None = None) -> None:
        self._device = device
        self._folder = _own_folder()
        self._child: Child | None = None
        self._seen: dict[str, str] = {}  # the last checkpoint of each run in work that is with the study
        if modules:
            ZipFile(io.BytesIO(modules)).extractall(self._folder / "modules")
            os.environ["CLINOMETER_MODULES"] = str(self._folder / "modules")

    def place(self) -> Place:
        """Where it is."""
        return Place(socket.gethostname(), os.getpid(), torch.__version__)

    def make(self, task: Task, parcels: Mapping[str, Parcel], data: Mapping[str, Sent]) -> News:
        """Begin with a task; its first news.

        Args:
            task: The task.
            parcels: What there is of each run already.
            data: The files of a data set that is not bundled, by their names.

        Raises:
            RuntimeError: if its runs would not be what they are where the study is.
        """
        if data:
            os.environ["CLINOMETER_DATA"] = str(_kept(data))
        facts = {config.key: self._facts(task, config) for config in task.group}
        for config in task.group:
            unpack(parcels[config.key], run_folder(self._folder, config))
        self._seen = {key: last_checkpoint(parcel) for key, parcel in parcels.items()}
        self._child = start(replace(task, study=self._folder, facts=facts), self._device)
        return self.news()

    def news(self) -> News:
        """What is new of the task, after half a second at most."""
        assert self._child, "no task was begun"
        wait([self._child.process.sentinel], _LOOK)
        ended = self._child.process.exitcode is not None
        folders = {config.key: run_folder(self._folder, config) for config in self._child.task.group}
        parcels = {key: packed(folder, self._seen[key]) for key, folder in folders.items()}
        self._seen |= {key: last_checkpoint(parcel) for key, parcel in parcels.items() if parcel}
        error = self._child.error()
        if ended:
            self._clear()
        return News(parcels, ended, error if ended else None)

    def stop(self) -> None:
        """End what is in work, and leave nothing behind."""
        self._clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _facts(self, task: Task, config: Any) -> dict[str, Any]:
        """What to note of where a run is made: this machine, but the study's code, which came without its history."""
        study = task.facts[config.key]
        if what := differences(study["fingerprint"], fingerprint(config, self._device)):
            raise RuntimeError(f"{socket.gethostname()} would make another run than asked for: {'; '.join(what)}.")
        here = environment(self._device) | {"node": socket.gethostname()}
        return here | {name: study[name] for name in ("commit", "fingerprint") if name in study}

    def _clear(self) -> None:
        if self._child:
            self._child.stop()
        self._child = None
        shutil.rmtree(self._folder / "runs", ignore_errors=True)


def _kept(data: Mapping[str, Sent]) -> Path:
    """The folder of these files on this node, which all its slots share."""
    folder = cache_folder() / f"sent-{'-'.join(sent.digest[:16] for sent in data.values())}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, sent in data.items():
        if not (folder / name).is_file():
            write_bytes(folder / name, need("ray", "ray").get(sent.reference).data)
    return folder


def _own_folder() -> Path:
    """A folder of this process alone; those of processes that were killed are cleared away."""
    for lock in Path(tempfile.gettempdir()).glob("clinometer-slot-*/lock"):
        with contextlib.suppress(OSError), lock.open() as held:  # somebody else's, or in use
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="clinometer-slot-"))
    file = os.open(folder / "new", os.O_CREAT | os.O_RDWR)  # held for as long as this process lives
    fcntl.flock(file, fcntl.LOCK_EX)
    return (folder / "new").rename(folder / "lock").parent
