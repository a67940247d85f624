"""Commands on what is there already: `report` and `watch`. Nothing is trained."""

import contextlib
from pathlib import Path

from clinometer.cli.common import bad_input, console, names, say_where, show_results, verified
from clinometer.papers import PAPERS
from clinometer.report.attached import report_run
from clinometer.report.blocks import ranks_table
from clinometer.report.reports import report
from clinometer.report.watch import watch
from clinometer.study.config import one_of
from clinometer.study.study import claim_folder, plan, study_facts


def report_(folder: Path, /) -> int:
    """Decide, draw and write again from what a study's folder holds, or a recorder's; nothing is trained.

    Parameters
    ----------
    folder
        The study's folder, or one that a Recorder writes to: then blocks are ranked.
    """
    if (folder / "rows.sqlite").is_file():
        with bad_input():
            for probe, ranks in report_run(folder).items():
                console.print(ranks_table(probe, ranks))
        say_where(folder)
        return 0
    with bad_input():
        facts = study_facts(folder)
        study = PAPERS[one_of("paper", str(facts.get("study")), PAPERS)]()
        planned = plan(study, str(facts.get("scale")), names(facts.get("only", "")), facts.get("seeds"))
        claim_folder(folder, planned, facts)
    results = report(planned, folder, facts.get("command", "unknown"))
    show_results(results)
    say_where(folder)
    return 0 if verified(results.theorems) else 1


def watch_(path: Path, /, *, every: float = 2.0, once: bool = False) -> int:
    """Follow a run that records, from another terminal; it is only read. Ctrl-C ends the watching.

    Parameters
    ----------
    path
        The recorder's folder, or its rows.sqlite; where there is none yet, it is waited for.
    every
        Seconds between looks.
    once
        Show what there is, and end.
    """
    with bad_input(), contextlib.suppress(KeyboardInterrupt):
        watch(path, console, every=every, once=once)
    return 0
