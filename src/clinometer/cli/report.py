"""`clinometer report`."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.cli.arguments import split_names
from clinometer.cli.console import console, print_page_path
from clinometer.cli.errors import bad_input
from clinometer.cli.results_tables import print_results
from clinometer.papers import load_study
from clinometer.report.agreement import read_kept
from clinometer.report.blocks import ranks_table
from clinometer.report.run_page import report_run
from clinometer.report.study_page.report import report
from clinometer.studies.declared.spec import restored
from clinometer.studies.plan import plan
from clinometer.studies.study import Study
from clinometer.studies.study_folder import open_study_folder
from clinometer.studies.theorems import all_verified
from clinometer.training.files import read_small
from clinometer.training.study_file import read_study


def report_command(folder: Path, /, *, against: Path | None = None) -> int:
    """Write the page of a recorder's folder, or that of a study with its claims, theorems and figures.

    Parameters
    ----------
    folder
        The study's folder, or one that a Recorder writes to: then blocks are ranked.
    against
        A claims.json, or a folder that has one: the verdicts of a study are compared with its.
    """
    if (folder / "rows.sqlite").is_file():
        with bad_input():
            if against:
                raise ValueError(f"--against compares a study's claims; {folder} is a Recorder's, which has none.")
            for probe, ranking in report_run(folder).items():
                console.print(ranks_table(f"{probe}: {ranking.title}", ranking.ranks))
        print_page_path(folder)
        return 0
    with bad_input():
        facts = read_study(folder)
        only = split_names(facts.get("only", ""))
        study, scale, seeds = _study(folder, facts), str(facts.get("scale")), facts.get("seeds")
        planned = plan(study, scale, only, seeds, facts.get("first_seed", 0), facts.get("claim_seeds", {}))
        kept = read_kept(against, [claim.id for claim in planned.claims]) if against else None
        open_study_folder(folder, planned, facts)
    results = report(planned, folder, facts.get("command", "unknown"), kept=kept)
    print_results(results)
    print_page_path(folder)
    return 0 if all_verified(results.theorems) else 1


def _study(folder: Path, facts: Mapping[str, Any]) -> Study:
    """A paper's, or the one that the folder describes; no model or data of anybody's is imported."""
    if "declared" not in facts:
        return load_study(str(facts.get("study")))
    rows: Any = []
    with contextlib.suppress(OSError, ValueError, RecursionError):
        rows = json.loads(read_small(folder / "claims.json"))
    return restored(facts, rows).study()
