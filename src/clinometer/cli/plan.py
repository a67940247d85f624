"""`clinometer plan`."""

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_paper, check_path
from clinometer.pages.needs_table import needs_parts
from clinometer.papers import load_study
from clinometer.results.claims_file import read_claims
from clinometer.studies.claim_needs import ClaimNeed, claim_needs, costs
from clinometer.studies.declared.reader import read
from clinometer.studies.declared.suffixes import SUFFIXES
from clinometer.studies.pilot import Pilot, read_pilot
from clinometer.studies.plan import Plan, plan
from clinometer.studies.seeds_needed import MOST
from clinometer.studies.study import MOST_SEEDS

_PILOT = ("--seeds", "3", "--first-seed", "0")


def plan_command(
    study: str,
    /,
    *,
    scale: str | None = None,
    to: Path | None = None,
    pilot: Path | None = None,
    power: float = 0.8,
    max_seeds: int = MOST,
) -> Answer:
    """Tell from finished runs how many seeds and hours each open claim needs. Nothing is decided, trained or written.

    Parameters
    ----------
    study
        A paper's name, see `clinometer list`; or the file of a study of your own.
    scale
        Of a paper: smoke, laptop or paper; smoke by default.
    to
        The study's folder, whose finished runs are the pilot; runs/PAPER-SCALE, or runs/NAME, by default.
    pilot
        The same, where the pilot has a folder of its own.
    power
        The probability that a claim is decided by so many seeds, if its effect is as in the pilot.
    max_seeds
        More seeds than these are not considered: a claim that needs them is called hopeless.
    """
    with bad_input():
        if not 0.05 < power < 1:
            raise ValueError(f"--power must lie between 0.05 and 1, such as 0.8; found {power}.")
        if not 2 <= max_seeds <= MOST_SEEDS:
            raise ValueError(f"--max-seeds must lie in 2 to {MOST_SEEDS}; found {max_seeds}.")
        if to and pilot and to != pilot:
            raise ValueError(f"--to and --pilot both name the folder of the runs; found {to} and {pilot}. Give one.")
        if given := pilot or to:
            check_path("plan --to", given, "missing", "empty")
        planned, own_folder, command = _planned(study, scale)
        folder = given or own_folder
        found = read_pilot(folder, planned)
        if not found.table.configs:
            raise ValueError(
                f"{folder} has no finished run of {planned.study.name} at scale {planned.scale}. Make a pilot with "
                f"`{shlex.join([*command, '--to', str(folder)])}`, or say with --pilot where there is one."
            )
        needs = claim_needs(found, _rows(folder), power, max_seeds)
    told = f"{planned.study.title}: from the finished runs in {folder}, {found.seeds_text}."
    return Answer(
        {
            "study": planned.study.name,
            "scale": planned.scale,
            "folder": folder,
            "seeds": found.seeds,
            "power": power,
            "left_out": found.table.damaged,
            "claims": [_facts(need) for need in needs],
            "hours": _hours([need for need in needs if not need.decided], found, max_seeds),
        },
        [
            *(f"Left out: {damage}" for damage in found.table.damaged),
            told,
            *needs_parts(needs, found, power, max_seeds),
        ],
    )


def _facts(need: ClaimNeed) -> dict[str, Any]:
    """What a claim needs, in new seeds; null where too many would be needed, or it is not known."""
    return {
        "id": need.claim.id,
        "verdict": need.row["verdict"] if need.row else None,
        "seeds": need.needed.likely if need.needed else None,
        "cautious_seeds": need.needed.cautious if need.needed else None,
        "hopeless": need.hopeless,
        "remark": need.remark,
    }


def _hours(needs: Sequence[ClaimNeed], pilot: Pilot, most: int) -> dict[str, Any]:
    """The hours that all open claims take one process; arms that no finished run has timed are not in them."""
    likely, cautious = costs(needs, pilot, most)
    return {"likely": likely.seconds / 3600, "cautious": cautious.seconds / 3600, "arms_not_timed": likely.silent}


def _planned(name: str, scale: str | None) -> tuple[Plan, Path, list[str]]:
    """The plan of a paper, or of a study's file; the folder of its runs by default; and what makes runs of it."""
    if Path(name).suffix not in SUFFIXES:
        check_paper("plan", name)
        planned = plan(load_study(name), scale or "smoke")
        words = ["reproduce", name, "--scale", planned.scale]
        return planned, Path("runs") / f"{name}-{planned.scale}", ["clinometer", *words, *_PILOT]
    if scale is not None:
        raise ValueError(f"--scale is for papers; {name} is a study's file, which has one scale.")
    own, source = read(Path(name))
    with source.named():
        return plan(own.study(), "own"), Path("runs") / own.name, ["clinometer", "run", name, *_PILOT]


def _rows(folder: Path) -> list[dict[str, Any]]:
    """The study's `claims.json`, if it was reported on."""
    with contextlib.suppress(FileNotFoundError):
        return read_claims(folder)
    return []
