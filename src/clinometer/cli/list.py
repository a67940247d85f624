"""`clinometer list`."""

from collections.abc import Iterable, Iterator

from rich.text import Text

from clinometer.cli.console import console, print_remark
from clinometer.cli.errors import bad_input
from clinometer.papers import OWN_STUDIES, find_papers, load_study
from clinometer.studies.study import Study


def list_command(paper: str = "", /) -> int:
    """Print each paper's title, source and scales, or the figures, claims and theorems of one.

    Parameters
    ----------
    paper
        Its name; all papers by default.
    """
    if paper:
        with bad_input():
            study = load_study(paper)
        _print_heading(paper, study)
        _print_lines(_parts(study))
        return 0
    found = find_papers()
    _print_group("Papers", [name for name in found if name not in OWN_STUDIES])
    _print_group("Studies of clinometer's own", OWN_STUDIES)
    print_remark("\nFigures, claims and theorems of one: clinometer list NAME")
    return 0


def _print_group(title: str, names: Iterable[str]) -> None:
    console.print(Text(f"\n{title}", "underline"))
    for name in names:
        try:
            study = load_study(name)
        except (Exception, SystemExit) as error:  # a package that is broken must not hide the other papers
            console.print(Text.assemble((name, "bold"), f": {error}"))
            continue
        _print_heading(name, study)


def _print_heading(name: str, study: Study) -> None:
    console.print(Text.assemble((name, "bold"), f": {study.title}"))
    _print_lines([study.source, *[f"read of it: {study.read}"] * bool(study.read)])
    _print_lines(f"--scale {scale}: {about.about}" for scale, about in study.scales.items())


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print_remark(f"  {line}")


def _parts(study: Study) -> Iterator[str]:
    """What `--only` can name, a line each, and the options that the paper adds."""
    yield from (f"{name}: {figure.title}" for name, figure in study.figures.items())
    yield from (f"{claim.id}: {claim.statement} ({claim.source})" for claim in study.claims)
    yield from (f"{name}: {theorem.title} ({theorem.source})" for name, theorem in study.theorems.items())
    yield from (f"--{name}: {extra.about}" for name, extra in study.extras.items())
