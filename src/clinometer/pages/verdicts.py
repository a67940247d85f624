"""Decides the claims of a study while its runs are made: each once, when the last run that it needs is done."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Claim, Looks, undecided
from clinometer.studies.claims_json import claim_rows, to_row, with_holm
from clinometer.studies.looks import add_looks, noted_looks
from clinometer.studies.plan import Plan
from clinometer.studies.rules import statuses
from clinometer.training.config import RunConfig
from clinometer.training.run_folder import is_done, run_folder


class Verdicts:
    """The claims of a plan that are decided so far, and the table of runs that they were decided by.

    Args:
        plan: What is planned.
        folder: The study's folder.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.table = RunTable({})
        self._rows: dict[str, dict[str, Any]] = {}  # by the claim's id, as in `claims.json`
        self._missing = {claim.id: set(plan.runs_of(claim)) for claim in plan.claims}
        self._decided: dict[tuple[str, tuple[RunConfig, ...]], dict[str, Any]] = {}  # also of plans before this one

    def grown(self, plan: Plan) -> "Verdicts":
        """Those of a plan with other seeds: a claim that was decided by the same runs is not decided again."""
        other = Verdicts(plan, self.folder)
        other.table, other._decided = self.table, self._decided
        for claim in plan.claims:
            if row := self._decided.get((claim.id, tuple(plan.runs_of(claim)))):
                other._rows[claim.id] = row
                del other._missing[claim.id]
        return other

    def leave_open(self, reason: str) -> None:
        """Do not look at the claims whose runs are not all done: their looks come when these are."""
        status = statuses(self.plan, self.folder)
        for claim in self.plan.claims:
            if claim.id in self._missing:
                row = to_row(claim, undecided(reason))
                self._rows[claim.id] = row | dataclasses.asdict(status[claim.id])

    @property
    def rows(self) -> Mapping[str, dict[str, Any]]:
        """The rows of the claims that are decided so far, by the claim's id."""
        return self._rows

    def new_rows(self) -> list[dict[str, Any]]:
        """Decide the claims whose last run is done since the previous call; their rows of `claims.json`.

        A claim that cannot be decided for an error of its code or of the disk is left to `all_rows`, which raises the
        error once all runs are made.

        Cost: for each run that is not done, whether a file is there; for each new claim, reading its runs, less what
        the claims before it have read.
        """
        done = {run for run in set[RunConfig]().union(*self._missing.values()) if self._is_done(run)}
        ready = [claim for claim in self.plan.claims if claim.id in self._missing and self._missing[claim.id] <= done]
        for runs in self._missing.values():
            runs -= done
        for claim in ready:
            del self._missing[claim.id]
            with contextlib.suppress(Exception, SystemExit):
                self._read([*self.table.configs, *self.plan.runs_of(claim)])
                (self._rows[claim.id],) = self._decide([claim])
                self._decided[claim.id, tuple(self.plan.runs_of(claim))] = self._rows[claim.id]
        return [self._rows[claim.id] for claim in ready if claim.id in self._rows]

    def all_rows(self) -> list[dict[str, Any]]:
        """The rows of all claims: those already decided as they are, the others by the runs that are done now."""
        self._read(self.plan.configs)
        left = [claim for claim in self.plan.claims if claim.id not in self._rows]
        rows = self._rows | {row["id"]: row for row in (self._decide(left) if left else [])}
        return with_holm([rows[claim.id] for claim in self.plan.claims])

    def _decide(self, claims: Sequence[Claim]) -> list[dict[str, Any]]:
        """The rows of some claims, with the earlier looks paid for; this look is on disk before anybody sees them."""
        with noted_looks(self.folder, self.plan.first_seed) as looks:
            rows = [self._row(claim, looks) for claim in claims]
            add_looks(looks, rows)
        status = statuses(self.plan, self.folder)
        return [row | dataclasses.asdict(status[row["id"]]) for row in rows]

    def _row(self, claim: Claim, looks: Mapping[str, Looks]) -> dict[str, Any]:
        """The row of a claim, decided by those of its own runs that are read."""
        (row,) = claim_rows([claim], self.table.only(self.plan.runs_of(claim)), self.plan.variants, looks)
        return row

    def _read(self, runs: list[RunConfig]) -> None:
        self.table = RunTable.read(self.folder, list(dict.fromkeys(runs)), self.table)

    def _is_done(self, run: RunConfig) -> bool:
        return is_done(run_folder(self.folder, run))
