"""What `reproduce` and `run` have in common: make a plan's runs, then report on them."""

import dataclasses
from pathlib import Path

from rich.text import Text

from clinometer.cli.console import console, print_page_path, print_remark
from clinometer.cli.errors import refuse, stop
from clinometer.cli.results_tables import print_results
from clinometer.cli.run_options import RunOptions
from clinometer.report.agreement import KeptClaims
from clinometer.report.progress import show_progress
from clinometer.report.status import status_line
from clinometer.report.study_page import report
from clinometer.report.tables import verdict_text
from clinometer.report.theorem_checks import theorem_checks
from clinometer.report.verdicts import Verdicts
from clinometer.runner.ray.connect import ClusterError
from clinometer.runner.scheduler import Failure, Progress, run_all
from clinometer.runner.staleness import StaleRunsError
from clinometer.studies.plan import Plan
from clinometer.studies.rules import PILOT, record_rules, statuses
from clinometer.studies.theorems import all_verified
from clinometer.training.errors import SpecError


def run_study(plan: Plan, folder: Path, command: str, options: RunOptions, kept: KeptClaims | None = None) -> int:
    """Make the runs of a plan that are missing, report on all of them, and return the exit status.

    Claims are decided, and theorems checked, while the runs are made: the first verdicts come before the last run.
    """
    console.print(Text.assemble((plan.study.title, "bold"), f"\n{plan.study.source}"))
    verdicts = Verdicts(plan, folder)
    failures: list[Failure] = []
    with theorem_checks(plan.theorems) as checked_rows:
        if plan.configs:
            console.print(plan.about, highlight=False)
            try:
                record_rules(plan, folder)
                print_remark(status_line([dataclasses.asdict(each) for each in statuses(plan, folder).values()]))
                failures = _make_runs(plan, folder, options, verdicts)
            except (StaleRunsError, ClusterError, ImportError) as error:
                refuse(error)
            except SpecError as error:  # of code that was tried before, and has changed or does otherwise now
                stop(error)
            except FileNotFoundError:
                if folder.is_dir():
                    raise
                stop(FileNotFoundError(f"the study's folder {folder} was deleted, or moved, while its runs were made"))
        results = report(plan, folder, command, failures, verdicts, checked_rows(), kept)
    print_results(results)
    for failure in failures:
        log = f" (see {failure.log})" if failure.log.is_file() else ""
        console.print(Text.assemble(("failed: ", "red"), f"{plan.run_name(failure.config)}: {failure.reason}{log}"))
    print_page_path(folder)
    return 1 if failures or not all_verified(results.theorems) else 0


def _make_runs(plan: Plan, folder: Path, options: RunOptions, verdicts: Verdicts) -> list[Failure]:
    """Make the runs, and print each claim's verdict in a line once it can be decided."""
    with show_progress(console, plan.run_name) as show:

        def report_progress(now: Progress) -> None:
            show(now)
            if now.done + now.failed < now.total:  # after the last run the table has them all
                for row in verdicts.new_rows():
                    unlike = row["status_reason"] not in ("", PILOT)
                    mark = f" (exploratory: {row['status_reason']})" if unlike else ""
                    console.print(verdict_text(row).append(mark, style="yellow"), soft_wrap=True)

        return run_all(
            plan.run_order,
            folder,
            device=options.run_device,
            pool=options.pool(),
            retries=options.retries,
            checkpoint_every=options.checkpoint_every,
            stale=options.stale,
            report=report_progress,
            notify=print_remark,
        )
