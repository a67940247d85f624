"""`--until-decided`: make runs look by look, and add seeds to the arms of those claims alone that are still open."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinometer.cli.console import print_remark
from clinometer.cli.seed_options import Bound
from clinometer.pages.verdicts import Verdicts
from clinometer.runner.scheduler import Failure
from clinometer.runner.time_budget import RunSeconds, TimeBudget
from clinometer.studies.claims import Claim
from clinometer.studies.plan import Plan
from clinometer.studies.until_decided import fewest_seeds, grown, with_seeds_of
from clinometer.training.config import RunConfig
from clinometer.training.run import Group
from clinometer.training.run_folder import is_done, run_folder

MakeRuns = Callable[[Plan, Sequence[RunConfig], Verdicts, Callable[[Group], bool]], list[Failure]]


@dataclass
class UntilDecided:
    """The looks at a study's claims, one after the other.

    A look at a claim is taken when all runs of its planned seeds are done. A claim that is then undecided gets the
    seeds of its next look, unless it has them all, or has no numbers, or its runs fail or do not fit into the budget.
    """

    folder: Path
    bound: Bound
    workers: int  # runs at a time
    make_runs: MakeRuns
    keep: Callable[[Plan], None]  # notes in the study's folder which seeds are planned
    failures: list[Failure] = field(default_factory=list[Failure])
    stopped: set[str] = field(default_factory=set[str])  # claims whose next look cannot be taken by this command

    def __post_init__(self) -> None:
        self.known = RunSeconds(self.folder)
        self.budget = TimeBudget(self.bound.seconds, self.known)

    def run(self, plan: Plan) -> tuple[Plan, Verdicts]:
        """Take the looks from that of `plan` on; the plan of the looks that were taken, and its verdicts."""
        before, verdicts = plan, Verdicts(plan, self.folder)
        while True:
            self._make_runs(plan, verdicts)
            self.stopped |= {claim.id for claim in plan.claims if claim.id not in verdicts.rows}
            taken = with_seeds_of(plan, before, self.stopped)
            more = grown(taken, self._open(taken, verdicts), self.bound.most)
            self.known.note(more.configs)
            print_remark(self._line(taken, more, verdicts))
            if more.claim_seeds == taken.claim_seeds:
                break
            before, plan, verdicts = taken, more, verdicts.grown(more)
            self.keep(plan)
        self.keep(taken)
        found = verdicts.grown(taken)
        found.leave_open("Not looked at: the runs of its next look are not all done.")
        return taken, found

    @property
    def nothing_fitted(self) -> str:
        """Why no run was started, where the budget is the reason; else empty."""
        if self.budget.started or not self.budget.left_out:
            return ""
        shortest = self.budget.shortest()
        takes = f"; the shortest takes about {duration(shortest)}, as those of its arm did" if shortest else ""
        return f"--budget {self.bound.budget}: no run that is missing fits into it{takes}. Nothing was lost."

    def _make_runs(self, plan: Plan, verdicts: Verdicts) -> None:
        failed = {failure.config for failure in self.failures}
        left = [run for run in plan.run_order if run not in failed]
        self.failures += self.make_runs(plan, left, verdicts, lambda runs: self.budget.admit(runs, plan.configs))
        verdicts.new_rows()

    def _open(self, plan: Plan, verdicts: Verdicts) -> list[Claim]:
        """The claims that get more seeds."""
        return [
            claim
            for claim in plan.claims
            if claim.id not in self.stopped
            and is_open(row := verdicts.rows[claim.id])
            and has_numbers(row)
            and plan.arms_of(claim)
            and fewest_seeds(plan, claim) < self.bound.most
        ]

    def _line(self, taken: Plan, more: Plan, verdicts: Verdicts) -> str:
        """What is decided, what is open and why, and what the next look costs."""
        growing = {name: count for name, count in more.claim_seeds.items() if taken.claim_seeds.get(name) != count}
        standing: dict[str, list[str]] = {}
        for claim in taken.claims:
            state = "Open" if claim.id in growing else self._standing(claim, taken, verdicts)
            standing.setdefault(state, []).append(claim.id)
        said = [f"{state}: {', '.join(names)}." for state, names in standing.items()]
        return " ".join([*said, *([self._cost(more, growing.values())] if growing else [])])

    def _standing(self, claim: Claim, plan: Plan, verdicts: Verdicts) -> str:
        """Where a claim stands that gets no more seeds."""
        row = verdicts.rows.get(claim.id)
        if row and not is_open(row):
            return "Decided"
        if claim.id in self.stopped:
            arms = {failure.config.vary(seed=0) for failure in self.failures}
            failed = arms & {run.vary(seed=0) for run in plan.runs_of(claim)}
            return "Open, as runs failed" if failed else "Open, as the next look does not fit into the budget"
        if row and not has_numbers(row):
            return "Without numbers, which more seeds would not change"
        return "Open at the last look"

    def _cost(self, plan: Plan, counts: Iterable[int]) -> str:
        missing = [run for run in plan.configs if not is_done(run_folder(self.folder, run))]
        seconds = self.known.of(missing) / min(self.workers, max(len(missing), 1))
        seeds = " to ".join(str(count) for count in sorted({min(counts), max(counts)}))
        return f"The next look, at {seeds} seeds, takes {len(missing)} runs and about {duration(seconds)}."


def is_open(row: dict[str, Any]) -> bool:
    """Whether a claim is undecided."""
    return row["verdict"] == "undecided"


def has_numbers(row: dict[str, Any]) -> bool:
    """Whether a claim was judged by any number: where it was not, more seeds do not change that."""
    return any(part["n"] for part in row["parts"])


def duration(seconds: float) -> str:
    """A time in words.

    Example:
        >>> [duration(seconds) for seconds in (0.2, 75, 1500, 9000)]
        ['1 s', '75 s', '25 minutes', '2.5 hours']
    """
    if seconds < 100:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
