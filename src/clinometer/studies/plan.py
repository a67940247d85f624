"""What will be run, drawn and decided of a study: checked before any work is spent."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clinometer.studies.claims import Claim
from clinometer.studies.study import MOST_SEEDS, Study
from clinometer.studies.theorems import TheoremSpec, named
from clinometer.training.config import Bases, RunConfig, format_value
from clinometer.training.errors import check_choice


@dataclass(frozen=True)
class Plan:
    """One study at one scale: what will be run, drawn and decided, checked before any work is spent."""

    study: Study
    scale: str
    seeds: Mapping[str, int]  # per arm of each base
    figures: tuple[str, ...]
    claims: tuple[Claim, ...]
    theorems: Mapping[str, TheoremSpec]

    @property
    def bases(self) -> Bases:
        """What runs share, by base."""
        return self.study.scales[self.scale].bases

    @property
    def variants(self) -> Bases:
        """The configs by name that figures and claims are given."""
        return self.bases if self.study.variants is None else self.study.variants

    @property
    def about(self) -> str:
        """The scale, data and networks, and how many seeds."""
        scale = f"Scale {self.scale}: " if len(self.study.scales) > 1 else ""
        each = ", ".join(f"{self.seeds[name]} seeds" + f" ({name})" * (len(self.bases) > 1) for name in self.used)
        return f"{scale}{self.study.scales[self.scale].about}; {each or 'nothing to run'}"

    @property
    def configs(self) -> list[RunConfig]:
        """Every run that the figures need, once, seed by seed."""
        return self._runs_of(self.figures)

    @property
    def run_order(self) -> list[RunConfig]:
        """The same runs in the order in which to make them, so that the first claims can be decided early.

        The runs of one claim follow those of another; the claim that needs the fewest more is always next.
        """
        left = {claim.id: self.runs_of(claim) for claim in self.claims}
        ordered: dict[RunConfig, None] = {}
        while left:
            missing = {name: [run for run in runs if run not in ordered] for name, runs in left.items()}
            nearest = min(missing, key=lambda name: len(missing[name]))
            ordered |= dict.fromkeys(missing[nearest])
            del left[nearest]
        return list(ordered | dict.fromkeys(self.configs))

    def runs_of(self, claim: Claim) -> list[RunConfig]:
        """The runs that a claim is decided by, seed by seed."""
        return self._runs_of(claim.figures)

    def _runs_of(self, figures: Iterable[str]) -> list[RunConfig]:
        arms = [arm for name in figures for arm in self.study.figures[name].arms(self.variants)]
        seeds = [(seed, arm) for arm in arms for seed in range(self.seeds[self.base_of(arm)])]
        ordered = sorted(seeds, key=lambda pair: pair[0])
        return list(dict.fromkeys(dataclasses.replace(arm, seed=seed) for seed, arm in ordered))

    def base_of(self, arm: RunConfig) -> str:
        """The name of the base that an arm varies: the first with its data."""
        if len(self.bases) == 1:
            return next(iter(self.bases))
        return next(name for name, base in self.bases.items() if base.data == arm.data)

    def name_of(self, arm: RunConfig) -> str:
        """What sets an arm apart: its base, what the study always tells, and whatever else differs from the base."""
        name = self.base_of(arm)
        facts, base = arm.facts(), self.bases[name].facts()
        same = ("seed", "probes", "consecutive")  # what is measured sets no arm apart
        told = [f for f in facts if f not in same and (f in self.study.label_fields or facts[f] != base.get(f))]
        words = [f"{f} {format_value(facts[f])}" for f in told]
        return ", ".join([name, *words] if len(self.bases) > 1 else words or [self.study.name])

    def run_name(self, run: RunConfig) -> str:
        """What sets a run apart: its arm and its seed."""
        return f"{self.name_of(run)}, seed {run.seed}"

    @property
    def used(self) -> list[str]:
        """The bases that have an arm in this plan."""
        return list(dict.fromkeys(self.base_of(config) for config in self.configs))


def plan(study: Study, scale: str, only: Iterable[str] = (), seeds: int | None = None) -> Plan:
    """What to do for a study at a scale.

    Args:
        study: The study.
        scale: A row of its scales.
        only: Figures, claims or theorems, by name; all by default. A claim is decided where its figures' runs are made.
        seeds: Seeds per arm; the scale's own number by default.

    Raises:
        ValueError: if a name is unknown, or there is less than one seed, or more than `MOST_SEEDS`.
    """
    check_choice("scale", scale, study.scales)
    claims = {claim.id: claim for claim in study.claims}
    known = [*study.figures, *claims, *study.theorems]
    kind = "figure, claim or theorem"
    chosen = [c for name in only for c in named(known, name) or [check_choice(kind, name, known, listed=100)]]
    if seeds is not None and seeds < 1:
        raise ValueError(f"--seeds must be at least 1; found {seeds}. Intervals need at least 2.")
    if seeds is not None and seeds > MOST_SEEDS:
        raise ValueError(f"--seeds must be at most {MOST_SEEDS}; found {seeds}.")
    needed = {e for name in chosen for e in (claims[name].figures if name in claims else (name,))}
    figures = tuple(name for name in study.figures if name in needed or not chosen)
    decidable = tuple(claim for claim in study.claims if set(claim.figures) <= set(figures))
    theorems = {name: theorem for name, theorem in study.theorems.items() if name in chosen or not chosen}
    each = {name: seeds or own for name, own in study.scales[scale].seeds.items()}
    return Plan(study, scale, each, figures, decidable, theorems)
