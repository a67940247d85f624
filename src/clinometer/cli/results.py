"""Commands on what is there already: `report`, `watch`, `export`, `compare` and `merge`. Nothing is trained."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.text import Text

from clinometer.cli.common import bad_input, console, names, say_where, show_results, verified
from clinometer.papers import PAPERS
from clinometer.report.blocks import ranks_table
from clinometer.report.comparison_table import shown
from clinometer.report.run_page import report_run
from clinometer.report.study_page import report
from clinometer.report.watch import watch
from clinometer.results.compare import compare
from clinometer.results.export import export
from clinometer.results.merge import merge
from clinometer.studies.declared.spec import restored
from clinometer.studies.study import Study, open_study_folder, plan, study_facts
from clinometer.training.config import one_of

_LONGEST = 2**24  # bytes of claims.json


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
        planned = plan(_study(folder, facts), str(facts.get("scale")), names(facts.get("only", "")), facts.get("seeds"))
        open_study_folder(folder, planned, facts)
    results = report(planned, folder, facts.get("command", "unknown"))
    show_results(results)
    say_where(folder)
    return 0 if verified(results.theorems) else 1


def _study(folder: Path, facts: Mapping[str, Any]) -> Study:
    """A paper's, or the one that the folder describes; no model or data of anybody's is imported."""
    if "declared" not in facts:
        return PAPERS[one_of("paper", str(facts.get("study")), PAPERS)]()
    rows: Any = []
    with contextlib.suppress(OSError, ValueError, RecursionError), (folder / "claims.json").open("rb") as file:
        rows = json.loads(file.read(_LONGEST))
    return restored(facts, rows).study()


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


def export_(
    folder: Path,
    /,
    *,
    to: Path,
    kind: Annotated[Literal["parquet", "csv"], Parameter(name="--format")] = "parquet",
) -> int:
    """Write a study's runs and rows as tables: runs.parquet, and PROBE.parquet for each probe.

    Parameters
    ----------
    folder
        The study's folder, or one that a Recorder writes to. It is only read.
    to
        The folder to make.
    kind
        parquet, with arrays as nested lists; or csv, with a column per number, and without what is kept per unit.
    """
    with bad_input():
        for name, rows in export(folder, to, kind).items():
            console.print(Text(f"{to / name}: {rows} rows"), soft_wrap=True)
    return 0


def compare_(
    one: Path,
    other: Path,
    /,
    *,
    quantity: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
) -> int:
    """Compare the runs that two studies have in common: what is identical, and by how much the rest differs.

    Parameters
    ----------
    one
        A study's folder.
    other
        Another: from another machine, version or study.
    quantity
        What to compare, such as landscape.beta (its mean over steps) or train.loss:last; also :first, :min and :max.
    """
    with bad_input():
        for part in shown(compare(one, other, quantity), one, other):
            console.print(part, soft_wrap=isinstance(part, Text))
    return 0


def merge_(
    *folders: Path,
    to: Path,
    keep: Literal["first"] | None = None,
    stale: Literal["keep"] | None = None,
) -> int:
    """Put the finished runs of one study, made in several places, into one folder.

    Parameters
    ----------
    folders
        The study's folders. They are only read.
    to
        The folder to make.
    keep
        first: of runs of the same config with other rows take the first; otherwise that is an error.
    stale
        keep: take runs of differing code, data or versions; otherwise that is an error.
    """
    with bad_input():
        found = merge(folders, to, keep_first=keep == "first", keep_stale=stale == "keep")
        console.print(Text(f"{to}: {found}"), soft_wrap=True)
        console.print(Text(f"Decide and draw again: clinometer report {to}"), soft_wrap=True)
    return 0
