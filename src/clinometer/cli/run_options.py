"""The options of every command that makes runs."""

import math
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from clinometer.cli.console import print_remark
from clinometer.runner.local import LocalPool, Pool, worker_devices
from clinometer.runner.ray import connect
from clinometer.runner.ray.pool import RayPool
from clinometer.runner.staleness import Stale
from clinometer.training.run import SECONDS


@Parameter(name="*")
@dataclass(frozen=True)
class RunOptions:
    """How runs are made; none of it decides their numbers."""

    jobs: int | None = None
    """Runs at a time, a process each; one per core or GPU by default."""
    device: str = "cpu"
    """Where to train: cpu; cuda, for every GPU that is there; or some of them: cuda:0,cuda:2."""
    per_device: int = 1
    """Runs at a time on each GPU."""
    retries: int = 1
    """How often a run that failed, or was killed, is taken up again, from its last checkpoint."""
    checkpoint_every: float = SECONDS
    """Seconds from one checkpoint of a run to the next."""
    stale: Stale = "refuse"
    """What to do about finished runs that other code, data or versions made: refuse to go on, keep or remake them."""
    on: str = ""
    """A Ray cluster in place of this machine: ray for the one that this machine belongs to, or ray://head:10001."""
    cpus_per_run: float = 1.0
    """With --on: how many CPUs a run gets."""
    gpus_per_run: float = 0.0
    """With --on: how many GPUs a run gets; with 0.25, four runs share one."""

    verbose: Annotated[bool, Parameter(negative="")] = False
    """Print the tables of claims and theorems as well, which the page has."""

    def check(self) -> None:
        """Raise ValueError if runs cannot be made with these options; called before any work is spent."""
        if self.retries < 0:
            raise ValueError(f"--retries must be at least 0; found {self.retries}.")
        if not 0 < self.checkpoint_every < math.inf:
            raise ValueError(
                f"--checkpoint-every must be a positive number of seconds; found {self.checkpoint_every:g}."
            )
        devices = worker_devices(self.device, self.jobs, self.per_device)
        if self.on:
            connect.check(self.on, self.cpus_per_run, self.gpus_per_run)
            if devices[0] != "cpu" or self.per_device != 1:
                raise ValueError("--device and --per-device do not go with --on; say --gpus-per-run 0.25 or the like.")
        elif (self.cpus_per_run, self.gpus_per_run) != (1.0, 0.0):
            raise ValueError("--cpus-per-run and --gpus-per-run are for a cluster: say --on ray, too.")

    def pool(self) -> Pool:
        """The cores, GPUs or cluster on which the runs are made."""
        if self.on:
            return RayPool(self.on, self.cpus_per_run, self.gpus_per_run, self.jobs, print_remark)
        return LocalPool(worker_devices(self.device, self.jobs, self.per_device))

    @property
    def workers(self) -> int:
        """How many runs are made at a time; of a cluster without --jobs that is not known beforehand, and 1 is said."""
        return self.jobs or 1 if self.on else len(worker_devices(self.device, self.jobs, self.per_device))

    @property
    def run_device(self) -> str:
        """The device on which runs train, as `run_all` takes it."""
        return "cuda" if self.on and self.gpus_per_run else self.device


DEFAULTS = RunOptions()
