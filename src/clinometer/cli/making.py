"""Making a study's runs: the options of every command that trains, and what is done with them."""

import math
from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter
from rich.text import Text

from clinometer.cli.common import console, refuse, say_where, show_results, verified
from clinometer.report.study_page import report
from clinometer.report.terminal import progress
from clinometer.runner.local import Cores, Pool, slots
from clinometer.runner.ray import connect as connection
from clinometer.runner.ray.pool import Cluster
from clinometer.runner.scheduler import Failure, run_all
from clinometer.runner.staleness import Stale, StaleRunsError
from clinometer.studies.study import Plan
from clinometer.training.run import SECONDS


@Parameter(name="*")
@dataclass(frozen=True)
class Making:
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
    """What becomes of finished runs that other code, data or versions made: refuse to go on, keep or remake them."""
    on: str = ""
    """A Ray cluster in place of this machine: ray for the one that this machine belongs to, or ray://head:10001."""
    cpus_per_run: float = 1.0
    """With --on: what a run is to have of CPUs."""
    gpus_per_run: float = 0.0
    """With --on: what a run is to have of GPUs; with 0.25, four share one."""

    def check(self) -> None:
        """ValueError if runs cannot be made so; called before any work is spent."""
        if self.retries < 0:
            raise ValueError(f"--retries must be at least 0; found {self.retries}.")
        if not 0 < self.checkpoint_every < math.inf:
            raise ValueError(
                f"--checkpoint-every must be a positive number of seconds; found {self.checkpoint_every:g}."
            )
        devices = slots(self.device, self.jobs, self.per_device)
        if self.on:
            connection.check(self.on, self.cpus_per_run, self.gpus_per_run)
            if devices[0] != "cpu" or self.per_device != 1:
                raise ValueError("--device and --per-device do not go with --on; say --gpus-per-run 0.25 or the like.")
        elif (self.cpus_per_run, self.gpus_per_run) != (1.0, 0.0):
            raise ValueError("--cpus-per-run and --gpus-per-run are for a cluster: say --on ray, too.")

    def pool(self) -> Pool:
        """Where the runs are made."""
        if self.on:
            return Cluster(self.on, self.cpus_per_run, self.gpus_per_run, self.jobs, say)
        return Cores(slots(self.device, self.jobs, self.per_device))

    @property
    def where(self) -> str:
        """On what runs train, as `run_all` takes it."""
        return "cuda" if self.on and self.gpus_per_run else self.device


def say(remark: str) -> None:
    """Print a sentence on what was found, or is waited for, while runs are made."""
    console.print(remark, markup=False, highlight=False, soft_wrap=True)  # without markup: a folder may be named [x]


BY_DEFAULT = Making()


def make(planned: Plan, folder: Path, command: str, making: Making) -> int:
    """Run what is missing of a plan, report on it, and return the exit status."""
    study = planned.study
    console.print(Text.assemble((study.title, "bold"), f"\n{study.source}"))
    failures: list[Failure] = []
    if planned.configs:
        console.print(planned.about, highlight=False)
        try:
            failures = _run(planned, folder, making)
        except (StaleRunsError, connection.ClusterError, ImportError) as error:
            refuse(error)
    results = report(planned, folder, command, failures)
    show_results(results)
    for failure in failures:
        name = f"{planned.name_of(failure.config)}, seed {failure.config.seed}"
        log = f" (see {failure.log})" if failure.log.is_file() else ""
        console.print(Text.assemble(("failed: ", "red"), f"{name}: {failure.reason}{log}"))
    say_where(folder)
    return 1 if failures or not verified(results.theorems) else 0


def _run(planned: Plan, folder: Path, making: Making) -> list[Failure]:
    with progress(console) as show:
        return run_all(
            planned.configs,
            folder,
            device=making.where,
            pool=making.pool(),
            retries=making.retries,
            every=making.checkpoint_every,
            stale=making.stale,
            report=show,
            say=say,
        )
