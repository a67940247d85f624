"""Making a study's runs: the options of every command that trains, and what is done with them."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter
from rich.text import Text

from clinometer.cli.common import console, say_where, show_results, verified
from clinometer.report.reports import arm_name, report, seeds_said
from clinometer.report.terminal import progress
from clinometer.study.executors import Failure, run_all
from clinometer.study.study import Plan


@Parameter(name="*")
@dataclass(frozen=True)
class Making:
    """How runs are made; none of it decides their numbers."""

    jobs: int | None = None
    """Runs at a time, a process each; one per core by default."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1, ..."""

    def check(self) -> None:
        """ValueError if runs cannot be made so; called before any work is spent."""
        import torch

        if self.jobs is not None and self.jobs < 1:
            raise ValueError(f"--jobs must be at least 1; found {self.jobs}.")
        try:
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {self.device} cannot be used: {str(error).splitlines()[0]}") from error


BY_DEFAULT = Making()


def make(planned: Plan, folder: Path, command: str, making: Making) -> int:
    """Run what is missing of a plan, report on it, and return the exit status."""
    study = planned.study
    console.print(Text.assemble((study.title, "bold"), f"\n{study.source}"))
    failures: list[Failure] = []
    if planned.configs:
        console.print(
            f"Scale {planned.scale}: {study.scales[planned.scale].about}; {seeds_said(planned)}", highlight=False
        )
        with progress(console) as show:
            failures = run_all(planned.configs, folder, jobs=making.jobs, device=making.device, report=show)
    results = report(planned, folder, command, failures)
    show_results(results)
    for failure in failures:
        name = f"{arm_name(failure.config, planned)}, seed {failure.config.seed}"
        log = f" (see {failure.log})" if failure.log.is_file() else ""
        console.print(Text.assemble(("failed: ", "red"), f"{name}: {failure.reason}{log}"))
    say_where(folder)
    return 1 if failures or not verified(results.theorems) else 0
