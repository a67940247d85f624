"""`clinometer check`."""

from rich.text import Text

from clinometer.cli.answer import Answer
from clinometer.cli.arguments import split_names
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_paper
from clinometer.pages.tables import theorems_table
from clinometer.papers import load_study
from clinometer.studies.theorems import all_verified, check, rows, select


def check_command(paper: str, /, *, only: str = "", cases: int = 200, seed: int = 0) -> Answer:
    """Try the chosen theorems on random inputs; status 1 if one is not verified.

    Parameters
    ----------
    paper
        Its name; see `clinometer list`.
    only
        Theorems, separated by commas; all by default.
    cases
        Inputs for each statement.
    seed
        Of the inputs.
    """
    with bad_input():
        check_paper("check", paper)
        study = load_study(paper)
        chosen = select(study.theorems, split_names(only))
        found = rows(study.theorems, {name: check(study.theorems[name].load(), cases, seed) for name in chosen})
    heading = Text.assemble((study.title, "bold"), f"\n{study.source}")
    return Answer(
        {"paper": paper, "title": study.title, "theorems": found},
        [heading, theorems_table(found)],
        status=0 if all_verified(found) else 1,
    )
