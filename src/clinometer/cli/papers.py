"""Commands on a paper: `reproduce`, `check` and `list`."""

import os
import shlex
from pathlib import Path

from rich.text import Text

from clinometer.cli.common import bad_input, console, names, verified
from clinometer.cli.making import BY_DEFAULT, Making, make
from clinometer.papers import PAPERS
from clinometer.report.terminal import theorems_table
from clinometer.studies.study import open_study_folder, plan
from clinometer.studies.theorems import check, rows, select
from clinometer.training.config import one_of
from clinometer.training.data.datasets import DATASETS


def reproduce(
    paper: str,
    /,
    *,
    scale: str = "smoke",
    only: str = "",
    seeds: int | None = None,
    to: Path | None = None,
    data: Path | None = None,
    making: Making = BY_DEFAULT,
) -> int:
    """Run what is missing of a paper, then decide its claims, check its theorems, draw its figures and write its page.

    Parameters
    ----------
    paper
        Its name; see `clinometer list`.
    scale
        smoke, laptop or paper.
    only
        Figures, claims or theorems, separated by commas; all by default. Theorems need no run.
    seeds
        Seeds per arm; the scale's own number by default.
    to
        The folder for results; runs/PAPER-SCALE by default.
    data
        The folder of CIFAR-10's Parquet files; the environment variable CLINOMETER_DATA by default.
    making
        How runs are made.
    """
    with bad_input():
        study = PAPERS[one_of("paper", paper, PAPERS)]()
        planned = plan(study, scale, names(only), seeds)
        making.check()
        if data is not None:
            os.environ["CLINOMETER_DATA"] = str(data)
        for name in planned.used:
            if planned.bases[name].data in DATASETS:  # the others are drawn from a seed
                DATASETS[planned.bases[name].data]()  # read, checked and cached once, before any process needs it
        folder = to or Path("runs") / f"{paper}-{scale}"
        command = _command(paper, scale, only, seeds, to)
        open_study_folder(folder, planned, {"only": only, "seeds": seeds, "command": command})
    return make(planned, folder, command, making)


def check_(paper: str, /, *, only: str = "", cases: int = 200, seed: int = 0) -> int:
    """Verify the theorems of a paper on random inputs, and show where the print, or a dropped hypothesis, is false.

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
        study = PAPERS[one_of("paper", paper, PAPERS)]()
        chosen = select(study.theorems, names(only))
        found = rows({name: check(study.theorems[name], cases, seed) for name in chosen})
    console.print(Text.assemble((study.title, "bold"), f"\n{study.source}"))
    console.print(theorems_table(found))
    return 0 if verified(found) else 1


def list_() -> int:
    """The papers, with their scales, figures, claims and theorems."""
    for name, load in PAPERS.items():
        study = load()
        console.print(Text.assemble((name, "bold"), f": {study.title}"))
        for scale, about in study.scales.items():
            console.print(f"  --scale {scale}: {about.about}", highlight=False)
        for exhibit, figure in study.exhibits.items():
            console.print(f"  {exhibit}: {figure.title}", highlight=False)
        for claim in study.claims:
            console.print(f"  {claim.id}: {claim.statement} ({claim.source})", highlight=False)
        for theorem, about in study.theorems.items():
            console.print(f"  {theorem}: {about.title} ({about.source})", highlight=False)
    return 0


def _command(paper: str, scale: str, only: str, seeds: int | None, to: Path | None) -> str:
    words = ["clinometer", "reproduce", paper, "--scale", scale]
    given = {"--only": only, "--seeds": seeds, "--to": to}
    words += [str(word) for name, value in given.items() if value for word in (name, value)]
    return shlex.join(words)
