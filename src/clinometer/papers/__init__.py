"""Landscape papers as code that anybody can run: a folder each here, or an installed package each.

A paper is a module with `TITLE`, `SOURCE` and a function `study()`. An installed package announces it by an entry point
of the group `clinometer.papers`, whose name is the paper's and whose value is the module; see `docs/own_paper.md`.
"""

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from clinometer.training.errors import check_choice

if TYPE_CHECKING:
    from clinometer.studies.study import Study

GROUP = "clinometer.papers"
_BUILT_IN = ("santurkar2018", "learning_rates", "instability")


class Paper(Protocol):
    """The module of a paper. To import it is cheap; its study imports the rest."""

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
    """The study of a paper; ValueError as for `load_paper`."""
    return load_paper(name).study()
