"""`clinometer reproduce`."""

import os
import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from clinometer.cli.answer import Answer
from clinometer.cli.arguments import split_names
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_paper, check_path
from clinometer.cli.run_options import DEFAULTS, RunOptions
from clinometer.cli.run_study import run_study
from clinometer.cli.seed_options import AS_PLANNED, SeedOptions
from clinometer.pages.extras import check_extras, write_extras
from clinometer.papers import load_study
from clinometer.studies.looks import check_seeds
from clinometer.studies.plan import plan
from clinometer.studies.study import Study
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.data.datasets import DATASETS
from clinometer.training.errors import check_choice
from clinometer.writing.kept import kept_for

_OPTIONS = ("scale", "only", "to", "data", "against")


def reproduce_command(
    paper: str,
    /,
    *extras: Annotated[str, Parameter(allow_leading_hyphen=True)],
    scale: str = "smoke",
    only: str = "",
    to: Path | None = None,
    data: Path | None = None,
    against: Literal["none"] | Path | None = None,
    seeds: SeedOptions = AS_PLANNED,
    options: RunOptions = DEFAULTS,
) -> Answer:
    """Plan a paper's study, make its runs and report on them.

    Parameters
    ----------
    paper
        Its name; see `clinometer list`.
    extras
        Options that the paper adds, such as --listen, for files of its own; see `clinometer list PAPER`.
    scale
        smoke, laptop or paper.
    only
        Figures, claims or theorems, separated by commas; all by default. Theorems need no run.
    to
        The folder for results; runs/PAPER-SCALE by default.
    data
        The folder of CIFAR-10's Parquet files; the environment variable CLINOMETER_DATA by default.
    against
        A claims.json, or a folder that has one: the verdicts are compared with its. By default they are compared with
        those that were kept of the paper at this scale; none leaves that away. The exit status stays as it is.
    seeds
        Which seeds each arm is trained with.
    options
        How runs are made.
    """
    with bad_input():
        check_paper("reproduce", paper)
        folder = to or Path("runs") / f"{paper}-{scale}"
        check_path("reproduce --to", folder)
        seeds.check()
        study = load_study(paper)
        wanted = [_extra(study, word) for word in extras]
        planned = plan(study, scale, split_names(only), seeds.seeds, seeds.first_seed)
        options.check()
        check_extras(planned, wanted)
        kept = kept_for(paper, scale, [claim.id for claim in planned.claims], against)
        if data is not None:
            os.environ["CLINOMETER_DATA"] = str(data)
        for name in planned.used:
            if planned.bases[name].data in DATASETS:  # the others are drawn from a seed
                DATASETS[planned.bases[name].data]()  # read, checked and cached once, before any process needs it
        command = _command_line(paper, scale, only, seeds, to, wanted)
        planned = seeds.continued(planned, folder)
        check_seeds(planned, folder)
        open_study_folder(folder, planned, {"only": only, "seeds": seeds.seeds, "command": command})
    answer = run_study(planned, folder, options, seeds.bound(), kept)
    with bad_input():
        written = write_extras(planned, folder, wanted)
    return replace(
        answer,
        found={**answer.found, "extras": written},
        shown=[*answer.shown, *(f"written: {file}" for file in written)],
    )


def _extra(study: Study, word: str) -> str:
    """The extra that a word of the command line asks for; ValueError if it asks for none."""
    given = (*fields(SeedOptions), *fields(RunOptions))
    own = [name.replace("_", "-") for name in (*_OPTIONS, *(each.name for each in given))]
    return check_choice("option", word, [f"--{name}" for name in (*study.extras, *own)]).removeprefix("--")


def _command_line(paper: str, scale: str, only: str, seeds: SeedOptions, to: Path | None, extras: list[str]) -> str:
    words = ["clinometer", "reproduce", paper, "--scale", scale, *(["--only", only] if only else []), *seeds.words()]
    words += [f"--{name}" for name in extras]
    return shlex.join([*words, *(["--to", str(to)] if to else [])])
