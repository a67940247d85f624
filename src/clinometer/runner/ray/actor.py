"""A slot on a node of a cluster: it makes one task at a time in a private folder, and the driver polls it."""

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
from clinometer.runner.child import Child
from clinometer.runner.ray.transfer import Parcel, last_checkpoint, pack, unpack
from clinometer.runner.worker import Task, start_worker
from clinometer.training.data.folders import cache_folder
from clinometer.training.environment import environment
from clinometer.training.files import write_bytes
from clinometer.training.fingerprint import differences, fingerprint
from clinometer.training.run_folder import run_folder

_POLL_SECONDS = 0.5  # between looks for a new checkpoint


@dataclass(frozen=True)
class Place:
    """Where a slot is."""

    host: str
    pid: int
    torch: str  # its version


@dataclass(frozen=True)
class SharedFile:
    """A file in the cluster's object store; a node fetches it unless it has it."""

    digest: str  # SHA-256
    reference: Any  # to a NumPy array of its bytes


@dataclass(frozen=True)
class TaskUpdate:
    """What has become of a task since the last update."""

    parcels: Mapping[str, Parcel]  # the new files of each run, by the run's key
    ended: bool
    error: str | None  # why it ended, if not well


class Slot:
    """One slot: a Ray actor, which reserves a run's CPUs and GPUs on some node and starts a process for each task.

    Args:
        device: Where runs train: cpu, or cuda for the GPU, or the share of one, that Ray has reserved.
        modules: The user's own modules, zipped.
    """

    def __init__(self, device: str, modules: bytes | None = None) -> None:
        self._device = device
        self._folder = _own_folder()
        self._task: Task | None = None
        self._worker: Child | None = None
        self._sent: dict[str, str] = {}  # the last checkpoint of each run that the study has, by the run's key
        if modules:
            ZipFile(io.BytesIO(modules)).extractall(self._folder / "modules")
            os.environ["CLINOMETER_MODULES"] = str(self._folder / "modules")

    def place(self) -> Place:
        """Where it is."""
        return Place(socket.gethostname(), os.getpid(), torch.__version__)

    def start(self, task: Task, parcels: Mapping[str, Parcel], data: Mapping[str, SharedFile]) -> TaskUpdate:
        """Start a task, and return its first update.

        Args:
            task: The task.
            parcels: The files of each run so far.
            data: The files of a data set that is not bundled, by their names.

        Raises:
            RuntimeError: if this node's code, data or torch would make other runs.
        """
        if data:
            os.environ["CLINOMETER_DATA"] = str(_local_copies(data))
        facts = {config.key: self._facts(task, config) for config in task.group}
        for config in task.group:
            unpack(parcels[config.key], run_folder(self._folder, config))
        self._sent = {key: last_checkpoint(parcel) for key, parcel in parcels.items()}
        self._task = replace(task, study=self._folder, facts=facts)
        self._worker = start_worker(self._task, self._device)
        return self.poll()

    def poll(self) -> TaskUpdate:
        """The next update, after half a second at most."""
        assert self._worker, "no task was started"
        assert self._task
        wait(self._worker.handles, _POLL_SECONDS)
        ended = self._worker.ended()
        folders = {config.key: run_folder(self._folder, config) for config in self._task.group}
        parcels = {key: pack(folder, self._sent[key]) for key, folder in folders.items()}
        self._sent |= {key: last_checkpoint(parcel) for key, parcel in parcels.items() if parcel}
        error = self._worker.error() if ended else None
        if ended:
            self._clear()
        return TaskUpdate(parcels, ended, error)

    def stop(self) -> None:
        """End the task, and delete the private folder."""
        self._clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _facts(self, task: Task, config: Any) -> dict[str, Any]:
        """The environment.json of a run made here: this machine, and the commit and fingerprint that the study sent."""
        study = task.facts[config.key]
        if what := differences(study["fingerprint"], fingerprint(config, self._device)):
            raise RuntimeError(f"{socket.gethostname()} would make another run than asked for: {'; '.join(what)}.")
        here = environment(self._device) | {"node": socket.gethostname()}
        return here | {name: study[name] for name in ("commit", "fingerprint") if name in study}

    def _clear(self) -> None:
        """End the task, and delete its runs here."""
        if self._worker:
            self._worker.stop()
        self._worker = self._task = None
        for name in ("runs", "records"):
            shutil.rmtree(self._folder / name, ignore_errors=True)


def _local_copies(data: Mapping[str, SharedFile]) -> Path:
    """The folder with these files on this node, which all its slots share."""
    folder = cache_folder() / f"sent-{'-'.join(file.digest[:16] for file in data.values())}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in data.items():
        if not (folder / name).is_file():
            write_bytes(folder / name, need("ray", "ray").get(file.reference).data)
    return folder


def _own_folder() -> Path:
    """Make a folder for this process alone, and delete those of processes that were killed."""
    for lock in Path(tempfile.gettempdir()).glob("clinometer-slot-*/lock"):
        with contextlib.suppress(OSError), lock.open() as file:  # OSError: somebody else's, or in use
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="clinometer-slot-"))
    file = os.open(folder / "new", os.O_CREAT | os.O_RDWR)  # stays open, and locked, for as long as this process lives
    fcntl.flock(file, fcntl.LOCK_EX)
    return (folder / "new").rename(folder / "lock").parent
