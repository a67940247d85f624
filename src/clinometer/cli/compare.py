"""`clinometer compare`."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from clinometer.cli.answer import Answer
from clinometer.cli.browser import open_page
from clinometer.cli.console import print_remark
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_path, kind_of
from clinometer.pages.compare_page.facts import comparison_facts
from clinometer.pages.compare_page.page import write_comparison
from clinometer.pages.compare_page.tables import comparison_of_runs
from clinometer.pages.comparison_table import comparison_parts
from clinometer.pages.destination import Destination
from clinometer.results.compare import Comparison, compare
from clinometer.results.compare_runs import compare_runs

Folders = tuple[Path, ...]


def compare_command(
    *folders: Path,
    other: Annotated[tuple[Path, ...], Parameter(name="--with", consume_multiple=True, negative="")] = (),
    quantity: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (),
    over: Annotated[tuple[float, float], Parameter(negative="")] = (0.5, 1.0),
    to: Path | None = None,
    show: Annotated[bool, Parameter(name="--open", negative="")] = False,
) -> Answer:
    """Hold one run against another, several against several, or a study against a study.

    Parameters
    ----------
    folders
        Two recorders' folders, the base first; or two studies'. With --with, the base's runs, one for each seed.
    other
        The runs that are held against them, one for each seed.
    quantity
        Of runs: PROBE.FIELD. Of studies: PROBE.FIELD or PROBE.FIELD.LAYER, its mean over steps; or with :first, :last,
        :min, :max or :0.5-1 after it.
    over
        Of runs: the share of the common steps that is compared, as --over 0 1 for all; the second half by default.
    to
        Of runs: the page to write, such as page.html, or a folder for it.
    show
        Open that page in the browser.
    """
    with bad_input():
        base, mine = _sides(folders, other)
        if _are_studies([*base, *mine]):
            studies = compare(base[0], mine[0], quantity)
            return Answer(_facts(studies, base[0], mine[0]), comparison_parts(studies, base[0], mine[0]))
        if show and not to:
            raise ValueError("--open opens the page that --to writes: add --to page.html.")
        file = Destination.of(mine[0], to).page if to else None
        found = compare_runs(_named(base, mine), quantity, over)
        page = write_comparison(found, file, _command(base, mine, quantity, over)) if file else None
    if page:
        print_remark(f"The page: {page}")
        if show:
            open_page(page)
    return Answer(comparison_facts(found) | ({"page": page} if page else {}), comparison_of_runs(found))


def _sides(folders: Folders, other: Folders) -> tuple[Folders, Folders]:
    if other:
        if not folders:
            raise ValueError("expected the base's folders before --with; found none.")
        return folders, other
    if len(folders) != 2:
        raise ValueError(
            f"expected two folders, the base and what is held against it; found {len(folders)}. Several runs a side: "
            "clinometer compare runs/base-* --with runs/mine-*"
        )
    return folders[:1], folders[1:]


def _are_studies(folders: Sequence[Path]) -> bool:
    """Whether these are two studies; ValueError if they are neither that nor runs."""
    for folder in folders:
        check_path("compare", folder)
    studies = [folder for folder in folders if kind_of(folder) == "study"]
    runs = [folder for folder in folders if folder not in studies]
    if studies and runs:
        raise ValueError(
            f"{runs[0]} holds one run and {studies[0]} is a study: compare two runs, or two studies. The runs of that "
            f"study are in {studies[0] / 'runs'}."
        )
    if studies and len(folders) != 2:
        raise ValueError(f"two studies are compared; found {len(folders)}.")
    return bool(studies)


def _named(base: Folders, mine: Folders) -> dict[str, list[Path]]:
    """A side of one run is called as its folder, if that tells them apart."""
    names = (base[0].resolve().name, mine[0].resolve().name)
    alone = len(base) == len(mine) == 1
    one, two = names if alone and len(set(names)) == 2 and all(names) else ("base", "mine")
    return {one: list(base), two: list(mine)}


def _command(base: Folders, mine: Folders, quantity: Sequence[str], over: tuple[float, float]) -> str:
    words = ["clinometer", "compare", *map(str, base), *(["--with"] if len(base) > 1 else []), *map(str, mine)]
    words += ["--quantity", *quantity] if quantity else []
    return shlex.join([*words, "--over", *map("{:g}".format, over)])


def _facts(found: Comparison, one: Path, other: Path) -> dict[str, Any]:
    pairs = [
        {"arm": pair.arm, "one": pair.one.folder, "other": pair.other.folder, "parts_at": pair.parts_at}
        for pair in found.pairs
    ]
    return {
        "one": one,
        "other": other,
        "pairs": pairs,
        "only_in_one": found.alone[0],
        "only_in_other": found.alone[1],
        "unshared": found.unshared,
        "differences": found.differences,
        "versions": found.versions,
        "verdicts": found.verdicts,
    }
