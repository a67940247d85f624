"""The command on a study of one's own: `run`."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from clinometer.cli.common import bad_input
from clinometer.cli.making import BY_DEFAULT, Making, make
from clinometer.studies.declared.dry_run import rehearse
from clinometer.studies.declared.reader import read
from clinometer.studies.declared.spec import FIELDS, OwnStudy
from clinometer.studies.declared.yaml import scalar
from clinometer.studies.study import open_study_folder, plan
from clinometer.training.errors import known
from clinometer.training.from_config import parameters


def run_(
    study: Path,
    /,
    *,
    seeds: int | None = None,
    to: Path | None = None,
    making: Making = BY_DEFAULT,
    **factors: Annotated[list[str], Parameter(consume_multiple=True, negative="")],
) -> int:
    """Run what is missing of a study of your own, then decide its claims, draw its figures and write its page.

    The file is a program: its model and data are imported and run. Run those alone that you trust.

    Parameters
    ----------
    study
        A file in YAML, or in Python with a variable STUDY.
    seeds
        Seeds per arm; as the file says by default.
    to
        The folder for results; runs/NAME by default.
    making
        How runs are made.
    factors
        Values of a factor, such as --lr 0.1 0.2, in place of the file's; also --steps, --batch-size, --optimizer, ...
    """
    with bad_input():
        own, source = read(study)
        making.check()
        if seeds is not None and seeds < 1:
            raise ValueError(f"--seeds must be at least 1; found {seeds}. Intervals need at least 2.")
        given = {name.replace("-", "_"): [scalar(word) for word in words] for name, words in factors.items()}
        words = {key: f"--{name.replace('_', '-')}" for name in given for key in (name, f"factors.{name}")}
        source = dataclasses.replace(source, words=words)
        with source.named():
            _check_names(own, given)
            own = own.replaced(given, seeds)
            own.check_claims(rehearse(own.arms, making.device.partition(",")[0]))
        planned = plan(own.study(), "own", seeds=seeds)
        folder = to or Path("runs") / own.name
        command = _command(study, factors, seeds, to)
        open_study_folder(folder, planned, {"seeds": seeds, "command": command})
    return make(planned, folder, command, making)


def _check_names(own: OwnStudy, given: Mapping[str, Any]) -> None:
    """SpecError if one is neither a factor of the study nor anything else that its functions take, or an option."""
    there = [*own.factors, *FIELDS]
    for name in given:
        if name not in there:
            options = ["seeds", "to", *(option.name for option in dataclasses.fields(Making))]
            known(
                f"factors.{name}", "factor or option", name, dict.fromkeys([*there, *parameters(own.arms[0]), *options])
            )


def _command(study: Path, factors: Mapping[str, Sequence[str]], seeds: int | None, to: Path | None) -> str:
    words = ["clinometer", "run", str(study)]
    words += [word for name, values in factors.items() for word in (f"--{name}", *values)]
    given = {"--seeds": seeds, "--to": to}
    words += [str(word) for name, value in given.items() if value for word in (name, value)]
    return shlex.join(words)
