"""`clinometer run`."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_path
from clinometer.cli.run_options import DEFAULTS, RunOptions
from clinometer.cli.run_study import run_study
from clinometer.cli.seed_options import AS_PLANNED, SeedOptions
from clinometer.studies.declared.dry_run import dry_run
from clinometer.studies.declared.levels import check_levels
from clinometer.studies.declared.reader import read
from clinometer.studies.declared.spec import FIELDS, OwnStudy
from clinometer.studies.declared.yaml import scalar
from clinometer.studies.looks import check_seeds
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.errors import check_choice
from clinometer.training.from_config import parameters


def run_command(
    study: Path,
    /,
    *,
    to: Path | None = None,
    seeds: SeedOptions = AS_PLANNED,
    options: RunOptions = DEFAULTS,
    **factors: Annotated[list[str], Parameter(consume_multiple=True, negative="")],
) -> Answer:
    """Read and check the study's file, make its runs and report on them.

    Parameters
    ----------
    study
        A file in YAML, or in Python with a variable STUDY.
    to
        The folder for results; runs/NAME by default.
    seeds
        Which seeds each arm is trained with.
    options
        How runs are made.
    factors
        Values of a factor, such as --lr 0.1 0.2, in place of the file's; also --steps, --batch-size, --optimizer, ...
    """
    with bad_input():
        check_path("run", study)
        seeds.check()
        own, source = read(study)
        folder = to or Path("runs") / own.name
        check_path("run --to", folder)
        options.check()
        given = {name.replace("-", "_"): [scalar(word) for word in words] for name, words in factors.items()}
        words = {key: f"--{name.replace('_', '-')}" for name in given for key in (name, f"factors.{name}")}
        source = dataclasses.replace(source, words=words)
        with source.named():
            _check_names(own, given)
            check_levels(own.claims, _levels(own, given))
            own = own.replaced(given)
            planned = plan(own.study(), "own", seeds=seeds.seeds, first_seed=seeds.first_seed)
            own.check_claims(dry_run(own.arms, options.device.partition(",")[0]))
        command = _command_line(study, factors, seeds, to)
        planned = seeds.continued(planned, folder)
        check_seeds(planned, folder)
        open_study_folder(folder, planned, {"seeds": seeds.seeds, "command": command})
    return run_study(planned, folder, options, seeds.bound())


def _check_names(own: OwnStudy, given: Mapping[str, Any]) -> None:
    """Raise SpecError for a name that is no factor of the study, no parameter of its functions and no option."""
    overridable = [*own.factors, *FIELDS]
    for name in given:
        if name not in overridable:
            others = ["to", *(option.name for kind in (SeedOptions, RunOptions) for option in dataclasses.fields(kind))]
            names = dict.fromkeys([*overridable, *parameters(own.arms[0]), *others])
            check_choice("factor or option", name, names, f"factors.{name}")


def _levels(own: OwnStudy, given: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The levels of each factor or field, in the file and on the command line: either may leave some out."""
    names = dict.fromkeys([*own.factors, *FIELDS])
    return {n: [*(own.factors[n] if n in own.factors else [getattr(own, n)]), *given.get(n, [])] for n in names}


def _command_line(study: Path, factors: Mapping[str, Sequence[str]], seeds: SeedOptions, to: Path | None) -> str:
    words = ["clinometer", "run", str(study)]
    words += [word for name, values in factors.items() for word in (f"--{name}", *values)]
    return shlex.join([*words, *seeds.words(), *(["--to", str(to)] if to else [])])
