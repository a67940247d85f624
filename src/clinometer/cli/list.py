"""`clinometer list`."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_paper
from clinometer.papers import OWN_STUDIES, find_papers, load_study
from clinometer.studies.study import Study


def list_command(paper: str = "", /) -> Answer:
    """Tell each paper's title, source and scales, or the figures, claims and theorems of one.

    Parameters
    ----------
    paper
        Its name; all papers by default.
    """
    if paper:
        with bad_input():
            check_paper("list", paper)
            study = load_study(paper)
        return Answer({**_facts(paper, study), **_parts(study)}, [*_heading(paper, study), *_indented(_lines(study))])
    studies = {name: _loaded(name) for name in find_papers()}
    groups = {
        "Papers": [name for name in studies if name not in OWN_STUDIES],
        "Studies of clinometer's own": [*OWN_STUDIES],
    }
    shown: list[RenderableType] = []
    for title, names in groups.items():
        shown.append(Text(f"\n{title}", "underline"))
        shown += [part for name in names for part in _heading(name, studies[name])]
    shown.append("\nFigures, claims and theorems of one: clinometer list NAME")
    return Answer({"papers": [_facts(name, study) for name, study in studies.items()]}, shown)


def _loaded(name: str) -> Study | str:
    """The study of a paper, or why it cannot be read."""
    try:
        return load_study(name)
    except (Exception, SystemExit) as error:  # a package that is broken must not hide the other papers
        return str(error)


def _facts(name: str, study: Study | str) -> dict[str, Any]:
    own = {"name": name, "own": name in OWN_STUDIES}
    if isinstance(study, str):
        return {**own, "error": study}
    scales = {scale: about.about for scale, about in study.scales.items()}
    return {**own, "title": study.title, "source": study.source, "read": study.read, "scales": scales}


def _parts(study: Study) -> dict[str, Any]:
    """What `--only` can name, and the options that the paper adds."""
    return {
        "figures": {name: figure.title for name, figure in study.figures.items()},
        "claims": [
            {"id": claim.id, "statement": claim.statement, "source": claim.source, "rule": claim.rule}
            for claim in study.claims
        ],
        "theorems": {name: {"title": each.title, "source": each.source} for name, each in study.theorems.items()},
        "options": {name: extra.about for name, extra in study.extras.items()},
    }


def _heading(name: str, study: Study | str) -> Iterator[RenderableType]:
    if isinstance(study, str):
        yield Text.assemble((name, "bold"), f": {study}")
        return
    yield Text.assemble((name, "bold"), f": {study.title}")
    yield from _indented([study.source, *[f"read of it: {study.read}"] * bool(study.read)])
    yield from _indented(f"--scale {scale}: {about.about}" for scale, about in study.scales.items())


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _lines(study: Study) -> Iterator[str]:
    yield from (f"{name}: {figure.title}" for name, figure in study.figures.items())
    yield from (f"{claim.id}: {claim.statement} ({claim.source})" for claim in study.claims)
    yield from (f"{name}: {theorem.title} ({theorem.source})" for name, theorem in study.theorems.items())
    yield from (f"--{name}: {extra.about}" for name, extra in study.extras.items())
