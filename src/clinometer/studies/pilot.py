"""A pilot: the finished runs of a study, whatever their seeds, from which the seeds that its claims need are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Claim, Evidence, Finding, evidence_of
from clinometer.studies.plan import Plan
from clinometer.studies.rules import CONFIRMATORY
from clinometer.studies.study_folder import check_study_folder
from clinometer.training.config import RunConfig
from clinometer.training.files import read_json
from clinometer.training.run_folder import is_done, run_folders
from clinometer.training.study_file import NAME


@dataclass(frozen=True)
class Cost:
    """How long runs take one process, as far as it is known."""

    seconds: float
    silent: int  # arms of which no finished run says how long it took: they are not counted
    arms: int


@dataclass(frozen=True)
class Pilot:
    """The finished runs of a plan's arms. Reading them decides nothing and writes nothing."""

    plan: Plan
    table: RunTable

    @property
    def seeds(self) -> list[int]:
        """All seeds that some arm was trained with."""
        return sorted({config.seed for config in self.table.configs})

    @property
    def seeds_text(self) -> str:
        """The seeds, and which of them are those of a pilot.

        Example:
            >>> from clinometer.papers import load_study
            >>> from clinometer.studies.plan import plan
            >>> planned = plan(load_study("santurkar2018"), "smoke")
            >>> runs = [planned.bases["vgg"].vary(seed=seed) for seed in (0, 1, 2, 100)]
            >>> Pilot(planned, RunTable.of_arrays({run: {} for run in runs})).seeds_text
            'pilot seeds 0 to 2, confirmatory seed 100'
        """
        kinds = {
            "pilot": [seed for seed in self.seeds if seed < CONFIRMATORY],
            "confirmatory": [seed for seed in self.seeds if seed >= CONFIRMATORY],
        }
        return ", ".join(f"{kind} {_range_text(seeds)}" for kind, seeds in kinds.items() if seeds)

    def evidence(self, claim: Claim) -> Evidence | str:
        """What a claim's function finds in these runs; or, where it finds no numbers, why."""
        found = evidence_of(claim, self.table, self.plan.variants)
        return found.note if isinstance(found, Finding) or not found.parts else found

    def cost(self, seeds: Mapping[RunConfig, int]) -> Cost:
        """How long so many new seeds of some arms take one process."""
        each = {arm: self.table.seconds(arm) for arm in seeds}
        silent = sum(seconds is None for seconds in each.values())
        return Cost(sum(seeds[arm] * (seconds or 0.0) for arm, seconds in each.items()), silent, len(each))


def read_pilot(folder: Path, plan: Plan) -> Pilot:
    """The finished and intact runs of a plan's arms in a study's folder; there may be none.

    Args:
        folder: The study's folder; it is only read.
        plan: What is planned; which seeds it has does not matter.

    Raises:
        ValueError: if the folder holds another study.
    """
    if (folder / NAME).is_file():
        check_study_folder(folder, plan)
    done = [path for path in run_folders(folder) if is_done(path)] if (folder / "runs").is_dir() else []
    seeds = sorted({seed for path in done if isinstance(seed := _config(path).get("seed"), int)})
    arms = dict.fromkeys(arm for claim in plan.claims for arm in plan.arms_of(claim))
    return Pilot(plan, RunTable.read(folder, [arm.vary(seed=seed) for seed in seeds for arm in arms]))


def _config(run: Path) -> Mapping[str, Any]:
    """A run's config as it stands there; the table refuses those that are not intact."""
    try:
        return read_json(run / "config.json")
    except (OSError, ValueError):
        return {}


def _range_text(seeds: Sequence[int]) -> str:
    """Seeds in words, such as `seeds 0 to 2 and 5`."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    told = [f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    return f"seed{'s' * (len(seeds) > 1)} {' and '.join(told)}"
