"""Making a study's runs: the options of every command that trains, and what is done with them."""

import math
from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter
from rich.text import Text

from clinometer.cli.common import console, refuse, say_where, show_results, verified
from clinometer.report.reports import report
from clinometer.report.terminal import progress
from clinometer.study.executors import Failure, run_all
from clinometer.study.pool import Cores, Pool, slots
from clinometer.study.run import SECONDS
from clinometer.study.study import Plan
from clinometer.study.survey import Stale, StaleRunsError


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

    def check(self) -> None:
        """ValueError if runs cannot be made so; called before any work is spent."""
        if self.retries < 0:
            raise ValueError(f"--retries must be at least 0; found {self.retries}.")
        if not 0 < self.checkpoint_every < math.inf:
            raise ValueError(
                f"--checkpoint-every must be a positive number of seconds; found {self.checkpoint_every:g}."
            )
        slots(self.device, self.jobs, self.per_device)

    def pool(self) -> Pool:
        """Where the runs are made."""
        return Cores(slots(self.device, self.jobs, self.per_device))


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
        except StaleRunsError as error:
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
            device=making.device,
            pool=making.pool(),
            retries=making.retries,
            every=making.checkpoint_every,
            stale=making.stale,
            report=show,
            # Without markup: a folder may be named [x].
            say=lambda remark: console.print(remark, markup=False, highlight=False, soft_wrap=True),
        )
