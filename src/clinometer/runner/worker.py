"""Workers: each is a process that makes the runs of one task, so that one that is killed costs those runs alone."""

import dataclasses
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clinometer.runner.child import Child, start_child
from clinometer.runner.locks import RunLocks
from clinometer.runner.records import note_start
from clinometer.training import executed_sources
from clinometer.training.run import SECONDS, Group, run_group
from clinometer.training.run_folder import is_done, run_folder


@dataclass(frozen=True, eq=False)
class Task:
    """The runs that one worker makes."""

    group: Group
    study: Path  # the study's folder
    facts: Mapping[str, Any]  # the content of each run's environment.json, by the run's key
    checkpoint_every: float = SECONDS  # seconds from one checkpoint to the next


def start_worker(task: Task, device: str = "cpu") -> Child:
    """Start a process that makes those of a task's runs that are neither done nor locked by another process.

    Its runs are resumed from their last checkpoints next time if it ends before they are done.
    """
    # A run may change its folder, and the folder of the study must stay where it is.
    return start_child(_make_runs, (dataclasses.replace(task, study=task.study.absolute()), device))


def _make_runs(task: Task, device: str) -> None:
    """What the worker process does."""
    torch.set_num_threads(1)  # before anything is computed: threads do not survive a fork, and would be waited for
    executed_sources.record()
    locks = RunLocks(task.study)  # held until this process ends
    folders = {config: run_folder(task.study, config) for config in task.group if locks.acquire(config.key)}
    folders = {config: folder for config, folder in folders.items() if not is_done(folder)}
    for config in folders:
        note_start(task.study, config.key, dataclasses.asdict(config), f"{socket.gethostname()}:{os.getpid()}")
    run_group(folders, device, task.checkpoint_every, task.facts, as_planned=True)
