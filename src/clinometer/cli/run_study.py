"""What `reproduce` and `run` have in common: make a plan's runs, then report on them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from clinometer.cli.answer import Answer
from clinometer.cli.console import console, print_remark
from clinometer.cli.errors import refuse, stop
from clinometer.cli.results_tables import page_text, results_facts, results_parts
from clinometer.cli.run_options import RunOptions
from clinometer.cli.seed_options import Bound
from clinometer.cli.until_decided import UntilDecided
from clinometer.pages.agreement import KeptClaims
from clinometer.pages.progress import show_progress
from clinometer.pages.status import status_line
from clinometer.pages.study_page.report import report
from clinometer.pages.tables import verdict_text
from clinometer.pages.theorem_checks import theorem_checks
from clinometer.pages.verdicts import Verdicts
from clinometer.runner.ray.connect import ClusterError
from clinometer.runner.scheduler import Failure, Progress, run_all
from clinometer.runner.staleness import StaleRunsError
from clinometer.studies.plan import Plan
from clinometer.studies.rules import PILOT, record_rules, statuses
from clinometer.studies.study_folder import open_study_folder
from clinometer.studies.theorems import all_verified
from clinometer.training.config import RunConfig
from clinometer.training.errors import SpecError
from clinometer.training.run import Group
from clinometer.training.study_file import read_study


def run_study(
    plan: Plan, folder: Path, options: RunOptions, bound: Bound | None = None, kept: KeptClaims | None = None
) -> Answer:
    """Make the runs of a plan that are missing, and report on all of them; status 1 if a run failed.

    Claims are decided, and theorems checked, while the runs are made: the first verdicts come before the last run.

    Args:
        plan: What is planned, with the seeds of the first look.
        folder: The study's folder, with its study.json.
        options: How runs are made.
        bound: Where to end, if seeds are added until all claims are decided.
        kept: Verdicts that those of this study are compared with.
    """
    console.print(Text.assemble((plan.study.title, "bold"), f"\n{plan.study.source}"))
    request, verdicts = read_study(folder), Verdicts(plan, folder)
    failures: list[Failure] = []
    nothing_fitted = ""
    with theorem_checks(plan.theorems) as checked_rows:
        if plan.configs:
            console.print(plan.about, highlight=False)
            try:
                record_rules(plan, folder)
                print_remark(status_line([dataclasses.asdict(each) for each in statuses(plan, folder).values()]))
                if bound is None:
                    failures = _make_runs(plan, plan.run_order, folder, options, verdicts)
                else:
                    looks = _until_decided(folder, bound, request, options)
                    plan, verdicts = looks.run(plan)
                    failures, nothing_fitted = looks.failures, looks.nothing_fitted
            except (StaleRunsError, ClusterError, ImportError) as error:
                refuse(error)
            except SpecError as error:  # of code that was tried before, and has changed or does otherwise now
                stop(error)
            except FileNotFoundError:
                if folder.is_dir():
                    raise
                stop(FileNotFoundError(f"the study's folder {folder} was deleted, or moved, while its runs were made"))
        results = report(plan, folder, request["command"], failures, verdicts, checked_rows(), kept)
    named = {plan.run_name(failure.config): failure for failure in failures}
    return Answer(
        {
            "study": plan.study.name,
            "scale": plan.scale,
            "folder": folder,
            **results_facts(results, folder / "report.html"),
            "failures": [
                {"run": name, "reason": failure.reason, "log": failure.log if failure.log.is_file() else None}
                for name, failure in named.items()
            ],
        },
        [
            Text(),
            *results_parts(results, options.verbose),
            *(_failure_text(name, failure) for name, failure in named.items()),
            page_text(folder / "report.html"),
        ],
        status=2 if nothing_fitted else 1 if failures or not all_verified(results.theorems) else 0,
        error=nothing_fitted,
    )


def _failure_text(name: str, failure: Failure) -> Text:
    log = f" (see {failure.log})" if failure.log.is_file() else ""
    return Text.assemble(("failed: ", "red"), f"{name}: {failure.reason}{log}")


def _until_decided(folder: Path, bound: Bound, request: Mapping[str, Any], options: RunOptions) -> UntilDecided:
    return UntilDecided(
        folder,
        bound,
        options.workers,
        make_runs=lambda plan, runs, verdicts, admit: _make_runs(plan, runs, folder, options, verdicts, admit),
        keep=lambda plan: open_study_folder(folder, plan, request),
    )


def _make_runs(
    plan: Plan,
    runs: Sequence[RunConfig],
    folder: Path,
    options: RunOptions,
    verdicts: Verdicts,
    admit: Callable[[Group], bool] = lambda _group: True,
) -> list[Failure]:
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
            runs,
            folder,
            device=options.run_device,
            pool=options.pool(),
            retries=options.retries,
            checkpoint_every=options.checkpoint_every,
            stale=options.stale,
            admit=admit,
            report=report_progress,
            notify=print_remark,
        )
