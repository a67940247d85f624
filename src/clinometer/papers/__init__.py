"""Landscape papers as code that anybody can run: a folder each here, or an installed package each.

A paper is a module with `TITLE`, `SOURCE`, `READ` and a function `study()`. An installed package announces it by an
entry point of the group `clinometer.papers`, whose name is the paper's and whose value is the module; see
`docs/own_paper.md`. Studies of clinometer's own are modules of the same kind, but for `READ`.
"""

import dataclasses
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from clinometer.training.errors import check_choice

if TYPE_CHECKING:
    from clinometer.studies.study import Study

GROUP = "clinometer.papers"
OWN_STUDIES = ("norms", "learning_rates", "instability")  # questions of clinometer's own
_BUILT_IN = ("santurkar2018", "subramanian2019", "haruki2019", "toth2019", "bronstein2021", *OWN_STUDIES)


class Paper(Protocol):
    """The module of a paper. To import it is cheap; its study imports the rest.

    `READ` says what was read of the paper: its full text, its abstract, its authors' code; `CITATION` is how to cite
    it, in BibTeX. Every paper here has both. An installed one may leave them out: `what_was_read` is empty then.
    """

    TITLE: str
    SOURCE: str

    def study(self) -> "Study":
        """What the paper varies, draws and claims."""
        ...


def find_papers() -> dict[str, str]:
    """The module of each paper by the paper's name, built-in ones first. Nothing is imported.

    Raises:
        ValueError: if two packages have a paper of one name.
    """
    found = {name: f"{__name__}.{name}" for name in _BUILT_IN}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if found.setdefault(point.name, point.value) != point.value:
            raise ValueError(
                f"two papers are called {point.name!r}: {found[point.name]} and {point.value}. Uninstall one of the "
                "packages, or give its entry point another name."
            )
    return found


def load_paper(name: str) -> Paper:
    """The module of a paper.

    Raises:
        ValueError: if there is no such paper, or its package cannot be imported.

    Example:
        >>> load_paper("santurkar2018").TITLE
        'How Does Batch Normalization Help Optimization?'
    """
    papers = find_papers()
    module = papers[check_choice("paper", name, papers)]
    try:
        paper = import_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"the paper {name!r} cannot be imported from {module}: {error}") from error
    missing = [each for each in ("TITLE", "SOURCE", "study") if not hasattr(paper, each)]
    if missing:
        raise ValueError(f"the paper {name!r} in {module} has no {missing[0]}; expected TITLE, SOURCE and study().")
    return cast("Paper", paper)


def load_study(name: str) -> "Study":
    """The study of a paper, which tells what was read of it and how to cite it; ValueError as for `load_paper`."""
    paper = load_paper(name)
    return dataclasses.replace(paper.study(), read=what_was_read(paper), citation=str(getattr(paper, "CITATION", "")))


def what_was_read(paper: Paper) -> str:
    """What was read of a paper, in words; empty where its module does not say.

    Example:
        >>> what_was_read(load_paper("santurkar2018"))
        "the full text with its appendices (arXiv v3 of 27 October 2018); none of the authors' code"
    """
    return str(getattr(paper, "READ", ""))
