"""What `reproduce` and `run` have in common: make a plan's runs, then report on them."""

from pathlib import Path

from rich.text import Text

from clinometer.cli.console import console, print_page_path, print_remark
from clinometer.cli.errors import refuse
from clinometer.cli.results_tables import print_results
from clinometer.cli.run_options import RunOptions
from clinometer.report.progress import show_progress
from clinometer.report.study_page import report
from clinometer.runner.ray.connect import ClusterError
from clinometer.runner.scheduler import Failure, run_all
from clinometer.runner.staleness import StaleRunsError
from clinometer.studies.study import Plan
from clinometer.studies.theorems import all_verified


def run_study(plan: Plan, folder: Path, command: str, options: RunOptions) -> int:
    """Make the runs of a plan that are missing, report on all of them, and return the exit status."""
    console.print(Text.assemble((plan.study.title, "bold"), f"\n{plan.study.source}"))
    failures: list[Failure] = []
    if plan.configs:
        console.print(plan.about, highlight=False)
        try:
            failures = _make_runs(plan, folder, options)
        except (StaleRunsError, ClusterError, ImportError) as error:
            refuse(error)
    results = report(plan, folder, command, failures)
    print_results(results)
    for failure in failures:
        name = f"{plan.name_of(failure.config)}, seed {failure.config.seed}"
        log = f" (see {failure.log})" if failure.log.is_file() else ""
        console.print(Text.assemble(("failed: ", "red"), f"{name}: {failure.reason}{log}"))
    print_page_path(folder)
    return 1 if failures or not all_verified(results.theorems) else 0


def _make_runs(plan: Plan, folder: Path, options: RunOptions) -> list[Failure]:
    with show_progress(console) as show:
        return run_all(
            plan.configs,
            folder,
            device=options.run_device,
            pool=options.pool(),
            retries=options.retries,
            checkpoint_every=options.checkpoint_every,
            stale=options.stale,
            report=show,
            notify=print_remark,
        )
