"""`clinometer report`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from clinometer.cli.answer import Answer
from clinometer.cli.browser import open_page
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_path
from clinometer.cli.results_tables import page_text, results_facts, results_parts
from clinometer.pages.blocks import ranks_table
from clinometer.pages.destination import Destination
from clinometer.pages.run_page.page import judge_run, report_run
from clinometer.pages.tex.figures import write_tex
from clinometer.plots.layout import Width
from clinometer.studies.theorems import all_verified
from clinometer.writing.study import open_study


def report_command(
    folder: Path,
    /,
    *,
    to: Path | None = None,
    against: Literal["none"] | Path | None = None,
    show: Annotated[bool, Parameter(name="--open", negative="")] = False,
    verbose: Annotated[bool, Parameter(negative="")] = False,
    tex: Annotated[bool, Parameter(negative="")] = False,
    width: Literal["one", "two"] = "one",
    read_only: Annotated[bool, Parameter(negative="")] = False,
) -> Answer:
    """Write the page of a recorder's folder, or that of a study with its claims, theorems and figures.

    Parameters
    ----------
    folder
        The study's folder, or one that a Recorder writes to.
    to
        Where to write instead: a file, whose name ends in .html, for the page alone; or a folder, for all of it.
    against
        A claims.json, or a folder that has one: the verdicts of a study are compared with its. By default a paper's are
        compared with those that were kept of it at this scale; none leaves that away.
    show
        Open the page in the browser.
    verbose
        Print the tables of claims and theorems as well, which the page has.
    tex
        Write a table of a study's claims and its figures for a paper, in a folder `tex` beside the page.
    width
        How wide these figures are: one column of a printed page, 3.35 inches, or two, 6.9.
    read_only
        Write nothing: say the verdict of a run, or what was decided last of a study's claims and theorems.
    """
    with bad_input():
        check_path("report", folder)
        if read_only and (to or show or tex):
            raise ValueError("--read-only writes nothing: leave out --to, --open and --tex.")
        place = None if read_only else Destination.of(folder, to)
        if place:
            place.check_writable()
    if (folder / "rows.sqlite").is_file():
        answer = _of_run(folder, place, against, tex)
    else:
        answer = _of_study(folder, place, against, verbose, width if tex else None)
    if show and place:
        open_page(place.page)
    return answer


def _of_run(folder: Path, place: Destination | None, against: Path | str | None, tex: bool) -> Answer:
    with bad_input():
        if tex:
            raise ValueError(
                f"--tex writes the claims and figures of a study; {folder} is a Recorder's. "
                'clinometer.plot(folder).savefig("run.pdf") draws it for print.'
            )
        if against and against != "none":
            raise ValueError(f"--against compares a study's claims; {folder} is a Recorder's, which has none.")
        page = place.page if place else None
        found = report_run(folder, page) if page else judge_run(folder)
    lost = [Text.assemble(("could not be read: ", "red"), each) for each in found.missing]
    tables = [ranks_table(f"{probe}: {ranking.title}", ranking.ranks) for probe, ranking in found.rankings.items()]
    return Answer(
        {
            "folder": folder,
            "page": page,
            "state": found.verdict.state,
            "verdict": str(found.verdict),
            "missing": found.missing,
            "rankings": {probe: {"field": each.field, "ranks": each.ranks} for probe, each in found.rankings.items()},
        },
        [Text(str(found.verdict), "bold"), *lost, *tables, *([page_text(page)] if page else [])],
    )


def _of_study(
    folder: Path, place: Destination | None, against: Path | str | None, verbose: bool, printed: Width | None
) -> Answer:
    with bad_input():
        opened = open_study(folder, against)
        decided = None if place else opened.decided()
    results = decided or opened.report(place)
    page = place.page if place else None
    facts = {"folder": folder, "study": opened.study.name, "scale": opened.scale}
    found = {**facts, **results_facts(results, page)}
    parts = [*results_parts(results, verbose), *([page_text(page)] if page else [])]
    if printed and place:
        tex = place.page.parent / "tex"
        found["tex"] = write_tex(tex, results.claims, results.figures, opened.command, printed)
        parts.append(f"For a paper: {tex / 'claims.tex'} and figures.tex, with {len(found['tex']) - 2} PDFs")
    return Answer(found, parts, status=0 if all_verified(results.theorems) else 1)
